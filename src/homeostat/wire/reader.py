"""Reads HTTP/1.x requests out of the bytes of one connection, within limits; no I/O.

Requests come out of `ready` in their order. Whatever is malformed or over a limit comes out as the refusal it gets, and
ends the reading: where the next request would begin is then unknown.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import Enum

import httptools

from homeostat.api import errors
from homeostat.wire.fields import error_response, field_name, origin_form, split_target, text_response
from homeostat.wire.limits import Limits
from homeostat.wire.message import Request, Response, User

# A header costs its bytes and this many more, so that many tiny ones count as well.
_HEADER_OVERHEAD_BYTES = 32


# A request line that needs no second look, up to its end; and headers that say more of a request than what it asks for.
_PLAIN_GET = re.compile(rb"GET (/[A-Za-z0-9/._~%?&=,:!+-]*) HTTP/1\.1")
_SPECIAL = frozenset(("connection", "content-length", "expect", "proxy-connection", "transfer-encoding", "upgrade"))
# The longest request line and the longest header lines that are read as repeated.
_LINE_BYTES_MAX, _REPEATED_BYTES_MAX = 1024, 4096


class Phase(Enum):
    """Where in a request the connection stands."""

    IDLE = "between requests"
    HEAD = "in the headers"
    BODY = "in the body"


@dataclass(slots=True)
class Incoming:
    """A request, or (with `refusal`) what a request that cannot be read is answered."""

    request: Request
    keep_alive: bool = False
    version_1_0: bool = False
    refusal: Response | None = None


# Looking a member up in its class costs more than the rest of a header's callback.
_IDLE, _HEAD, _BODY = Phase.IDLE, Phase.HEAD, Phase.BODY


class _Refused(Exception):
    """Stops the parser; `RequestReader.feed` turns it into an Incoming."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response.status))
        self.response = response


