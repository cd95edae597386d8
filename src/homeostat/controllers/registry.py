"""All loops of the controller manager, with their options taken from the settings.

One loop, one file: the name of each is the one that causes, metrics and `homeostat why` show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.types import Obj
from homeostat.controllers.certificates import bootstraptokens, csrapproving, csrcleaner, csrsigning
from homeostat.controllers.nodes import nodeipam, nodelifecycle, tainteviction
from homeostat.controllers.nodes.node_health import Options
from homeostat.controllers.nodes.nodeplan import NodePlan
from homeostat.controllers.ownership import garbagecollector, namespace, namespace_defaults, podgc
from homeostat.controllers.policy import disruption
from homeostat.controllers.services import endpoints, endpointslice, endpointslicemirroring, servicelb
from homeostat.controllers.workloads import daemonset, deployment, replicaset
from homeostat.loop.contract import Loop

_COMPONENT = "controller-manager"


@dataclass(frozen=True, slots=True)
class Authority:
    """The cluster's authority: its certificate (PEM), by which Pods and joining machines know the API server; the URL
    under which machines outside reach it; `sign`, which puts a certificate into a request (without it, none is
    signed); the flags that nodes have to know (`Settings.to_dict`); and what was planned for which node."""

    ca_pem: str
    server: str
    sign: Callable[[Obj], Obj] | None = None
    settings: Obj = field(default_factory=dict)
    nodes: NodePlan = field(default_factory=NodePlan)


def all_loops(settings: Settings, authority: Authority | None = None) -> list[Loop]:
    """Every loop, new: each call makes loops with an empty memory. Without an authority nothing is published or
    signed."""
    slice_max = settings.integer(_COMPONENT, "max-endpoints-per-slice")
    syncs = settings.integer(_COMPONENT, "concurrent-service-endpoint-syncs")
    loops = [
        deployment.loop(),
        replicaset.loop(),
        daemonset.loop(),
        endpointslice.loop(endpoints_per_slice_max=slice_max, parallel=syncs),
        endpoints.loop(),
        endpointslicemirroring.loop(
            addresses_per_subset_max=settings.integer(_COMPONENT, "mirroring-max-endpoints-per-subset")
        ),
        nodelifecycle.health_loop(node_options(settings)),
        nodelifecycle.taints_loop(),
        nodelifecycle.pods_loop(),
        tainteviction.loop(),
        podgc.loop(ended_pods_max=settings.integer(_COMPONENT, "terminated-pod-gc-threshold")),
        garbagecollector.loop(),
        namespace.loop(),
        namespace_defaults.service_account_loop(),
        disruption.loop(),
        csrapproving.loop(
            approve_serving=settings.boolean(_COMPONENT, "approve-kubelet-serving"),
            plan=authority.nodes if authority is not None else None,
        ),
        csrcleaner.loop(),
        bootstraptokens.cleaner_loop(),
        nodeipam.loop(
            settings.text(_COMPONENT, "cluster-cidr"), node_prefix=settings.integer(_COMPONENT, "node-cidr-mask-size")
        ),
    ]
    if pool := settings.addresses(_COMPONENT, "load-balancer-addresses"):
        loops.append(servicelb.loop(pool))
    if authority is not None:
        loops.append(namespace_defaults.root_ca_loop(authority.ca_pem))
        loops.append(bootstraptokens.signer_loop(authority.ca_pem, authority.server, authority.settings))
        if authority.sign is not None:
            loops.append(csrsigning.loop(authority.sign))
    return loops


def node_options(settings: Settings) -> Options:
    """The times and rates of the node lifecycle."""
    return Options(
        monitor_period_seconds=settings.duration(_COMPONENT, "node-monitor-period"),
        grace_seconds=settings.duration(_COMPONENT, "node-monitor-grace-period"),
        startup_grace_seconds=settings.duration(_COMPONENT, "node-startup-grace-period"),
        eviction_rate=settings.number(_COMPONENT, "node-eviction-rate"),
        secondary_eviction_rate=settings.number(_COMPONENT, "secondary-node-eviction-rate"),
        unhealthy_zone_threshold=settings.number(_COMPONENT, "unhealthy-zone-threshold"),
        large_cluster_nodes=settings.integer(_COMPONENT, "large-cluster-size-threshold"),
    )
