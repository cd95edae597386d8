"""The Accept header: which of the forms that a client would take, in its order, is one that we write.

Protobuf and CBOR are never written; a client that takes only those gets 406. Rule: RFC 9110 section 12.5.1 and
apiserver's `endpoints/handlers/negotiation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from homeostat.api.errors import ApiError

JSON = "application/json"
_ANY_OF_US = frozenset((JSON, "application/*", "*/*"))
# Longer headers are not kept: no client sends one again and again.
_KEPT_MAX = 1024
_PLAIN = frozenset(("", JSON, "*/*"))


@dataclass(frozen=True, slots=True)
class Form:
    """What to write: `as_kind` is empty for the plain object, else with its group and version."""

    as_kind: str = ""
    group: str = ""
    version: str = ""


PLAIN = Form()
_NOTHING: frozenset[Form] = frozenset()


def chosen(headers: Mapping[str, str], known: frozenset[Form]) -> Form:
    """The first form in the client's order that is plain JSON or one of `known`. Raises ApiError 406."""
    text = headers.get("accept", "")
    if text in _PLAIN:
        return PLAIN
    return _chosen(text, known) if len(text) <= _KEPT_MAX else _chosen.__wrapped__(text, known)


def check_plain(headers: Mapping[str, str]) -> None:
    """Raises ApiError 406 for a client that would not take plain JSON: what has no table is not shown as one."""
    chosen(headers, _NOTHING)


@lru_cache(maxsize=512)
def _chosen(text: str, known: frozenset[Form]) -> Form:
    for media_type, parameters in _by_quality(text):
        if media_type not in _ANY_OF_US:
            continue
        if "as" not in parameters:
            return PLAIN
        form = Form(parameters["as"], parameters.get("g", ""), parameters.get("v", ""))
        if form in known:
            return form
    raise not_acceptable()


def _by_quality(text: str) -> list[tuple[str, Mapping[str, str]]]:
    ranges: list[tuple[float, str, Mapping[str, str]]] = []
    for part in text.split(","):
        media_type, *rest = (piece.strip() for piece in part.split(";"))
        parameters = dict(piece.split("=", 1) for piece in rest if "=" in piece)
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        if quality > 0 and media_type:
            ranges.append((quality, media_type.lower(), parameters))
    ranges.sort(key=lambda found: -found[0])
    return [(media_type, parameters) for _, media_type, parameters in ranges]


def not_acceptable() -> ApiError:
    """406 in apiserver's words."""
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {JSON}")
