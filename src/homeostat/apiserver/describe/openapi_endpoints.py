"""OpenAPI over HTTP: `/openapi/v2`, the index `/openapi/v3` and the documents that it names, as JSON with entity tags.

The documents are `api.openapi`'s. A document asked for by its hash never changes and says so; another hash is sent on
to the current one (kube-openapi's handler3). Go clients get v2 as protobuf, the only form that they ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from homeostat.api import errors
from homeostat.api.catalogue import Catalogue
from homeostat.api.openapi.openapi_documents import Documents
from homeostat.apiserver.contract import Call
from homeostat.apiserver.describe import openapi_protobuf
from homeostat.apiserver.describe.etag_documents import Document
from homeostat.apiserver.path.accept import JSON, not_acceptable
from homeostat.wire.message import Response

_V2, _V3 = "/openapi/v2", "/openapi/v3"
_TAKEN = (JSON, "application/*", "*/*")
# A document under its own hash is good for a year.
_FOR_EVER = {"cache-control": "public, immutable, max-age=31536000"}


class Answers:
    """The documents of one catalogue with their entity tags, each made when it is first asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.made = catalogue.derived(Documents)
        self._known: dict[str, Document] = {}

    def of(self, name: str, make: Callable[[], bytes], content_type: str = JSON) -> Document:
        """The document of that name."""
        document = self._known.get(name)
        if document is None:
            document = self._known[name] = Document(make(), content_type)
        return document


async def v2(call: Call) -> Response:
    """The one document of all groups. Raises 404, 405, 406."""
    _check_method(call)
    if call.request.path.rstrip("/") != _V2:
        raise errors.path_not_found()
    answers = call.info.catalogue.derived(Answers)
    made = answers.made
    if _takes(call.request.headers, openapi_protobuf.MEDIA_TYPES):

        def encoded() -> bytes:
            return openapi_protobuf.encode(orjson.loads(made.v2))

        return answers.of(f"{_V2} as protobuf", encoded, openapi_protobuf.MEDIA_TYPES[-1]).respond(call.request)
    _check_json(call)
    return answers.of(_V2, lambda: made.v2).respond(call.request)


async def v3(call: Call) -> Response:
    """The index, or one group version's document. Raises 404, 405, 406."""
    _check_method(call)
    _check_json(call)
    answers = call.info.catalogue.derived(Answers)
    name = call.request.path.removeprefix(_V3).strip("/")
    if not name:
        return answers.of(_V3, lambda: answers.made.v3_index).respond(call.request)
    body = answers.made.v3(name)
    if body is None:
        raise errors.path_not_found()
    asked, current = call.request.query.get("hash", ""), answers.made.v3_hash(name)
    if asked and asked != current:
        return Response(301, b"", {"location": f"{_V3}/{name}?hash={current}"})
    response = answers.of(name, lambda: body).respond(call.request)
    if asked:
        response.headers |= _FOR_EVER
    return response


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
