"""What an EndpointSlice says of its endpoints: which are ready, and which still serve while they end. Pure.

Kubernetes: EndpointSlices (Conditions); discovery/v1 EndpointConditions. A condition that is absent or null is unknown:
ready and serving then count as true, terminating as false.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj


def is_ready(endpoint: Obj) -> bool:
    """Whether the endpoint takes new connections."""
    return (endpoint.get("conditions") or {}).get("ready") is not False


def is_serving_while_terminating(endpoint: Obj) -> bool:
    """Whether the endpoint is about to end and still takes connections, when no endpoint is ready (KEP-1669)."""
    conditions = endpoint.get("conditions") or {}
    return bool(conditions.get("terminating")) and conditions.get("serving") is not False


def service_of_slice(piece: Obj) -> str:
    """The key of the Service that an EndpointSlice belongs to; empty when it belongs to none."""
    name = meta.labels(piece).get(wellknown.LABEL_SERVICE_NAME)
    return f"{meta.namespace(piece)}/{name}" if name else ""
