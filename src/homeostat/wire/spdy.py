"""SPDY/3.1 frames as Kubernetes' streams use them: bytes in, frames out, and back; no I/O.

The whole of what kubectl, kubelets and container runtimes send each other: streams with headers, data that may be the
last, resets, pings, going away. Flow control is TCP's alone: Go's side neither keeps windows nor announces them, so
WINDOW_UPDATE and SETTINGS are read over. Source: the SPDY protocol, draft 3.1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

# A data frame's payload is handed on as it comes, whatever its length; all others must be whole, and so are bounded.
CONTROL_BYTES_MAX = 64 * 1024
HEADERS_BYTES_MAX = 64 * 1024
DATA_BYTES_MAX = 32 * 1024

_CONTROL = 0x8000_0000
_VERSION_3 = 0x8003_0000
_STREAM_ID = 0x7FFF_FFFF
_LENGTH = 0x00FF_FFFF
_FIN, _UNIDIRECTIONAL = 0x01, 0x02
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_WORD = struct.Struct(">I")
_TWO_WORDS = struct.Struct(">II")

# What header blocks are compressed against: these words, each with its length, and then one text.
_WORDS = """\
options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow \
authorization cache-control connection content-base content-encoding content-language content-length content-location \
content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match \
if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range \
referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method \
get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"""
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    words = [word.replace("_", " ").encode() for word in _WORDS.split()]
    return b"".join([_WORD.pack(len(word)) + word for word in words]) + _TEXT.encode()


DICTIONARY = _dictionary()

Headers: TypeAlias = Mapping[str, str]


class SpdyError(ConnectionError):
    """The peer does not speak SPDY/3.1; nothing that follows can be read."""


@dataclass(frozen=True, slots=True)
class SynStream:
    """The peer opens a stream. `last`: it will send nothing on it."""

    stream: int
    headers: Headers = field(default_factory=dict)
    last: bool = False


@dataclass(frozen=True, slots=True)
class SynReply:
    """The peer has taken a stream."""

    stream: int
    headers: Headers = field(default_factory=dict)
    last: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; `last`: its sender is done."""

    stream: int
    data: bytes
    last: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """A stream is over both ways, for the reason `status` (1 protocol error, 5 cancel, ...)."""

    stream: int
    status: int = 5


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered by the same, when its number is of the peer's kind (odd: a client's)."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The peer takes no more streams."""

    last_stream: int = 0


Frame: TypeAlias = SynStream | SynReply | Data | Reset | Ping | GoAway


