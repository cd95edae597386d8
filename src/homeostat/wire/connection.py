"""One client's connection to the HTTP server: requests in, responses out, one after the other.

One task a connection calls the handler; nothing is created per request. A client that leaves cancels what is done for
it; a client that does not read stops what is produced for it, and is dropped after a while. What streams produce within
one turn of the loop leaves in one write.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.wire.edge import Edge
from homeostat.wire.fields import error_response, is_stream, text_response
from homeostat.wire.intake import Intake
from homeostat.wire.message import Request, Response, Upgrade
from homeostat.wire.rawstream import RawStream
from homeostat.wire.reader import Incoming, Phase, RequestReader
from homeostat.wire.tls import peer_user

# Bodies up to this many bytes leave in one write with their head, larger ones in slices of this size.
_SLICE_BYTES = 64 * 1024
# So many pieces of what follows a request for an upgrade are kept until it is answered.
_EARLY_CHUNKS_MAX = 8
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_IDLE, _HEAD = Phase.IDLE, Phase.HEAD
_UNAVAILABLE = 503
# The mark of a connection whose deadline must be set again.
_NO_MARK = (_IDLE, -1)
_STREAM_END = b"0\r\n\r\n"

_log = logger("http")


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._reader: RequestReader
        self._worker: asyncio.Task[None] | None = None
        self._wakeup: asyncio.Future[None] | None = None
        self._drain: asyncio.Future[None] | None = None
        self._busy = False
        self._watching = False
        self._ending = False
        self._finished = False
        self._intake: Intake | None = None
        self._in_parts = False  # a body has come over it so
        self._unread = False  # reading is paused
        self._stuffed = False  # the transport asked to stop writing
        self._deadline = 0.0
        self._mark: tuple[Phase, int] = (_IDLE, 0)
        self._out: list[bytes] = []
        self._out_bytes = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected (and its TLS handshake is done)."""
        edge, self._transport = self._edge, cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=edge.limits.write_buffer_bytes)
        certificate, address = transport.get_extra_info("peercert"), transport.get_extra_info("peername")
        remote = str(address[0]) if isinstance(address, tuple) else ""
        self._reader = RequestReader(edge.limits, peer=peer_user(certificate), remote=remote)
        if not edge.connections:
            edge.wake()
        edge.connections.add(self)
        edge.empty.clear()
        self._deadline = edge.now + edge.limits.header_seconds
        if edge.closing or len(edge.connections) > edge.connections_max:
            refusal = text_response(503, "503 Service Unavailable: too many connections")
            self._send_whole(refusal, Incoming(Request("", ""), refusal=refusal), keep_alive=False)
            self._finish(linger=True)
            return
        self._worker = tasks.spawn(self._serve(), name="http connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has closed, or we have."""
        self._leave()
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    def _leave(self) -> None:
        edge = self._edge
        self._finished = True
        self._end_intake()
        if self._in_parts:
            self._in_parts = False
            edge.room.part()
        self._out.clear()
        edge.connections.discard(self)
        if not edge.connections:
            edge.empty.set()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._finished:
            return
        reader = self._reader
        reader.feed(data)
        ready = reader.ready
        if self._intake is not None:
            self._intake.look()
        if ready:
            if self._wakeup is not None and not self._wakeup.done():
                self._wakeup.set_result(None)
            if len(ready) >= self._edge.limits.pipelined_max or reader.open is not None:
                self._read_no_more()
            if not self._busy:
                return  # the worker takes it up within this tick, and sets the deadline
        elif reader.early is not None and len(reader.early) > _EARLY_CHUNKS_MAX:
            self._read_no_more()
        self._set_deadline()

    def eof_received(self) -> bool:
        """The client will send no more; like Go's server we take it as gone."""
        return False

    def pause_writing(self) -> None:
        """The client does not read fast enough."""
        self._stuffed = True
        self._deadline = self._edge.now + self._edge.limits.stalled_seconds

    def resume_writing(self) -> None:
        """The client has read on."""
        self._stuffed = False
        self._mark = _NO_MARK
        self._set_deadline()
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    # What the server calls.

    def drop_if_overdue(self) -> None:
        """Close when a deadline has passed; at once a client that does not read what it was sent, or does not finish
        the TLS shutdown."""
        edge, transport = self._edge, self._transport
        if 0 < self._deadline < edge.now:
            if transport.is_closing() or transport.get_write_buffer_size():
                transport.abort()
            else:
                self._deadline = edge.now + edge.limits.linger_seconds
                transport.close()

    def shut(self) -> None:
        """The server is closing: end a watch or an upgraded stream, close an idle connection, let a request finish."""
        if self._watching and self._worker is not None:
            self._ending = True
            self._worker.cancel()
        elif not self._busy and not self._reader.ready and not self._finished:
            self._finish()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._transport.abort()

    # The work.

    async def _serve(self) -> None:
        reader = self._reader
        ready = reader.ready
        while not self._finished:
            while not ready:
                self._wakeup = self._loop.create_future()
                await self._wakeup
            incoming = ready.popleft()
            self._busy = True
            self._mark = _NO_MARK
            self._set_deadline()
            if not incoming.whole or incoming.trouble is not None:
                self._expect_body(incoming)
            response = incoming.refusal or await self._answer(incoming.request)
            if response.upgrade is not None:
                await self._switch(response, response.upgrade, incoming)
                return
            # A streamed body that cannot be chunked ends with the connection; so does one that was not read.
            endless = not incoming.whole or (incoming.version_1_0 and not isinstance(response.body, bytes))
            last = response.status == _UNAVAILABLE and response.headers.pop("connection", "") == "close"
            keep_alive = incoming.keep_alive and not endless and not last and not self._edge.closing
            if type(response.body) is bytes and len(response.body) <= _SLICE_BYTES and not self._stuffed:
                self._send_whole(response, incoming, keep_alive=keep_alive)
            elif not await self._send(response, incoming, keep_alive=keep_alive):
                self._transport.abort()
                return
            self._busy = False
            if self._intake is not None:
                self._end_intake()
            if not keep_alive or self._edge.closing:
                self._finish(linger=reader.refused or not incoming.whole)
                return
            self._next()
            if ready:
                await clock.sleep(0)  # a client that sends far ahead must not keep the loop

    def _next(self) -> None:
        """Between two requests: read on."""
        if self._reader.ready:
            return
        if self._unread:
            self._unread = False
            self._transport.resume_reading()
        self._mark = _NO_MARK
        self._set_deadline()

    def _expect_body(self, incoming: Incoming) -> None:
        """The body is read when the handler asks for it."""
        self._in_parts = True
        self._intake = Intake(self._reader, incoming, self._edge.room, self._read_on)
        incoming.request.pending = self._intake.body

    def _end_intake(self) -> None:
        """The request is answered, or the client has disconnected."""
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.finish()

    def _read_no_more(self) -> None:
        reading = self._reader.open  # a body that is being read is read to its end
        if not self._unread and not (reading is not None and self._intake is not None and self._intake.takes(reading)):
            self._unread = True
            self._transport.pause_reading()

    def _read_on(self) -> None:
        """Read a body that is asked for."""
        if self._reader.wants_continue:
            self._reader.wants_continue = False
            self._flush()
            self._transport.write(_CONTINUE)
        if self._unread:
            self._unread = False
            self._transport.resume_reading()

    async def _answer(self, request: Request) -> Response:
        try:
            if request.pending is not None and not self._edge.bodies_on_demand:
                await request.take_body()
            return await self._edge.handler(request)
        except ApiError as error:
            return error_response(error)
        except Exception as error:  # noqa: BLE001 - a mistake in one handler must cost one 500, not the connection
            _log.exception("%s %s", request.method, request.path)
            return error_response(errors.internal(f"{type(error).__name__}: {error}"))

    async def _switch(self, response: Response, upgrade: Upgrade, incoming: Incoming) -> None:
        """Write the head of a 101 and leave HTTP: the connection is the stream of the handler that answered so."""
        self._queue(self._edge.head(response, incoming, length=0, keep_alive=True))
        self._flush()
        self._end_intake()
        transport, early = self._transport, self._reader.early or ()
        stream = RawStream(transport, early, self._leave, paused=self._unread, stuffed=self._stuffed)
        self._watching = True
        try:
            if self._edge.closing:
                stream.close()  # whoever holds the other end gets to know
            await stream.lend(upgrade)
        except asyncio.CancelledError:
            if not self._was_shut():
                raise
        finally:
            self._watching = False
            self._deadline = self._edge.now + self._edge.limits.stalled_seconds  # for what is not sent yet

    def _was_shut(self) -> bool:
        """Whether a cancellation came from `shut`; then it is cleared, and the work ends as on a timeout."""
        if self._ending and (task := asyncio.current_task()) is not None:
            task.uncancel()
        return self._ending

    async def _send(self, response: Response, incoming: Incoming, *, keep_alive: bool) -> bool:
        """Write the response; False when it had to be cut off."""
        body = response.body
        if not isinstance(body, bytes):
            return await self._send_stream(response, body, incoming, keep_alive=keep_alive)
        if len(body) <= _SLICE_BYTES or incoming.request.method == "HEAD":
            self._send_whole(response, incoming, keep_alive=keep_alive)
        else:
            self._queue(self._edge.head(response, incoming, length=len(body), keep_alive=keep_alive))
            whole = memoryview(body)
            for at in range(0, len(body), _SLICE_BYTES):
                self._flush()
                self._transport.write(whole[at : at + _SLICE_BYTES])
                await self._drained()
        if self._stuffed:
            await self._drained()
        return True

    def _send_whole(self, response: Response, incoming: Incoming, *, keep_alive: bool) -> None:
        body = response.body
        assert isinstance(body, bytes)
        head = self._edge.head(response, incoming, length=len(body), keep_alive=keep_alive)
        if incoming.request.method == "HEAD":
            body = b""
        if self._reader.ready or self._out:
            self._queue(head, body)
        else:
            self._transport.write(head + body)

    async def _send_stream(
        self, response: Response, body: AsyncIterator[bytes], incoming: Incoming, *, keep_alive: bool
    ) -> bool:
        chunked = not incoming.version_1_0
        self._queue(self._edge.head(response, incoming, length=None, keep_alive=keep_alive))
        self._watching = is_stream(incoming.request)
        try:
            if incoming.request.method != "HEAD" and not (self._watching and self._edge.closing):
                if chunked and response.live is not None:
                    response.live(self._push)
                await self._pump(body, chunked=chunked)
        except asyncio.CancelledError:
            if not self._was_shut():
                raise
        except Exception:  # noqa: BLE001 - the head has left, so the client can only notice by a cut
            _log.exception("%s %s: cut off", incoming.request.method, incoming.request.path)
            return False
        finally:
            self._watching = False
            if isinstance(body, AsyncGenerator):
                await body.aclose()
        if chunked and incoming.request.method != "HEAD":
            self._queue(_STREAM_END)
        return True

    async def _pump(self, body: AsyncIterator[bytes], *, chunked: bool) -> None:
        async for chunk in body:
            if not chunk:
                continue
            if chunked:
                self._queue(b"%x\r\n" % len(chunk), chunk, b"\r\n")
            else:
                self._queue(chunk)
            if self._out_bytes >= _SLICE_BYTES:
                self._flush()
                await clock.sleep(0)  # a body that never waits must not keep the loop
            if self._stuffed:
                await self._drained()

    def _push(self, chunk: bytes) -> bool:
        """Write a chunk of the stream under way; not while the client does not keep up, or others are before it."""
        if self._stuffed or self._out or self._finished:
            return False
        self._transport.write(self._edge.framed(chunk))
        return True

    async def _drained(self) -> None:
        """Wait until the client has read enough of what was written."""
        while self._stuffed:
            self._drain = self._loop.create_future()
            await self._drain

    def _queue(self, *parts: bytes) -> None:
        """Write within this turn of the loop, together with whatever else it brings."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.extend(parts)
        for part in parts:
            self._out_bytes += len(part)

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._out_bytes = 0
            self._transport.write(data)

    def _finish(self, *, linger: bool = False) -> None:
        """Close once all is written; when the client may still be sending, read on for a moment first."""
        self._finished = True
        self._flush()
        limits = self._edge.limits
        if linger:
            # Closing with bytes unread would reset the connection, and the client would lose the answer.
            self._deadline = self._edge.now + limits.linger_seconds + limits.sweep_seconds
            if self._unread:
                self._transport.resume_reading()
        else:
            self._deadline = self._edge.now + limits.stalled_seconds
            self._transport.close()

    def _set_deadline(self) -> None:
        """Set the deadline of a new phase; bytes that trickle in within one do not move it."""
        reader, edge = self._reader, self._edge
        phase = reader.phase
        mark = (phase, reader.begun)
        if mark == self._mark or self._stuffed or self._finished:
            return
        self._mark = mark
        if phase is _IDLE:
            self._deadline = 0.0 if self._busy or reader.ready else edge.now + edge.limits.idle_seconds
        else:
            limits = edge.limits
            self._deadline = edge.now + (limits.header_seconds if phase is _HEAD else limits.body_seconds)
