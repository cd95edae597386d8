"""OpenAPI over HTTP: `/openapi/v2`, the index `/openapi/v3` and the documents that it names, as JSON with entity tags.

The documents are `api.openapi`'s. A document asked for by its hash never changes and says so; another hash is sent on
to the current one (kube-openapi's handler3). The protobuf form that older clients want of v2 is refused with 406.
"""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api import errors, openapi
from homeostat.apiserver.accept import JSON, not_acceptable
from homeostat.apiserver.contract import Call
from homeostat.apiserver.documents import Document
from homeostat.wire.message import Response

_V3 = "/openapi/v3"
_TAKEN = (JSON, "application/*", "*/*")
# A document under its own hash is good for a year.
_FOR_EVER = {"cache-control": "public, immutable, max-age=31536000"}


class OpenApi:
    """Keeps each document with its entity tag once it was asked for."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}

    async def v2(self, call: Call) -> Response:
        """The one document of all groups. Raises 404, 405, 406."""
        _check(call)
        if call.request.path.rstrip("/") != "/openapi/v2":
            raise errors.path_not_found()
        return self._respond(call, "/openapi/v2", openapi.v2_document())

    async def v3(self, call: Call) -> Response:
        """The index, or one group version's document. Raises 404, 405, 406."""
        _check(call)
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

    def _respond(self, call: Call, name: str, body: bytes) -> Response:
        document = self._documents.get(name)
        if document is None or document.body is not body:
            document = self._documents[name] = Document(body)
        return document.respond(call.request)


def _check(call: Call) -> None:
    if call.request.method not in ("GET", "HEAD"):
        raise errors.ApiError(405, "MethodNotAllowed", "the server does not allow this method on the resource")
    if not _takes_json(call.request.headers):
        raise not_acceptable()


def _takes_json(headers: Mapping[str, str]) -> bool:
    """Whether one of the media types is JSON; their parameters do not matter here."""
    ranges = [part.partition(";")[0].strip() for part in headers.get("accept", "*/*").split(",")]
    return any(media_type in _TAKEN for media_type in ranges)
