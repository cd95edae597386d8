"""The docker commands that change a container: kill, stop, start, restart, pause, unpause, rm, wait.

Signals go to the container's first process, around the CRI, as docker sent them around the kubelet; the kubelet then
sees a container that ended by itself. A sandbox is killed and stopped the same way, alone: its pod's containers end
when the kubelet notices, as they did under dockershim.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

from homeostat.kit import machine_clock
from homeostat.shell.command_flags import Line, parse, switches, texts
from homeostat.shell.engine import containers as naming
from homeostat.shell.engine.container_engine import EngineDown, Refused
from homeostat.shell.engine.containers import Box
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.stderr import complain
from homeostat.shell.tool_error import ToolError

_GRACE_SECONDS = 10
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_SIGNAL_MAX = 64
_AT_ONCE_MAX = 50
# How long a restart waits for the kubelet: its longest wait before it starts a container again is five minutes, but
# the first one is at once.
_SUCCESSOR_SECONDS = 20.0


def kill(look: Look, argv: Sequence[str]) -> int:
    """`docker kill [-s SIGNAL] CONTAINER...`."""
    line = _words(parse(argv, texts("signal/s")), "kill")
    number = signal_number(line.text("signal") or "KILL")

    def act(box: Box) -> None:
        if not box.running:
            raise ToolError(f"Container {box.id} is not running")
        frozen = look.paused(box)
        look.engine.kill(box.id, number)
        if frozen and number == signal.SIGKILL:
            _thaw(look, box)  # a frozen process cannot end
        if number == signal.SIGKILL:
            _until_ended(look, box)

    return each(look, line.words, act, "Cannot kill container: {word}: ")


def _thaw(look: Look, box: Box) -> None:
    try:
        look.engine.unpause(box.id)
    except Refused:
        pass  # the signal has ended it all the same


def stop(look: Look, argv: Sequence[str]) -> int:
    """`docker stop [-t SECONDS] CONTAINER...`."""
    line = _words(parse(argv, texts("time/t", "signal/s")), "stop")
    grace = _seconds(line.text("time"))
    number = signal_number(line.text("signal")) if line.given("signal") else None
    return each(look, line.words, lambda box: _stop(look, box, grace, number), "")


def _stop(look: Look, box: Box, grace_seconds: int, number: int | None = None) -> None:
    if not box.running:
        return
    if look.paused(box):
        look.engine.unpause(box.id)  # as docker does: a frozen process gets no signal
    if not box.sandbox and number is None:
        look.engine.stop_container(box.id, grace_seconds=grace_seconds)
        return
    look.engine.kill(box.id, number or signal.SIGTERM)
    if look.engine.wait(box.id, seconds=float(max(grace_seconds, 0.01))) is None:
        try:
            look.engine.kill(box.id, signal.SIGKILL)
        except Refused as refused:
            if not refused.missing:
                raise
    _until_ended(look, box)


def start(look: Look, argv: Sequence[str]) -> int:
    """`docker start CONTAINER...`: one that was created; of an ended one the kubelet starts a successor."""
    line = _words(parse(argv, switches("attach/a", "interactive/i")), "start")

    def act(box: Box) -> None:
        if box.running:
            return
        if box.state == "created" and not box.sandbox:
            look.engine.start_container(box.id)
            return
        newer = naming.successor(look.boxes(), box)
        if newer is None:
            raise ToolError(_never_again(box))
        complain(f"{box.id[:12]} has ended for good; the kubelet runs {newer.id[:12]} in its place")

    return each(look, line.words, act, "")


def _never_again(box: Box) -> str:
    what = "sandbox" if box.sandbox else "container"
    return (
        f"Cannot start {what} {box.id[:12]}: under a kubelet an ended {what} is never started again; the kubelet makes "
        "a new one while the Pod wants it (is it running? `systemctl status kubelet`)"
    )


def restart(look: Look, argv: Sequence[str]) -> int:
    """`docker restart [-t SECONDS] CONTAINER...`: stopped, and back as what the kubelet starts in its place."""
    line = _words(parse(argv, texts("time/t")), "restart")
    grace = _seconds(line.text("time"))

    def act(box: Box) -> None:
        _stop(look, box, grace)
        deadline = machine_clock.monotonic() + _SUCCESSOR_SECONDS
        while (newer := naming.successor(look.engine_boxes(), box)) is None:
            if machine_clock.monotonic() > deadline:
                raise ToolError(
                    f"Cannot restart container {box.id[:12]}: it is stopped, and the kubelet has started "
                    f"none in its place for {_SUCCESSOR_SECONDS:.0f} s (`systemctl status kubelet`)"
                )
            machine_clock.pause(_LOOK_SECONDS)
        complain(f"{box.id[:12]} has ended; the kubelet runs {newer.id[:12]} in its place")

    return each(look, line.words, act, "")


def pause(look: Look, argv: Sequence[str]) -> int:
    """`docker pause CONTAINER...`."""

    def act(box: Box) -> None:
        if not box.running:
            raise ToolError(f"Container {box.id} is not running")
        if look.paused(box):
            raise ToolError(f"Container {box.id} is already paused")
        look.engine.pause(box.id)

    return each(look, _words(parse(argv, ()), "pause").words, act, "")


def unpause(look: Look, argv: Sequence[str]) -> int:
    """`docker unpause CONTAINER...`."""

    def act(box: Box) -> None:
        if not look.paused(box):
            raise ToolError(f"Container {box.id} is not paused")
        look.engine.unpause(box.id)

    return each(look, _words(parse(argv, ()), "unpause").words, act, "")


def remove(look: Look, argv: Sequence[str]) -> int:
    """`docker rm [-f] CONTAINER...`; a sandbox is removed with the pod's containers, as the CRI has it."""
    line = _words(parse(argv, switches("force/f", "volumes/v", "link/l")), "rm")
    force = line.on("force")

    def act(box: Box) -> None:
        if box.running and not force:
            raise ToolError(
                f"You cannot remove a running container {box.id}. Stop the container before attempting "
                "removal or force remove"
            )
        if look.paused(box):
            look.engine.unpause(box.id)
        if box.sandbox:
            look.engine.stop_pod(box.id)
            look.engine.remove_pod(box.id)
            return
        if box.running:
            look.engine.kill(box.id, signal.SIGKILL)
            _until_ended(look, box)
        look.engine.remove_container(box.id)

    return each(look, line.words, act, "")


