"""How cells compare: numbers by value (quantities, durations and fractions too), texts as people sort them. Pure."""

from __future__ import annotations

import re
from typing import TypeAlias

from homeostat.console.rows.layout import Cell

# What is compared: the class of the cell (numbers, texts, nothing), then its value.
SortKey: TypeAlias = tuple[int, float, tuple[tuple[int, int, str], ...]]

_LAST: SortKey = (2, 0.0, ())
_EMPTY = frozenset({"", "<none>", "<unset>", "<unknown>", "<pending>"})
_FRACTION = re.compile(r"(\d+)/(\d+)")
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei|%)?")
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_LEADING = re.compile(r"(\d+)(?: \(.*\))?")
_PARTS = re.compile(r"(\d+)")
_FACTORS = {
    "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "%": 1.0,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_UNITS = (365 * 86_400, 86_400, 3_600, 60, 1)
_DIGITS_MAX = 18
_NUMERIC = ("text", "number", "duration")


def sort_key(cell: Cell, kind: str) -> SortKey:
    """The key of a cell in a column of this kind (a layout's, or `duration`). An age sorts by how long ago it was: what
    is newest comes first."""
    if cell is None:
        return _LAST
    if isinstance(cell, bool):
        return (0, float(cell), ())
    if isinstance(cell, int | float):
        return (0, -float(cell) if kind == "age" else float(cell), ())
    if cell in _EMPTY:
        return _LAST
    if kind in _NUMERIC and (number := number_in(cell, duration=kind == "duration")) is not None:
        return (0, number, natural(cell))
    return (1, 0.0, natural(cell))


def number_in(text: str, *, duration: bool = False) -> float | None:
    """The value of a text that is a number: `12`, `3 (5m ago)`, `2/3`, `1500m`, `10Gi`, `5m30s`; None of another. `5m`
    is a quantity, five thousandths, unless it is a `duration`."""
    if not text[:1].isdigit() and text[:1] not in ("+", "-"):
        return None
    if match := _FRACTION.fullmatch(text):
        have, want = int(match[1][:_DIGITS_MAX]), int(match[2][:_DIGITS_MAX])
        return have / want if want else 1.0
    if match := _LEADING.fullmatch(text):
        return float(match[1][:_DIGITS_MAX])
    if not duration and (match := _QUANTITY.fullmatch(text)):
        return float(match[1]) * _FACTORS.get(match[2] or "", 1.0)
    if match := _DURATION.fullmatch(text):
        return float(sum(int(part) * unit for part, unit in zip(match.groups(default="0"), _UNITS, strict=True)))
    return None


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Digits by their number: web-2 before web-10."""
    return tuple(
        (0, int(part), "") if part.isdecimal() and len(part) <= _DIGITS_MAX else (1, 0, part.casefold())
        for part in _PARTS.split(text)
        if part
    )
