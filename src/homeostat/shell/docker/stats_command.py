"""`docker stats`: what the running containers use, from two looks a second apart, again and again on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from homeostat.kit import machine_clock
from homeostat.shell.command_flags import parse, switches
from homeostat.shell.command_flags import texts as text_flags
from homeostat.shell.docker.list_commands import Fields, formatted
from homeostat.shell.engine import formats
from homeostat.shell.engine.container_engine import Refused
from homeostat.shell.engine.containers import Box
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.tool_error import ToolError

_TABLE = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"
_HEADINGS = {
    "ID": "CONTAINER ID", "Container": "CONTAINER", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
}  # fmt: skip
_INTERVAL_SECONDS = 1.0
_UNKNOWN = "--"


class Use(NamedTuple):
    """What one container uses. Bytes; `cpu_percent` of one core; None where it is unknown."""

    cpu_percent: float | None
    memory: int
    limit: int
    received: int | None
    sent: int | None
    pids: int | None


def stats(look: Look, argv: Sequence[str]) -> int:
    """`docker stats [CONTAINER...]`."""
    line = parse(argv, [*switches("no-stream", "all/a", "no-trunc"), *text_flags("format")])
    form = line.text("format") or _TABLE
    once = line.on("no-stream")
    while True:
        wanted = [_found(look, word) for word in line.words] or look.boxes()
        boxes = [box for box in wanted if box.running or line.words or line.on("all")]
        rows = [_fields(box, use, whole=line.on("no-trunc")) for box, use in _measure(look, boxes)]
        lines = formatted(form, rows, _HEADINGS, kind="statsContext", table=_TABLE)
        clear = "\x1b[H\x1b[2J" if not once and sys.stdout.isatty() else ""
        print(clear + "\n".join(lines), flush=True)
        if once:
            return 0
        look.forget()


def _found(look: Look, word: str) -> Box:
    try:
        return look.find(word)
    except ToolError as error:
        raise ToolError(f"Error response from daemon: {error.text}") from None


def _measure(look: Look, boxes: Sequence[Box]) -> list[tuple[Box, Use]]:
    first = look.stats()
    machine_clock.pause(_INTERVAL_SECONDS)
    second = look.stats()
    total = _memory_total()
    return [(box, _use(look, box, first.get(box.id), second.get(box.id), total)) for box in boxes]


def _use(look: Look, box: Box, before: Any, after: Any, total: int) -> Use:
    if not box.running:
        return Use(0.0, 0, 0, 0, 0, 0)
    detail = look.detail(box)
    memory = ((detail.spec.get("linux") or {}).get("resources") or {}).get("memory") or {}
    limit = int(memory.get("limit") or 0)
    received, sent = _traffic(detail.pid)
    try:
        pids: int | None = len(look.engine.pids(box.id))
    except Refused:
        pids = None
    used = after.memory.working_set_bytes.value if after is not None else 0
    return Use(cpu_percent(before, after), used, limit if 0 < limit < total else total, received, sent, pids)


def cpu_percent(before: Any, after: Any) -> float | None:
    """The share of one core between two looks, in percent; None without both."""
    if before is None or after is None:
        return None
    span = after.cpu.timestamp - before.cpu.timestamp
    used = after.cpu.usage_core_nano_seconds.value - before.cpu.usage_core_nano_seconds.value
    return max(0.0, 100.0 * used / span) if span > 0 else 0.0


def _traffic(pid: int) -> tuple[int | None, int | None]:
    """Bytes received and sent over the network of a process, loopback aside."""
    try:
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return None, None
    counts = [line.partition(":")[2].split() for line in lines if line.partition(":")[0].strip() != "lo"]
    return sum(int(count[0]) for count in counts), sum(int(count[8]) for count in counts)


def _memory_total() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _fields(box: Box, use: Use, *, whole: bool) -> Fields:
    def both(left: int | None, right: int | None) -> str:
        known = left is not None and right is not None
        return (
            f"{formats.human_size(left or 0, digits=3)} / {formats.human_size(right or 0, digits=3)}"
            if known
            else _UNKNOWN
        )

    share = 100.0 * use.memory / use.limit if use.limit else 0.0
    return {
        "ID": lambda: box.id if whole else formats.short_id(box.id),
        "Container": lambda: box.id if whole else formats.short_id(box.id),
        "Name": lambda: box.name,
        "CPUPerc": lambda: _UNKNOWN if use.cpu_percent is None else f"{use.cpu_percent:.2f}%",
        "MemUsage": lambda: f"{formats.binary_size(use.memory)} / {formats.binary_size(use.limit)}",
        "MemPerc": lambda: f"{share:.2f}%",
        "NetIO": lambda: both(use.received, use.sent),
        "BlockIO": lambda: _UNKNOWN,
        "PIDs": lambda: _UNKNOWN if use.pids is None else str(use.pids),
    }
