"""The parts of an HTTP message as text: targets and queries, response heads, JSON and error responses."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

import orjson

from homeostat.api.errors import ApiError
from homeostat.wire.message import Request, Response

JSON = "application/json"

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS = frozenset({101, 204, 304})
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]*")
_TRUE = ("1", "true", "True")
_NAMES_MAX = 1024
_NAME_BYTES_MAX = 64
_names: dict[bytes, str] = {}


def split_target(target: bytes) -> tuple[str, dict[str, str]]:
    """The decoded path and the query of a request target. Raises ValueError when it is neither a path nor a URL."""
    text = origin_form(target).decode("ascii", "surrogateescape")
    path, _, query = text.partition("?")
    plain = path.isascii() and "%" not in path
    return (path if plain else _decoded_path(path)), (parse_query(query) if query else {})


def origin_form(target: bytes) -> bytes:
    """The path and query of a request target, which may be a whole URL. Raises ValueError when it is neither."""
    if target[:1] == b"/":
        return target
    scheme, found, rest = target.partition(b"://")
    if not found or scheme.lower() not in (b"http", b"https"):
        raise ValueError("the request target is not a path")
    return b"/" + rest.partition(b"/")[2]


def decoded_path(raw: bytes) -> str:
    """The path of a request target, decoded once: what `Request.path` has."""
    return _decoded_path(raw.decode("ascii", "surrogateescape"))


def _decoded_path(path: str) -> str:
    if not path.isascii():
        path = path.encode("ascii", "surrogateescape").decode("utf-8", "replace")
    return unquote(path) if "%" in path else path


def parse_query(text: str) -> dict[str, str]:
    """The parameters of a query string; of a repeated one, the first value (as Go's url.Values.Get)."""
    query: dict[str, str] = {}
    for field in text.split("&"):
        name, _, value = field.partition("=")
        if name:
            query.setdefault(_decoded(name), _decoded(value))
    return query


def _decoded(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def encode_target(path: str, query: dict[str, str]) -> str:
    """The request target of a decoded path and a query."""
    target = path if _PLAIN_PATH.fullmatch(path) else quote(path, safe="/:@!$&'()*+,;=~")
    if query:
        target += "?" + "&".join([f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items()])
    return target


def field_name(raw: bytes) -> str:
    """A header's name in lower case; names repeat, so they are remembered."""
    name = _names.get(raw)
    if name is None:
        name = raw.lower().decode("latin-1")
        if len(_names) < _NAMES_MAX and len(raw) <= _NAME_BYTES_MAX:
            _names[raw] = name
    return name


def response_head(response: Response, *, date: bytes, length: int | None, keep_alive: bool, version_1_0: bool) -> bytes:
    """The status line and headers. `length` is the body's, None for a streamed body.

    Raises ValueError when a header would break out of its line.
    """
    connection = "close" if not keep_alive else "keep-alive" if version_1_0 else ""
    head = _fixed_head(response.status, tuple(response.headers.items()), connection)
    if length is None:
        return head + (b"%b\r\n" if version_1_0 else b"transfer-encoding: chunked\r\n%b\r\n") % date
    if response.status in _BODILESS:
        return b"%b%b\r\n" % (head, date)
    return b"%bcontent-length: %d\r\n%b\r\n" % (head, length, date)


_FRAMING = frozenset(("content-length", "transfer-encoding"))


# Most answers have one of a few heads, but for their length and date. (lru_cache takes positions faster.)
@lru_cache(maxsize=256)
def _fixed_head(status: int, headers: tuple[tuple[str, str], ...], connection: str) -> bytes:
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status\r\n"]
    # How long the body is, and how it comes, is this connection's: an answer passed on brings those of another.
    lines += [f"{name}: {value}\r\n" for name, value in headers if name not in _FRAMING]
    if connection:
        lines.append(f"connection: {connection}\r\n")
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("a response header contains a line break")
    return text.encode("latin-1", "replace")


def is_stream(request: Request) -> bool:
    """Whether the response is an endless stream: a watch, or a followed log."""
    return request.query.get("watch") in _TRUE or request.query.get("follow") in _TRUE


def is_upgrade(request: Request) -> bool:
    """Whether the client asks to leave HTTP on this connection."""
    headers = request.headers
    return "upgrade" in headers and "upgrade" in map(str.strip, headers.get("connection", "").lower().split(","))


def repeated(request: Request, name: str) -> list[str]:
    """All values of a query parameter, in their order; the `query` of a request has the first one alone."""
    if not request.target:
        return [request.query[name]] if name in request.query else []
    fields = request.target.decode("ascii", "surrogateescape").partition("?")[2].split("&")
    pairs = [field.partition("=") for field in fields]
    return [_decoded(value) for key, _, value in pairs if _decoded(key) == name]


def json_response(status: int, obj: Any, headers: dict[str, str] | None = None) -> Response:
    """A response with `obj` as JSON."""
    return Response(status, orjson.dumps(obj), {"content-type": JSON} | (headers or {}))


def error_response(error: ApiError) -> Response:
    """The Status of an error."""
    headers = {"retry-after": str(error.retry_after_seconds)} if error.retry_after_seconds else {}
    return json_response(error.code, error.status(), headers)


def text_response(status: int, text: str) -> Response:
    """A response in plain text."""
    return Response(status, text.encode(), {"content-type": "text/plain; charset=utf-8"})
