"""The controller manager of one master: its loops run while it leads."""

from __future__ import annotations

import asyncio

from homeostat.cluster import certificate_plan, certificates
from homeostat.cluster.topology import Cluster
from homeostat.compose.shared import healthz
from homeostat.compose.shared.leading import candidate, lead
from homeostat.compose.shared.place import Place
from homeostat.compose.shared.request_signing import signer
from homeostat.controllers.nodes.nodeplan import NodePlan
from homeostat.controllers.registry import Authority, all_loops
from homeostat.loop.manager import Manager


async def run(place: Place, stop: asyncio.Event) -> None:
    """Take part in the election and run the loops while leading; a standby keeps no caches: they fill within 0.1 s."""
    client = place.client(certificates.CONTROLLER_MANAGER)
    seconds_max = place.settings.duration("controller-manager", "cluster-signing-duration")
    authority = Authority(
        certificates.ca_pem(place.folder.pki),
        place.cluster.public_url,
        signer(place.folder.pki, seconds_max),
        place.settings.to_dict(),
        node_plan(place.cluster),
    )
    loops = all_loops(place.settings, authority)
    election = candidate(place, client, "kube-controller-manager")
    manager = Manager(election.writer(), loops, "controller-manager", host=place.here().name)
    async with healthz.serving(place, "kube-controller-manager", certificates.CONTROLLER_MANAGER):
        await lead(election, manager.start, manager.stop_loops, stop)
    await manager.stop()
    await client.close()


def node_plan(cluster: Cluster) -> NodePlan:
    """What machines that join cannot have: the cluster's own nodes, those to come included, its API, its Services."""
    services = cluster.flags.text("apiserver", "service-cluster-ip-range")
    return NodePlan(cluster.address_of, frozenset(certificate_plan.api_names(cluster)), (services,))
