"""The pages that probes and Prometheus ask for, on CoreDNS' paths."""

from __future__ import annotations

import asyncio

from homeostat.network.dns.health_pages import HEALTH_PORT, METRICS_PORT, READY_PORT, Status
from homeostat.network.dns.tally import Tally
from homeostat.wire.message import Request, Response


class Stage:
    def __init__(self) -> None:
        self.ready = False
        self.tally = Tally()
        self.pages = Status(lambda: self.ready, self.tally.text)

    def ask(self, page: str, path: str) -> Response:
        return asyncio.run(getattr(self.pages, page)(Request("GET", path)))


def test_it_lives_before_it_is_ready() -> None:
    """A server that waits for the API must not be killed for it, and must not be asked."""
    stage = Stage()
    assert stage.ask("health", "/health").status == 200
    assert stage.ask("readiness", "/ready").status == 503
    stage.ready = True
    assert stage.ask("readiness", "/ready").body == b"OK"


def test_metrics_are_text_for_prometheus() -> None:
    stage = Stage()
    stage.tally.answers["udp", 1, 0] += 1
    stage.tally.answers["udp", 65, 3] += 1
    page = stage.ask("counts", "/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert isinstance(page.body, bytes)
    assert page.body.decode().splitlines() == [
        "# TYPE coredns_dns_responses_total counter",
        'coredns_dns_responses_total{proto="udp",type="A",rcode="NOERROR"} 1',
        'coredns_dns_responses_total{proto="udp",type="other",rcode="NXDOMAIN"} 1',
    ]


def test_there_is_nothing_else() -> None:
    stage = Stage()
    for page in ("health", "readiness", "counts"):
        assert stage.ask(page, "/other").status == 404
    assert (HEALTH_PORT, READY_PORT, METRICS_PORT) == (8080, 8181, 9153)
