"""Answers for load balancers' addresses on the nodes' network, when it is this node's turn.

Whose turn it is says `network.decide.announcing_node`.

The address is added to the node's uplink, so that its kernel answers ARP, and announced. Whether the nodes before this
one are there is asked by ARP too, twice a second: that is what clients depend on, and no firewall rule hides it. A node
that cannot reach the API may be the only one that does not know that it has lost its turn: it gives an address up when
another node announces it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.network.decide.announcing_node import Candidate, Ranks, answers, healthy, rank, rivals
from homeostat.network.kernel import arp, links_and_routes
from homeostat.network.watch.service_slices import ServiceSlices
from homeostat.network.watch.shared_caches import Caches

_TICK_SECONDS = 0.5
# A node that has not answered for this long is passed over: three questions and a half.
_SILENT_SECONDS = 1.75
# How often a held address is announced again, for hosts that missed it.
_REMIND_SECONDS = 5.0
_CHECK_SECONDS = 5.0
# Without an answer of the API for this long, what this node knows of the others is old.
_STALE_SECONDS = 15.0

_log = logger("announcer")


class Announcer:
    """One loop for all addresses. `reach_api` raises when the API does not answer."""

    def __init__(self, caches: Caches, name: str, address: str, reach_api: Callable[[], Awaitable[object]]) -> None:
        self._caches = caches
        self._name = name
        self._address = address
        self._reach_api = reach_api
        self._fresh_until = 0.0
        self._last_seen: dict[str, float] = {}
        self._held: dict[str, float] = {}
        self._yielded: set[str] = set()
        self._moved = asyncio.Event()
        self._slices_of = ServiceSlices()
        self._ranks: Ranks = {}
        self._is_old = True  # the caches have changed since ranks were computed
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def held(self) -> frozenset[str]:
        """The addresses that this node answers for now."""
        return frozenset(self._held)

    def start(self) -> None:
        """Begin, before the caches do."""
        for cache in (self._caches.nodes, self._caches.services):
            cache.listen(self._changed)
        self._caches.slices.listen(self._slice_changed)
        self._tasks = [tasks.spawn(self._run(), name="announcer"), tasks.spawn(self._check(), name="announcer/api")]

    async def stop(self) -> None:
        """End. Addresses stay with the kernel, which continues to answer while this process restarts."""
        await tasks.stop(*self._tasks)

    def _changed(self, old: Obj | None, new: Obj | None) -> None:
        self._is_old = True
        self._moved.set()

    def _slice_changed(self, old: Obj | None, new: Obj | None) -> None:
        self._slices_of.change(old, new)
        self._changed(old, new)

    async def _check(self) -> None:
        while True:
            try:
                await self._reach_api()
                self._fresh_until = clock.monotonic() + _STALE_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever it is, the API was not reached; it is asked again
                _log.debug("the API does not answer: %s", error)
            await clock.sleep(_CHECK_SECONDS)

    async def _run(self) -> None:
        await self._caches.synced()
        while True:
            try:
                uplink = await asyncio.to_thread(links_and_routes.uplink, self._address)
                with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETHERTYPE)) as wire:
                    wire.bind((uplink.name, arp.ETHERTYPE))
                    wire.settimeout(0)
                    await self._serve(wire, uplink)
            except (links_and_routes.LinkError, OSError) as error:
                _log.warning("load balancers' addresses cannot be announced: %s", error)
                await clock.sleep(_REMIND_SECONDS)

    async def _serve(self, wire: socket.socket, uplink: links_and_routes.Uplink) -> None:
        # What an earlier run has left is released or announced again, as the first look decides.
        self._held = dict.fromkeys(await asyncio.to_thread(links_and_routes.added_addresses, uplink), 0.0)
        loop = asyncio.get_running_loop()
        loop.add_reader(wire.fileno(), self._read, wire, uplink.hardware)
        try:
            while True:
                self._moved.clear()
                await self._tick(wire, uplink, clock.monotonic())
                try:
                    # Without addresses there is nothing to ask about.
                    async with asyncio.timeout(_TICK_SECONDS if self._ranks or self._held else None):
                        await self._moved.wait()
                except TimeoutError:
                    continue
        finally:
            loop.remove_reader(wire.fileno())

    def _rank(self) -> Ranks:
        nodes = healthy(self._caches.nodes.objects.list())
        ranks: dict[str, tuple[Candidate, ...]] = {}
        for service in self._caches.services.objects.list():
            if (service.get("spec") or {}).get("type") == "LoadBalancer":
                ranks |= rank(service, self._slices_of.of(meta.key(service)), nodes)
        return ranks

    async def _tick(self, wire: socket.socket, uplink: links_and_routes.Uplink, now: float) -> None:
        if self._is_old:
            self._is_old, self._ranks = False, self._rank()
        wanted = self._wanted(now)
        for address in sorted(set(self._held) - wanted):
            await asyncio.to_thread(links_and_routes.remove_address, uplink, address)
            del self._held[address]
            _log.info("no longer answering for %s", address)
        for address in sorted(wanted):
            if address not in self._held:
                await asyncio.to_thread(links_and_routes.add_address, uplink, address)
                _log.info("answering for %s", address)
            elif self._held[address] and now - self._held[address] < _REMIND_SECONDS:
                continue
            wire.send(arp.announcement(uplink.hardware, address))
            self._held[address] = now
        for address in sorted(self._last_seen):
            wire.send(arp.request(uplink.hardware, self._address, address))

    def _wanted(self, now: float) -> set[str]:
        """The addresses that this node is to answer for."""
        # A node that was not asked before has its time to answer.
        self._last_seen = {address: self._last_seen.get(address, now) for address in rivals(self._ranks, self._name)}
        alive = {address for address, at in self._last_seen.items() if now - at < _SILENT_SECONDS}
        if now < self._fresh_until:
            self._yielded.clear()
        return {
            address
            for address, ranked in self._ranks.items()
            if address not in self._yielded and answers(ranked, self._name, alive)
        }

    def _read(self, wire: socket.socket, hardware: str) -> None:
        try:
            packet = arp.parse(wire.recv(256))
        except OSError as error:
            _log.debug("%s", error)
            return
        if packet is None or packet.hardware == hardware:
            return
        now = clock.monotonic()
        if packet.sender in self._last_seen:
            self._last_seen[packet.sender] = now
        if packet.sender in self._held and now >= self._fresh_until:
            _log.info("%s has announced %s, and the API does not answer here", packet.hardware, packet.sender)
            self._yielded.add(packet.sender)
            self._moved.set()
