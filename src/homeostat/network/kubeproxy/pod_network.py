"""The Pod network of one node: routes to the other nodes' Pods, the CNI plugins' configuration, masquerading.

The plan is made from the Node objects (`network.decide.pod_routes`); it is applied when it changes, and
looked at again now and then, since links that go down take their routes with them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from homeostat.api.types import Obj
from homeostat.kit import tasks
from homeostat.kit.log import logger
from homeostat.network.decide.pod_routes import (
    POD_CHAIN,
    PodPlan,
    conflist,
    masquerade,
    masquerade_without_nft,
    plan_pods,
)
from homeostat.network.kernel import iptables, links_and_routes
from homeostat.network.kernel.programs import ProgramError, present, run
from homeostat.network.watch.shared_caches import Caches

_LOOK_AGAIN_SECONDS = 10.0
_log = logger("podnet")


@dataclass(frozen=True, slots=True)
class Site:
    """The node: its name, its address on the nodes' network, the range of all Pods of the cluster, and where its CNI
    configuration is."""

    name: str
    address: str
    cluster_pods: str
    conflist: Path = Path("/etc/cni/net.d/10-homeostat.conflist")


class PodNetwork:
    """One loop: the Nodes say where Pods are, the kernel is made to agree."""

    def __init__(self, caches: Caches, site: Site) -> None:
        self._caches = caches
        self._site = site
        self._moved = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._said: set[str] = set()
        self._masqueraded: tuple[PodPlan, str] | None = None
        self.synced = asyncio.Event()

    def start(self) -> None:
        """Begin, before the caches do; `synced` is set when the network is as planned for the first time."""
        self._caches.nodes.listen(self._changed)
        self._loop = tasks.spawn(self._run(), name="podnet")

    async def stop(self) -> None:
        """End the loop; the network stays."""
        await tasks.stop(self._loop)

    def _changed(self, old: Obj | None, new: Obj | None) -> None:
        # Nodes' status changes all the time; only what is planned from counts.
        if plan_pods([old] if old else [], self._site.name) != plan_pods([new] if new else [], self._site.name):
            self._moved.set()

    async def _run(self) -> None:
        await self._caches.nodes.synced.wait()
        while True:
            self._moved.clear()
            plan = plan_pods(self._caches.nodes.objects.list(), self._site.name)
            trouble = await self._apply(plan)
            for words in trouble:
                if words not in self._said:
                    _log.warning("%s", words)
            self._said = set(trouble)
            if not trouble:
                self.synced.set()
            try:
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                    await self._moved.wait()
            except TimeoutError:
                continue

    async def _apply(self, plan: PodPlan) -> list[str]:
        """Make the plan true; what could not be done, in words."""
        trouble = await asyncio.to_thread(self._forward, plan)
        try:
            await self._masquerade(plan)
        except ProgramError as error:
            trouble.append(str(error))
        return trouble

    async def _masquerade(self, plan: PodPlan) -> None:
        if (plan, self._site.cluster_pods) == self._masqueraded:
            return
        if present("nft"):
            await run("nft", "-f", "-", text=masquerade(plan, self._site.cluster_pods))
        else:
            await iptables.restore(masquerade_without_nft(plan, self._site.cluster_pods))
            await iptables.jump("nat", "POSTROUTING", ("-j", POD_CHAIN))
        self._masqueraded = (plan, self._site.cluster_pods)

    def _forward(self, plan: PodPlan) -> list[str]:
        trouble = [*links_and_routes.forward(), *links_and_routes.route(plan.routes)]
        if plan.own:
            try:
                self._configure(plan.own)
            except (OSError, links_and_routes.LinkError) as error:
                trouble.append(f"{self._site.conflist}: {error}")
        return trouble

    def _configure(self, own: str) -> None:
        """Write the CNI configuration, in one step, when it is not that already."""
        text = conflist(own, links_and_routes.uplink(self._site.address).mtu)
        file = self._site.conflist
        if file.exists() and file.read_text() == text:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        draft.write_text(text)
        draft.rename(file)
