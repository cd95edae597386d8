"""The network of one node whose kernel carries the rules: service rules and the way to other nodes' Pods.

It runs in the node's namespaces. What it has made outlives it: while it restarts, connections find their way.
"""

from __future__ import annotations

import asyncio

from homeostat.api.kinds import NODE
from homeostat.client.contract import Client
from homeostat.cluster import certificates
from homeostat.compose.shared.place import Place
from homeostat.kit.log import logger
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.kernel import iptables
from homeostat.network.kernel.nft import NftRules
from homeostat.network.kernel.programs import ProgramError, present
from homeostat.network.kubeproxy.after_rules import AfterRules
from homeostat.network.kubeproxy.announcer import Announcer
from homeostat.network.kubeproxy.node_proxy import NodeProxy, NodeRules
from homeostat.network.kubeproxy.pod_network import PodNetwork, Site
from homeostat.network.watch.shared_caches import Caches

# How long the API may take to answer before it counts as out of reach.
_REACH_SECONDS = 5.0

_log = logger("kube-proxy")


async def run(place: Place, stop: asyncio.Event) -> None:
    """Keep the node's network as the API says until stopped."""
    node, settings = place.here(), place.settings
    client = place.client(certificates.PROXY)
    pods = settings.text("controller-manager", "cluster-cidr")
    addresses = (node.address,)
    ranges = Ranges((pods,), (settings.text("apiserver", "service-cluster-ip-range"),), addresses)
    caches, followers = Caches(client), AfterRules(addresses)
    proxy = NodeProxy(
        caches, await _rules(settings.text("kube-proxy", "proxy-mode"), node.name, ranges), node.name, followers
    )
    network = PodNetwork(caches, Site(node.name, node.address, pods))
    announcer = Announcer(caches, node.name, node.address, lambda: _reach(client, node.name))
    network.start()
    proxy.start()
    announcer.start()
    caches.start()
    await stop.wait()
    await announcer.stop()
    await proxy.stop()
    await network.stop()
    await caches.stop()
    await followers.close()
    await client.close()


async def _reach(client: Client, node: str) -> None:
    """Raises unless the API answers soon."""
    async with asyncio.timeout(_REACH_SECONDS):
        await client.get(NODE, node)


async def _rules(mode: str, node: str, ranges: Ranges) -> NodeRules:
    """The rules of the mode asked for; what the other one may have left is removed."""
    nftables = mode == "nftables" or (mode == "auto" and present("nft"))
    rules, others = NftRules(node, ranges), iptables.IptablesRules(ranges)
    try:
        if nftables and present("iptables-save"):
            await iptables.remove()
        elif not nftables and present("nft"):
            await rules.remove()
    except ProgramError as error:
        _log.warning("the rules of the other proxy mode stay: %s", error)
    return rules if nftables else others
