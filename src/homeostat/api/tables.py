"""Tables: what `kubectl get` prints of any kind. The columns of each kind are in the `print_*` modules.

Kinds without a printer of their own show NAME and CREATED AT, as kube-apiserver's default convertor does. Rows come
without their `object`, which the caller fills with as much of the object as the client asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homeostat.api import meta, print_cluster, print_core, print_pods, print_workloads
from homeostat.api.kinds import Kind
from homeostat.api.printing import NAME, Printer, text
from homeostat.api.types import Obj

_PODS = ("", "pods")


def _default_cells(obj: Obj, now: float) -> list[Any]:
    return [meta.name(obj), (obj.get("metadata") or {}).get("creationTimestamp")]


_DEFAULT = Printer((NAME, text("Created At", "When the object was made.")), _default_cells)
_PRINTERS: dict[tuple[str, str], Printer] = {
    **print_pods.PRINTERS,
    **print_workloads.PRINTERS,
    **print_core.PRINTERS,
    **print_cluster.PRINTERS,
}


def _printer(kind: Kind) -> Printer:
    return _PRINTERS.get((kind.group, kind.plural), _DEFAULT)


def definitions(kind: Kind) -> list[Obj]:
    """The TableColumnDefinitions of a kind; `priority` 1 marks those of `-o wide`."""
    return [column.definition() for column in _printer(kind).columns]


def rows(kind: Kind, obj: Obj, now: float) -> list[Any]:
    """The cells of one object. `now` is in seconds since the epoch."""
    return _printer(kind).cells(obj, now)


def table(kind: Kind, objs: Sequence[Obj], now: float) -> Obj:
    """The metav1.Table of the objects, without its list metadata and without the rows' `object`."""
    cells = _printer(kind).cells
    shown: list[Obj] = [{"cells": cells(obj, now)} for obj in objs]
    if (kind.group, kind.plural) == _PODS:
        for row, obj in zip(shown, objs, strict=True):
            ended = print_pods.conditions(obj)
            if ended:
                row["conditions"] = ended
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": definitions(kind),
        "rows": shown,
    }
