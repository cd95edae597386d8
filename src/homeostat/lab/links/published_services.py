"""Services of type NodePort and LoadBalancer on the host's loopback: which port of 127.0.0.1 leads to which.

So a person's curl and browser reach an app in the same way whether nodes are hosts or processes, with root or without.
The port is the Service's node port where that is free on the host (another cluster may have it), otherwise any free
one; it is remembered, so that it stays the same when the cluster starts again. TCP only.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec
import orjson

from homeostat.cluster.state_folder import replace_file
from homeostat.kit.log import logger
from homeostat.lab.links.host_ports import HOST
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Plan, Rule
from homeostat.network.userspace.applier import Applier, bound

_ENTRIES_MAX = 2000
_log = logger("network")


@dataclass(frozen=True, slots=True)
class Entry:
    """One port of a Service (`namespace/name`) and the host's port that leads to it; `open` while that listens."""

    service: str
    port_name: str
    node_port: int
    host_port: int
    open: bool = False

    @property
    def url(self) -> str:
        """Where clients on the host find it; a guess that it speaks HTTP."""
        return f"http://{HOST}:{self.host_port}"


def read(file: Path) -> list[Entry]:
    """What was written last; nothing when there is no such file or it cannot be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Entry])
    except (OSError, msgspec.DecodeError):
        return []


def with_host_ports(plan: Plan, node_port_address: str) -> dict[Front, Rule]:
    """A plan whose node ports at `node_port_address` are on the host's loopback as well. Pure."""
    twins = {
        replace(front, address=HOST): rule
        for front, rule in plan.items()
        if front.address == node_port_address and front.protocol == "TCP"
    }
    return {**plan, **twins}


class HostPublisher:
    """Implements `network.userspace.service_proxy.Rules`: what `applier` applies, with node ports on the host's
    loopback as well."""

    def __init__(self, applier: Applier, node_port_address: str) -> None:
        self._applier = applier
        self._node_port_address = node_port_address

    @property
    def trouble(self) -> Mapping[Front, str]:
        """The fronts that could not be opened, and why."""
        return self._applier.trouble

    async def apply(self, plan: Plan) -> None:
        """Make `plan` the rules from now on; idempotent."""
        await self._applier.apply(with_host_ports(plan, self._node_port_address))

    async def close(self) -> None:
        """End all rules."""
        await self._applier.close()


class HostListeners:
    """Implements `network.userspace.applier.Listeners`: fronts on the host's loopback get a port of it by `open_port`,
    which may be another one than they ask for; all others are bound as they are. `file` has the entries for other
    processes."""

    def __init__(self, file: Path, open_port: Callable[[int], socket.socket]) -> None:
        self._file = file
        self._open_port = open_port
        # Whatever the former process had open, this one has not.
        self._entries = {(e.service, e.port_name): replace(e, open=False) for e in read(file)}
        self._save()

    def open(self, front: Front, rule: Rule) -> socket.socket:
        """A socket for the front. Raises OSError."""
        if front.address != HOST:
            return bound(front)
        key = (rule.service, rule.port_name)
        known = self._entries.pop(key, None)
        wanted = known.host_port if known and known.node_port == front.port else front.port
        try:
            made = self._open_port(wanted)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            made = self._open_port(0)
        number = int(made.getsockname()[1])
        if number != wanted:
            _log.info("service %s: port %d of this host is taken; port %d leads to it", rule.service, wanted, number)
        self._entries[key] = Entry(rule.service, rule.port_name, front.port, number, open=True)
        self._save()
        return made

    def closed(self, front: Front, rule: Rule) -> None:
        """A port was closed: its Service is deleted, or has no endpoint."""
        key = (rule.service, rule.port_name)
        entry = self._entries.get(key)
        if front.address == HOST and entry and entry.node_port == front.port:
            self._entries[key] = replace(entry, open=False)
            self._save()

    def _save(self) -> None:
        while len(self._entries) > _ENTRIES_MAX:
            # The oldest first: entries move to the end when they are opened.
            del self._entries[next(iter(self._entries))]
        try:
            content = orjson.dumps([asdict(entry) for entry in self._entries.values()])
            replace_file(self._file, content, durable=False)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._file, error.strerror or error)
