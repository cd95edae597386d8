"""The service proxy of one node whose kernel carries the rules; it runs in the node's namespaces."""

from __future__ import annotations

import asyncio

from homeostat.compose.place import Place
from homeostat.lab import certificates
from homeostat.network.nft import NftRules
from homeostat.network.nodeproxy import NodeProxy
from homeostat.network.plan_nft_base import Ranges


async def run(place: Place, stop: asyncio.Event) -> None:
    """Keep the node's service rules as the API says until told to stop. The rules outlive the process."""
    node, settings = place.here(), place.settings
    client = place.client(certificates.PROXY)
    ranges = Ranges(
        pods=(settings.text("controller-manager", "cluster-cidr"),),
        services=(settings.text("apiserver", "service-cluster-ip-range"),),
        node_addresses=(node.address,),
    )
    proxy = NodeProxy(client, NftRules(node.name, ranges), node.name)
    await proxy.start()
    await stop.wait()
    await proxy.stop()
    await client.close()
