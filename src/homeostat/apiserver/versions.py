"""Between the version of a kind that a client speaks and the one that is stored."""

from __future__ import annotations

from homeostat.api.kinds import Kind
from homeostat.api.types import Obj


def to_version(obj: Obj, kind: Kind) -> Obj:
    """The object in the version of `kind`; the same object where it already is."""
    if obj["apiVersion"] == kind.api_version:
        return obj
    from homeostat.api import convert

    return convert.convert(obj, kind)
