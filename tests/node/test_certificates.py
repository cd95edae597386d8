"""A node's certificates by requests: requested, waited for, renewed before they expire. On virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homeostat.api.certificates import bootstrap_tokens, certificate_text
from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import CSR
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.compose.shared.request_signing import signer
from homeostat.controllers.registry import Authority, all_loops
from homeostat.kit import clock, tasks
from homeostat.loop.manager import Manager
from homeostat.node.machine.certificates import (
    Kept,
    Refused,
    client_request,
    obtain,
    proxy_request,
    serving_request,
    write,
)
from homeostat.wire import pki
from homeostat.wire.message import User
from tests.support.api_edge import World, story

HOUR = 3600.0
JOINER = User("system:bootstrap:abcdef", ("system:bootstrappers", bootstrap_tokens.JOIN_GROUP, "system:authenticated"))
NODE = User("system:node:w9", ("system:nodes", "system:authenticated"))


def _report(folder: Path, test: Callable[[World], Awaitable[None]], *, loops: bool = True) -> None:
    """`test` against a server whose controller manager signs with an authority in `folder`."""

    async def scenario(w: World) -> None:
        authority = pki.make_authority("the cluster")
        (folder / "ca.crt").write_bytes(authority.certificate)
        (folder / "ca.key").write_bytes(authority.key)
        known = Authority(authority.certificate.decode(), "https://api", signer(folder, 8760 * HOUR))
        manager = Manager(_client(w, User("system:kube-controller-manager")), all_loops(Settings(), known), "cm")
        if loops:
            await manager.start()
        await test(w)
        await manager.stop()

    story(scenario)


def _client(w: World, user: User) -> ApiClient:
    return ApiClient(InProcessTransport([w.server.handle], user))


def test_a_machine_with_a_token_gets_a_node_s_certificate(tmp_path: Path) -> None:
    async def scenario(w: World) -> None:
        pair = await obtain(_client(w, JOINER), client_request("w9"))
        begin, end = certificate_text.life_of(pair.certificate)
        assert begin < clock.wall() < end
        assert pki.is_issued_by(pair.certificate, (tmp_path / "ca.crt").read_bytes())

    _report(tmp_path, scenario)


def test_and_an_identity_for_its_service_proxy(tmp_path: Path) -> None:
    async def scenario(w: World) -> None:
        assert (await obtain(_client(w, NODE), proxy_request())).certificate
        eve = User("eve", ("system:authenticated",))
        with pytest.raises(ApiError) as refused:
            await obtain(_client(w, eve), proxy_request())
        assert refused.value.code == 403

    _report(tmp_path, scenario)


def test_a_request_that_is_denied_says_why(tmp_path: Path) -> None:
    async def scenario(w: World) -> None:
        admin = _client(w, User("admin", ("system:masters",)))

        async def deny() -> None:
            while not (found := (await admin.list(CSR)).items):
                await clock.sleep(0.1)
            condition = {"type": "Denied", "status": "True", "message": "nobody knows you"}
            await admin.update(CSR, {**found[0], "status": {"conditions": [condition]}}, subresource="approval")

        denying = tasks.spawn(deny(), name="deny")
        with pytest.raises(Refused, match="Denied: nobody knows you"):
            await obtain(_client(w, JOINER), client_request("w9"))
        await denying

    _report(tmp_path, scenario, loops=False)


def test_a_certificate_is_renewed_before_it_ends_and_never_too_early(tmp_path: Path) -> None:
    """The kubelet renews between 70 and 90 % of a certificate's life."""

    async def scenario(w: World) -> None:
        kept = Kept(tmp_path, "kubelet-w9", _client(w, NODE), lambda: client_request("w9", seconds=1200))
        keeping = tasks.spawn(kept.run(), name="kept")
        await kept.ready.wait()
        for _ in range(3):
            before = kept.certificate.read_bytes()
            begin, end = certificate_text.life_of(before)
            while kept.certificate.read_bytes() == before:
                await clock.sleep(10)
                assert clock.wall() < end
            assert 0.69 < (clock.wall() - begin) / (end - begin) < 0.91
        await tasks.stop(keeping)

    _report(tmp_path, scenario)


def test_what_is_there_is_kept_by_the_next_agent(tmp_path: Path) -> None:
    async def scenario(w: World) -> None:
        pair = await obtain(_client(w, JOINER), client_request("w9"))
        kept = Kept(tmp_path, "kubelet-w9", _client(w, NODE), lambda: client_request("w9"))
        write(kept.certificate, kept.key, pair)
        keeping = tasks.spawn(kept.run(), name="kept")
        await kept.ready.wait()
        await clock.sleep(60)
        assert kept.certificate.read_bytes() == pair.certificate
        assert kept.key.stat().st_mode & 0o777 == 0o600
        await tasks.stop(keeping)

    _report(tmp_path, scenario)


@pytest.mark.parametrize("damage", ["missing", "unreadable", "without its key", "ended"])
def test_what_cannot_be_used_is_asked_for_again(tmp_path: Path, damage: str) -> None:
    async def scenario(w: World) -> None:
        kept = Kept(tmp_path, "kubelet-w9", _client(w, NODE), lambda: client_request("w9"))
        if damage == "ended":
            write(kept.certificate, kept.key, pki.issue(_authority(tmp_path), "x", seconds=-10, client=True))
        elif damage != "missing":
            kept.certificate.write_bytes(b"x" if damage == "unreadable" else (tmp_path / "ca.crt").read_bytes())
        assert kept.renew_at() == 0
        keeping = tasks.spawn(kept.run(), name="kept")
        await kept.ready.wait()
        assert kept.renew_at() > clock.wall()
        await tasks.stop(keeping)

    _report(tmp_path, scenario)


def _authority(folder: Path) -> pki.KeyPair:
    return pki.KeyPair((folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes())


def test_a_serving_certificate_comes_once_the_node_has_joined_and_registered(tmp_path: Path) -> None:
    async def scenario(w: World) -> None:
        names = ("w9", "10.9.9.9")
        await obtain(_client(w, JOINER), client_request("w9", addresses=("10.9.9.9",)))
        kept = Kept(tmp_path, "kubelet-server-w9", _client(w, NODE), lambda: serving_request("w9", names))
        keeping = tasks.spawn(kept.run(), name="kept")
        await clock.sleep(30)
        assert not kept.ready.is_set()
        await w.make("/api/v1/nodes", {"metadata": {"name": "w9"}})
        await kept.ready.wait()
        await tasks.stop(keeping)

    _report(tmp_path, scenario)


def test_an_api_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async def scenario(w: World) -> None:
        away = [True]

        async def handle(request: Any) -> Any:
            if away[0]:
                raise ConnectionRefusedError("down")
            return await w.server.handle(request)

        client = ApiClient(InProcessTransport([handle], NODE))
        kept = Kept(tmp_path, "kubelet-w9", client, lambda: client_request("w9"))
        keeping = tasks.spawn(kept.run(), name="kept")
        await clock.sleep(300)
        assert not kept.ready.is_set()
        away[0] = False
        await kept.ready.wait()
        await tasks.stop(keeping)

    _report(tmp_path, scenario)
