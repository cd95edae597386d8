"""OpenAPI over HTTP: `/openapi/v2`, the index `/openapi/v3` and the documents that it names, as JSON with entity tags.

The documents are `api.openapi`'s. A document asked for by its hash never changes and says so; another hash is sent on
to the current one (kube-openapi's handler3). Go clients get v2 as protobuf, the only form that they ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import orjson

from homeostat.api import errors, openapi
from homeostat.apiserver import openapi_protobuf
from homeostat.apiserver.accept import JSON, not_acceptable
from homeostat.apiserver.contract import Call
from homeostat.apiserver.documents import Document
from homeostat.wire.message import Response

_V2, _V3 = "/openapi/v2", "/openapi/v3"
_TAKEN = (JSON, "application/*", "*/*")
# A document under its own hash is good for a year.
_FOR_EVER = {"cache-control": "public, immutable, max-age=31536000"}


class OpenApi:
    """Keeps each document with its entity tag once it was asked for."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}

    async def v2(self, call: Call) -> Response:
        """The one document of all groups. Raises 404, 405, 406."""
        _check_method(call)
        if call.request.path.rstrip("/") != _V2:
            raise errors.path_not_found()
        if _takes(call.request.headers, openapi_protobuf.MEDIA_TYPES):
            return self._respond(call, f"{_V2} as protobuf", _v2_protobuf(), openapi_protobuf.MEDIA_TYPES[-1])
        _check_json(call)
        return self._respond(call, _V2, openapi.v2_document())

    async def v3(self, call: Call) -> Response:
        """The index, or one group version's document. Raises 404, 405, 406."""
        _check_method(call)
        _check_json(call)
        name = call.request.path.removeprefix(_V3).strip("/")
        if not name:
            return self._respond(call, _V3, openapi.v3_index())
        body = openapi.v3_document(name)
        if body is None:
            raise errors.path_not_found()
        asked, current = call.request.query.get("hash", ""), openapi.v3_hash(name)
        if asked and asked != current:
            return Response(301, b"", {"location": f"{_V3}/{name}?hash={current}"})
        response = self._respond(call, name, body)
        if asked:
            response.headers |= _FOR_EVER
        return response

    def _respond(self, call: Call, name: str, body: bytes, content_type: str = JSON) -> Response:
        document = self._documents.get(name)
        if document is None or document.body is not body:
            document = self._documents[name] = Document(body, content_type)
        return document.respond(call.request)


@cache
def _v2_protobuf() -> bytes:
    return openapi_protobuf.encode(orjson.loads(openapi.v2_document()))


def _check_method(call: Call) -> None:
    if call.request.method not in ("GET", "HEAD"):
        raise errors.method_not_allowed()


def _check_json(call: Call) -> None:
    if not _takes(call.request.headers, _TAKEN):
        raise not_acceptable()


def _takes(headers: Mapping[str, str], media_types: tuple[str, ...]) -> bool:
    """Whether one of the client's media types is one of these; their parameters do not matter here."""
    ranges = [part.partition(";")[0].strip() for part in headers.get("accept", "*/*").split(",")]
    return any(media_type in media_types for media_type in ranges)
