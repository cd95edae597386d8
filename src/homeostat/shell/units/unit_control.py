"""A node's services as its init reports them, and orders to it: one JSON line each way over a Unix socket.

docker.service and containerd.service are one and the same here: docker's part is played by the tools of this folder,
and the engine is containerd. So either name means it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

from homeostat.cluster.lab_orders import Order
from homeostat.shell.tool_error import ToolError

SOCKET = "/run/homeostat/init.sock"
_SOCKET_VARIABLE = "HOMEOSTAT_INIT_SOCKET"
# A stop answers when the service has ended, which may take its whole patience.
_ANSWER_SECONDS = 90.0
_DOCKER = "docker"
_ALIASES = {"docker": "containerd", "ssh": "sshd"}
_DOCKER_TEXT = "Docker Application Container Engine (this node's containerd)"


class Unit(NamedTuple):
    """One service. `name` is without `.service`; `since` is seconds since the epoch, 0 for never; `code` is how its
    main process ended last, negative for a signal."""

    name: str
    description: str
    state: str
    sub: str
    pid: int = 0
    since: float = 0.0
    enabled: bool = True
    restarts: int = 0
    result: str = "success"
    code: int = 0

    @property
    def file(self) -> str:
        """As systemd names it."""
        return f"{self.name}.service"

    @property
    def real(self) -> str:
        """The unit whose log this one writes."""
        return _ALIASES.get(self.name, self.name)


class InitRefused(ToolError):
    """The init said no."""


def ask(order: Order) -> dict[str, Any]:
    """One order, one answer. Raises InitRefused, and ToolError when there is no init."""
    path = os.environ.get(_SOCKET_VARIABLE, SOCKET)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_ANSWER_SECONDS)
            sock.connect(path)
            sock.sendall(order.line())
            with sock.makefile("rb") as lines:
                line = lines.readline()
    except OSError as error:
        text = f"Failed to connect to bus: {error.strerror or error} (this node's init listens on {path})"
        raise ToolError(text) from error
    answer: dict[str, Any] = json.loads(line or b'{"error": "the init ended before it answered"}')
    if "error" in answer:
        raise InitRefused(str(answer["error"]))
    return answer


def units() -> dict[str, Unit]:
    """All units by name, docker's among them. Raises ToolError."""
    found = {}
    for unit in ask(Order("units"))["units"]:
        own = {key: unit[key] for key in Unit._fields if key in unit}
        found[unit["name"]] = Unit(**own, code=int(unit.get("main_code") or 0))
    return with_docker(found)


def with_docker(found: dict[str, Unit]) -> dict[str, Unit]:
    """The units and, beside containerd, docker: the same service under the name that people know."""
    engine = found.get(_ALIASES[_DOCKER])
    if engine is None or _DOCKER in found:
        return found
    return {**found, _DOCKER: engine._replace(name=_DOCKER, description=_DOCKER_TEXT)}


def plain(name: str) -> str:
    """A unit's name without `.service`; `ssh` is sshd."""
    name = name.removesuffix(".service")
    return "sshd" if name == "ssh" else name


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint behind an unknown unit: ` Did you mean kubelet.service?`, or nothing."""
    near = get_close_matches(plain(name), list(known), n=1)
    return f"\nDid you mean {near[0]}.service?" if near else ""


def full(name: str) -> str:
    """The name as systemd prints it."""
    return name if "." in name else f"{name}.service"
