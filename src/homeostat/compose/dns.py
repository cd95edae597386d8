"""Cluster DNS as a Pod runs it: it reads the API as its ServiceAccount, and forwards other names to the servers in its
resolv.conf."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.http import HttpTransport
from homeostat.kit import tasks
from homeostat.kit.log import logger
from homeostat.network.dns import dns_server, drain, health_pages
from homeostat.network.dns.forwarder import Forwarder, servers_of
from homeostat.network.dns.responder import Responder
from homeostat.network.dns.tally import Tally
from homeostat.network.dns.upstream_exchange import exchange
from homeostat.network.dns.zone import IDENTITY, Zone
from homeostat.network.dns.zone_keeper import ZoneKeeper
from homeostat.wire import tls
from homeostat.wire.http_server import Server, serve

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_RESOLV_CONF = Path("/etc/resolv.conf")
_HOST, _PORT = "0.0.0.0", 53

_log = logger("dns")


@dataclass(slots=True)
class _Life:
    """Whether the end has begun."""

    ending: bool = False


async def run(options: Mapping[str, str], stop: asyncio.Event) -> None:
    """Answer until stopped. Options: `domain`, `address` (the Service's), `pods` (`insecure` or `verified`)."""
    domain, address = options.get("domain", "cluster.local"), options.get("address", "")
    verify = options.get("pods", "insecure") == "verified"
    client = _client()
    zone, tally, life = Zone(domain, address, verify_pods=verify), Tally(), _Life()
    keeper = ZoneKeeper(client, zone, verify_pods=verify)
    own = (address, os.environ.get("POD_IP", ""), "127.0.0.1", "::1")
    forwarder = Forwarder(servers_of(_resolv_conf(), own=own), exchange)

    def metrics() -> str:
        return tally.text(
            cache_entries=("gauge", forwarder.kept),
            cache_hits_total=("counter", forwarder.hits),
            cache_misses_total=("counter", forwarder.misses),
            forward_healthcheck_broken_total=("counter", forwarder.failures),
        )

    pages = await _serve_status(health_pages.Status(lambda: keeper.synced.is_set() and not life.ending, metrics))
    keeper.start()
    dns = await dns_server.serve(Responder(zone, forwarder, tally), host=_HOST, port=_PORT)
    circles = tasks.spawn(_look_for_circles(keeper, zone, forwarder), name="dns/circles")
    _log.info("answering for %s", domain)
    await stop.wait()
    life.ending = True
    await drain.until_quiet(tally.answers.total)
    await tasks.stop(circles)
    await dns.close()
    await keeper.stop()
    for page in pages:
        await page.close(grace_seconds=0.0)
    await client.close()


async def _look_for_circles(keeper: ZoneKeeper, zone: Zone, forwarder: Forwarder) -> None:
    await keeper.synced.wait()
    if zone.identity:
        await forwarder.look_for_circles((*IDENTITY, *zone.domain), zone.identity)


async def _serve_status(pages: health_pages.Status) -> list[Server]:
    handlers = (
        (pages.health, health_pages.HEALTH_PORT),
        (pages.readiness, health_pages.READY_PORT),
        (pages.counts, health_pages.METRICS_PORT),
    )
    return [await serve(handler, host=_HOST, port=port) for handler, port in handlers]


def _resolv_conf() -> str:
    try:
        return _RESOLV_CONF.read_text()
    except OSError as error:
        _log.warning("names outside the cluster are not resolved: %s", error)
        return ""


def _client() -> Client:
    """The API as every Pod finds it: by the environment, and the files of its ServiceAccount."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    context = tls.client_context(_ACCOUNT / "ca.crt")
    transport = HttpTransport([f"https://{host}:{port}"], tls=context, token=_Token(_ACCOUNT / "token"))
    return ApiClient(transport, user_agent="cluster-dns")


class _Token:
    """The ServiceAccount's token, read again each time: the kubelet renews the file long before it expires."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last = ""

    def __call__(self) -> str:
        try:
            self._last = self._file.read_text().strip()
        except OSError as error:
            _log.warning("keeping the previous token: %s", error)
        return self._last
