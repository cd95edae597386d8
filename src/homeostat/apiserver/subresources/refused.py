"""Subresources that Kubernetes has and this server refuses by name, each with what it waits for."""

from __future__ import annotations

from homeostat.api.errors import ApiError
from homeostat.apiserver.contract import Call
from homeostat.wire.message import Response

_LATER = "is not supported by the node agent yet; change the Pod's template instead"

# By resource and subresource: what the answer says.
REFUSED: dict[tuple[str, str], str] = {
    ("pods", "ephemeralcontainers"): f"adding ephemeral containers {_LATER}",
    ("pods", "resize"): f"resizing a running Pod {_LATER}",
}


async def refuse(call: Call) -> Response:
    """405 that says why. Raises always."""
    info = call.info
    why = REFUSED[info.resource, info.subresource]
    details = {"name": info.name, "kind": f"{info.resource}/{info.subresource}"}
    raise ApiError(
        405, "MethodNotAllowed", f"{info.resource}/{info.subresource} is not supported: {why}", details=details
    )
