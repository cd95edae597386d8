"""Which channels a WebSocket of v4.channel.k8s.io has, each with what a SPDY client says of the same stream."""

from __future__ import annotations

from collections.abc import Iterable

# Those of a command.
COMMAND = tuple({"streamtype": name} for name in ("stdin", "stdout", "stderr", "error", "resize"))


def of_ports(ports: Iterable[int]) -> tuple[dict[str, str], ...]:
    """The channels of a port-forward: each port has one for data and one for errors."""
    return tuple(
        {"streamtype": kind, "port": str(port), "requestid": str(place)}
        for place, port in enumerate(ports)
        for kind in ("data", "error")
    )
