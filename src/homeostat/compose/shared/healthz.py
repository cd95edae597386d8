"""`/healthz`, `/livez` and `/readyz` of the controller manager and the scheduler, on their usual ports over HTTPS.

Their static Pods' liveness probes ask here: a process whose event loop hangs does not answer, and is restarted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from homeostat.api import errors
from homeostat.apiserver.path.health import ROOTS, Health
from homeostat.cluster import certificates, static_pods
from homeostat.cluster.certificates import Identity
from homeostat.compose.shared.place import Place
from homeostat.kit.log import logger
from homeostat.wire.fields import error_response
from homeostat.wire.http_server import serve
from homeostat.wire.message import Request, Response

_log = logger("healthz")
_health = Health({}, {})


@asynccontextmanager
async def serving(place: Place, component: str, identity: Identity) -> AsyncIterator[None]:
    """Answer while the body runs. Probes check no certificate, so the component shows that of its identity.

    A port that is taken is logged: the component works without, until its probe has failed often enough.
    """
    host, port = static_pods.health_address(place.cluster, place.here(), component)
    tls = certificates.server_context(place.folder.pki, identity.file)
    try:
        server = await serve(_answer, host=host, port=port, tls=tls)
    except OSError as error:
        _log.error("%s cannot answer health checks on %s:%d: %s", component, host, port, error)
        yield
        return
    try:
        yield
    finally:
        await server.close(grace_seconds=0)


async def _answer(request: Request) -> Response:
    try:
        if request.method not in ("GET", "HEAD") or request.path.strip("/").partition("/")[0] not in ROOTS:
            raise errors.path_not_found()
        return await _health.handle(request)
    except errors.ApiError as error:
        return error_response(error)
