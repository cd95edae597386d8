"""`journalctl` on a node: what its services wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from homeostat.kit import machine_clock
from homeostat.shell.command_flags import Flag, parse, switches, texts
from homeostat.shell.tool_error import ToolError
from homeostat.shell.units import unit_control, unit_logs
from homeostat.shell.units.unit_logs import Entry

_FLAGS = [
    *switches("follow/f", "no-pager", "pager-end/e", "catalog/x", "reverse/r", "quiet/q", "all/a", "no-full", "full/l"),
    *switches("boot/b", "dmesg/k", "no-hostname", "no-tail", "utc", "system", "user", "help/h"),
    *texts("output/o", "lines/n", "since/S", "until/U", "grep/g", "priority/p"),
    Flag("unit", "u", "list"),
]
_UNITS_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400,
                  "day": 86400, "w": 604800, "week": 604800}  # fmt: skip
_SPAN = re.compile(r"(\d+)\s*([a-z]+)")
_FOLLOW_SECONDS = 0.1
_FOLLOWED_LINES, _END_LINES = 10, 1000


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Raises ToolError."""
    try:
        line = parse(_filled(argv), _FLAGS)
    except ToolError as error:
        raise ToolError(f"journalctl: {error.text}", 1) from None
    form = line.text("output") or "short"
    if line.on("help"):
        print("journalctl [-u UNIT] [-f] [-n LINES] [-S SINCE] [-U UNTIL] [-g PATTERN] [-o short|cat|short-iso] [-r]")
        return 0
    if form not in unit_logs.FORMS:
        raise ToolError(f"Unknown output format '{form}'.")
    if line.words:
        raise ToolError(f"Failed to add match '{line.words[0]}': a unit is named with -u")
    chosen = _chosen(line.all("unit"))
    now = machine_clock.wall_nanoseconds() / 1e9
    follower = unit_logs.Follower(chosen)
    found = _between(unit_logs.entries(chosen), line.text("since"), line.text("until"), now)
    pattern = re.compile(line.text("grep")) if line.given("grep") else None
    found = [entry for entry in found if pattern is None or pattern.search(entry.text)]
    count = _count(line.text("lines"), follow=line.on("follow") and not line.on("no-tail"), end=line.on("pager-end"))
    found = found[-count:] if count else ([] if count == 0 else found)
    for entry in reversed(found) if line.on("reverse") else found:
        print(unit_logs.short(entry, form))
    if not found and not line.on("follow") and not line.on("quiet"):
        print("-- No entries --")
    while line.on("follow"):
        for entry in follower.new():
            if pattern is None or pattern.search(entry.text):
                print(unit_logs.short(entry, form), flush=True)
        machine_clock.pause(_FOLLOW_SECONDS)
    return 0


def _filled(argv: Sequence[str]) -> list[str]:
    """`-n` alone means ten lines."""
    words = list(argv)
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word in ("-n", "--lines") and not (following.isdigit() or following == "all"):
            words[place] = "--lines=10"
    return words


def _chosen(names: Sequence[str]) -> list[str]:
    known = unit_control.units()
    for name in names:
        if unit_control.plain(name) not in known:
            raise ToolError(f"Unit {unit_control.full(name)} could not be found." + unit_control.nearest(name, known))
    return sorted({known[unit_control.plain(name)].real for name in names or known})


def _count(text: str, *, follow: bool, end: bool) -> int | None:
    """How many lines; None for all of them."""
    if text == "all" or not (text or follow or end):
        return None
    if text and not text.isdigit():
        raise ToolError(f"Failed to parse lines '{text}'")
    return int(text) if text else _FOLLOWED_LINES if follow else _END_LINES


def _between(found: Sequence[Entry], since: str, until: str, now: float) -> list[Entry]:
    low = moment(since, now) if since else 0.0
    high = moment(until, now) if until else float("inf")
    return [entry for entry in found if low <= entry.at <= high]


def moment(text: str, now: float) -> float:
    """Seconds since the epoch that a person means, as systemd.time(7) has them. Raises ToolError."""
    word = text.strip()
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if word == "now":
        return now
    if word in days:
        return (today + timedelta(days=days[word])).timestamp()
    if word.startswith("@") and word[1:].replace(".", "", 1).isdigit():
        return float(word[1:])
    if word.startswith(("-", "+")) or word.endswith(" ago"):
        span = _seconds(word.lstrip("-+").removesuffix(" ago"))
        if span is not None:
            return now + span if word.startswith("+") else now - span
    try:
        if re.fullmatch(r"\d\d?:\d\d(:\d\d)?", word):
            hours, minutes, seconds = (*map(int, word.split(":")), 0)[:3]
            return today.replace(hour=hours, minute=minutes, second=seconds).timestamp()
        return datetime.fromisoformat(
            word.removesuffix(" UTC") + ("+00:00" if word.endswith(" UTC") else "")
        ).timestamp()
    except ValueError:
        raise ToolError(f"Failed to parse timestamp: {text}") from None


def _seconds(text: str) -> int | None:
    terms = _SPAN.findall(text)
    if not terms or _SPAN.sub("", text).strip() or any(_unit(unit) is None for _, unit in terms):
        return None
    return sum(int(count) * (_unit(unit) or 0) for count, unit in terms)


def _unit(word: str) -> int | None:
    return _UNITS_SECONDS.get(word) or _UNITS_SECONDS.get(word.removesuffix("s"))
