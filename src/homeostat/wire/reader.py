"""Reads HTTP/1.x requests out of the bytes of one connection, within limits; no I/O.

Requests come out of `ready` in their order, one whose body has not come at once as soon as its head is there. Whatever
is malformed or over a limit comes out as the refusal it gets, and ends the reading: where the next request would begin
is then unknown.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import Enum

import httptools

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.wire.fields import error_response, field_name, origin_form, split_target, text_response
from homeostat.wire.limits import Limits
from homeostat.wire.message import Request, Response, User

# A header costs its bytes and this many more, so that many tiny ones count as well.
_HEADER_OVERHEAD_BYTES = 32


# A request line that needs no second look, up to its end; and headers that say more of a request than what it asks for.
_PLAIN_GET = re.compile(rb"GET (/[A-Za-z0-9/._~%?&=,:!+-]*) HTTP/1\.1")
_SPECIAL = frozenset(("connection", "content-length", "expect", "proxy-connection", "transfer-encoding", "upgrade"))
# What RFC 9110 lets a Host have (Go's ValidHostHeader).
_HOST = re.compile(r"[A-Za-z0-9!$%&'()*+,\-.:;=\[\]_~]*")
# The longest request line and the longest header lines that are read as repeated.
_LINE_BYTES_MAX, _REPEATED_BYTES_MAX = 1024, 4096


class Phase(Enum):
    """Where in a request the connection is."""

    IDLE = "between requests"
    HEAD = "in the headers"
    BODY = "in the body"


@dataclass(slots=True)
class Incoming:
    """A request, or (with `refusal`) what a request that cannot be read is answered.

    Until it is `whole`, its body is on its way: `received` bytes of it are there. With `trouble` it never will be.
    """

    request: Request
    keep_alive: bool = False
    version_1_0: bool = False
    refusal: Response | None = None
    whole: bool = True
    received: int = 0
    trouble: ApiError | None = None


# Looking a member up in its class costs more than the rest of a header's callback.
_IDLE, _HEAD, _BODY = Phase.IDLE, Phase.HEAD, Phase.BODY


class _Refused(Exception):
    """Stops the parser; `RequestReader.feed` turns it into an Incoming: a refusal, or (`trouble`) one of its body."""

    def __init__(self, response: Response, trouble: ApiError | None = None) -> None:
        super().__init__(str(response.status))
        self.response = response
        self.trouble = trouble


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
        # The request whose head has come out, and whose body is on its way.
        self.open: Incoming | None = None
        self._limits = limits
        self._peer = peer
        self._remote = remote
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._place: tuple[str, dict[str, str]] = ("", {})
        self._version = ""
        self._newest: Incoming
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
        """Parse received bytes; ignored after a refusal."""
        if self.refused or (self._repeated and self._read_repeated(data)):
            if self.early is not None:
                self.early.append(data)
            return
        whole = self.phase is _IDLE
        self._parse(data)
        if whole and self.phase is _IDLE:
            self._remember(data)

    def _read_repeated(self, data: bytes) -> bool:
        """Read a GET whose header lines are those of the last one, byte for byte: most of what a client sends.
        False, and nothing is read, where it is something else."""
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
            Incoming(
                Request("GET", path, query, headers, b"", None, self._peer, self._remote, line[1]), keep_alive=True
            )
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
            self._newest.keep_alive = False
        except httptools.HttpParserError as error:
            cause = error.__context__
            refused = cause if isinstance(cause, _Refused) else _Refused(text_response(400, "400 Bad Request"))
            if self.phase is _BODY:
                malformed = errors.bad_request(f"the body of the request is malformed: {error}")
                self.give_up(self._open_early(), refused.trouble or malformed)
            else:
                self._refuse(refused.response)
        else:
            self._bound_open_head(len(data))
            if self.phase is _BODY:
                self._open_early()

    def _open_early(self) -> Incoming:
        """Let the request come out before its body has come."""
        incoming = self.open
        if incoming is None:
            incoming = self.open = self._incoming(b"")
            incoming.whole = False
            self.ready.append(incoming)
        incoming.received = self._body_bytes
        return incoming

    def give_up(self, incoming: Incoming, trouble: ApiError | None = None) -> None:
        """The body of a request is not taken, for the reason `trouble`. While it is on its way, nothing more is read
        after that."""
        incoming.trouble = trouble
        if self.open is incoming:
            incoming.keep_alive = False
            self._stop()

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
        self._stop()
        self.ready.append(Incoming(Request("", ""), refusal=response))

    def _stop(self) -> None:
        self.refused = True
        self.wants_continue = False
        self.phase = _IDLE
        self.open = None
        self._body.clear()

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
        if key == "host" and key in headers:
            raise _Refused(text_response(400, "400 Bad Request: too many Host headers"))
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The end of the headers: what they say is checked before any of the body is read."""
        parser, headers = self._parser, self._headers
        try:
            self._target = origin_form(self._target)
            self._place = split_target(self._target)
        except ValueError:
            raise _Refused(text_response(400, "400 Bad Request: the request target is not a path")) from None
        self._version = version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise _Refused(_wrong_version(version))
        if version == "1.1" and "host" not in headers:
            raise _Refused(text_response(400, "400 Bad Request: missing required Host header"))
        if not _HOST.fullmatch(headers.get("host", "")):
            raise _Refused(text_response(400, "400 Bad Request: malformed Host header"))
        expected = headers.get("expect")
        if expected is not None:
            if expected.lower() != "100-continue":
                raise _Refused(text_response(417, "417 Expectation Failed"))
            self.wants_continue = version != "1.0"
        self.phase = _BODY
        length = headers.get("content-length")
        if length is not None and int(length) > self._limits.body_bytes_max:
            raise self._body_too_large()

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self.wants_continue = False
        self._body_bytes += len(data)
        if self._body_bytes > self._limits.body_bytes_max:
            raise self._body_too_large()
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The end of the request."""
        self.wants_continue = False
        body = (self._body[0] if len(self._body) == 1 else b"".join(self._body)) if self._body else b""
        incoming = self.open
        if incoming is None:
            self.ready.append(self._incoming(body))
        else:
            incoming.request.body, incoming.received, incoming.whole = body, len(body), True
            self.open = None
        if self._body:
            self._body = []
        self.phase = _IDLE

    def _incoming(self, body: bytes) -> Incoming:
        """The request of the head that was read."""
        parser, (path, query) = self._parser, self._place
        request = Request(
            parser.get_method().decode("ascii"),
            path,
            query,
            self._headers,
            body,
            peer=self._peer,
            remote=self._remote,
            target=self._target,
        )
        keep_alive = parser.should_keep_alive()
        if not keep_alive:
            self._repeated = b""  # what still comes is the parser's to refuse
        self._newest = Incoming(request, keep_alive, self._version == "1.0")
        return self._newest

    def _body_too_large(self) -> _Refused:
        trouble = errors.too_large(f"limit is {self._limits.body_bytes_max}")
        return _Refused(error_response(trouble), trouble)


def _wrong_version(version: str) -> Response:
    """A request line without a version, or with one of another HTTP."""
    if version < "1":
        return text_response(400, "400 Bad Request: malformed HTTP version")
    return text_response(505, "505 HTTP Version Not Supported")


def _head_too_large() -> Response:
    return text_response(431, "431 Request Header Fields Too Large")
