"""How kinds that are defined at run time are printed: the name, and a column for each JSON path or else the age.

Recognised are paths of names and indices (`.spec.replicas`, `.status['a.b'][0].c`); any other is refused by name.
Rule: kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions, "Additional printer
columns".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from homeostat.api import meta
from homeostat.api.printing.print_columns import NAME, Column, Printer, age, since
from homeostat.api.types import Obj

_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']+)'\]")
_AGE = Column("Age", "date", description="The time since the object was made.")


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One of a definition's additionalPrinterColumns. `type` is string, integer, number, boolean or date."""

    name: str
    type: str
    json_path: str
    format: str = ""
    description: str = ""
    priority: int = 0


def steps_of(json_path: str) -> tuple[str | int, ...]:
    """The keys and indices of a path. Raises ValueError on one that is not recognised."""
    found: list[str | int] = []
    at = 0
    while at < len(json_path):
        step = _STEP.match(json_path, at)
        if step is None:
            raise ValueError(f"JSON path {json_path!r} is not supported: use names and indices, as in .spec.replicas")
        name, index, quoted = step.groups()
        found.append(int(index) if index is not None else name or quoted)
        at = step.end()
    return tuple(found)


def printer_of(columns: Sequence[PrinterColumn]) -> Printer:
    """How objects with these columns are printed. Raises ValueError as `steps_of`."""
    if not columns:
        return Printer((NAME, _AGE), lambda obj, now: [meta.name(obj), age(obj, now)])
    readers = [(steps_of(column.json_path), column.type) for column in columns]
    shown = [Column(each.name, each.type, each.format, each.description, each.priority) for each in columns]

    def cells(obj: Obj, now: float) -> list[Any]:
        return [meta.name(obj), *(_cell(value_at(obj, steps), kind, now) for steps, kind in readers)]

    return Printer((NAME, *shown), cells)


def value_at(value: Any, steps: tuple[str | int, ...]) -> Any:
    """The value at a path; None when there is none."""
    for step in steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _cell(value: Any, kind: str, now: float) -> Any:
    """A value as a cell of its column's type; None where it is of another type (tableconvertor's cellForJSONValue)."""
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "integer":
            return int(value) if number else None
        case "number":
            return float(value) if number else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _since(value, now)
        case _:
            return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _since(value: Any, now: float) -> str:
    try:
        return since(str(value), now)
    except ValueError:
        return "<invalid>"
