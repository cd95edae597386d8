"""The network of one node whose kernel carries the rules: service rules and the way to other nodes' Pods.

It runs in the node's namespaces. What it has made outlives it: while it restarts, connections find their way.
"""

from __future__ import annotations

import asyncio

from homeostat.api.kinds import NODE
from homeostat.client.contract import Client
from homeostat.compose.place import Place
from homeostat.lab import certificates
from homeostat.network.announcer import Announcer
from homeostat.network.caches import Caches
from homeostat.network.followers import AfterRules
from homeostat.network.nft import NftRules
from homeostat.network.nodeproxy import NodeProxy
from homeostat.network.plan_nft_base import Ranges
from homeostat.network.podnet import PodNetwork, Site

# How long the API may take to answer before it counts as out of reach.
_REACH_SECONDS = 5.0


async def run(place: Place, stop: asyncio.Event) -> None:
    """Keep the node's network as the API says until told to stop."""
    node, settings = place.here(), place.settings
    client = place.client(certificates.PROXY)
    pods = settings.text("controller-manager", "cluster-cidr")
    addresses = (node.address,)
    ranges = Ranges((pods,), (settings.text("apiserver", "service-cluster-ip-range"),), addresses)
    caches, followers = Caches(client), AfterRules(addresses)
    proxy = NodeProxy(caches, NftRules(node.name, ranges), node.name, followers)
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
