"""Tables: what `kubectl get` prints of any kind. The columns of each kind are in the `print_*` modules.

Kinds without a printer of their own show NAME and CREATED AT, as kube-apiserver's default convertor does. Rows come
without their `object`, which the caller fills with as much of the object as the client asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homeostat.api import meta
from homeostat.api.printing import print_cluster, print_core, print_pods, print_workloads
from homeostat.api.printing.print_columns import NAME, Printer, text
from homeostat.api.types import Obj


def _default_cells(obj: Obj, now: float) -> list[Any]:
    return [meta.name(obj), (obj.get("metadata") or {}).get("creationTimestamp")]


DEFAULT = Printer((NAME, text("Created At", "When the object was made.")), _default_cells)
_PRINTERS: dict[tuple[str, str], Printer] = {
    **print_pods.PRINTERS,
    **print_workloads.PRINTERS,
    **print_core.PRINTERS,
    **print_cluster.PRINTERS,
}


def built_in(group: str, plural: str) -> Printer:
    """How a built-in kind is printed."""
    return _PRINTERS.get((group, plural), DEFAULT)


def table(printer: Printer, objs: Sequence[Obj], now: float) -> Obj:
    """The metav1.Table of the objects, without its list metadata and without the rows' `object`.

    `now` is in seconds since the epoch; `priority` 1 marks the columns of `-o wide`.
    """
    cells, conditions = printer.cells, printer.conditions
    shown: list[Obj] = [{"cells": cells(obj, now)} for obj in objs]
    if conditions is not None:
        for row, obj in zip(shown, objs, strict=True):
            if found := conditions(obj):
                row["conditions"] = found
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [column.definition() for column in printer.columns],
        "rows": shown,
    }
