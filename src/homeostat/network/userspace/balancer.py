"""Which backend gets the next connection: round robin, or the client's former one under session affinity. Pure.

A backend that did not answer is tried last for some seconds: its node may have lost its power, and the API learns that
much later than a client that has just waited for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.userspace_plan import Rule

_CLIENTS_MAX = 10_000
_AVOIDED_SECONDS = 5.0


@dataclass(slots=True)
class Balancer:
    """Turn and memory of one front."""

    rule: Rule
    turn: int = 0
    clients: dict[str, tuple[Backend, float]] = field(default_factory=dict)
    # Backends that did not answer, and until when they are tried last.
    avoided: dict[Backend, float] = field(default_factory=dict)

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
        if self.avoided:
            self.avoided = {each: until for each, until in self.avoided.items() if until > now and each in backends}
            ordered.sort(key=lambda backend: backend in self.avoided)
        return ordered

    def failed(self, backend: Backend, now: float) -> None:
        """A connection to `backend` did not come about."""
        self.avoided[backend] = now + _AVOIDED_SECONDS

    def chosen(self, client: str, backend: Backend, now: float) -> None:
        """A connection of `client` was made to `backend`: affinity remembers it."""
        self.avoided.pop(backend, None)
        if not self.rule.affinity_seconds:
            return
        self.clients.pop(client, None)
        self.clients[client] = (backend, now + self.rule.affinity_seconds)
        while len(self.clients) > _CLIENTS_MAX:
            del self.clients[next(iter(self.clients))]