def wait(look: Look, argv: Sequence[str]) -> int:
    """`docker wait CONTAINER...`: the exit codes, once all have ended."""
    code = 0
    for word in _words(parse(argv, ()), "wait").words:
        try:
            box = look.find(word)
            ended = look.engine.wait(box.id) if box.running else None
            look.forget()
            print(look.detail(box).exit_code if ended is None else ended, flush=True)
        except ToolError as error:
            complain(f"Error response from daemon: {error.text}")
            code = 1
    return code


def each(look: Look, words: Sequence[str], act: Callable[[Box], None], prefix: str) -> int:
    """Do it to every container named, at once, as docker does; one that fails is reported. Returns the exit code.

    A sandbox's turn comes first: a kubelet that sees a container's end is to see that its sandbox has ended too,
    or it would start the next one in it.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    code = 0
    found = {word: _found(look, word) for word in dict.fromkeys(words)}
    with ThreadPoolExecutor(_AT_ONCE_MAX) as pool:
        boxes = [box for box in found.values() if isinstance(box, Box)]
        under_way: dict[str, Future[None]] = {}
        for box in sorted(boxes, key=lambda box: not box.sandbox):
            under_way[box.id] = pool.submit(act, box)
        for word, one in found.items():
            error = one if isinstance(one, ToolError) else under_way[one.id].exception()
            if isinstance(error, ToolError) and not isinstance(error, EngineDown):
                complain(f"Error response from daemon: {prefix.format(word=word)}{error.text}")
                code = 1
            elif error is not None:
                raise error
            else:
                print(word, flush=True)
    return code


def _found(look: Look, word: str) -> Box | ToolError:
    try:
        return look.find(word)
    except ToolError as error:
        if isinstance(error, EngineDown):
            raise
        return error


def _words(line: Line, command: str) -> Line:
    if not line.words:
        raise ToolError(f"\"docker {command}\" requires at least 1 argument.\nSee 'docker {command} --help'.")
    return line


def _seconds(text: str) -> int:
    try:
        return int(text or _GRACE_SECONDS)
    except ValueError:
        raise ToolError(f'invalid argument "{text}" for "-t, --time" flag: a whole number is needed', 125) from None


def _until_ended(look: Look, box: Box) -> None:
    """Wait until the CRI has seen the end too, so that the next `docker ps` shows it. Raises ToolError."""
    deadline = machine_clock.monotonic() + _END_SECONDS
    while machine_clock.monotonic() < deadline:
        now = next((other for other in look.engine_boxes() if other.id == box.id), None)
        if now is None or not now.running:
            return
        machine_clock.pause(_LOOK_SECONDS)
    raise ToolError(f"tried to kill container, but did not receive an exit event: {box.id}")


def signal_number(word: str) -> int:
    """The number of a signal by name (with or without SIG) or number. Raises ToolError with docker's text."""
    name = word.upper().removeprefix("SIG")
    if word.isdigit() and 0 < int(word) <= _SIGNAL_MAX:
        return int(word)
    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:
        pass
    base, plus, offset = name.partition("+")
    if base == "RTMIN" and plus and offset.isdigit() and signal.SIGRTMIN + int(offset) <= _SIGNAL_MAX:
        return int(signal.SIGRTMIN) + int(offset)
    raise ToolError(f"Error response from daemon: Invalid signal: {word}")
