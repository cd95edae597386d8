"""Draining a node through the API: cordon it, evict its Pods, wait until they are gone.

Which Pods leave is decided by `api.rules.eviction`.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import NODE, POD
from homeostat.api.rules.eviction import eviction_of, leaves_on_drain
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock

_LOOK_SECONDS = 0.05


async def cordon(client: Client, node: str, *, unschedulable: bool) -> Obj:
    """Keep new Pods from the node, or (`unschedulable` False) let them in again; the Node. Raises ApiError."""
    return await client.patch(NODE, node, "", {"spec": {"unschedulable": unschedulable or None}})


async def evict(client: Client, pod: Obj) -> None:
    """Request the Pod's eviction once. Nothing happens when it is gone, or another Pod has its name by now.

    Raises ApiError; its reason is TooManyRequests while a disruption budget keeps the Pod.
    """
    try:
        await client.create(POD, eviction_of(pod), subresource="eviction")
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise


async def drain(client: Client, node: str, *, seconds: float) -> list[Obj]:
    """Cordon the node and evict its Pods, for at most `seconds`, and again while disruption budgets keep some.

    Returns the Pods that are still there: none when the node is drained, or is not in the API. Raises ApiError.
    """
    try:
        await cordon(client, node, unschedulable=True)
    except ApiError as error:
        if error.reason == "NotFound":
            return []
        raise
    deadline = clock.monotonic() + seconds
    while left := await _leaving(client, node):
        if clock.monotonic() > deadline:
            return left
        for pod in left:
            if not meta.deleting(pod):
                await _evict_if_allowed(client, pod)
        await clock.sleep(_LOOK_SECONDS)
    return []


async def _leaving(client: Client, node: str) -> list[Obj]:
    return [pod for pod in (await client.list(POD, fields=f"spec.nodeName={node}")).items if leaves_on_drain(pod)]


async def _evict_if_allowed(client: Client, pod: Obj) -> None:
    try:
        await evict(client, pod)
    except ApiError as error:
        if error.reason != "TooManyRequests":
            raise
