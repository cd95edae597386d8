"""A cluster in this process that machines join: an API server over TLS, the loops beside it, a bootstrap token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from homeostat.api import meta
from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import CONFIGMAP, SECRET
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import build_edge
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.http import HttpTransport
from homeostat.client.in_process import InProcessTransport
from homeostat.compose.join.token_discovery import Invitation
from homeostat.compose.shared.request_signing import signer
from homeostat.controllers.nodes.nodeplan import NodePlan
from homeostat.controllers.registry import Authority, all_loops
from homeostat.kit import clock
from homeostat.loop.manager import Manager
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire import pki, tls
from homeostat.wire.http_server import serve
from homeostat.wire.message import Request, User
from tests.support.api_edge import config

TOKEN = "abcdef.0123456789abcdef"
ISSUER_HOST = "kubernetes.default.svc.cluster.local"
_SECONDS = 60.0
# The nodes, the API and the Services of the plan.
_PLANNED = {"master-1": "192.0.2.11", "worker-1": "192.0.2.21"}
PLAN = NodePlan(
    lambda name: _PLANNED.get(name, ""),
    frozenset(("127.0.0.1", "10.96.0.1", "kubernetes", "kubernetes.default.svc", *_PLANNED.values())),
    ("10.96.0.0/16",),
)


class Cluster:
    """See the module; `admin` speaks to the server in process."""

    def __init__(self, folder: Path, url: str, admin: Client) -> None:
        self.folder = folder
        self.url = url
        self.admin = admin
        self.fingerprint = pki.fingerprint((folder / "ca.crt").read_bytes())

    def invitation(self, **changes: Any) -> Invitation:
        given = {"url": self.url, "token": TOKEN, "fingerprints": (self.fingerprint,), **changes}
        return Invitation(**given)

    def tls_client(self, certificate: Path, key: Path) -> Client:
        """A client over TLS, with a certificate."""
        context = tls.client_context(self.folder / "ca.crt", certificate=certificate, key=key)
        return ApiClient(HttpTransport([self.url], tls=context))

    async def until(self, look: Callable[[], Awaitable[Any]]) -> Any:
        deadline = clock.monotonic() + _SECONDS
        while clock.monotonic() < deadline:
            if found := await look():
                return found
            await clock.sleep(0.05)
        raise AssertionError("not within a minute")


@asynccontextmanager
async def cluster(folder: Path, host: str = "127.0.0.1") -> AsyncIterator[Cluster]:
    """A cluster that has the token."""
    authority = pki.make_authority("the cluster")
    own = pki.issue(authority, "kube-apiserver", names=[host, ISSUER_HOST], server=True)
    for name, pair in (("ca", authority), ("server", own)):
        (folder / f"{name}.crt").write_bytes(pair.certificate)
        (folder / f"{name}.key").write_bytes(pair.key)
    store = MemoryStore(MemoryState())
    await store.start()
    context = tls.server_context(folder / "server.crt", folder / "server.key", client_ca=folder / "ca.crt")
    handler: list[Any] = []

    async def handle(request: Request) -> Any:
        return await handler[0](request)

    edge = await serve(handle, host=host, tls=context)
    url = f"https://{host}:{edge.port}"
    settings = config(advertise_host=host, advertise_port=edge.port, node_role=lambda name: "worker")
    server = ApiServer(store, parts=build_edge(settings))
    handler.append(server.handle)
    await server.start()
    signing = signer(folder, 8760 * 3600.0)
    known = Authority(authority.certificate.decode(), url, signing, nodes=PLAN)
    loops = all_loops(Settings(), known)
    manager = Manager(_client(server, "system:kube-controller-manager"), loops, "controller-manager")
    await manager.start()
    admin = _client(server, "admin", "system:masters")
    made = Cluster(folder, url, admin)
    await admin.create(SECRET, bootstrap_tokens.secret_of(TOKEN, expires=None))

    async def signed() -> bool:
        info = [
            each for each in (await admin.list(CONFIGMAP, "kube-public")).items if meta.name(each) == "cluster-info"
        ]
        return bool(info) and f"{bootstrap_tokens.JWS_PREFIX}abcdef" in info[0]["data"]

    await made.until(signed)
    try:
        yield made
    finally:
        await manager.stop()
        await edge.close(grace_seconds=1)
        await server.stop()
        await store.close()


def _client(server: ApiServer, name: str, *groups: str) -> Client:
    return ApiClient(InProcessTransport([server.handle], User(name, (*groups, "system:authenticated"))))
