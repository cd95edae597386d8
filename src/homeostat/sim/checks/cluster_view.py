"""What the checkers judge: everything there is at one moment. Pure data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homeostat.api.types import Obj
from homeostat.runtime.contract import Container, Sandbox
from homeostat.sim.clients.workload import Wanted


@dataclass(frozen=True, slots=True)
class NodeView:
    """What a node's runtime holds."""

    sandboxes: Sequence[Sandbox] = ()
    containers: Sequence[Container] = ()


@dataclass(frozen=True, slots=True)
class View:
    """`objects` by the name of their kind; `rules` are the backends (address and port) of new connections by Service;
    `leaders` the candidates that lead, by component; `servers` the addresses of the API servers that answer."""

    objects: Mapping[str, Sequence[Obj]]
    nodes: Mapping[str, NodeView]
    rules: Mapping[str, frozenset[tuple[str, int]]]
    leaders: Mapping[str, Sequence[str]]
    servers: frozenset[str] = frozenset()
    wanted: Wanted = field(default_factory=Wanted)

    def all(self, kind: str) -> Sequence[Obj]:
        """The objects of a kind."""
        return self.objects.get(kind, ())
