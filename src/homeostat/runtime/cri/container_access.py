"""Access to running containers: commands, streams, probes, logs and stats."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

from homeostat.runtime.contract import (
    ContainerState,
    ExecResult,
    HttpAnswer,
    HttpAsk,
    LogLine,
    LogSpan,
    RuntimeFault,
    Stats,
    StreamOptions,
)
from homeostat.runtime.cri import answers, fault_reasons, labels
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri.channel import RUNTIME, WORK_SECONDS_MAX
from homeostat.runtime.cri.engine import Engine
from homeostat.runtime.cri.fault_reasons import TOO_LATE
from homeostat.runtime.logs import log_reader
from homeostat.runtime.shared import network_probe

OUTPUT_BYTES_MAX = 16384
_KILLED = 137


class ContainerAccess(Engine):
    """The half of the runtime that changes nothing."""

    async def exec_sync(self, container_id: str, argv: tuple[str, ...], *, timeout_seconds: float) -> ExecResult:
        """Run a command in the container; its standard output first, then its standard error."""
        seconds = math.ceil(timeout_seconds)  # the interface counts whole ones
        request = cri.ExecSyncRequest(container_id=container_id, cmd=argv, timeout=seconds)
        patience = seconds + WORK_SECONDS_MAX if seconds else None
        try:
            answer = await self._work("ExecSync", request, cri.ExecSyncResponse, timeout_seconds=patience)
        except RuntimeFault as fault:
            if fault.reason == TOO_LATE:
                return ExecResult(_KILLED, timed_out=True)
            raise fault_reasons.of_exec(fault) from fault
        return ExecResult(answer.exit_code, (answer.stdout + answer.stderr)[:OUTPUT_BYTES_MAX])

    async def exec_url(self, container_id: str, argv: tuple[str, ...], options: StreamOptions) -> str:
        """Where the engine streams a command."""
        flags = _flags(options)
        request = cri.ExecRequest(container_id=container_id, cmd=argv, **flags)
        try:
            return (await self._work("Exec", request, cri.ExecResponse)).url
        except RuntimeFault as fault:
            raise fault_reasons.of_exec(fault) from fault

    async def attach_url(self, container_id: str, options: StreamOptions) -> str:
        """Where the engine streams the first process's input and output."""
        request = cri.AttachRequest(container_id=container_id, **_flags(options))
        try:
            return (await self._work("Attach", request, cri.AttachResponse)).url
        except RuntimeFault as fault:
            raise fault_reasons.of_exec(fault) from fault

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...] = ()) -> str:
        """Where the engine streams connections to the pod's ports."""
        request = cri.PortForwardRequest(pod_sandbox_id=sandbox_id, port=ports)
        return (await self._work("PortForward", request, cri.PortForwardResponse)).url

    async def http_get(self, ask: HttpAsk) -> HttpAnswer:
        """See Runtime; from the network of this process, which is the node's."""
        return await network_probe.http_get(ask)

    async def tcp_connect(self, ip: str, port: int, *, timeout_seconds: float) -> None:
        """See Runtime; from the network of this process, which is the node's."""
        await network_probe.tcp_connect(ip, port, timeout_seconds)

    async def read_log(self, container_id: str, span: LogSpan) -> AsyncIterator[LogLine]:
        """The container's log. Raises RuntimeFault NotFound."""
        path = (await self._found(container_id)).spec.log_path

        def running() -> bool:
            known = self._inventory.known(container_id)
            return known is not None and known.state is not ContainerState.EXITED

        async for line in log_reader.read(path, span, running):
            yield line

    async def stats(self, pod_uid: str = "") -> list[Stats]:
        """What running containers use."""
        wanted = cri.ContainerStatsFilter(label_selector={labels.POD_UID: pod_uid} if pod_uid else {})
        request = cri.ListContainerStatsRequest(filter=wanted)
        answer = await self._channel.call(RUNTIME + "ListContainerStats", request, cri.ListContainerStatsResponse)
        return [answers.stats(found) for found in answer.stats if found.attributes.labels.get(labels.POD_UID)]


def _flags(options: StreamOptions) -> dict[str, bool]:
    """What a stream carries; with a terminal, errors come with the output (the interface refuses both)."""
    return {
        "tty": options.tty,
        "stdin": options.stdin,
        "stdout": options.stdout,
        "stderr": options.stderr and not options.tty,
    }
