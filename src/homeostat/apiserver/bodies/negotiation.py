"""Output forms beside the plain object: Table, PartialObjectMetadata and its list, for reads and watches.

`contract.Negotiator`. Tables are what `kubectl get` prints; the columns of each kind are `api.printing.tables`'. Rule:
kubernetes.io/docs/reference/using-api/api-concepts, "Receiving resources as Tables".
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from homeostat.api import errors
from homeostat.api.kinds import Kind
from homeostat.api.printing import tables
from homeostat.api.types import Obj
from homeostat.apiserver.contract import info_of
from homeostat.apiserver.path.accept import PLAIN, Form, chosen
from homeostat.kit import clock
from homeostat.wire.message import Request

_GROUP = "meta.k8s.io"
_TABLE = "Table"
_PARTIAL = "PartialObjectMetadata"
_KNOWN = frozenset(
    Form(kind, _GROUP, version) for kind in (_TABLE, _PARTIAL, f"{_PARTIAL}List") for version in ("v1", "v1beta1")
)


class Negotiation:
    """The negotiator."""

    def wants(self, request: Request) -> bool:
        """Whether `Accept` asks for a table or metadata alone. Raises 406."""
        return chosen(request.headers, _KNOWN) is not PLAIN

    def render(self, request: Request, kind: Kind, objects: Sequence[Obj], list_meta: Obj | None) -> bytes:
        """The whole body, of a list or of one object."""
        form = chosen(request.headers, _KNOWN)
        if form.as_kind == _TABLE:
            meta = list_meta if list_meta is not None else _version_of(objects[0])
            return orjson.dumps(_table(request, kind, form, objects, meta))
        if list_meta is None:
            return orjson.dumps(_partial(objects[0], form))
        items = [_partial(obj, form) for obj in objects]
        body: Obj = {"kind": f"{_PARTIAL}List", "apiVersion": _api_version(form), "metadata": list_meta, "items": items}
        return orjson.dumps(body)

    def render_event(self, request: Request, kind: Kind, event_type: str, obj: Obj) -> bytes:
        """One line of a watch."""
        form = chosen(request.headers, _KNOWN)
        if form.as_kind == _TABLE:
            rows = () if event_type == "BOOKMARK" else (obj,)
            shown = _table(request, kind, form, rows, _version_of(obj))
        else:
            shown = _partial(obj, form)
        return orjson.dumps({"type": event_type, "object": shown}, option=orjson.OPT_APPEND_NEWLINE)


def _api_version(form: Form) -> str:
    return f"{form.group}/{form.version}"


def _version_of(obj: Obj) -> Obj:
    return {"resourceVersion": (obj.get("metadata") or {}).get("resourceVersion", "")}


def _partial(obj: Obj, form: Form) -> Obj:
    return {"kind": _PARTIAL, "apiVersion": _api_version(form), "metadata": obj.get("metadata") or {}}


def _table(request: Request, kind: Kind, form: Form, objects: Sequence[Obj], list_meta: Obj) -> Obj:
    include = request.query.get("includeObject", "") or "Metadata"
    if include not in ("None", "Metadata", "Object"):
        raise errors.bad_request(f"unrecognized includeObject value: {include!r}")
    table = tables.table(info_of(request).catalogue.resource(kind).printer, objects, clock.wall())
    rows = []
    for row, obj in zip(table["rows"], objects, strict=True):
        shown = dict(row)
        if include == "Metadata":
            shown["object"] = _partial(obj, form)
        elif include == "Object":
            shown["object"] = obj
        else:
            shown["object"] = None
        rows.append(shown)
    columns = table["columnDefinitions"]
    head: Obj = {"kind": _TABLE, "apiVersion": _api_version(form), "metadata": list_meta}
    return {**head, "columnDefinitions": columns, "rows": rows}
