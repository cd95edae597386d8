"""The docker commands that show: logs, top, version, info."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from homeostat.kit import machine_clock
from homeostat.shell.command_flags import parse, switches
from homeostat.shell.command_flags import texts as text_flags
from homeostat.shell.engine import formats
from homeostat.shell.engine.containers import Box
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.tool_error import ToolError

_LOG_FLAGS = [*switches("follow/f", "timestamps/t", "details"), *text_flags("tail/n", "since", "until")]
_ALIVE_SECONDS = 0.5


def logs(look: Look, argv: Sequence[str]) -> int:
    """`docker logs`: what the container wrote, each stream to its own."""
    line = parse(argv, _LOG_FLAGS)
    if len(line.words) != 1:
        raise ToolError("\"docker logs\" requires exactly 1 argument.\nSee 'docker logs --help'.")
    box = _found(look, line.words[0])
    tail = line.text("tail")
    if tail not in ("", "all") and not tail.isdigit():
        raise ToolError(f"Error response from daemon: error: '{tail}' is not a number of lines")
    path = look.detail(box).log_path
    if not path:
        return 0  # a sandbox writes nothing
    lines = int(tail) if tail.isdigit() else None
    shown = Shown(line.on("timestamps"), _when(line.text("since")), _when(line.text("until")))
    read_log(path, _Alive(look, box), shown, tail_lines=lines, follow=line.on("follow"))
    return 0


class Shown(NamedTuple):
    """Which lines of a log are printed (times in seconds since the epoch, 0 for any), and how."""

    timestamps: bool
    since: float
    until: float


class _Alive:
    """Whether a container still runs; asked often, so the engine is asked now and then."""

    def __init__(self, look: Look, box: Box) -> None:
        self._look, self._box = look, box
        self._alive, self._asked = box.running, machine_clock.monotonic()

    def __call__(self) -> bool:
        if self._alive and machine_clock.monotonic() - self._asked > _ALIVE_SECONDS:
            self._asked = machine_clock.monotonic()
            self._look.forget()
            try:
                self._alive = self._look.find(self._box.id).running
            except ToolError:
                self._alive = False
        return self._alive


def read_log(path: str, alive: _Alive, shown: Shown, *, tail_lines: int | None, follow: bool) -> None:
    """Print a CRI log, through its rotations; with `follow` until the container ends."""
    import asyncio

    from homeostat.kit import clock
    from homeostat.runtime.contract import LogSpan
    from homeostat.runtime.logs import log_reader

    until = clock.rfc3339_nano(shown.until) if shown.until else ""
    out = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    span = LogSpan(tail_lines=tail_lines, since=shown.since, follow=follow)

    async def copy() -> None:
        async for line in log_reader.read(path, span, alive):
            if until and line.time > until:
                return
            stream = out.get(line.stream, out["stdout"])
            head = f"{fixed_time(line.time)} ".encode() if shown.timestamps else b""
            stream.write(head + line.data + (b"" if line.partial else b"\n"))
            if follow or stream is out["stderr"]:
                stream.flush()

    asyncio.run(copy())


def fixed_time(text: str) -> str:
    """An RFC 3339 time with nine digits behind the point, as docker prints it; engines leave zeros out. Pure."""
    found = re.fullmatch(r"([^.Z+]+)(?:\.(\d+))?(Z|[-+]\d\d:\d\d)", text)
    return f"{found[1]}.{(found[2] or '').ljust(9, '0')}{found[3]}" if found is not None else text


def _when(text: str) -> float:
    """A time as docker takes it: RFC 3339, a date, seconds since the epoch, or a duration before now."""
    from homeostat.api import durations

    if not text:
        return 0.0
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        return machine_clock.wall_nanoseconds() / 1e9 - durations.parse(text)
    except durations.DurationError:
        pass
    try:
        return formats.parse_go_time(text)
    except ValueError:
        raise ToolError(f'invalid value for "since": failed to parse value as time or duration: "{text}"') from None


def top(look: Look, argv: Sequence[str]) -> int:
    """`docker top CONTAINER [ps OPTION...]`: the node's own `ps`, of the container's processes."""
    if not argv or argv[0].startswith("-"):
        raise ToolError("\"docker top\" requires at least 1 argument.\nSee 'docker top --help'.")
    box = _found(look, argv[0])
    if not box.running:
        raise ToolError(f"Error response from daemon: Container {box.id} is not running")
    pids = set(look.engine.pids(box.id))
    listed = subprocess.run(["ps", *(argv[1:] or ["-ef"])], capture_output=True, text=True, check=False)
    if listed.returncode:
        raise ToolError(f"Error response from daemon: ps: {listed.stderr.strip()}")
    head, *rows = listed.stdout.splitlines()
    if "PID" not in head.split():
        raise ToolError("Error response from daemon: Couldn't find PID field in ps output")
    place = head.split().index("PID")
    shown = [row for row in rows if _pid(row, place) in pids]
    count = len(head.split())
    print("\n".join(formats.columns([row.split(None, count - 1) for row in [head, *shown]], gap=5, narrowest=20)))
    return 0


def _pid(row: str, place: int) -> int:
    words = row.split()
    return int(words[place]) if len(words) > place and words[place].isdigit() else -1


def _found(look: Look, word: str) -> Box:
    try:
        return look.find(word)
    except ToolError as error:
        raise ToolError(f"Error response from daemon: {error.text}") from None


def version(look: Look, argv: Sequence[str]) -> int:
    """`docker version`."""
    from importlib.metadata import version as version_of

    line = parse(argv, text_flags("format/f"))
    answer = look.engine.version()
    kernel = os.uname()
    client = {"Version": version_of("homeostat"), "ApiVersion": answer.runtime_api_version, "Os": "linux"}
    server = {"Version": answer.runtime_version, "Name": answer.runtime_name, "ApiVersion": answer.runtime_api_version}
    server |= {"Os": "linux", "Arch": kernel.machine, "KernelVersion": kernel.release}
    if line.given("format"):
        return _render(line.text("format"), {"Client": client, "Server": server})
    print(
        f"Client: Homeostat's docker commands\n Version:           {client['Version']}\n"
        f" CRI version:       {client['ApiVersion']}\n OS/Arch:           linux/{kernel.machine}\n\n"
        f"Server: {server['Name']}\n Version:           {server['Version']}\n"
        f" CRI version:       {server['ApiVersion']}\n OS/Arch:           linux/{kernel.machine}\n"
        f" Kernel Version:    {kernel.release}"
    )
    return 0


def info(look: Look, argv: Sequence[str]) -> int:
    """`docker info`."""
    line = parse(argv, text_flags("format/f"))
    boxes = look.boxes()
    paused = sum(look.paused(box) for box in boxes)
    running = sum(box.running for box in boxes)
    answer, kernel = look.engine.version(), os.uname()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = {
        "Containers": len(boxes),
        "ContainersRunning": running - paused,
        "ContainersPaused": paused,
        "ContainersStopped": len(boxes) - running,
        "Images": len(look.images()),
        "ServerVersion": answer.runtime_version,
        "Runtime": answer.runtime_name,
        "CgroupVersion": "2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "1",
        "KernelVersion": kernel.release,
        "OSType": "linux",
        "Architecture": kernel.machine,
        "NCPU": os.cpu_count() or 1,
        "MemTotal": memory,
        "Name": kernel.nodename,
    }
    if line.given("format"):
        return _render(line.text("format"), facts)
    words = {"NCPU": "CPUs", "MemTotal": "Total Memory", "ServerVersion": "Server Version"}
    inner = {"ContainersRunning": " Running", "ContainersPaused": " Paused", "ContainersStopped": " Stopped"}
    shown = {**facts, "MemTotal": formats.binary_size(memory)}
    print("Server:\n" + "\n".join(f" {inner.get(key) or words.get(key, key)}: {value}" for key, value in shown.items()))
    return 0


def _render(form: str, facts: dict[str, object]) -> int:
    from homeostat.shell.docker.go_template import Template

    print(Template("{{json .}}" if form == "json" else form).render(facts))
    return 0