class FrameReader:
    """One direction of a connection, read."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        # Of the data frame that is being read: its stream, the bytes still to come (-1: none is), and whether it is
        # the stream's last.
        self._stream = 0
        self._left = -1
        self._last = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes; data frames come in pieces. Raises SpdyError."""
        self._buffer += data
        while (frame := self._next()) is not None:
            if frame is not _SKIPPED:
                yield frame

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if self._left >= 0:
            return self._piece()
        if len(buffer) < 8:
            return None
        first, second = _TWO_WORDS.unpack_from(buffer)
        length, flags = second & _LENGTH, second >> 24
        if not first & _CONTROL:
            del buffer[:8]
            self._stream, self._left, self._last = first, length, bool(flags & _FIN)
            return self._piece()
        if first & 0x7FFF_0000 != _VERSION_3 & 0x7FFF_0000:
            raise SpdyError(f"a frame of SPDY version {(first >> 16) & 0x7FFF}")
        if length > CONTROL_BYTES_MAX:
            raise SpdyError(f"a control frame of {length} bytes")
        if len(buffer) < 8 + length:
            return None
        body = bytes(buffer[8 : 8 + length])
        del buffer[: 8 + length]
        try:
            return self._control(first & 0xFFFF, flags, body)
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a malformed frame: {error}") from error

    def _piece(self) -> Frame | None:
        """As much of the data frame as is there."""
        buffer = self._buffer
        if self._left and not buffer:
            return None
        data = bytes(buffer[: self._left])
        del buffer[: self._left]
        self._left -= len(data)
        last = self._last and not self._left
        if not self._left:
            self._left = -1
        return Data(self._stream, data, last)

    def _control(self, kind: int, flags: int, body: bytes) -> Frame:
        last = bool(flags & _FIN)
        match kind:
            case 1:
                stream, _ = _TWO_WORDS.unpack_from(body)
                return SynStream(stream & _STREAM_ID, self._headers(body[10:]), last)
            case 2:
                return SynReply(_WORD.unpack_from(body)[0] & _STREAM_ID, self._headers(body[4:]), last)
            case 3:
                stream, status = _TWO_WORDS.unpack(body)
                return Reset(stream & _STREAM_ID, status)
            case 6:
                return Ping(*_WORD.unpack(body))
            case 7:
                return GoAway(_WORD.unpack_from(body)[0] & _STREAM_ID)
            case 8:  # HEADERS: more headers of a stream, which nobody uses; but the compression includes them
                self._headers(body[4:])
        return _SKIPPED

    def _headers(self, block: bytes) -> dict[str, str]:
        raw = self._inflate.decompress(block, HEADERS_BYTES_MAX)
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"headers of more than {HEADERS_BYTES_MAX} bytes")
        count, at = _WORD.unpack_from(raw)[0], 4
        headers: dict[str, str] = {}
        for _ in range(count):
            name, at = _text(raw, at)
            value, at = _text(raw, at)
            # Several values of one name are kept apart by NUL.
            headers[name.lower()] = value.partition("\0")[0]
        return headers


_SKIPPED = Ping(0)


def _text(raw: bytes, at: int) -> tuple[str, int]:
    start = at + 4
    end = start + _WORD.unpack_from(raw, at)[0]
    if end > len(raw):
        raise SpdyError("headers that end early")
    return raw[start:end].decode("latin-1"), end


class FrameWriter:
    """One direction of a connection, written: every method gives the frame's bytes, to be sent in this order."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def syn_stream(self, stream: int, headers: Headers) -> bytes:
        """Open a stream: odd numbers are a client's, even ones a server's, rising."""
        return _control(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._headers(headers))

    def syn_reply(self, stream: int) -> bytes:
        """Take a stream."""
        return _control(_SYN_REPLY, _WORD.pack(stream) + self._headers({}))

    def _headers(self, headers: Headers) -> bytes:
        parts = [_WORD.pack(len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode("latin-1"), value.encode("latin-1")):
                parts += (_WORD.pack(len(text)), text)
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def data_frames(stream: int, data: bytes, *, last: bool = False) -> bytes:
    """Bytes of a stream, in as many frames as they need; at least one."""
    if len(data) <= DATA_BYTES_MAX:
        return _TWO_WORDS.pack(stream, (_FIN << 24 if last else 0) | len(data)) + data
    parts: list[bytes] = []
    for at in range(0, len(data), DATA_BYTES_MAX):
        piece = data[at : at + DATA_BYTES_MAX]
        end = last and at + DATA_BYTES_MAX >= len(data)
        parts += (_TWO_WORDS.pack(stream, (_FIN << 24 if end else 0) | len(piece)), piece)
    return b"".join(parts)


def reset_frame(stream: int, status: int = 5) -> bytes:
    """End a stream both ways."""
    return _control(_RST_STREAM, _TWO_WORDS.pack(stream, status))


def ping_frame(number: int) -> bytes:
    """Ask whether the peer is there, or answer its question."""
    return _control(_PING, _WORD.pack(number))


def goaway_frame(last_stream: int = 0) -> bytes:
    """Take no more streams."""
    return _control(_GOAWAY, _TWO_WORDS.pack(last_stream, 0))


def _control(kind: int, body: bytes) -> bytes:
    return _TWO_WORDS.pack(_VERSION_3 | kind, len(body)) + body
