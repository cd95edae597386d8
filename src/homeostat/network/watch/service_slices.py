"""The EndpointSlices of each Service, kept up to date by the events of a watch.

Proxies, DNS and the announcer feed it from their informers and read the slices of the Services that have changed.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.rules.endpoints import service_of_slice
from homeostat.api.types import Obj


class ServiceSlices:
    """EndpointSlices by the key of their Service."""

    def __init__(self) -> None:
        self._slices: dict[str, dict[str, Obj]] = {}

    def change(self, old: Obj | None, new: Obj | None) -> list[str]:
        """Take over one event (`old` None: created, `new` None: deleted). Returns the keys of the Services whose slices
        have changed: two when a slice has moved to another Service, none for a slice that belongs to none."""
        keys: list[str] = []
        for piece in (old, new):
            key = service_of_slice(piece) if piece is not None else ""
            if piece is None or not key:
                continue
            slices = self._slices.setdefault(key, {})
            if piece is new:
                slices[meta.name(piece)] = piece
            else:
                slices.pop(meta.name(piece), None)
            if not slices:
                del self._slices[key]
            if key not in keys:
                keys.append(key)
        return keys

    def of(self, key: str) -> list[Obj]:
        """The slices of the Service with this key, by their names; empty when it has none."""
        slices = self._slices.get(key, {})
        return [slices[name] for name in sorted(slices)]
