"""What services wrote: `/var/log/units/NAME.log`, whole lines as the service wrote them, and init's own words about it.

A line carries its time where its service writes one (our components and containerd do); a line without one has the
time of the line before it.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from pathlib import Path
from typing import NamedTuple

from homeostat.shell.engine import formats

FOLDER = Path(os.environ.get("HOMEOSTAT_UNIT_LOGS", "/var/log/units"))
_INIT = "init"
_STAMP = re.compile(r'^(?:time=")?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d))"? ?')
_INIT_WORD = re.compile(r"^init\[1\]: ")
_TAIL_BLOCK_BYTES = 1 << 16


class Entry(NamedTuple):
    """One line. `at` is seconds since the epoch, 0 where it is unknown; `who` wrote it."""

    at: float
    who: str
    text: str


def _begin(unit: str, lines: Sequence[str]) -> float:
    """The time of the lines before the first that has one: that one's, else when the file was last written."""
    first = next((entry.at for entry in read_lines(unit, lines) if entry.at), 0.0)
    try:
        return first or (FOLDER / f"{unit}.log").stat().st_mtime
    except FileNotFoundError:
        return first


def read_lines(unit: str, lines: Iterable[str], at: float = 0.0) -> Iterator[Entry]:
    """The entries of a unit's lines; `at` is the time before the first."""
    for line in lines:
        found = _STAMP.match(line)
        if found is not None:
            try:
                at = formats.parse_go_time(found[1])
            except ValueError:
                pass  # it only looked like one
        yield Entry(at, unit, line)


def about(unit: str, lines: Iterable[str]) -> Iterator[Entry]:
    """What init says about a unit, of the lines of its own log."""
    for entry in read_lines(_INIT, lines):
        text = _INIT_WORD.sub("", _STAMP.sub("", entry.text, count=1))
        if f"{unit}.service" in text:
            yield Entry(entry.at, "systemd[1]", text)


def entries(units: Sequence[str]) -> list[Entry]:
    """All entries of the units, by time."""
    sources: list[Iterable[Entry]] = []
    for unit in units:
        lines = _lines(unit)
        sources += [read_lines(unit, lines, _begin(unit, lines)), about(unit, _lines(_INIT))]
    return list(merge(*sources, key=lambda entry: entry.at))


def _lines(unit: str) -> list[str]:
    try:
        return (FOLDER / f"{unit}.log").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def tail(unit: str, count: int) -> list[str]:
    """The last lines as `systemctl status` shows them; the end of the file is enough for them."""
    try:
        with (FOLDER / f"{unit}.log").open("rb") as file:
            start = max(file.seek(0, os.SEEK_END) - _TAIL_BLOCK_BYTES, 0)
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()[1 if start else 0 :]
    except FileNotFoundError:
        lines = []
    found = merge(read_lines(unit, lines, _begin(unit, lines)), about(unit, _lines(_INIT)), key=lambda entry: entry.at)
    return [short(entry) for entry in list(found)[-count:]]


def short(entry: Entry, form: str = "short") -> str:
    """One line in one of journalctl's forms: short, short-iso, short-full, cat."""
    if form == "cat":
        return entry.text
    moment = datetime.fromtimestamp(int(entry.at)).astimezone()
    stamp = moment.strftime(_FORMS[form])
    return f"{stamp} {socket.gethostname()} {entry.who}: {_STAMP.sub('', entry.text, count=1)}"


_FORMS = {
    "short": "%b %d %H:%M:%S",
    "short-precise": "%b %d %H:%M:%S",
    "short-iso": "%Y-%m-%dT%H:%M:%S%z",
    "short-full": "%a %Y-%m-%d %H:%M:%S %Z",
}
FORMS = ("cat", *_FORMS)


class Follower:
    """The lines that are added to some units' logs from now on."""

    def __init__(self, units: Sequence[str]) -> None:
        self._units = list(units)
        self._places = {unit: self._size(unit) for unit in [*self._units, _INIT]}
        self._at = {unit: _begin(unit, ()) for unit in self._places}

    def _size(self, unit: str) -> int:
        try:
            return (FOLDER / f"{unit}.log").stat().st_size
        except FileNotFoundError:
            return 0

    def new(self) -> list[Entry]:
        """The new lines since the last call; only whole ones. A file that was cut is read from its start."""
        init_entries = self._grown(_INIT)
        found: list[Entry] = [entry for unit in self._units for entry in about(unit, init_entries)]
        for unit in self._units:
            read = list(read_lines(unit, self._grown(unit), self._at[unit]))
            self._at[unit] = read[-1].at if read else self._at[unit]
            found += read
        return sorted(found, key=lambda entry: entry.at)

    def _grown(self, unit: str) -> list[str]:
        size = self._size(unit)
        place = self._places[unit] if size >= self._places[unit] else 0
        if size == place:
            self._places[unit] = place
            return []
        with (FOLDER / f"{unit}.log").open("rb") as file:
            file.seek(place)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._places[unit] = place + len(whole)
        return whole.decode(errors="replace").splitlines()
