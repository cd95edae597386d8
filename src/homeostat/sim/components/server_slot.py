"""One API server's place: it can be killed with what it had under way, and started fresh over the same store."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from cryptography.hazmat.primitives.asymmetric import ec

from homeostat.api.flags.flag_settings import Settings
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import EdgeConfig, build_edge
from homeostat.kit import clock, tasks
from homeostat.store.contract import Store, Unavailable
from homeostat.wire import pki
from homeostat.wire.message import Request, Response

PORT = 6443
_RESTART_SECONDS = 1.0
_REVISION = b'"resourceVersion":"'


@functools.cache
def _key() -> str:
    """A signing key for tokens, one a process: no simulated component shows one, so it changes no transcript."""
    return pki.private_key_pem(ec.generate_private_key(ec.SECP256R1())).decode()


class ServerSlot:
    """An API server that comes and goes. Requests are tasks of the server: they outlive a client that leaves, and die
    with the server."""

    def __init__(self, name: str, address: str, store: Callable[[], Store], settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.name = name
        self.address = address
        self._open = store
        self._store: Store | None = None
        self._config = EdgeConfig(
            _key(),
            advertise_host=address,
            advertise_port=PORT,
            default_not_ready_toleration_seconds=settings.integer("apiserver", "default-not-ready-toleration-seconds"),
            default_unreachable_toleration_seconds=settings.integer(
                "apiserver", "default-unreachable-toleration-seconds"
            ),
        )
        self._server: ApiServer | None = None
        # Whether it should run: it may be on its way up.
        self._wanted = False
        self._pending: dict[int, asyncio.Task[Response]] = {}
        self._count = 0
        self.order_faults: list[str] = []

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._server is not None

    async def start(self) -> None:
        """Start fresh, as soon as the store answers; nothing but its state is kept."""
        if self._wanted:
            return
        self._wanted = True
        while self._wanted:
            store = self._open()
            await store.start()
            server = ApiServer(store, parts=build_edge(self._config))
            try:
                await server.start()
            except Unavailable:
                # The process ends, and is started again by whoever looks after it.
                await store.close()
                await clock.sleep(_RESTART_SECONDS)
                continue
            self._store, self._server = store, server
            return

    async def kill(self) -> None:
        """End at once: requests under way break wherever they are, streams with them."""
        self._wanted = False
        server, store = self._server, self._store
        self._server = self._store = None
        if server is None or store is None:
            return
        await tasks.stop(*self._pending.values())
        await server.stop()
        await store.close()

    async def handle(self, request: Request) -> Response:
        """Answer. Raises ConnectionRefusedError when it does not run, ConnectionResetError when it dies meanwhile."""
        server = self._server
        if server is None:
            raise ConnectionRefusedError(f"{self.name} is not running")
        self._count += 1
        number = self._count
        task = tasks.spawn(server.handle(request), name=f"{self.name}/request")
        self._pending[number] = task
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(_: asyncio.Task[Response]) -> None:
            del self._pending[number]
            if not ended.done():
                ended.set_result(None)

        # Not the task itself: a client that leaves must not take it along.
        task.add_done_callback(end)
        await ended
        if task.cancelled():
            raise ConnectionResetError(f"{self.name} died")
        response = task.result()
        if not isinstance(response.body, bytes) and "watch" in request.query:
            response.body = self._in_order(response.body, request)
        return response

    async def _in_order(self, chunks: AsyncIterator[bytes], request: Request) -> AsyncGenerator[bytes, None]:
        """The stream as the server sends it, its revisions checked: after what it starts with they only grow."""
        last = int(request.query.get("resourceVersion") or 0)
        try:
            async for chunk in chunks:
                for line in chunk.splitlines():
                    revision = _revision(line)
                    bookmark = line.startswith(b'{"type":"BOOKMARK"')
                    if revision is not None and (revision < last or (revision == last and not bookmark)):
                        self.order_faults.append(f"{self.name}: {request.path}: revision {revision} after {last}")
                    last = max(last, revision or 0)
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()


def _revision(line: bytes) -> int | None:
    """The resourceVersion of a watch line's object; None for an error."""
    place = line.find(_REVISION)
    if place < 0:
        return None
    start = place + len(_REVISION)
    text = line[start : line.index(b'"', start)]
    return int(text) if text else None
