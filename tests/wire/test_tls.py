"""Certificates of our own making, and who a client is by its certificate."""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from homeostat.kit import virtual
from homeostat.wire import pki
from homeostat.wire.message import Response, User
from homeostat.wire.tls import client_context, peer_user, rehearse, server_context


@pytest.fixture
def files(tmp_path):
    """An authority, a stranger's authority, and certificates for a server and two clients, as files."""
    ca, stranger = pki.make_authority("test-ca"), pki.make_authority("stranger")
    pairs = {
        "ca": ca,
        "server": pki.issue(ca, "kube-apiserver", names=["127.0.0.1", "::1", "localhost"], server=True),
        "client": pki.issue(ca, "system:node:w1", organizations=["system:nodes", "b"], client=True),
        "stranger": pki.issue(stranger, "evil", organizations=["system:masters"], client=True),
    }
    for name, pair in pairs.items():
        (tmp_path / f"{name}.crt").write_bytes(pair.certificate)
        (tmp_path / f"{name}.key").write_bytes(pair.key)
    return tmp_path


def client_tls(files, name):
    identity = {"certificate": files / f"{name}.crt", "key": files / f"{name}.key"} if name else {}
    return client_context(files / "ca.crt", **identity)


async def ask(port, tls):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="127.0.0.1")
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return await reader.read()


def test_the_peer_is_the_verified_common_name_and_organisations(run, files):
    peers = []

    async def note(request):
        peers.append(request.peer)
        return Response(200)

    async def story(site):
        await ask(site.port, client_tls(files, "client"))
        await ask(site.port, client_tls(files, ""))
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            assert await ask(site.port, client_tls(files, "stranger")) == b""
        assert peers == [User("system:node:w1", ("system:nodes", "b")), None]

    tls = server_context(files / "server.crt", files / "server.key", client_ca=files / "ca.crt")
    run(story, note, tls=tls)


def test_large_and_streamed_bodies_pass_tls_unharmed(run, files):
    body = bytes(range(256)) * 10_000

    async def large(request):
        async def stream():
            for at in range(0, len(body), 10_000):
                yield body[at : at + 10_000]

        return Response(200, body if request.path == "/whole" else stream())

    async def story(site):
        for path in ("/whole", "/stream"):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", site.port, ssl=client_tls(files, ""), server_hostname="localhost"
            )
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert (await reader.read()).partition(b"\r\n\r\n")[2] == body

    run(story, large, tls=server_context(files / "server.crt", files / "server.key"))


def test_certificates_hold_what_was_asked_at_the_worlds_time():
    async def make():
        ca = pki.make_authority("ca")
        return pki.issue(ca, "cn", names=["a.b", "10.0.0.1"], seconds=2 * 86_400, server=True, client=True)

    leaf = x509.load_pem_x509_certificate(virtual.run(make, seed=1).certificate)
    begin = datetime.fromtimestamp(1_800_000_000, UTC)
    assert abs(leaf.not_valid_before_utc - begin) <= timedelta(minutes=5)
    assert leaf.not_valid_after_utc - begin == timedelta(days=2)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.b"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert len(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == 2


def test_a_certificate_without_a_use_is_refused():
    with pytest.raises(ValueError, match="server, a client or both"):
        pki.issue(pki.make_authority("ca"), "cn")


def test_no_certificate_is_nobody():
    assert peer_user(None) is None
    assert peer_user({}) is None
    assert peer_user({"subject": ((("organizationName", "o"),),)}) is None


def test_a_rehearsal_shakes_hands_in_memory_and_fails_as_a_real_handshake_would(files):
    server = server_context(files / "server.crt", files / "server.key", client_ca=files / "ca.crt")
    rehearse(server, client_tls(files, "client"), "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        rehearse(server, client_tls(files, "client"), "127.0.0.9")
    with pytest.raises(ssl.SSLError):
        rehearse(server, client_tls(files, "stranger"), "127.0.0.1")
