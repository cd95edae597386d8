"""The one place that chooses what a lab does by the kind of its nodes."""

from __future__ import annotations

from homeostat.cluster.topology import Cluster
from homeostat.lab.kinds.contract import LabKind
from homeostat.lab.kinds.host_nodes import HostNodes
from homeostat.lab.kinds.process_nodes import ProcessNodes

_HOSTS: LabKind = HostNodes()
_PROCESSES: LabKind = ProcessNodes()


def kind_of(cluster: Cluster) -> LabKind:
    """The kind of a cluster's lab."""
    return _HOSTS if cluster.kind.are_hosts else _PROCESSES
