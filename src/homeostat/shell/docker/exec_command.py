"""`docker exec`: a further process in a container, with its streams through pipes that this process opens.

containerd runs the process (its tasks' Exec), and its shim copies the streams from and to named pipes in a folder of
ours; with a terminal, what is typed is passed on as it is, and a change of the window's size is passed on.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from homeostat.kit import chance
from homeostat.shell.command_flags import Flag, parse, switches, texts
from homeostat.shell.engine.container_engine import Engine, Refused
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.tool_error import ToolError

_FLAGS = [
    *switches("interactive/i", "tty/t", "detach/d"),
    *texts("workdir/w", "user/u", "detach-keys"),
    Flag("env", "e", "list"),
]
_SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Process"
_BLOCK_BYTES = 1 << 16
_NOT_FOUND, _NOT_RUN, _BROKEN = 127, 126, 255
# How long output that is under way may still come after the process has ended.
_DRAIN_SECONDS = 0.5


def run(look: Look, argv: Sequence[str]) -> int:
    """`docker exec CONTAINER COMMAND...`; returns the command's exit code."""
    line = parse(argv, _FLAGS, to_first_word=True)
    if len(line.words) < 2:
        raise ToolError("\"docker exec\" requires at least 2 arguments.\nSee 'docker exec --help'.")
    try:
        box = look.find(line.words[0])
    except ToolError as error:
        raise ToolError(f"Error response from daemon: {error.text}") from None
    if not box.running:
        raise ToolError(f"Error response from daemon: Container {box.id} is not running")
    if look.paused(box):
        raise ToolError(f"Error response from daemon: Container {box.id} is paused, unpause the container before exec")
    tty = line.on("tty")
    if tty and line.on("interactive") and not sys.stdin.isatty():
        raise ToolError("the input device is not a TTY")
    detail = look.detail(box)
    process = process_spec(detail.spec, line.words[1:], env=line.all("env"), tty=tty)
    if line.given("workdir"):
        process["cwd"] = line.text("workdir")
    if line.given("user"):
        process["user"] = user_of(line.text("user"), Path(f"/proc/{detail.pid}/root/etc"))
    if tty and sys.stdin.isatty():
        size = os.get_terminal_size(0)
        process["consoleSize"] = {"height": size.lines, "width": size.columns}
    session = Session(look.engine, box.id, tty=tty, interactive=line.on("interactive"))
    return session.run(process, detach=line.on("detach"))


def process_spec(spec: dict[str, Any], argv: Sequence[str], *, env: Sequence[str], tty: bool) -> dict[str, Any]:
    """The OCI process: the container's own with another command line and further environment. Pure."""
    process: dict[str, Any] = {**(spec.get("process") or {})}
    added = {word.partition("=")[0]: word for word in env if "=" in word}
    if tty:
        added.setdefault("TERM", "TERM=xterm")
    kept = [word for word in process.get("env") or [] if word.partition("=")[0] not in added]
    return {**process, "args": list(argv), "env": [*kept, *added.values()], "terminal": tty}


def user_of(word: str, etc: Path) -> dict[str, int]:
    """`USER[:GROUP]`, by number or by the names in a container's /etc. Raises ToolError with docker's text."""
    name, _, group = word.partition(":")
    user = _entry(etc / "passwd", name)
    if user is None and not name.isdigit():
        raise ToolError(f"unable to find user {name}: no matching entries in passwd file", _NOT_RUN)
    gid = user[3] if user is not None else "0"
    if group:
        found = _entry(etc / "group", group)
        if found is None and not group.isdigit():
            raise ToolError(f"unable to find group {group}: no matching entries in group file", _NOT_RUN)
        gid = found[2] if found is not None else group
    return {"uid": int(user[2] if user is not None else name), "gid": int(gid)}


def _entry(file: Path, word: str) -> list[str] | None:
    try:
        lines = [line.split(":") for line in file.read_text(errors="replace").splitlines()]
    except OSError:
        return None
    return next((line for line in lines if len(line) > 3 and word in (line[0], line[2])), None)


