"""Whether the DNS server lives, whether it is ready, and what it has counted: over HTTP, on the ports that CoreDNS has.

Rules: CoreDNS' plugins health, ready and prometheus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from homeostat.wire.message import Request, Response

HEALTH_PORT, READY_PORT, METRICS_PORT = 8080, 8181, 9153


@dataclass(frozen=True, slots=True)
class Status:
    """The three pages; `metrics` makes the last one's text."""

    ready: Callable[[], bool]
    metrics: Callable[[], str]

    async def health(self, request: Request) -> Response:
        """GET /health: who answers lives."""
        return _text(200, "OK") if request.path == "/health" else _missing()

    async def readiness(self, request: Request) -> Response:
        """GET /ready."""
        if request.path != "/ready":
            return _missing()
        return _text(200, "OK") if self.ready() else _text(503, "the zone is not known yet, or the end is near")

    async def counts(self, request: Request) -> Response:
        """GET /metrics."""
        if request.path != "/metrics":
            return _missing()
        return Response(200, self.metrics().encode(), {"content-type": "text/plain; version=0.0.4; charset=utf-8"})


def _text(status: int, text: str) -> Response:
    return Response(status, text.encode(), {"content-type": "text/plain; charset=utf-8"})


def _missing() -> Response:
    return _text(404, "404 page not found\n")
