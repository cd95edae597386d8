"""What every part of the CRI runtime uses: the channel to the engine, and what is known to run in it."""

from __future__ import annotations

from google.protobuf.message import Message

from homeostat.runtime.contract import Container, RuntimeFault
from homeostat.runtime.cri.channel import RUNTIME, WORK_SECONDS_MAX, Answer, Channel
from homeostat.runtime.cri.fault_reasons import NOT_FOUND
from homeostat.runtime.cri.inventory import Inventory

# containerd's own services want to know whose containers are meant; the CRI's are in this namespace. It does not mind
# the header elsewhere, and other engines ignore it.
_HEADERS = (("containerd-namespace", "k8s.io"),)


class Engine:
    """Base of the runtime's parts."""

    def __init__(self, endpoint: str, *, node_address: str) -> None:
        self._channel = Channel(endpoint, headers=_HEADERS)
        self._inventory = Inventory(self._channel, node_address=node_address)

    async def _work(
        self, method: str, request: Message, kind: type[Answer], *, timeout_seconds: float | None = WORK_SECONDS_MAX
    ) -> Answer:
        """A call of the runtime service that may take its time. Raises RuntimeFault."""
        return await self._channel.call(RUNTIME + method, request, kind, timeout_seconds=timeout_seconds)

    async def _end(self, method: str, request: Message, kind: type[Answer]) -> None:
        """A call that ends something; what is gone already counts as ended."""
        try:
            await self._work(method, request, kind)
        except RuntimeFault as fault:
            if fault.reason != NOT_FOUND:
                raise

    async def _found(self, container_id: str) -> Container:
        """A container as it is now. Raises RuntimeFault NotFound."""
        found = await self._inventory.look(container_id)
        if found is None:
            raise RuntimeFault(NOT_FOUND, f"container {container_id} not found")
        return found
