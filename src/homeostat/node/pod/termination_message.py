"""What a container says about its end: what it wrote to its termination file, or else, where it asks for that and ended
badly, the end of its log. Rule: kuberuntime_container.go (getTerminationMessage, readLastStringFromContainerLogs)."""

from __future__ import annotations

from homeostat.api.types import Obj
from homeostat.node.podspec import spec
from homeostat.node.volumes.volumes import PodFiles
from homeostat.runtime.contract import Container, LogSpan, Runtime

_LINES, _BYTES = 80, 2048


class LastWords:
    """Of the containers of one pod, each read once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[str, str] = {}

    def knows(self, container_id: str) -> bool:
        """Whether a container's termination message was read."""
        return container_id in self._known

    def forget(self, container_id: str) -> None:
        """Drop the message of a removed container."""
        self._known.pop(container_id, None)

    async def of(self, pod: Obj, files: PodFiles, container: Container) -> str:
        """The termination message of an ended container; the runtime's own text comes first. Raises RuntimeFault."""
        if container.id not in self._known:
            message, wanted = container.message, spec.by_name(pod).get(container.spec.name)
            if not message and self._runtime.real and wanted is not None:
                message = await self._read_message(wanted, files, container)
            self._known[container.id] = message
        return self._known[container.id]

    async def _read_message(self, wanted: Obj, files: PodFiles, container: Container) -> str:
        message = files.termination_message(wanted["name"], container.spec.attempt)
        if message or wanted.get("terminationMessagePolicy") != "FallbackToLogsOnError" or not container.exit_code:
            return message
        lines = [line.data async for line in self._runtime.read_log(container.id, LogSpan(tail_lines=_LINES))]
        return b"\n".join(lines)[-_BYTES:].decode("utf-8", "replace")
