"""In which form an object leaves the server: as stored, converted to the version that was asked for, or rendered.

Most requests ask for the stored form, for which `Forms.of` answers None and the bytes go out as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from homeostat.api.catalogue.conversions import convert
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.window import BOOKMARK, line
from homeostat.apiserver.contract import Negotiator
from homeostat.wire.message import Request


@dataclass(frozen=True, slots=True)
class Form:
    """How to write objects for one request; `negotiator` is None when they are only converted."""

    request: Request
    kind: Kind
    negotiator: Negotiator | None

    def _object(self, data: bytes) -> Obj:
        return convert(stored_form.decode(data), self.kind)

    def one(self, data: bytes) -> bytes:
        """The body for one object."""
        obj = self._object(data)
        if self.negotiator is None:
            return orjson.dumps(obj)
        return self.negotiator.render(self.request, self.kind, [obj], None)

    def many(self, items: Sequence[Item], list_meta: Obj) -> bytes:
        """The body for a list."""
        objects = [self._object(item.data) for item in items]
        if self.negotiator is not None:
            return self.negotiator.render(self.request, self.kind, objects, list_meta)
        return list_body(self.kind, list_meta, [orjson.dumps(obj) for obj in objects])

    def event(self, event_type: str, data: bytes) -> bytes:
        """One line of a watch."""
        obj = stored_form.decode(data) if event_type == BOOKMARK else self._object(data)
        if self.negotiator is None:
            return line(event_type, orjson.dumps(obj))
        return self.negotiator.render_event(self.request, self.kind, event_type, obj)


class Forms:
    """Finds the form of a request."""

    def __init__(self, negotiator: Negotiator | None) -> None:
        self._negotiator = negotiator

    def of(self, request: Request, kind: Kind) -> Form | None:
        """The form to render in; None: stored bytes go out as they are. Raises 406."""
        negotiator = self._negotiator
        if negotiator is not None and negotiator.wants(request):
            return Form(request, kind, negotiator)
        return None if kind.home is kind else Form(request, kind, None)


def list_body(kind: Kind, list_meta: Obj, bodies: list[bytes]) -> bytes:
    """A list's JSON around its items' JSON, joined once."""
    head = b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
        kind.list_kind.encode(),
        kind.api_version.encode(),
        orjson.dumps(list_meta),
    )
    if not bodies:
        return head + b"]}"
    # The head and the tail ride on the first and the last item: joining copies every byte once.
    bodies[0] = head + bodies[0]
    bodies[-1] = bodies[-1] + b"]}"
    return b",".join(bodies)
