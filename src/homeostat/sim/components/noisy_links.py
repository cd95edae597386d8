"""The way from one component to the API servers, and what goes wrong on it.

A `Link` is between a component's in-process transport and each server's handler. By hand it is cut, healed or
killed (the process at its end is gone); by chance (`Noise`) requests are refused, answers are lost after the request
was carried out, writes conflict, and watch streams are late, repeat themselves or break in the middle of a line.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

import orjson

from homeostat.api import errors
from homeostat.kit import chance, clock
from homeostat.wire.message import Handler, Request, Response

# What `client.http.Timing` waits for: a connection, an answer, the next byte of a watch.
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0
STREAM_SECONDS = 90.0

# How far back a stream goes that repeats itself, as one does that is resumed from an older version.
_REPEATED_CHUNKS_MAX = 5

# Only the component's own retries distinguish a DELETE's or a POST's conflict from a real one: these never get one.
_CONFLICTING = ("PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Noise:
    """Chances from 0 to 1, a request or a chunk each; delays in seconds, drawn evenly between 0 and the given one.

    `latency_seconds` is that of a request, before it reaches the server; `commit_seconds` and `lag_seconds` are the
    store's (`store.Disk`).
    """

    latency_seconds: float = 0.002
    refused: float = 0.0
    broken: float = 0.0
    conflict: float = 0.0
    late: float = 0.0
    late_seconds: float = 2.0
    repeated: float = 0.0
    dropped: float = 0.0
    commit_seconds: float = 0.0
    lag_seconds: float = 0.0


QUIET = Noise(latency_seconds=0.0)
CALM = Noise(late=0.2, late_seconds=0.05)
ROUGH = Noise(
    latency_seconds=0.02,
    refused=0.02,
    broken=0.03,
    conflict=0.03,
    late=0.1,
    late_seconds=2.0,
    repeated=0.1,
    dropped=0.02,
    commit_seconds=0.005,
    lag_seconds=0.05,
)
HARSH = Noise(
    latency_seconds=0.1,
    refused=0.1,
    broken=0.12,
    conflict=0.12,
    late=0.25,
    late_seconds=4.0,
    repeated=0.2,
    dropped=0.08,
    commit_seconds=0.05,
    lag_seconds=0.3,
)


class Link:
    """One component's way to the API servers; `noise` may be changed at any time."""

    def __init__(
        self, name: str, noise: Noise = CALM, *, sent: Callable[[Request], None] = lambda request: None
    ) -> None:
        """`sent` is called with each request as it leaves."""
        self.name = name
        self._sent = sent
        self.noise = noise
        self.dead = False
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_cut(self) -> bool:
        """Whether nothing passes now."""
        return not self._open.is_set()

    def cut(self) -> None:
        """Let nothing pass, either way; what is sent waits for its time limit."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything pass again; what is still waiting arrives."""
        self._open.set()

    def kill(self) -> None:
        """The component's process is gone: what it sent continues, nothing new leaves."""
        self.dead = True

    def through(self, handler: Handler) -> Handler:
        """The handler as the component reaches it."""

        async def send(request: Request) -> Response:
            return await self._send(handler, request)

        return send

    async def _send(self, handler: Handler, request: Request) -> Response:
        """Raises ConnectionRefusedError when the request surely was not carried out, else ConnectionResetError."""
        noise = self.noise
        if self.dead:
            raise ConnectionRefusedError(f"{self.name} is not running")
        self._sent(request)
        if noise.latency_seconds:
            await clock.sleep(chance.uniform(0, noise.latency_seconds))
        if not await self._passes(CONNECT_SECONDS):
            raise ConnectionRefusedError(f"no connection within {CONNECT_SECONDS:g} s")
        if _happens(noise.refused):
            raise ConnectionRefusedError("the connection was refused")
        if request.method in _CONFLICTING and _happens(noise.conflict):
            return _conflict(request)
        response = await handler(request)
        if not await self._passes(ANSWER_SECONDS):
            raise ConnectionResetError(f"no answer within {ANSWER_SECONDS:g} s")
        if _happens(noise.broken):
            await close(response)
            raise ConnectionResetError("the connection broke before the answer came")
        if not isinstance(response.body, bytes) and "watch" in request.query:
            response.body = self._stream(response.body)
        return response

    async def _passes(self, seconds: float) -> bool:
        """Whether the link is open, or opens within `seconds`."""
        if self._open.is_set():
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._open.wait()
        except TimeoutError:
            return False
        return True

    async def _stream(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The stream with the link's troubles. Raises ConnectionResetError where it breaks."""
        received = clock.monotonic()
        past: deque[bytes] = deque(maxlen=_REPEATED_CHUNKS_MAX)
        try:
            async for chunk in chunks:
                noise = self.noise
                if _happens(noise.late):
                    await clock.sleep(chance.uniform(0, noise.late_seconds))
                if not await self._passes(max(0.0, received + STREAM_SECONDS - clock.monotonic())):
                    raise ConnectionResetError(f"silence for {STREAM_SECONDS:g} s")
                received = clock.monotonic()
                if _happens(noise.dropped):
                    yield chunk[: chance.below(len(chunk) + 1)]
                    raise ConnectionResetError("the stream broke")
                yield chunk
                past.append(chunk)
                if _happens(noise.repeated):
                    for old in list(past)[-1 - chance.below(len(past)) :]:
                        yield old
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()


async def close(response: Response) -> None:
    """Let go of a response that nobody reads."""
    if isinstance(response.body, AsyncGenerator):
        await response.body.aclose()


def _happens(probability: float) -> bool:
    return probability > 0 and chance.uniform(0, 1) < probability


def _conflict(request: Request) -> Response:
    parts = request.path.split("/")
    error = errors.conflict(parts[-2], "", parts[-1])
    return Response(error.code, orjson.dumps(error.status()), {"content-type": "application/json"})
