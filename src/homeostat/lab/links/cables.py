"""Which nodes' links are cut, and until when: every cut ends by itself."""

from __future__ import annotations

from collections.abc import Collection

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import LabError
from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.lab.links import switch
from homeostat.lab.processes.orders import Answer

CUT_SECONDS_MAX = 24 * 3600.0
_log = logger("cables")


class Cables:
    """The cables of a lab whose nodes are hosts; lives in the supervisor, which serves its deadlines."""

    def __init__(self, nodes: Collection[str]) -> None:
        self.nodes = set(nodes)
        self._until: dict[str, float] = {}

    def handle(self, order: Order) -> Answer:
        """Answer an order `cut` (with `seconds`) or `heal`."""
        node = order.node
        if node not in self.nodes:
            return {"error": f"there is no node {node!r}"}
        try:
            if order.verb == "cut":
                self._until[node] = clock.monotonic() + min(order.seconds, CUT_SECONDS_MAX)
                switch.cut(node)
            elif self._until.pop(node, None) is not None:
                switch.heal(node)
        except LabError as error:
            return {"error": str(error)}
        return {order.verb: node}

    def plugged(self, node: str) -> None:
        """A node was started and has a new cable: one that is cut stays cut."""
        if node in self._until:
            switch.cut(node)

    def status(self) -> dict[str, float]:
        """The nodes that are cut, with the seconds until each heals by itself."""
        return {node: round(until - clock.monotonic(), 1) for node, until in self._until.items()}

    def deadlines(self) -> list[float]:
        """When cuts end, on the monotonic clock."""
        return list(self._until.values())

    def tend(self, now: float) -> None:
        """Heal what is due."""
        for node in [node for node, until in self._until.items() if until <= now]:
            del self._until[node]
            try:
                switch.heal(node)
            except LabError as error:
                _log.warning("%s", error)  # it is off: its next cable is whole
