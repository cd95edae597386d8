"""Documents that change rarely (discovery, OpenAPI): JSON responses with an ETag, and 304 where the client has them."""

from __future__ import annotations

import hashlib

import orjson

from homeostat.api.types import Obj
from homeostat.wire.message import Request, Response


class Document:
    """One body with its entity tag, encoded once."""

    __slots__ = ("body", "content_type", "etag")

    def __init__(self, body: bytes, content_type: str = "application/json") -> None:
        self.body = body
        self.content_type = content_type
        self.etag = hashlib.sha512(body).hexdigest().upper()

    @staticmethod
    def of(obj: Obj, content_type: str = "application/json") -> Document:
        """The document of a JSON object."""
        return Document(orjson.dumps(obj), content_type)

    def respond(self, request: Request) -> Response:
        """200 with the body, or 304 without one."""
        headers = {"content-type": self.content_type, "etag": f'"{self.etag}"', "vary": "Accept"}
        known = request.headers.get("if-none-match", "")
        if self.etag in known:
            return Response(304, b"", headers)
        return Response(200, self.body, headers)


def json_response(obj: Obj, status: int = 200) -> Response:
    """A JSON body."""
    return Response(status, orjson.dumps(obj), {"content-type": "application/json"})
