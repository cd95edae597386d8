"""All loops of the controller manager, with their options taken from the settings."""

from __future__ import annotations

from homeostat.api.flags import Settings
from homeostat.controllers import deployment, endpoints, endpointslice, replicaset
from homeostat.loop.contract import Loop

_COMPONENT = "controller-manager"


def all_loops(settings: Settings, *, ca_pem: str = "") -> list[Loop]:
    """Every loop. `ca_pem` is the certificate by which Pods know the API server; without it none is published."""
    return [deployment.loop(), replicaset.loop(), endpointslice.loop(), endpoints.loop()]
