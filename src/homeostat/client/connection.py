"""One client connection: requests and responses, one after the other (HTTP/1.1, without pipelining).

Everything that ends an exchange early is a ConnectionError: the peer closed, spoke no HTTP, or was silent too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import cast

import httptools

from homeostat.kit import clock
from homeostat.wire.duplex import splice
from homeostat.wire.fields import field_name
from homeostat.wire.keepalive import KeepAlive, keep_alive
from homeostat.wire.message import Response
from homeostat.wire.rawstream import RawStream
from homeostat.wire.tls import explain

# A stream that is not consumed is read no further than this.
_STREAM_BYTES_MAX = 1024 * 1024
# A watch may be idle for a minute; that its server has lost its power is noticed after 11 s.
_KEEPALIVE = KeepAlive(idle_seconds=5, interval_seconds=2, probes=3)


class Silent(ConnectionError):
    """The peer said nothing for too long."""


class ClientConnection(asyncio.Protocol):
    """`exchange` sends one request; `released` is called when the connection is free for the next one."""

    def __init__(self, released: Callable[[ClientConnection], None], lost: Callable[[ClientConnection], None]) -> None:
        self.closed = False
        self.exchanges = 0
        self.idle_since = 0.0
        self.born = clock.monotonic()
        self._loop = asyncio.get_running_loop()
        self._released = released
        self._lost = lost
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Response] | None = None
        self._more: asyncio.Future[None] | None = None
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._bodiless = False
        self._upgrading = False
        self._pieces = False
        self._streaming = False
        self._stream_silence: float | None = None
        self._complete = False
        self._reusable = False
        self._until_close = False
        self._paused = False
        self._error: ConnectionError | None = None
        self._silence_max: float | None = None
        self._received_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(
        self,
        data: bytes,
        *,
        silence_seconds: float,
        bodiless: bool = False,
        stream_silence: float | None = None,
        upgrading: bool = False,
        pieces: bool = False,
    ) -> Response:
        """Send `data`, a whole request; its response. `bodiless` for HEAD.

        After a request that is `upgrading` a 101 is the response, and splices this connection by its `upgrade`.
        With `stream_silence` (seconds, infinite allowed) a good response comes as soon as its head is there, with an
        iterator as its body; with `pieces` every response does. `silence_seconds` bounds each wait for bytes.
        Raises ConnectionError.
        """
        self._headers, self._complete, self._streaming, self._until_close = {}, False, False, False
        self._bodiless, self._stream_silence = bodiless, stream_silence
        self._upgrading, self._pieces = upgrading, pieces
        self.exchanges += 1
        self._listen(silence_seconds)
        waiter: asyncio.Future[Response] = self._loop.create_future()
        self._waiter = waiter
        self._transport.write(data)
        try:
            return await waiter
        except asyncio.CancelledError:
            # Once the whole answer was there, the connection may already be another exchange's.
            answered = waiter.done() and not waiter.cancelled() and waiter.exception() is None
            if not answered or waiter.result().upgrade is not None or not isinstance(waiter.result().body, bytes):
                self.close()
            raise

    def close(self) -> None:
        """Close; a response under way is lost."""
        self.closed = True
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, the TLS handshake included."""
        self._transport = cast(asyncio.Transport, transport)
        keep_alive(transport, _KEEPALIVE)

    def data_received(self, data: bytes) -> None:
        """A part of a response."""
        self._received_at = clock.monotonic()
        if self._complete or (self._waiter is None and not self._streaming):
            self.close()  # nobody asked: a timeout notice, or nonsense
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as end:
            if self._upgrading:
                self._switch(data[end.args[0] :])
            else:
                self._nonsense("an upgrade that was not asked for")
        except httptools.HttpParserError as error:
            self._nonsense(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has closed, or we have."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if exc is None and self._until_close and not self._complete:
            self.on_message_complete()
        self._fail(ConnectionResetError(explain(exc) if exc else "the server closed the connection"))
        self._lost(self)

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        headers, key, text = self._headers, field_name(name), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The head is there."""
        status, headers = self._parser.get_status_code(), self._headers
        # A body without a length ends with its connection.
        self._until_close = "content-length" not in headers and "transfer-encoding" not in headers and status >= 200
        if self._bodiless and status >= 200:
            self.on_message_complete()
        elif (
            (status == 200 or (self._pieces and status >= 200))
            and self._stream_silence is not None
            and self._waiter is not None
        ):
            self._streaming = True
            self._listen(self._stream_silence)
            self._settle(Response(status, self._stream(), self._headers))

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._chunks.append(data)
        if self._streaming:
            self._bytes += len(data)
            if self._bytes > _STREAM_BYTES_MAX and not self._paused:
                self._paused = True
                self._transport.pause_reading()
            self._wake()

    def on_message_complete(self) -> None:
        """The response is whole."""
        status = self._parser.get_status_code()
        if self._complete:
            return
        if status < 200:
            if status != 101:
                self._headers = {}
            return
        self._complete = True
        # The parser knows it now alone: the next moment it is ready for another response.
        self._reusable = not self._bodiless and self._parser.should_keep_alive()
        if self._streaming:
            self._wake()
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        self._settle(Response(status, body, self._headers))
        self._rest(reusable=self._reusable)

    # Inside.

    def _switch(self, early: bytes) -> None:
        """The peer has agreed to leave HTTP."""
        self._silence_max = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        stream = RawStream(self._transport, [early], lambda: self.connection_lost(None))
        self._settle(Response(101, b"", self._headers, upgrade=partial(splice, stream)))

    def _nonsense(self, what: str) -> None:
        self._fail(ConnectionAbortedError(f"not HTTP: {what}"))
        self.close()

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        """The body's chunks as they come; leaving it early closes the connection."""
        try:
            while True:
                if self._chunks:
                    data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
                    self._chunks, self._bytes = [], 0
                    if self._paused:
                        self._paused = False
                        self._received_at = clock.monotonic()
                        self._transport.resume_reading()
                    yield data
                elif self._complete:
                    break
                elif self._error is not None:
                    raise self._error
                else:
                    self._more = self._loop.create_future()
                    await self._more
        finally:
            self._streaming = False
            if self._complete:
                self._rest(reusable=self._reusable)
            else:
                self.close()

    def _rest(self, *, reusable: bool) -> None:
        """The exchange is over: the connection is free, or closed."""
        self._silence_max = None
        if self.closed or not reusable:
            self.close()
        else:
            self.idle_since = clock.monotonic()
            self._released(self)

    def _settle(self, response: Response) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(response)

    def _fail(self, error: ConnectionError) -> None:
        self._error = self._error or error
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(self._error)
        self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def _listen(self, silence_seconds: float) -> None:
        """From now on, more than this many seconds without a byte are a failure. One timer serves many exchanges."""
        self._received_at = clock.monotonic()
        self._silence_max = silence_seconds
        if silence_seconds == float("inf"):
            return
        if self._timer is None or self._timer.when() > self._loop.time() + silence_seconds:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(silence_seconds, self._check_silence)

    def _check_silence(self) -> None:
        self._timer = None
        limit = self._silence_max
        if limit is None or limit == float("inf"):
            return
        left = self._received_at + limit - clock.monotonic()
        if left <= 0 and not self._paused:
            self._fail(Silent(f"no answer for {limit:g} s"))
            self.close()
        else:
            self._timer = self._loop.call_later(max(left, 0.01), self._check_silence)
