"""What `systemctl` prints of a unit: status, lists, properties. Reads /proc and the unit's log, nothing else."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from homeostat.shell.units import unit_logs
from homeostat.shell.units.unit_control import Unit

_DOTS = {"active": "●", "failed": "×", "inactive": "○"}
_KIB = 1024.0


def status(unit: Unit, *, now: float, lines: int) -> list[str]:
    """The lines of `systemctl status`. `now` is seconds since the epoch."""
    out = [
        f"{_DOTS.get(unit.state, '●')} {unit.file} - {unit.description}",
        f"     Loaded: loaded (this node's init; {'enabled' if unit.enabled else 'disabled'})",
        f"     Active: {_active(unit, now)}",
    ]
    if unit.code and not unit.pid:
        out.append(f"   Main PID: ({_ended(unit.code)})")
    if unit.pid:
        out += _process(unit.pid)
    last = unit_logs.tail(unit.real, lines) if lines else []
    return [*out, "", *last] if last else out


def _active(unit: Unit, now: float) -> str:
    word = f"{unit.state} (Result: {unit.result})" if unit.state == "failed" else f"{unit.state} ({unit.sub})"
    if not unit.since:
        return word
    return f"{word} since {when(unit.since)}; {ago(now - unit.since)}"


def when(seconds: float) -> str:
    """`Thu 2026-11-26 03:00:00 UTC`."""
    return datetime.fromtimestamp(int(seconds)).astimezone().strftime("%a %Y-%m-%d %H:%M:%S %Z")


def ago(seconds: float) -> str:
    """`5min 3s ago`: at most two units, as systemd writes a span."""
    left = max(seconds, 0.0)
    if left < 1:
        return f"{int(left * 1000)}ms ago"
    whole = int(left)
    parts = []
    for size, one, many in ((86400, " day", " days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{one if count == 1 else many}")
    return " ".join(parts[:2]) + " ago"


def _ended(code: int) -> str:
    if code >= 0:
        return f"code=exited, status={code}" + ("/FAILURE" if code == 1 else "")
    try:
        return f"code=killed, signal={signal.Signals(-code).name.removeprefix('SIG')}"
    except ValueError:
        return f"code=killed, signal={-code}"


def _process(pid: int) -> list[str]:
    fields = _proc_status(pid)
    if not fields:
        return [f"   Main PID: {pid}"]
    out = [f"   Main PID: {pid} ({fields.get('Name', '')})", f"      Tasks: {fields.get('Threads', '1')}"]
    resident = fields.get("VmRSS", "").split()
    if resident:
        out.append(f"     Memory: {_bytes(int(resident[0]) * _KIB)}")
    return out


def _proc_status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _bytes(size: float) -> str:
    for unit in ("B", "K", "M"):
        if size < _KIB:
            return f"{size:.1f}{unit}" if unit != "B" else f"{int(size)}B"
        size /= _KIB
    return f"{size:.1f}G"


def listing(units: Sequence[Unit], *, legend: bool) -> str:
    """`systemctl list-units`."""
    rows = [(unit.file, "loaded", unit.state, unit.sub, unit.description) for unit in units]
    marks = ["● " if unit.state == "failed" else "  " for unit in units]
    lines = _columns([("UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION"), *rows], ["  ", *marks])
    if not legend:
        return "\n".join(lines[1:])
    words = [
        "LOAD   = Reflects whether the unit definition was properly loaded.",
        "ACTIVE = The high-level unit activation state, i.e. generalization of SUB.",
        "SUB    = The low-level unit activation state, values depend on unit type.",
    ]
    return "\n".join([*lines, "", *words, f"{len(units)} loaded units listed."])


def files(units: Sequence[Unit], *, legend: bool) -> str:
    """`systemctl list-unit-files`."""
    rows = [(unit.file, "enabled" if unit.enabled else "disabled", "enabled") for unit in units]
    lines = _columns([("UNIT FILE", "STATE", "PRESET"), *rows], [""] * (len(rows) + 1))
    return "\n".join([*lines, "", f"{len(units)} unit files listed."] if legend else lines[1:])


def _columns(rows: Sequence[tuple[str, ...]], marks: Sequence[str]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        (mark + " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row, mark in zip(rows, marks, strict=True)
    ]


def properties(unit: Unit | None, file: str) -> dict[str, str]:
    """What `systemctl show` knows of a unit, which may not be there."""
    if unit is None:
        return {"Id": file, "LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "MainPID": "0"}
    return {
        "Id": unit.file,
        "Names": unit.file,
        "Description": unit.description,
        "LoadState": "loaded",
        "ActiveState": unit.state,
        "SubState": unit.sub,
        "UnitFileState": "enabled" if unit.enabled else "disabled",
        "MainPID": str(unit.pid),
        "NRestarts": str(unit.restarts),
        "Result": unit.result,
        "ExecMainStatus": str(abs(unit.code)),
        "ActiveEnterTimestamp": when(unit.since) if unit.state == "active" and unit.since else "",
        "InactiveEnterTimestamp": when(unit.since) if unit.state != "active" and unit.since else "",
    }


def unit_file(unit: Unit) -> str:
    """The unit as its file would say it; a node's init keeps no files."""
    try:
        words = Path(f"/proc/{unit.pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode()
    except OSError:
        words = ""
    command = f"ExecStart={words}\n" if words else ""
    head = f"# {unit.file}, as this node's init runs it\n[Unit]\nDescription={unit.description}\n\n"
    return head + f"[Service]\n{command}Restart=always\nKillMode=process\n\n[Install]\nWantedBy=multi-user.target"
