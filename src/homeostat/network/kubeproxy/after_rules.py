"""What follows a change of the rules on a node: stale connections are cleared, health checks are served."""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.network.decide.node_plan import Health, NodePlan
from homeostat.network.kernel.conntrack import Connections
from homeostat.network.kubeproxy.health_checks import HealthChecks


class AfterRules:
    """`network.kubeproxy.node_proxy.Followers` for a real node with these addresses."""

    def __init__(self, node_addresses: tuple[str, ...]) -> None:
        self._connections = Connections(node_addresses)
        self._checks = HealthChecks(node_addresses)

    async def moved(self, old: NodePlan, new: NodePlan) -> None:
        """Clear connections that the new rules would not make."""
        await self._connections.follow(old, new)

    async def health(self, checks: Mapping[str, Health]) -> None:
        """Serve these health checks from now on."""
        await self._checks.serve(checks)

    async def close(self) -> None:
        """Stop serving."""
        await self._checks.close()
