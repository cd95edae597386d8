"""Nodes' uplinks: every connection into or out of a node passes here, so that a node can be cut off and joined again.

A cut carries a deadline and is kept in a file: it outlives this process and ends even if nobody heals it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from pathlib import Path

import orjson

from homeostat.cluster.lab_orders import BadOrder, read_order
from homeostat.cluster.state_folder import replace_file
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.lab.processes.orders import Answer, bind
from homeostat.network.userspace.splice import Side, Splice

_log = logger("uplink")
CUT_SECONDS_MAX = 24 * 3600.0
# A machine that loses its power says no goodbye: a connection on which nothing is acknowledged ends by itself, so that
# the client can go on with another server.
_NO_GHOSTS = (
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 700),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
)


class Uplinks:
    """Which nodes are cut, and the connections that cross each node's uplink."""

    def __init__(self, nodes: Iterable[str], file: Path) -> None:
        self._nodes = frozenset(nodes)
        self._file = file
        self._until: dict[str, float] = _load(file)
        self._splices: set[Splice] = set()
        self._healed = asyncio.Event()
        self._timers: dict[str, asyncio.Task[None]] = {}
        for node in self._until:
            self._arm(node)

    def is_cut(self, *nodes: str) -> bool:
        """Whether any of these nodes is cut off."""
        return any(node in self._until for node in nodes)

    def cut(self, node: str, *, seconds: float) -> None:
        """Cut `node` off for at most `seconds`; a second cut moves the deadline. Raises KeyError on an unknown node."""
        if node not in self._nodes:
            raise KeyError(node)
        self._until[node] = clock.wall() + min(seconds, CUT_SECONDS_MAX)
        self._arm(node)
        self._changed(node)

    def heal(self, node: str) -> None:
        """Join `node` again; nothing happens when it was not cut. Raises KeyError on an unknown node."""
        if node not in self._nodes:
            raise KeyError(node)
        if self._until.pop(node, None) is not None:
            self._changed(node)
            self._healed.set()
            self._healed.clear()

    def status(self) -> dict[str, float]:
        """The nodes that are cut, with the seconds until each heals by itself."""
        return {node: round(until - clock.wall(), 1) for node, until in self._until.items()}

    async def passable(self, *nodes: str) -> None:
        """Wait until none of the nodes is cut."""
        while self.is_cut(*nodes):
            await self._healed.wait()

    async def dial(self, host: str, port: int, *, nodes: frozenset[str], timeout_seconds: float) -> Side:
        """Connect across the uplinks of `nodes`. Raises OSError; across a cut, TimeoutError after the whole timeout."""
        async with asyncio.timeout(timeout_seconds):
            await self.passable(*nodes)
            transport, side = await asyncio.get_running_loop().create_connection(Side, host, port)
            sock = transport.get_extra_info("socket")
            for level, option, value in _NO_GHOSTS:
                sock.setsockopt(level, option, value)
            return side

    def abort(self, *, label: object) -> None:
        """Reset the connections that were joined under `label`."""
        for splice in [splice for splice in self._splices if splice.label is label]:
            splice.abort()

    def join(self, client: Side, backend: Side, crosses: frozenset[str], *, label: object = None) -> Splice:
        """Splice two sides, watched by the uplinks that they cross."""
        splice = Splice(client, backend, crosses, label)
        self._splices.add(splice)
        for side in (client, backend):
            side.on_lost = lambda: self._splices.discard(splice) if splice.over else None
        splice.valve(shut=self.is_cut(*crosses))
        return splice

    def _changed(self, node: str) -> None:
        _log.info("%s is %s", node, "cut off" if node in self._until else "joined")
        replace_file(self._file, orjson.dumps(self._until))
        for splice in list(self._splices):
            if node in splice.crosses:
                splice.valve(shut=self.is_cut(*splice.crosses))

    def _arm(self, node: str) -> None:
        if timer := self._timers.pop(node, None):
            timer.cancel()
        self._timers[node] = tasks.spawn(self._heal_at_deadline(node), name=f"heal-{node}")

    async def _heal_at_deadline(self, node: str) -> None:
        while (left := self._until.get(node, 0.0) - clock.wall()) > 0:
            await clock.sleep(left)
        self.heal(node)


def _load(file: Path) -> dict[str, float]:
    try:
        kept = orjson.loads(file.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return {str(node): float(until) for node, until in kept.items()}


async def serve_orders(path: Path, uplinks: Uplinks) -> asyncio.Server:
    """Take orders (`cut`, `heal`, `status`) on a Unix socket: one JSON line each, one line back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(orjson.dumps(_handle(uplinks, line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            _log.info("the sender of an order left before its answer")
        finally:
            writer.close()

    return await asyncio.start_unix_server(serve, sock=bind(path))


def _handle(uplinks: Uplinks, line: bytes) -> Answer:
    try:
        order = read_order(line)
        if order.verb == "cut":
            uplinks.cut(order.node, seconds=order.seconds)
        elif order.verb == "heal":
            uplinks.heal(order.node)
        elif order.verb != "status":
            return {"error": f"unknown order {order.verb!r}"}
    except BadOrder as error:
        return {"error": str(error)}
    except KeyError as error:
        return {"error": f"there is no node {error}"}
    return {"cut": uplinks.status()}
