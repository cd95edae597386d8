"""An API server that starts while its store has no quorum: it is not killed for that, and its clients get a reason."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import orjson
import pytest

from homeostat.client.http import HttpTransport
from homeostat.cluster import certificates
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.compose import apiserver
from homeostat.compose.shared.place import Place
from homeostat.kit import clock, tasks
from homeostat.store.contract import Unavailable
from homeostat.store.memory import MemoryStore
from homeostat.wire.message import Request

pytestmark = pytest.mark.real

HEALTHY = "/livez?exclude=etcd"


class LateStore(MemoryStore):
    """A store without a quorum until `quorum` is set."""

    quorum = False

    async def start(self) -> None:
        if not self.quorum:
            raise Unavailable("no quorum")
        await super().start()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(Cluster, "api_server_port", property(lambda _: port))
    cluster = Cluster("demo", 0, control_planes=1, workers=0, store="memory")
    folder = Folder.of("demo")
    folder.save(cluster)
    certificates.prepare(folder.pki, cluster)
    return Place(folder, cluster, cluster.masters()[0], {})


async def asked(place: Place, target: str) -> tuple[int, bytes]:
    """The status and body of a GET as the administrator; 0 where no server listens."""
    tls = certificates.client_context(place.folder.pki, certificates.ADMIN)
    client = HttpTransport([f"https://{place.here().address}:{place.cluster.api_server_port}"], tls=tls)
    path, _, query = target.partition("?")
    try:
        response = await client.send(Request("GET", path, dict([query.split("=")] if query else [])), repeatable=False)
        assert isinstance(response.body, bytes)
        return response.status, response.body
    except Exception:
        return 0, b""
    finally:
        await client.close()


async def until(place: Place, target: str, status: int) -> bytes:
    """The body once the status is that."""
    async with asyncio.timeout(30):
        while (found := await asked(place, target))[0] != status:
            await clock.sleep(0.05)
    return found[1]


def test_a_server_without_its_store_lives_and_says_503_until_it_has_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LateStore()
    monkeypatch.setattr(apiserver, "_store", lambda _: store)
    monkeypatch.setattr(apiserver, "_STORE_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(apiserver, "_STORE_RETRY_SECONDS", 0.05)

    async def story() -> None:
        stop = asyncio.Event()
        running = tasks.spawn(apiserver.run(place, stop), name="apiserver")
        await until(place, HEALTHY, 200)
        assert (await asked(place, "/readyz"))[0] == 500
        assert (await asked(place, "/livez"))[0] == 500
        status = orjson.loads(await until(place, "/api/v1/namespaces", 503))
        assert (status["kind"], status["reason"]) == ("Status", "ServiceUnavailable")
        assert "cannot reach its store yet" in status["message"]
        store.quorum = True
        await until(place, "/readyz", 200)
        assert orjson.loads(await until(place, "/api/v1/namespaces", 200))["kind"] == "NamespaceList"
        stop.set()
        await asyncio.wait_for(running, 30)

    asyncio.run(story())


def test_a_server_that_waits_for_its_store_ends_when_it_is_asked_to(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apiserver, "_store", lambda _: LateStore())
    monkeypatch.setattr(apiserver, "_STORE_PATIENCE_SECONDS", 0.1)

    async def story() -> None:
        stop = asyncio.Event()
        running = tasks.spawn(apiserver.run(place, stop), name="apiserver")
        await until(place, HEALTHY, 200)
        stop.set()
        await asyncio.wait_for(running, 30)
        assert (await asked(place, HEALTHY))[0] == 0

    asyncio.run(story())
