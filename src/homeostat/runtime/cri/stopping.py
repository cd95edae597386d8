"""Stopping a container, with its own stop signal where the engine does not take one.

The CRI has a stop signal for each container since Kubernetes 1.33 (`ContainerConfig.stop_signal`); an engine that knows
it reports it. containerd before that sends the image's STOPSIGNAL, so its task service sends ours instead, and the CRI
only comes with force at the end. Another engine of that age sends the image's signal: nothing better is to be had.
"""

from __future__ import annotations

import math
import signal

from homeostat.kit import clock
from homeostat.runtime.contract import Container, ContainerState, RuntimeFault
from homeostat.runtime.cri import containerd_pb2 as containerd
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri.channel import RUNTIME, WORK_SECONDS_MAX, Channel
from homeostat.runtime.cri.fault_reasons import NOT_FOUND, UNSUPPORTED
from homeostat.runtime.cri.inventory import Inventory
from homeostat.runtime.cri.requests import DEFAULT_SIGNAL

_KILL = "/containerd.services.tasks.v1.Tasks/Kill"
_LOOK_SECONDS = 0.02


async def stop(channel: Channel, inventory: Inventory, container: Container, *, timeout_seconds: float) -> None:
    """Signal, patience, force; returns when it has ended. Raises RuntimeFault."""
    # The interface counts whole seconds; less than one is not none.
    seconds = math.ceil(timeout_seconds)
    custom = container.spec.stop_signal != DEFAULT_SIGNAL
    if seconds and custom and await _signal(channel, container):
        if await _ends(inventory, container.id, timeout_seconds):
            return
        seconds = 0
    request = cri.StopContainerRequest(container_id=container.id, timeout=seconds)
    try:
        await channel.call(
            RUNTIME + "StopContainer",
            request,
            cri.StopContainerResponse,
            timeout_seconds=seconds + WORK_SECONDS_MAX,
        )
    except RuntimeFault as fault:
        if fault.reason != NOT_FOUND:
            raise


async def _signal(channel: Channel, container: Container) -> bool:
    """Whether the signal was sent by us, so that the engine need not."""
    number = getattr(signal, container.spec.stop_signal, None)
    if number is None or await _engine_knows(channel, container.id):
        return False
    try:
        request = containerd.KillRequest(container_id=container.id, signal=number)
        await channel.call(_KILL, request, containerd.Empty)
    except RuntimeFault as fault:
        if fault.reason not in (UNSUPPORTED, NOT_FOUND):
            raise
        return fault.reason == NOT_FOUND
    return True


async def _engine_knows(channel: Channel, container_id: str) -> bool:
    request = cri.ContainerStatusRequest(container_id=container_id)
    answer = await channel.call(RUNTIME + "ContainerStatus", request, cri.ContainerStatusResponse)
    return bool(answer.status.stop_signal != cri.SIGNAL_RUNTIME_DEFAULT)


async def _ends(inventory: Inventory, container_id: str, timeout_seconds: float) -> bool:
    """Whether it ends in time."""
    deadline = clock.monotonic() + timeout_seconds
    while True:
        found = await inventory.look(container_id)
        if found is None or found.state is ContainerState.EXITED:
            return True
        left = deadline - clock.monotonic()
        if left <= 0:
            return False
        await clock.sleep(min(_LOOK_SECONDS, left))
