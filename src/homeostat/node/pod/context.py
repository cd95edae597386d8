"""What all pod workers of a node share: the node's configuration, its interfaces, and what it knows of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.node.images.puller import ImagePuller
from homeostat.node.pod.pod_isolation import PodIsolation
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.podspec.view import FailureReason
from homeostat.node.reports.statuswriter import StatusWriter
from homeostat.node.volumes.references import References
from homeostat.runtime.contract import Runtime


class Recorder(Protocol):
    """Writes events (`loop.recorder`)."""

    def record(self, about: Obj, reason: str, message: str, event_type: str = "Normal") -> None:
        """Note that `reason` happened to `about`."""
        ...


@dataclass(slots=True)
class NodeContext:
    """`services` returns the cluster's services as cached, None before they are known; `refusal` says why the node
    cannot take a pod; `finished` is called with the uid of a pod that is done. `pod_isolation` is there where the
    runtime isolates."""

    config: NodeConfig
    client: Client
    runtime: Runtime
    recorder: Recorder
    references: References
    puller: ImagePuller
    statuses: StatusWriter
    services: Callable[[], Sequence[Obj] | None]
    refusal: Callable[[Obj], FailureReason | None]
    finished: Callable[[str], None]
    allocatable: Mapping[str, str] = field(default_factory=dict)
    pod_isolation: PodIsolation | None = None