class Session:
    """One further process in a container, and its streams. A session that is broken off kills its process."""

    def __init__(self, engine: Engine, container: str, *, tty: bool, interactive: bool) -> None:
        self._engine, self._container = engine, container
        self._tty, self._interactive = tty, interactive
        self._id = f"exec-{chance.token_hex(16)}"

    def run(self, process: dict[str, Any], *, detach: bool = False) -> int:
        """Run it to its end, or with `detach` only start it; returns its exit code. Raises ToolError."""
        names = [] if detach else [*(["stdin"] if self._interactive else []), "stdout"]
        names += [] if detach or self._tty else ["stderr"]
        with tempfile.TemporaryDirectory(prefix="docker-exec-") as folder:
            paths = {name: f"{folder}/{name}" for name in names}
            for path in paths.values():
                os.mkfifo(path, 0o600)
            containerd = self._engine.containerd
            spec = containerd.Any(type_url=_SPEC_TYPE, value=json.dumps(process).encode())
            self._engine.add_process(
                containerd.ExecProcessRequest(
                    container_id=self._container, exec_id=self._id, terminal=self._tty, spec=spec, **paths
                )
            )
            # The writing end of its input is ours from the start: it must not find it closed.
            ways = {name: os.O_RDWR if name == "stdin" else os.O_RDONLY for name in paths}
            ends = {name: os.open(paths[name], ways[name] | os.O_NONBLOCK | os.O_CLOEXEC) for name in paths}
            try:
                return self._converse(ends, detach=detach)
            finally:
                for end in ends.values():
                    os.close(end)

    def _converse(self, ends: dict[str, int], *, detach: bool) -> int:
        try:
            self._engine.start_process(self._container, self._id)
        except Refused as refused:
            self._quietly(self._engine.delete_process)
            missing = "not found" in refused.text or "no such file" in refused.text
            raise ToolError(refused.text, _NOT_FOUND if missing else _NOT_RUN) from None
        if detach:
            return 0
        # A login that breaks off must not leave its command behind.
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, lambda code, _: sys.exit(128 + code))
        ended = _Ended(self._engine, self._container, self._id)
        try:
            with self._terminal():
                self._copy(ends, ended)
            return ended.code
        finally:
            if not ended.over:
                self._quietly(lambda container, exec_id: self._engine.kill(container, 9, exec_id=exec_id))
            self._quietly(self._engine.delete_process)

    def _quietly(self, act: Callable[[str, str], object]) -> None:
        """What may come too late, as the process and its container end when they like."""
        try:
            act(self._container, self._id)
        except Refused:
            pass

    @contextmanager
    def _terminal(self) -> Iterator[None]:
        """Hand every key through, and the size of the window; as before afterwards."""
        if not (self._tty and sys.stdin.isatty()):
            yield
            return
        import termios
        import tty

        before = termios.tcgetattr(0)

        def resize(*_: object) -> None:
            self._quietly(lambda container, exec_id: self._engine.resize(container, exec_id, os.get_terminal_size(0)))

        signal.signal(signal.SIGWINCH, resize)
        resize()
        tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead is for the command
        try:
            yield
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)

    def _copy(self, ends: dict[str, int], ended: _Ended) -> None:
        """Copy until the process has ended and its output is read."""
        sinks = {ends[name]: number for name, number in (("stdout", 1), ("stderr", 2)) if name in ends}
        typed: _Typed | None = None
        if "stdin" in ends:
            typed = _Typed(ends.pop("stdin"), lambda: self._quietly(self._engine.close_input))
        poll = select.poll()
        for end in sinks:
            poll.register(end, select.POLLIN)
        poll.register(ended.bell, select.POLLIN)
        if typed is not None:
            typed.watch(poll)
        while sinks or not ended.over:
            ready = poll.poll(_DRAIN_SECONDS * 1000 if ended.over else None)
            if ended.over and not ready:
                return  # somebody it left behind still holds its output
            for descriptor, events in ready:
                if descriptor == ended.bell:
                    poll.unregister(ended.bell)
                elif descriptor in sinks:
                    data = os.read(descriptor, _BLOCK_BYTES) if events & select.POLLIN else b""
                    if not data:
                        poll.unregister(descriptor)
                    write_all(sinks[descriptor] if data else sinks.pop(descriptor), data)
                elif typed is not None:
                    typed.move(poll)


class _Ended:
    """Waits for a process on a thread of its own; `bell` becomes readable when it has ended."""

    def __init__(self, engine: Engine, container: str, exec_id: str) -> None:
        self.bell, self._ring = os.pipe()
        self.over, self.code = False, _BROKEN
        self._ask = (engine, container, exec_id)
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        engine, container, exec_id = self._ask
        try:
            code = engine.wait(container, exec_id=exec_id)
            self.code = _BROKEN if code is None else code
        except ToolError:
            pass  # the engine went away: the code says so
        finally:
            self.over = True
            os.write(self._ring, b".")


class _Typed:
    """Standard input on its way to the process: what the pipe cannot take yet waits, and nothing more is read."""

    def __init__(self, pipe: int, close: Callable[[], None]) -> None:
        self._pipe, self._close = pipe, close
        self._waiting, self._stuck = b"", False

    def watch(self, poll: select.poll) -> None:
        """Begin to listen."""
        poll.register(0, select.POLLIN)

    def move(self, poll: select.poll) -> None:
        """Something can be read, or written."""
        if not self._waiting:
            self._waiting = os.read(0, _BLOCK_BYTES)
            if not self._waiting:
                poll.unregister(0)
                os.close(self._pipe)
                self._close()
                return
        try:
            self._waiting = self._waiting[os.write(self._pipe, self._waiting) :]
        except BlockingIOError:
            pass  # full; the process reads when it likes
        if self._waiting and not self._stuck:
            poll.unregister(0)
            poll.register(self._pipe, select.POLLOUT)
        elif not self._waiting and self._stuck:
            poll.unregister(self._pipe)
            poll.register(0, select.POLLIN)
        self._stuck = bool(self._waiting)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however small the steps."""
    while data:
        data = data[os.write(descriptor, data) :]
