"""The cluster under torture: who is who on it, and how a fault gets there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench.torture import faults
from bench.torture.faults import Fault
from homeostat.api.errors import ApiError
from homeostat.api.kinds import LEASE
from homeostat.client.contract import Client
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.compose.shared import etcd_members
from homeostat.lab.hosts import enter
from homeostat.lab.processes.orders import ask_async
from homeostat.store.contract import StoreError
from homeostat.store.etcd import admin

_ORDER_SECONDS = 60.0


class Stage:
    """A running cluster of real nodes."""

    def __init__(self, folder: Folder, client: Client, chance: random.Random) -> None:
        self._folder, self._client, self._chance = folder, client, chance
        cluster = folder.load()
        self._addresses = {node.name: node.address for node in cluster.masters()}
        self._cluster = cluster

    @property
    def path(self) -> Path:
        """The cluster's state folder."""
        return self._folder.path

    async def nodes(self, where: str) -> list[str]:
        """The nodes that a fault is meant for."""
        masters = sorted(self._addresses)
        if where == faults.ALL_MASTERS:
            return masters
        if where == faults.TWO_MASTERS:
            return self._chance.sample(masters, 2)
        found = ""
        if where == faults.ETCD_LEADER:
            found = await self._etcd_leader()
        elif where == faults.LEADING_MANAGER:
            with suppress(ApiError, OSError):
                lease = await self._client.get(LEASE, "kube-controller-manager", "kube-system")
                found = str((lease.get("spec") or {}).get("holderIdentity") or "").partition("_")[0]
        return [found if found in self._addresses else self._chance.choice(masters)]

    @asynccontextmanager
    async def broken(self, fault: Fault, nodes: list[str]) -> AsyncIterator[None]:
        """The block runs while the fault lasts; its end waits until the fault is undone."""
        if fault.order:
            for node in nodes:
                await self._order(fault, node)
            try:
                yield
                await asyncio.sleep(fault.seconds)
            finally:
                for node in nodes:
                    await self._undo(fault, node)
            return
        scripts = []
        for node in nodes:
            others = [address for name, address in self._addresses.items() if name != node]
            argv = enter.words(self._folder, node, ["sh", "-c", fault.script(others)])
            scripts.append(
                await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    # Ctrl-C goes to all of a terminal's foreground group: it would leave the fault on the node.
                    start_new_session=True,
                )
            )
        yield
        codes = [await script.wait() for script in scripts]
        if fault.end and any(codes):
            raise LabError(f"{fault.name} could not be done or undone on {', '.join(nodes)}: exit codes {codes}")

    async def _order(self, fault: Fault, node: str) -> None:
        order = Order("stop-node", node=node, power=True)
        if fault.order == "cut":
            # Should this program be killed, the cut ends all the same.
            order = Order("cut", node=node, seconds=fault.seconds + _ORDER_SECONDS)
        await ask_async(self._folder.supervisor_socket, order, timeout_seconds=_ORDER_SECONDS)

    async def _undo(self, fault: Fault, node: str) -> None:
        order = Order("heal" if fault.order == "cut" else "start-node", node=node)
        await ask_async(self._folder.supervisor_socket, order, timeout_seconds=_ORDER_SECONDS)

    async def _etcd_leader(self) -> str:
        files = etcd_members.client_files(self._folder.pki)
        try:
            members = await admin.members_of(etcd_members.endpoints(self._cluster), files)
        except StoreError:
            return ""
        return next((member.name for member in members if member.leader), "")
