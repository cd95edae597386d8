"""What a kubeconfig says of a cluster, as kubectl reads it, and what is said of one that cannot be used."""

from __future__ import annotations

import asyncio
import base64
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from homeostat.client.http import HttpTransport
from homeostat.cluster.errors import LabError
from homeostat.cluster.kubeconfig_access import Access, access
from homeostat.operate import foreign_console
from homeostat.wire import pki
from homeostat.wire.http_server import serve
from homeostat.wire.message import Request, Response
from homeostat.wire.tls import server_context

Obj = dict[str, Any]


def text_of(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def written(folder: Path, user: Obj | None = None, **cluster: Any) -> Path:
    config = {
        "clusters": [{"name": "far", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
        "users": [{"name": "me", "user": user or {}}],
        "contexts": [{"name": "work", "context": {"cluster": "far", "user": "me"}}],
        "current-context": "work",
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(config))
    return file


async def answered(found: Access, server: str) -> Obj:
    """Who a server takes the credentials for."""
    transport = HttpTransport([server], tls=found.tls, token=found.token, server_name=found.server_name)
    try:
        answer = await transport.send(Request("GET", "/"), repeatable=False)
        assert isinstance(answer.body, bytes)
        return dict(yaml.safe_load(answer.body))
    finally:
        await transport.close()


async def mirror(request: Request) -> Response:
    name = request.peer.name if request.peer else ""
    body = yaml.safe_dump({"peer": name, "authorization": request.headers.get("authorization", "")}).encode()
    return Response(200, body)


def over_tls(folder: Path, user: Obj, *, name: str = "", files: bool = False) -> Obj:
    """What a server sees that is `127.0.0.1`, or (`name`) has a certificate for that name."""

    async def story() -> Obj:
        authority = pki.make_authority("far")
        pair = pki.issue(authority, "server", names=(name or "127.0.0.1",), server=True)
        mine = pki.issue(authority, "alice", client=True)
        for file, content in {
            "ca.crt": authority.certificate,
            "s.crt": pair.certificate,
            "s.key": pair.key,
            "me.crt": mine.certificate,
            "me.key": mine.key,
        }.items():
            (folder / file).write_bytes(content)
        tls = server_context(folder / "s.crt", folder / "s.key", client_ca=folder / "ca.crt")
        server = await serve(mirror, tls=tls)
        url = f"https://127.0.0.1:{server.port}"
        known: Obj = {"server": url, "certificate-authority": "ca.crt"}
        if not files:
            known = {"server": url, "certificate-authority-data": text_of(authority.certificate)}
        if name:
            known["tls-server-name"] = name
        if user.get("client-certificate-data") == "mine":
            user.update({"client-certificate-data": text_of(mine.certificate), "client-key-data": text_of(mine.key)})
        found = access(written(folder, user, **known))
        if found.credentials is not None:
            await found.credentials.renew()
        try:
            return await answered(found, url)
        finally:
            await server.close(grace_seconds=0.0)

    return asyncio.run(story())


def test_a_token_is_shown_to_a_server_that_the_authority_vouches_for(tmp_path: Path) -> None:
    assert over_tls(tmp_path, {"token": "secret"})["authorization"] == "Bearer secret"


def test_a_client_certificate_stands_in_the_file_or_beside_it(tmp_path: Path) -> None:
    assert over_tls(tmp_path, {"client-certificate-data": "mine"})["peer"] == "alice"
    beside = {"client-certificate": "me.crt", "client-key": "me.key"}
    assert over_tls(tmp_path, beside, files=True)["peer"] == "alice"


def test_a_server_may_have_another_name_than_its_address(tmp_path: Path) -> None:
    assert over_tls(tmp_path, {"token": "secret"}, name="api.far.example")["authorization"] == "Bearer secret"


def test_a_token_file_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    found = access(written(tmp_path, {"tokenFile": "token"}))
    assert found.token() == "one"
    (tmp_path / "token").write_text("two\n")
    assert found.token() == "two"


def program(folder: Path, printed: str, *, code: int = 0) -> Obj:
    file = folder / "plugin.py"
    text = f"import sys, os; os.environ['KUBERNETES_EXEC_INFO']; print({printed!r}); print('no luck', file=sys.stderr)"
    file.write_text(f"{text}; sys.exit({code})")
    return {"exec": {"command": sys.executable, "args": [str(file)], "apiVersion": "client.authentication.k8s.io/v1"}}


def test_a_program_may_make_the_token(tmp_path: Path) -> None:
    printed = '{"kind": "ExecCredential", "status": {"token": "made"}}'
    assert over_tls(tmp_path, program(tmp_path, printed))["authorization"] == "Bearer made"


@pytest.mark.parametrize(
    ("printed", "code", "text"),
    [
        ("not JSON", 0, "printed no ExecCredential"),
        ("[]", 0, "printed no ExecCredential"),
        ('{"status": {"token": "t", "expirationTimestamp": "soon"}}', 0, "printed no ExecCredential"),
        ("", 3, "failed: no luck"),
    ],
)
def test_a_program_that_makes_no_credentials_is_named(tmp_path: Path, printed: str, code: int, text: str) -> None:
    found = access(written(tmp_path, program(tmp_path, printed, code=code)))
    assert found.credentials is not None
    with pytest.raises(LabError, match=f"the program .*{text}"):
        asyncio.run(found.credentials.renew())


def test_a_program_that_is_missing_is_named_with_its_hint(tmp_path: Path) -> None:
    missing = {"exec": {"command": "no-such-plugin", "installHint": "install the plugin"}}
    found = access(written(tmp_path, missing))
    assert found.credentials is not None
    with pytest.raises(LabError, match=r"'no-such-plugin', .* cannot be started: .*; install the plugin"):
        asyncio.run(found.credentials.renew())


@pytest.mark.parametrize(
    ("user", "cluster", "context", "text"),
    [
        ({}, {}, "home", "no context 'home'; there are: work"),
        ({"username": "me", "password": "x"}, {}, "", "Kubernetes dropped passwords"),
        ({"auth-provider": {"name": "gcp"}}, {}, "", "`auth-provider`: kubectl dropped it"),
        ({"as": "other"}, {}, "", "impersonation is not supported"),
        ({}, {"proxy-url": "http://proxy"}, "", "behind a proxy"),
        ({}, {"server": "ftp://far"}, "", "no usable `server`: 'ftp://far'"),
        ({}, {"server": ""}, "", "no usable `server`"),
        ({}, {"server": "https://far/k8s/clusters/c"}, "", "below the path /k8s/clusters/c"),
        ({}, {"certificate-authority-data": "%%%"}, "", "`certificate-authority-data` is not base64"),
        ({}, {"certificate-authority-data": text_of(b"no PEM")}, "", "certificates cannot be used"),
        ({}, {"certificate-authority": "nowhere.crt"}, "", "certificates cannot be used: .*nowhere.crt"),
        ({"client-certificate-data": text_of(b"x"), "client-key-data": text_of(b"y")}, {}, "", "cannot be used"),
        ({"tokenFile": "nowhere"}, {}, "", "token file .*nowhere cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    tmp_path: Path, user: Obj, cluster: Obj, context: str, text: str
) -> None:
    with pytest.raises(LabError) as raised:
        access(written(tmp_path, user, **cluster), context)
    assert re.search(text, str(raised.value)), str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_missing_or_is_no_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"there is no kubeconfig {tmp_path}/none"):
        access(tmp_path / "none")
    (tmp_path / "list").write_text("- 1")
    with pytest.raises(LabError, match="is no kubeconfig"):
        access(tmp_path / "list")
    (tmp_path / "empty").write_text("")
    with pytest.raises(LabError, match="has no current context"):
        access(tmp_path / "empty")


def test_a_cluster_that_does_not_answer_is_named_before_anything_is_served(tmp_path: Path) -> None:
    """A connection to port 1 is refused."""

    async def story() -> None:
        await foreign_console.serve(written(tmp_path), "", 0, lambda link: pytest.fail(link))

    with pytest.raises(LabError, match=r"the cluster of the context 'work' does not answer: https://127.0.0.1:1: "):
        asyncio.run(story())


def test_a_certificate_that_is_not_to_be_checked_is_not(tmp_path: Path) -> None:
    found = access(written(tmp_path, **{"insecure-skip-tls-verify": True}))
    assert found.tls is not None
    assert not found.tls.check_hostname
