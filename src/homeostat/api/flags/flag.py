"""What a component's flag is, as data: its type, its default and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# duration: a Go duration; quantity: a resource.Quantity; modes: authorization modes; proxy-mode: how kube-proxy has
# rules carried; admission-configuration: a file that `up` reads, kept as its content in JSON; the others as their names
# say.
Type: TypeAlias = Literal[
    "duration",
    "integer",
    "number",
    "text",
    "boolean",
    "quantity",
    "cidr",
    "port-range",
    "address-range",
    "modes",
    "proxy-mode",
    "admission-configuration",
]

AUTHORIZATION_MODES = frozenset(("Node", "RBAC", "AlwaysAllow", "AlwaysDeny"))
PROXY_MODES = frozenset(("auto", "nftables", "iptables"))


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `default` is written as on a command line; `least` bounds numbers and durations (in seconds)."""

    component: str
    name: str
    type: Type
    default: str
    doc: str
    least: float = 0.0

    @property
    def path(self) -> str:
        """`controller-manager.node-monitor-period`: how `--set` names it."""
        return f"{self.component}.{self.name}"
