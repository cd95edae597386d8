"""The userspace applier: makes the plan true with listening sockets on loopback and spliced connections.

New connections go only to backends of the current rule; connections that exist stay when their endpoint leaves, as
with kube-proxy. A backend that cannot be reached is passed over for the next one, so a client does not see it, and for
some seconds later connections try it last; on a busy machine a silent one may only be slow, so it is asked again before
the client is sent away. (Rules in the kernel, `kubeproxy.node_proxy`, cannot do that: a packet has one destination, and
nobody looks whether it arrives. There a silent backend counts until its node is NotReady.) TCP only: a UDP or SCTP port
is reported by name and not served.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Plan, Rule, changes
from homeostat.network.userspace.balancer import Balancer
from homeostat.network.userspace.splice import Side

_log = logger("network")
# How long a backend may take to accept; when none did in the first time, the silent ones are asked once more.
_DIAL_SECONDS = (0.3, 1.0)
_BACKLOG = 1024
_RETRY_SECONDS = 2.0


class Links(Protocol):
    """How bytes get from a front to a backend; the lab's uplinks, which can be cut, or plain sockets."""

    async def dial(self, host: str, port: int, *, nodes: frozenset[str], timeout_seconds: float) -> Side:
        """Connect across the uplinks of `nodes`. Raises OSError or TimeoutError."""
        ...

    def join(self, client: Side, backend: Side, crosses: frozenset[str], *, label: object = None) -> object:
        """Splice the two sides."""
        ...


class Listeners(Protocol):
    """Where a front's connections come in; plain sockets, or ones of another network."""

    def open(self, front: Front, rule: Rule) -> socket.socket:
        """A bound socket. Raises OSError."""
        ...

    def closed(self, front: Front, rule: Rule) -> None:
        """The front listens no more."""
        ...


class Applier:
    """Holds one listening socket a front, which `listeners` opens (without: one bound to the front's own address).
    `apply` is idempotent; `trouble` has the fronts that cannot be opened, and why."""

    def __init__(
        self,
        links: Links,
        *,
        listeners: Listeners | None = None,
        on_trouble: Callable[[Front, Rule, str], Awaitable[None]] | None = None,
    ) -> None:
        self._links = links
        self._listeners = listeners
        self._plan: dict[Front, Rule] = {}
        self._servers: dict[Front, asyncio.Server] = {}
        self._balancers: dict[Front, Balancer] = {}
        self._on_trouble = on_trouble
        self.trouble: dict[Front, str] = {}

    async def apply(self, plan: Plan) -> None:
        """Make `plan` the rules from now on."""
        closing, opening, altered = changes(self._plan, plan)
        for front in closing:
            self._close(front)
        for front in altered:
            if front in self._balancers:
                self._balancers[front].rule = plan[front]
        self._plan = dict(plan)
        for front in [*opening, *(front for front in self.trouble if front in plan)]:
            await self._open(front, plan[front])

    async def close(self) -> None:
        """Stop listening everywhere."""
        for front in list(self._plan):
            self._close(front)

    def _close(self, front: Front) -> None:
        rule = self._plan.pop(front, None)
        self._balancers.pop(front, None)
        self.trouble.pop(front, None)
        if server := self._servers.pop(front, None):
            server.close()
            if self._listeners and rule:
                self._listeners.closed(front, rule)

    async def _open(self, front: Front, rule: Rule) -> None:
        if front.protocol != "TCP":
            await self._report(front, rule, f"{front.protocol} ports are not served by the userspace proxy")
            return
        try:
            sock = self._listeners.open(front, rule) if self._listeners else bound(front)
        except OSError as error:
            await self._report(front, rule, f"cannot listen on {front.address}:{front.port}: {error.strerror or error}")
            return
        self.trouble.pop(front, None)
        self._balancers[front] = Balancer(rule)
        loop = asyncio.get_running_loop()
        self._servers[front] = await loop.create_server(
            lambda: Side(lambda side: self._accepted(front, side)), sock=sock, backlog=_BACKLOG
        )

    async def _report(self, front: Front, rule: Rule, text: str) -> None:
        if self.trouble.get(front) != text:
            self.trouble[front] = text
            _log.warning("service %s: %s", rule.service, text)
            if self._on_trouble:
                await self._on_trouble(front, rule, text)

    def _accepted(self, front: Front, client: Side) -> None:
        # A client that leaves before it has a backend is waited for no longer.
        client.on_lost = tasks.spawn(self._connect(front, client), name=f"service {front.address}:{front.port}").cancel

    async def _connect(self, front: Front, client: Side) -> None:
        balancer = self._balancers.get(front)
        assert client.transport is not None
        peer = client.transport.get_extra_info("peername") or ("", 0)
        if balancer is None:
            client.abort()
            return
        own = frozenset({front.node} - {""})
        backends = balancer.order(peer[0], clock.monotonic())
        for seconds in _DIAL_SECONDS:
            silent: list[Backend] = []
            for backend in backends:
                crosses = own | ({backend.node} - {""})
                if (side := await self._dial(backend, crosses, seconds, silent)) is None:
                    balancer.failed(backend, clock.monotonic())
                    continue
                balancer.chosen(peer[0], backend, clock.monotonic())
                self._links.join(client, side, crosses)
                return
            backends = silent
        client.abort()

    async def _dial(
        self, backend: Backend, nodes: frozenset[str], seconds: float, silent: list[Backend]
    ) -> Side | None:
        """Connect; None when it refuses or says nothing, and then it is added to `silent`."""
        try:
            return await self._links.dial(backend.address, backend.port, nodes=nodes, timeout_seconds=seconds)
        except TimeoutError:
            silent.append(backend)
        except OSError as error:
            _log.debug("backend %s:%d passed over: %s", backend.address, backend.port, error)
        return None


def bound(front: Front) -> socket.socket:
    """A socket bound to the front's own address and port. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((front.address, front.port))
        sock.settimeout(0)
    except OSError:
        sock.close()
        raise
    return sock


def merged(rules: Mapping[str, Mapping[Front, Rule]]) -> dict[Front, Rule]:
    """All services' rules as one plan; on a clash the Service that comes first by name keeps the front."""
    plan: dict[Front, Rule] = {}
    for service in sorted(rules):
        for front, rule in rules[service].items():
            plan.setdefault(front, rule)
    return plan
