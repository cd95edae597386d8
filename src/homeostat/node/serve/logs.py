"""Which log a request means, and its lines as kubectl gets them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from homeostat.api.types import Obj
from homeostat.kit import clock
from homeostat.node.podspec import spec
from homeostat.runtime.contract import Container, ContainerState, LogLine, LogSpan


class LogRefusal(Exception):
    """The request cannot be answered; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class LogOptions:
    """PodLogOptions. `stream` is stdout, stderr, or empty for both; `limit_bytes` None: no limit."""

    span: LogSpan
    previous: bool = False
    timestamps: bool = False
    limit_bytes: int | None = None
    stream: str = ""


def options(query: Mapping[str, str], now: float) -> LogOptions:
    """The options of a query. Raises LogRefusal."""
    try:
        since = 0.0
        if query.get("sinceTime"):
            since = clock.parse_rfc3339(query["sinceTime"])
        elif query.get("sinceSeconds"):
            since = now - int(query["sinceSeconds"])
        tail = int(query["tailLines"]) if query.get("tailLines") else None
        limit = int(query["limitBytes"]) if query.get("limitBytes") else None
    except ValueError as error:
        raise LogRefusal(400, f"malformed log options: {error}") from error
    return LogOptions(
        span=LogSpan(tail, since, _flag(query, "follow")),
        previous=_flag(query, "previous"),
        timestamps=_flag(query, "timestamps"),
        limit_bytes=limit,
        stream="" if query.get("stream", "All") == "All" else query["stream"].lower(),
    )


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


def choose(pod: Obj, name: str, containers: Sequence[Container], *, previous: bool) -> Container:
    """The instance whose log is meant: of `containers` (the pod's, oldest first) those named `name`. Raises
    LogRefusal in the kubelet's words."""
    pod_name = pod["metadata"]["name"]
    if name not in spec.by_name(pod):
        raise LogRefusal(400, f"container {name} is not valid for pod {pod_name}")
    found = [c for c in containers if c.spec.name == name and c.state is not ContainerState.CREATED]
    if previous:
        ended = [c for c in found if c.state is ContainerState.EXITED]
        if not ended:
            raise LogRefusal(400, f'previous terminated container "{name}" in pod "{pod_name}" not found')
        return ended[-1]
    if not found:
        why = f'container "{name}" in pod "{pod_name}" is waiting to start: {_waiting_reason(pod, name)}'
        raise LogRefusal(400, why)
    return found[-1]


def _waiting_reason(pod: Obj, name: str) -> str:
    status = pod.get("status") or {}
    fields = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    for entry in (entry for field in fields for entry in status.get(field) or ()):
        if entry["name"] == name:
            return str(((entry.get("state") or {}).get("waiting") or {}).get("reason") or "ContainerCreating")
    return "ContainerCreating"


async def render(lines: AsyncIterator[LogLine], wanted: LogOptions) -> AsyncIterator[bytes]:
    """The bytes to send, line by line, at most `limit_bytes`."""
    left = wanted.limit_bytes
    within_line = False
    async for line in lines:
        if wanted.stream and line.stream != wanted.stream:
            continue
        head = f"{line.time} ".encode() if wanted.timestamps and not within_line else b""
        data = head + line.data + (b"" if line.partial else b"\n")
        within_line = line.partial
        if left is not None:
            data = data[:left]
            left -= len(data)
        yield data
        if left == 0:
            return
