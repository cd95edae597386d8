"""How objects of a resource become rows: columns, and cells that a page can sort and show. Pure.

The cells are those of `kubectl get -o wide`, but for times, which are seconds since the epoch (the page says how long
ago that is), and the status, which is `status_words`'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.catalogue.columns import PrinterColumn, printer_of, steps_of, value_at
from homeostat.api.printing.print_columns import Column, Printer
from homeostat.api.types import Obj

Cell: TypeAlias = str | int | float | bool | None
# When something was; None: never.
Moment: TypeAlias = Callable[[Obj], float | None]

_STATUS_NAMES = ("Status",)
_NUMBERS = ("integer", "number")
# Numbers that printers write as text, for what they put beside them.
_TEXT_NUMBERS = frozenset({"Restarts", "Data", "Count", "Secrets", "MinPods", "MaxPods", "Replicas"})
_RELATIVE = ((("", "pods"), " ago)"), (("batch", "jobs"), ""))


@dataclass(frozen=True, slots=True)
class ListColumn:
    """One column. `kind` is text, number, age (cells are seconds since the epoch) or status."""

    name: str
    kind: str
    wide: bool

    def described(self) -> Obj:
        """As pages are told."""
        return {"name": self.name, "kind": self.kind, "wide": self.wide}


def _created(obj: Obj) -> float | None:
    return meta.created_at(obj) or None


def _last_seen(event: Obj) -> float | None:
    series = event.get("series") or {}
    last = event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
    return meta.time_of(series.get("lastObservedTime") or last) or _first_seen(event)


def _first_seen(event: Obj) -> float | None:
    first = event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp") or event.get("eventTime")
    return meta.time_of(first) or None


def _last_schedule(cron_job: Obj) -> float | None:
    return meta.time_of((cron_job.get("status") or {}).get("lastScheduleTime")) or None


_EVENT_TIMES: Mapping[str, Moment] = {"Last Seen": _last_seen, "First Seen": _first_seen}
_TIMES: Mapping[tuple[str, str], Mapping[str, Moment]] = {
    ("", "events"): _EVENT_TIMES,
    ("events.k8s.io", "events"): _EVENT_TIMES,
    ("batch", "cronjobs"): {"Last Schedule": _last_schedule},
}


class Layout:
    """The columns of one resource and the cells of its objects. `times` says of columns what time they show, beside
    those that are known of built-in resources."""

    def __init__(self, group: str, plural: str, printer: Printer, *, times: Mapping[str, Moment] | None = None) -> None:
        self._printer = printer
        known = {"Age": _created, "Created At": _created, **_TIMES.get((group, plural), {}), **(times or {})}
        self.columns = tuple(_column(column, known) for column in printer.columns)
        self._moments = [(at, known[each.name]) for at, each in enumerate(self.columns) if each.kind == "age"]
        self._status = next((at for at, each in enumerate(self.columns) if each.kind == "status"), None)
        self._ago = dict(_RELATIVE).get((group, plural))
        self.described = [column.described() for column in self.columns]

    def cells(self, obj: Obj, status: str, now: float) -> tuple[Cell, ...]:
        """The cells of an object whose status word is `status`."""
        cells = self._printer.cells(obj, now)
        for at, moment in self._moments:
            cells[at] = moment(obj)
        if self._status is not None and status:
            cells[self._status] = status
        return tuple(cells)

    def is_relative(self, cells: Sequence[Cell], status: str) -> bool:
        """Whether a cell says how long ago something was, and so must be made anew as time passes."""
        if self._ago is None:
            return False
        if not self._ago:
            return status == "Running"
        return any(isinstance(cell, str) and cell.endswith(self._ago) for cell in cells)

    def index(self, name: str) -> int | None:
        """The place of a column; None where there is none of that name."""
        return next((at for at, column in enumerate(self.columns) if column.name == name), None)


def _column(column: Column, times: Mapping[str, Moment]) -> ListColumn:
    kind = "text"
    if column.name in times:
        kind = "age"
    elif column.name in _STATUS_NAMES:
        kind = "status"
    elif column.type in _NUMBERS or column.name in _TEXT_NUMBERS:
        kind = "number"
    return ListColumn(column.name, kind, column.priority > 0)


def defined(group: str, version: str, plural: str, definition: Obj) -> Layout:
    """The layout of a custom resource, from its CustomResourceDefinition; columns that cannot be read are left out."""
    columns = []
    for one in (definition.get("spec") or {}).get("versions") or ():
        if one.get("name") == version:
            columns = [found for each in one.get("additionalPrinterColumns") or () if (found := _read(each))]
    times = {each.name: _at_path(each.json_path) for each in columns if each.type == "date"}
    return Layout(group, plural, printer_of(columns), times=times)


def _read(column: Obj) -> PrinterColumn | None:
    path = str(column.get("jsonPath") or "")
    try:
        steps_of(path)
    except ValueError:
        return None
    name, kind = str(column.get("name") or ""), str(column.get("type") or "string")
    return PrinterColumn(name, kind, path, priority=int(column.get("priority") or 0))


def _at_path(path: str) -> Moment:
    steps = steps_of(path)

    def moment(obj: Obj) -> float | None:
        value = value_at(obj, steps)
        return meta.time_of(value) or None if isinstance(value, str) else None

    return moment


class TableLayout(Layout):
    """The layout of a resource whose cells the API server makes: `definitions` are a Table's columns."""

    def __init__(self, group: str, plural: str, definitions: Sequence[Obj]) -> None:
        columns = [
            Column(str(each.get("name")), str(each.get("type")), priority=int(each.get("priority") or 0))
            for each in definitions
        ]
        super().__init__(group, plural, Printer(tuple(columns), lambda obj, now: [None] * len(columns)))

    def given(self, cells: Sequence[Cell], obj: Obj, status: str) -> tuple[Cell, ...]:
        """The cells of a row as the API server made them."""
        own = self.cells(obj, status, 0.0)
        return tuple(mine if mine is not None else _plain(theirs) for mine, theirs in zip(own, cells, strict=False))


def _plain(cell: object) -> Cell:
    return cell if isinstance(cell, str | int | float | bool) or cell is None else str(cell)
