"""A figure: what it is, what it must reach, what was measured; and how figures are printed and written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `go` is what the Go kube-apiserver reached on such a machine, empty where nothing was measured;
    `note` is what else was seen."""

    name: str
    target: str
    measured: str
    met: bool | None
    go: str = ""
    note: str = ""

    @staticmethod
    def below(name: str, measured: float, target: float, unit: str, *, go: str = "", note: str = "") -> Row:
        """A figure that must stay at or below its target."""
        return Row(name, f"≤ {target:g} {unit}", f"{measured:.3g} {unit}", measured <= target, go, note)

    @staticmethod
    def above(name: str, measured: float, target: float, unit: str, *, go: str = "", note: str = "") -> Row:
        """A figure that must reach its target."""
        return Row(name, f"≥ {target:,.0f} {unit}", f"{measured:,.0f} {unit}", measured >= target, go, note)

    def line(self) -> str:
        """For a terminal."""
        mark = {True: "met", False: "MISSED", None: ""}[self.met]
        return f"{self.name:<62}{self.go:>14}{self.target:>16}{self.measured:>16}  {mark:<7}{self.note}".rstrip()


def markdown(rows: Sequence[Row]) -> str:
    """As a table for docs/performance.md."""
    lines = ["| figure | Go kube-apiserver | target | measured | |", "|---|---|---|---|---|"]
    for row in rows:
        mark = {True: "met", False: "**missed**", None: ""}[row.met]
        lines.append(f"| {row.name} | {row.go} | {row.target} | {row.measured} | {mark} |")
    return "\n".join(lines) + "\n"
