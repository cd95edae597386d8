"""The catalogue that one API server serves now: one attribute, replaced as a whole."""

from __future__ import annotations

from homeostat.api.catalogue import Catalogue


class Served:
    """What the parts of one server share. A request carries the catalogue that it began with (`RequestInfo`); this one
    is for what happens outside of any request. Only `ApiServer.serve` replaces it."""

    __slots__ = ("catalogue",)

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
