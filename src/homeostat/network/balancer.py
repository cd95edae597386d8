"""Which backend gets the next connection: round robin, or the client's former one under session affinity. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from homeostat.network.plan import Backend, Rule

_CLIENTS_MAX = 10_000


@dataclass(slots=True)
class Balancer:
    """Turn and memory of one front."""

    rule: Rule
    turn: int = 0
    clients: dict[str, tuple[Backend, float]] = field(default_factory=dict)

    def order(self, client: str, now: float) -> list[Backend]:
        """Backends in the order to try them for a connection of `client` (an address) at `now` (seconds)."""
        backends = self.rule.backends
        start = self.turn % len(backends)
        self.turn = start + 1
        ordered = [*backends[start:], *backends[:start]]
        kept = self.clients.get(client) if self.rule.affinity_seconds else None
        if kept and kept[1] > now and kept[0] in backends:
            ordered.remove(kept[0])
            ordered.insert(0, kept[0])
        return ordered

    def chosen(self, client: str, backend: Backend, now: float) -> None:
        """A connection of `client` was made to `backend`: affinity remembers it."""
        if not self.rule.affinity_seconds:
            return
        self.clients.pop(client, None)
        self.clients[client] = (backend, now + self.rule.affinity_seconds)
        while len(self.clients) > _CLIENTS_MAX:
            del self.clients[next(iter(self.clients))]
