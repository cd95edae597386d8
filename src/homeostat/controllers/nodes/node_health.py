"""The node lifecycle loop's memory: when each node last reported, and the state of each zone.

Like Kubernetes, silence is measured on this controller's own clock: what counts is when it saw a heartbeat (the node's
Lease, or the Ready condition's heartbeat time) change, not the time written in it, so that skewed clocks on nodes do no
harm. That takes a memory, `Observed`; a look makes the next one of it and the snapshot of its decision, so the same
sequence of snapshots always gives the same conclusions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from homeostat.api import meta
from homeostat.api.kinds import LEASE
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.loop.contract import World

LEASE_NAMESPACE = "kube-node-lease"
# Looks further apart than so many monitor periods mean that the loop was away.
PAUSE_PERIODS = 3
NORMAL, PARTIAL, FULL = "Normal", "PartialDisruption", "FullDisruption"


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds, rates in nodes a second; Kubernetes' defaults."""

    monitor_period_seconds: float = 5.0
    grace_seconds: float = 50.0
    startup_grace_seconds: float = 60.0
    eviction_rate: float = 0.1
    secondary_eviction_rate: float = 0.01
    unhealthy_zone_threshold: float = 0.55
    large_cluster_nodes: int = 50


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """One node's last sign of life: what it said, when this controller saw that it had changed, and its Ready."""

    lease: str
    heartbeat: str
    at: float
    status: str = "Unknown"
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """The loop's memory: nodes by uid, the zones' states at the last look, and when that was."""

    nodes: Mapping[str, NodeHealth] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    looked_at: float = 0.0

    def observe(self, nodes: Sequence[Obj], world: World, options: Options) -> Observed:
        """The memory with what the nodes reported since the last look, without those that are gone.

        After a long pause between looks (not leading, the machine asleep, the API out of reach) it was this loop that
        did not listen: every node gets a fresh grace period. So it does when this machine's clock was set, to and fro:
        nothing is known of how long anybody has been silent.
        """
        away = not 0 <= world.now - self.looked_at <= PAUSE_PERIODS * options.monitor_period_seconds
        known: Mapping[str, NodeHealth] = {} if away else self.nodes
        present = {}
        for node in nodes:
            uid = node["metadata"]["uid"]
            present[uid] = _observed(node, known.get(uid), world)
        return Observed(present, self.zones, world.now)

    def with_fresh_grace(self) -> Observed:
        """The memory when every node reported at this look."""
        nodes = {uid: replace(health, at=self.looked_at) for uid, health in self.nodes.items()}
        return replace(self, nodes=nodes)

    def deadline(self, node: Obj, options: Options) -> float:
        """Until when the node may be silent."""
        health = self.nodes[node["metadata"]["uid"]]
        return health.at + (options.grace_seconds if health.reported else options.startup_grace_seconds)

    def status(self, node: Obj) -> str:
        """The node's Ready as of the last look."""
        return self.nodes[node["metadata"]["uid"]].status


def _observed(node: Obj, before: NodeHealth | None, world: World) -> NodeHealth:
    lease = _renewed(node, world)
    ready = meta.condition(node, "Ready")
    heartbeat = ready.get("lastHeartbeatTime") or "" if ready else ""
    if before is None:
        # A node that has never reported counts from its creation.
        at = world.now if ready else meta.created_at(node)
    else:
        at = world.now if before.lease != lease or before.heartbeat != heartbeat else before.at
    return NodeHealth(lease, heartbeat, at, ready["status"] if ready else "Unknown", ready is not None)


def _renewed(node: Obj, world: World) -> str:
    lease = world.get(LEASE, LEASE_NAMESPACE, node["metadata"]["name"])
    renewed: str = (lease.get("spec") or {}).get("renewTime") or "" if lease is not None else ""
    return renewed


def ready_status(node: Obj) -> str:
    """True, False or Unknown; Unknown where the node has not said."""
    ready = meta.condition(node, "Ready")
    return str(ready.get("status")) if ready else "Unknown"


def zone_of(node: Obj) -> str:
    """Region and zone as one name; empty for nodes without either."""
    labels = meta.labels(node)
    region, zone = labels.get(wellknown.LABEL_REGION, ""), labels.get(wellknown.LABEL_ZONE, "")
    return f"{region}:{zone}" if region or zone else ""


def by_zone(nodes: Sequence[Obj]) -> dict[str, list[Obj]]:
    """The nodes of each zone."""
    zones: dict[str, list[Obj]] = defaultdict(list)
    for node in nodes:
        zones[zone_of(node)].append(node)
    return dict(zones)


def zone_states(zones: Mapping[str, Sequence[Obj]], observed: Observed, threshold: float) -> dict[str, str]:
    """Each zone's state: full disruption without any ready node, partial above the threshold (nodelifecycle's
    ComputeZoneState)."""
    states = {}
    for zone, nodes in zones.items():
        down = sum(1 for node in nodes if observed.status(node) != "True")
        if down == len(nodes) and down > 0:
            states[zone] = FULL
        elif down > 2 and down / len(nodes) >= threshold:
            states[zone] = PARTIAL
        else:
            states[zone] = NORMAL
    return states


def eviction_rate(state: str, node_count: int, options: Options) -> float:
    """Nodes a second that may be tainted for eviction in a zone."""
    if state != PARTIAL:
        return options.eviction_rate
    return options.secondary_eviction_rate if node_count > options.large_cluster_nodes else 0.0
