"""The relay: one address for the API, in front of all API servers; and the ports that a node shows through its uplink.

It works on bytes, not on requests: TLS passes through it. A dead API server refuses the connection (or, without power,
says nothing) and the next is taken, and all later connections pass it over; a hung one fails its checks, leaves the
rotation and loses its relayed connections, so that clients notice. That happens only while another one is well: a
server that lives but has lost its store reports so to its clients, and a reset connection gives them no reason.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.lab.links.uplink import Uplinks
from homeostat.network.userspace.splice import Side

_log = logger("relay")
# The kernel of a machine that has power answers at once, however busy its programs are.
_DIAL_SECONDS = 0.3
# How long a client waits for any backend at all: an API server that is just starting is worth waiting for.
_PATIENCE_SECONDS = 10.0
_RETRY_SECONDS = 0.02
# Between two checks of one server: of one that may lose its store while it lives, and of one that may not.
CHECK_SECONDS, CHECK_SECONDS_ONE_STORE = 0.3, 1.0
# After a check that did not find a server ready, the next one comes at once.
_AGAIN_SECONDS = 0.05
_FAILURES_MAX = 2
# A server that is to take over another one's clients has passed so many checks in a row. On a machine that is short of
# processors all servers are late now and then: clients that are sent from one to the next each time only add to that.
_SUCCESSES_MIN = 3
# A check bounds itself; one that took longer than this shows that the relay had no processor, not what the server does.
_CHECK_SECONDS_MAX = 0.8


class Health(IntEnum):
    """What a check finds, worst first: nothing answers; a server answers that is not ready; one that is."""

    SILENT = 0
    UNREADY = 1
    READY = 2


@dataclass(eq=False, slots=True)
class Backend:
    """A server behind the relay, on `node`. `failures` are checks in a row, up to the last, that did not find it ready,
    `successes` those that did; `disconnected`: its connections were dropped for its failures; `proven`: it was ready
    once."""

    node: str
    host: str
    port: int
    health: Health = Health.READY
    failures: int = 0
    successes: int = 0
    disconnected: bool = False
    proven: bool = False

    @property
    def down(self) -> bool:
        """Whether its last checks failed."""
        return self.failures >= _FAILURES_MAX

    @property
    def rank(self) -> Health:
        """How good a choice it is: a single check without any answer may be an accident."""
        return self.health if self.down or self.health is Health.UNREADY else Health.READY

    def checked(self, health: Health) -> None:
        """Record the result of a check."""
        self.health = health
        well = health is Health.READY
        self.failures, self.successes = (0, self.successes + 1) if well else (self.failures + 1, 0)
        self.disconnected = self.disconnected and self.down
        self.proven = self.proven or health is Health.READY

    def unreachable(self) -> None:
        """A connection failed: the server is skipped until a check finds it healthy."""
        self.health = Health.SILENT
        self.failures, self.successes = max(self.failures, _FAILURES_MAX), 0


Check = Callable[[Backend], Awaitable[Health]]


class Relay:
    """Forwards every connection that `listen` accepts to one of `backends`, round robin over those that are up.

    `origin` is the node on whose uplink this relay's clients sit (empty: outside all nodes). A client waits for a
    backend for `patience_seconds`; with 0 each is tried once.
    """

    def __init__(
        self,
        uplinks: Uplinks,
        backends: Sequence[Backend],
        *,
        origin: str = "",
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._uplinks = uplinks
        self._backends = backends
        self._origin = origin
        self._patience_seconds = patience_seconds
        self._turn = 0
        self._servers: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket) -> None:
        """Serve on a socket that is bound; may be called for several."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(lambda: Side(self._accepted), sock=sock, backlog=1024))

    async def close(self) -> None:
        """Stop accepting and reset what is under way."""
        for server in self._servers:
            server.close()
        for backend in self._backends:
            self.drop(backend)

    def drop(self, backend: Backend) -> None:
        """Reset the connections to a backend that no longer answers."""
        self._uplinks.abort(label=backend)

    def _accepted(self, client: Side) -> None:
        # A client that leaves before it has a backend is waited for no longer.
        client.on_lost = tasks.spawn(self._connect(client), name="relay").cancel

    async def _connect(self, client: Side) -> None:
        own = frozenset({self._origin} - {""})
        await self._uplinks.passable(*own)
        deadline = clock.monotonic() + self._patience_seconds
        while not client.lost:
            for backend in self._in_turn():
                nodes = own | {backend.node}
                try:
                    side = await self._uplinks.dial(
                        backend.host, backend.port, nodes=nodes, timeout_seconds=_DIAL_SECONDS
                    )
                except (OSError, TimeoutError):
                    backend.unreachable()
                    continue
                self._uplinks.join(client, side, nodes, label=backend)
                return
            if clock.monotonic() >= deadline:
                break
            await clock.sleep(_RETRY_SECONDS)
        client.abort()

    def _in_turn(self) -> list[Backend]:
        self._turn += 1
        order = [self._backends[(self._turn + i) % len(self._backends)] for i in range(len(self._backends))]
        # The ones that fail their checks come last: better a try than none.
        return sorted(order, key=lambda backend: backend.rank, reverse=True)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket at an address of the lab. Raises OSError, with the address in its text."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        # Of two sockets that bind at once only the second call to listen fails, so it belongs to the same error.
        sock.listen(1024)
        sock.settimeout(0)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return sock


async def watch_health(
    backends: Sequence[Backend],
    check: Check,
    on_down: Callable[[Backend], None],
    *,
    period_seconds: float = CHECK_SECONDS,
) -> None:
    """Check every backend after each `period_seconds`, for ever, each at its own pace: one that does not answer keeps
    no other waiting. `on_down` is called with one that fails while another is up."""

    async def follow(backend: Backend) -> None:
        late = False
        while True:
            began = clock.monotonic()
            health = await check(backend)
            if health is not Health.READY and not late and clock.monotonic() - began > _CHECK_SECONDS_MAX:
                late = True
                continue
            late = False
            backend.checked(health)
            for each in to_part(backends):
                _log.warning("the API server on %s does not answer", each.node)
                each.disconnected = True
                on_down(each)
            # One that is known to be down is asked as seldom as one that is well.
            doubtful = health is not Health.READY and not backend.down
            await clock.sleep(_AGAIN_SECONDS if doubtful else period_seconds)

    following = [tasks.spawn(follow(backend), name=f"relay/health/{backend.node}") for backend in backends]
    try:
        await asyncio.gather(*following)
    finally:
        await tasks.stop(*following)


def to_part(backends: Sequence[Backend]) -> list[Backend]:
    """Those whose clients are better off elsewhere, and have not been sent there yet. Pure."""
    if not any(backend.successes >= _SUCCESSES_MIN for backend in backends):
        return []
    return [backend for backend in backends if backend.down and backend.proven and not backend.disconnected]
