"""A WebSocket over TLS for tests that wait for each message in turn.

It is the library's asyncio client, run step by step: in its threaded one two threads use one TLS connection at the same
time, which CPython before 3.13 does not guard (python/cpython#124984), and now and then a handshake is lost.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedOK
from websockets.typing import Subprotocol

_OPEN_SECONDS, _CLOSE_SECONDS = 30.0, 10.0
T = TypeVar("T")


class TlsWebSocket:
    """Connects at once; a context manager. Raises InvalidStatus when the handshake is refused."""

    def __init__(self, url: str, tls: ssl.SSLContext, headers: dict[str, str], protocols: Sequence[str]) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            self._connection = self._run(self._connect(url, tls, headers, [Subprotocol(word) for word in protocols]))
        except BaseException:
            self._loop.close()
            raise

    async def _connect(
        self, url: str, tls: ssl.SSLContext, headers: dict[str, str], protocols: list[Subprotocol]
    ) -> ClientConnection:
        return await connect(
            url,
            ssl=tls,
            additional_headers=headers,
            subprotocols=protocols,
            compression=None,
            max_size=None,
            proxy=None,
            # Nobody answers pings while the test does something else.
            ping_interval=None,
            open_timeout=_OPEN_SECONDS,
            close_timeout=_CLOSE_SECONDS,
        )

    @property
    def subprotocol(self) -> str | None:
        """What the server chose."""
        return self._connection.subprotocol

    def send(self, message: bytes | str) -> None:
        """Send one message."""
        self._run(self._connection.send(message))

    def recv(self, timeout: float) -> bytes | str:
        """The next message. Raises TimeoutError, and ConnectionClosed."""
        return self._run(asyncio.wait_for(self._connection.recv(), timeout))

    def __iter__(self) -> Iterator[bytes | str]:
        """The messages, until the server says goodbye."""
        while True:
            try:
                yield self._run(self._connection.recv())
            except ConnectionClosedOK:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._run(self._connection.close())
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)