class RequestReader:
    """One connection's parser. `begun` counts requests; `wants_continue` is set while a client waits for "100".

    `early` is None until a request asks to leave HTTP; then it takes what comes after that request.
    """

    def __init__(self, limits: Limits, *, peer: User | None = None, remote: str = "") -> None:
        self.ready: deque[Incoming] = deque()
        self.phase = _IDLE
        self.begun = 0
        self.wants_continue = False
        self.refused = False
        self.early: list[bytes] | None = None
        self._limits = limits
        self._peer = peer
        self._remote = remote
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._head_fed = 0
        self._head_fresh = False
        # The last plain GET's header lines as they came, from the end of its request line, and what they said.
        self._repeated = b""
        self._repeated_headers: dict[str, str] = {}

    def feed(self, data: bytes) -> None:
        """Take in what came; ignored after a refusal."""
        if self.refused or (self._repeated and self._repeats(data)):
            if self.early is not None:
                self.early.append(data)
            return
        whole = self.phase is _IDLE
        self._parse(data)
        if whole and self.phase is _IDLE:
            self._remember(data)

    def _repeats(self, data: bytes) -> bool:
        """Read a GET whose header lines are those of the last one, byte for byte: most of what a client sends."""
        end = len(data) - len(self._repeated)
        if end > _LINE_BYTES_MAX or self.phase is not _IDLE or not data.endswith(self._repeated):
            return False
        line = _PLAIN_GET.fullmatch(data, 0, end)
        if line is None:
            return False
        self.begun += 1
        path, query = split_target(line[1])
        headers = self._repeated_headers.copy()
        self.ready.append(
            Incoming(Request("GET", path, query, headers, b"", None, self._peer, self._remote, line[1]), True)
        )
        return True

    def _remember(self, data: bytes) -> None:
        """Keep the header lines when `data` was one plain GET and nothing else."""
        line = _PLAIN_GET.match(data)
        if line is None or len(data) > _REPEATED_BYTES_MAX or data.find(b"\r\n\r\n") != len(data) - 4:
            return
        near_limit = self._head_bytes + _LINE_BYTES_MAX > self._limits.header_bytes_max
        if not near_limit and _SPECIAL.isdisjoint(self._headers):
            self._repeated, self._repeated_headers = data[line.end() :], self._headers

    def _parse(self, data: bytes) -> None:
        """Let the parser have it, and turn what it minds into a refusal."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as end:
            # The client would speak another protocol now. Unless it gets a 101, its answer in this one is the last.
            self.refused = True
            self.early = [data[end.args[0] :]]
            self.ready[-1].keep_alive = False
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.response if isinstance(cause, _Refused) else text_response(400, "400 Bad Request"))
        else:
            self._bound_open_head(len(data))

    def _bound_open_head(self, fed: int) -> None:
        """Count the bytes of a head that does not end: the parser reports a header only when it is complete."""
        if self.phase is not _HEAD:
            return
        if self._head_fresh:
            self._head_fresh = False
            return
        self._head_fed += fed
        if self._head_fed > self._limits.header_bytes_max:
            self._refuse(_head_too_large())

    def _refuse(self, response: Response) -> None:
        self.refused = True
        self.wants_continue = False
        self.phase = _IDLE
        self._body.clear()
        self.ready.append(Incoming(Request("", ""), refusal=response))

    # What httptools calls.

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self.phase = _HEAD
        self.begun += 1
        self._target = b""
        self._headers = {}
        self._body = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._head_fed = 0
        self._head_fresh = True

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._target = self._target + url if self._target else url
        self._head_bytes += len(url)
        if self._head_bytes > self._limits.header_bytes_max:
            raise _Refused(_head_too_large())

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer (which is dropped)."""
        if self.phase is not _HEAD:
            return
        self._head_bytes += len(name) + len(value) + _HEADER_OVERHEAD_BYTES
        if self._head_bytes > self._limits.header_bytes_max:
            raise _Refused(_head_too_large())
        headers, key, text = self._headers, field_name(name), value.decode("latin-1").rstrip(" \t")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The end of the headers: what they say of the body is checked before any of it is read."""
        self.phase = _BODY
        headers = self._headers
        length = headers.get("content-length")
        if length is not None and int(length) > self._limits.body_bytes_max:
            raise _Refused(self._body_too_large())
        expected = headers.get("expect")
        if expected is not None:
            if expected.lower() != "100-continue":
                raise _Refused(text_response(417, "417 Expectation Failed"))
            self.wants_continue = self._parser.get_http_version() != "1.0"

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self.wants_continue = False
        self._body_bytes += len(data)
        if self._body_bytes > self._limits.body_bytes_max:
            raise _Refused(self._body_too_large())
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The end of the request."""
        self.wants_continue = False
        parser, body = self._parser, self._body
        try:
            target = origin_form(self._target)
            path, query = split_target(target)
        except ValueError:
            raise _Refused(text_response(400, "400 Bad Request: the request target is not a path")) from None
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise _Refused(_wrong_version(version))
        request = Request(
            parser.get_method().decode("ascii"),
            path,
            query,
            self._headers,
            (body[0] if len(body) == 1 else b"".join(body)) if body else b"",
            peer=self._peer,
            remote=self._remote,
            target=target,
        )
        keep_alive = parser.should_keep_alive()
        if not keep_alive:
            self._repeated = b""  # what still comes is the parser's to refuse
        self.ready.append(Incoming(request, keep_alive, version == "1.0"))
        self.phase = _IDLE

    def _body_too_large(self) -> Response:
        return error_response(errors.too_large(f"limit is {self._limits.body_bytes_max}"))


def _wrong_version(version: str) -> Response:
    """A request line without a version, or with one of another HTTP."""
    if version < "1":
        return text_response(400, "400 Bad Request: malformed HTTP version")
    return text_response(505, "505 HTTP Version Not Supported")


def _head_too_large() -> Response:
    return text_response(431, "431 Request Header Fields Too Large")
