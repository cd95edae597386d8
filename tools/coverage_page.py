"""Writes `docs/coverage.md`: how much of each room the tests that run in process cover, from coverage.py's figures.

`make coverage` measures and calls this; its exit code is 1 when a room is below what it must have.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

PAGE = Path("docs/coverage.md")
LEAST_PERCENT = 90.0
# The rooms that must have it, and which files of the package they are. The others need real processes.
ROOMS = {
    "api": "api/*",
    "apiserver": "apiserver/*",
    "controllers": "controllers/*",
    "scheduler": "scheduler/*",
    "loop": "loop/*",
    "store": "store/*",
    "network plans": "network/decide/*",
    "node decisions": "node/decide/*",
}
_HEAD = """<!-- Made by `make coverage`; do not edit. -->
# Coverage

How much of each room the tests that boot nothing (`make unit`) run through, as `make coverage` measures it; for the
store also those with a real etcd beside them. Statements and branches count alike; a branch is a way out of a line that
has two. Rooms that are not listed run real processes, which other tests boot.

| room | statements | branches | covered | must be |
|---|---|---|---|---|
"""


@dataclass
class Sum:
    """Statements and branches of some files, and how many of them were run."""

    statements: int = 0
    ran: int = 0
    branches: int = 0
    taken: int = 0

    def add(self, summary: dict[str, Any]) -> None:
        """Add one file's `summary` of coverage.py's JSON report."""
        self.statements += summary["num_statements"]
        self.ran += summary["covered_lines"]
        self.branches += summary["num_branches"]
        self.taken += summary["covered_branches"]

    @property
    def percent(self) -> float:
        """As coverage.py counts it: statements and branches together."""
        return percent(self.ran + self.taken, self.statements + self.branches)


def percent(part: int, whole: int) -> float:
    """A share of 100; nothing is all of nothing."""
    return 100.0 * part / whole if whole else 100.0


def sums(report: dict[str, Any]) -> dict[str, Sum]:
    """The rooms' figures from coverage.py's JSON report."""
    found = {room: Sum() for room in ROOMS}
    for name, file in report["files"].items():
        inside = name.partition("src/homeostat/")[2]
        for room, pattern in ROOMS.items():
            if fnmatch(inside, pattern):
                found[room].add(file["summary"])
    return found


def page(found: dict[str, Sum]) -> str:
    """The page with the table of rooms."""
    rows = [
        f"| {room} | {percent(each.ran, each.statements):.1f} % of {each.statements:,} "
        f"| {percent(each.taken, each.branches):.1f} % of {each.branches:,} "
        f"| {each.percent:.1f} % | {LEAST_PERCENT:.0f} % |\n"
        for room, each in found.items()
    ]
    return _HEAD + "".join(rows)


def main(report: Path) -> int:
    """Write the page; returns 1 when a room has less than it must."""
    found = sums(json.loads(report.read_text()))
    PAGE.write_text(page(found))
    low = [f"{room}: {each.percent:.1f} %" for room, each in found.items() if each.percent < LEAST_PERCENT]
    print(page(found).partition("\n\n| ")[2])
    if low:
        print(f"below {LEAST_PERCENT:.0f} %: {', '.join(low)}", file=sys.stderr)
    return int(bool(low))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
