"""The lab's certificates: which there are, what a node gets of them, and that they are renewed in use."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from homeostat.client.contract import Unreachable
from homeostat.client.http import HttpTransport
from homeostat.cluster import certificate_plan, certificates
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.compose.shared.certificate_rotation import renew_once
from homeostat.kit import world
from homeostat.wire import pki, tls
from homeostat.wire.http_server import serve
from homeostat.wire.message import Request, Response

DAY = 86_400.0
PROCESSES = Cluster("demo", 0, control_planes=1, workers=1)
ETCD = Cluster("demo", 0, control_planes=3, workers=2, store="etcd")


class _Shifted(world.RealWorld):
    """A world whose wall clock goes wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def wall(self) -> float:
        return super().wall() + self._seconds


@contextmanager
def at(seconds: float) -> Iterator[None]:
    """As if it were so many seconds later."""
    with world.use(_Shifted(seconds)):
        yield


def _load(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}


def test_every_component_has_its_standard_identity(tmp_path: Path) -> None:
    """kubernetes.io/docs, "PKI certificates and requirements"."""
    certificates.prepare(tmp_path, ETCD)
    subjects = {
        name: _load(tmp_path, name).subject.rfc4514_string()
        for name in (
            "admin",
            "apiserver-kubelet-client",
            "controller-manager",
            "scheduler",
            "proxy",
            "kubelet-worker-1",
            "etcd-peer-master-2",
        )
    }
    assert subjects == {
        "admin": "CN=kubernetes-admin,O=kubeadm:cluster-admins",
        "apiserver-kubelet-client": "CN=kube-apiserver-kubelet-client",
        "controller-manager": "CN=system:kube-controller-manager",
        "scheduler": "CN=system:kube-scheduler",
        "proxy": "CN=system:kube-proxy",
        "kubelet-worker-1": "CN=system:node:worker-1,O=system:nodes",
        "etcd-peer-master-2": "CN=master-2",
    }


def test_nothing_on_disk_is_in_the_group_that_no_binding_can_stop(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, ETCD)
    for file in tmp_path.glob("*.crt"):
        assert "system:masters" not in x509.load_pem_x509_certificate(file.read_bytes()).subject.rfc4514_string()


def test_certificates_with_the_groups_of_an_earlier_version_are_renewed(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, PROCESSES)
    authority = pki.KeyPair((tmp_path / "ca.crt").read_bytes(), (tmp_path / "ca.key").read_bytes())
    old = pki.issue(authority, "kubernetes-admin", organizations=["system:masters"], client=True)
    (tmp_path / "admin.crt").write_bytes(old.certificate)
    (tmp_path / "admin.key").write_bytes(old.key)
    assert certificates.prepare(tmp_path, PROCESSES) == ["admin"]
    assert _load(tmp_path, "admin").subject.rfc4514_string() == "CN=kubernetes-admin,O=kubeadm:cluster-admins"


def test_an_api_server_is_known_by_all_its_names(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, ETCD)
    names = _names(_load(tmp_path, "apiserver-master-1"))
    wanted = {"master-1", "localhost", "127.0.0.1", "kubernetes", "kubernetes.default.svc.cluster.local"}
    first_service_address = ETCD.service_cidr.replace(".0/16", ".1")
    assert names >= wanted | {first_service_address} | {node.address for node in ETCD.masters()}


def test_etcd_members_have_an_authority_of_their_own(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, ETCD)
    own, other = _load(tmp_path, "etcd-ca"), _load(tmp_path, "ca")
    for name in ("etcd-server-master-1", "etcd-peer-master-1", "apiserver-etcd-client"):
        _load(tmp_path, name).verify_directly_issued_by(own)
        with pytest.raises(ValueError, match="Issuer"):
            _load(tmp_path, name).verify_directly_issued_by(other)
    peer = _load(tmp_path, "etcd-peer-master-1")
    usages = set(peer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert {"master-1", "127.0.0.1", ETCD.node("master-1").address} <= _names(peer)


def test_without_etcd_there_is_nothing_of_it(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, PROCESSES)
    assert not list(tmp_path.glob("etcd*")) + list(tmp_path.glob("*etcd*"))


def test_a_node_gets_what_it_needs_and_no_more(tmp_path: Path) -> None:
    certificates.prepare(tmp_path / "pki", ETCD)
    worker, master = tmp_path / "worker", tmp_path / "master"
    certificates.deliver(tmp_path / "pki", worker, ETCD, ETCD.node("worker-1"))
    certificates.deliver(tmp_path / "pki", master, ETCD, ETCD.node("master-1"))
    assert sorted(file.name for file in worker.iterdir()) == [
        "ca.crt",
        "kubelet-server-worker-1.crt",
        "kubelet-server-worker-1.key",
        "kubelet-worker-1.crt",
        "kubelet-worker-1.key",
        "proxy.crt",
        "proxy.key",
    ]
    held = {file.name for file in master.iterdir()}
    assert {"ca.key", "sa.key", "apiserver-master-1.key", "etcd-peer.key", "etcd-ca.crt"} <= held
    # Nobody but the lab can make new members, and no node can be another.
    assert not held & {"etcd-ca.key", "apiserver-master-2.key", "kubelet-worker-1.key", "admin.key"}
    assert all(file.stat().st_mode & 0o077 == 0 for file in master.glob("*.key"))


def test_a_second_delivery_changes_what_has_changed(tmp_path: Path) -> None:
    node, target = PROCESSES.node("worker-1"), tmp_path / "node"
    certificates.prepare(tmp_path / "pki", PROCESSES)
    assert certificates.deliver(tmp_path / "pki", target, PROCESSES, node)
    assert certificates.deliver(tmp_path / "pki", target, PROCESSES, node) == []
    (target / "stranger.key").write_text("x")
    (tmp_path / "pki" / "proxy.crt").unlink()
    assert certificates.prepare(tmp_path / "pki", PROCESSES) == ["proxy"]
    changed = certificates.deliver(tmp_path / "pki", target, PROCESSES, node)
    assert sorted(changed) == ["proxy.crt", "proxy.key", "stranger.key"]


def test_certificates_are_renewed_when_most_of_their_life_is_over(tmp_path: Path) -> None:
    everything = {leaf.file for leaf in certificate_plan.leaves(PROCESSES)}
    assert set(certificates.prepare(tmp_path, PROCESSES, seconds=100 * DAY)) == everything
    with at(69 * DAY):
        assert certificates.prepare(tmp_path, PROCESSES, seconds=100 * DAY) == []
    with at(71 * DAY):
        assert set(certificates.prepare(tmp_path, PROCESSES, seconds=100 * DAY)) == everything
        assert certificates.prepare(tmp_path, PROCESSES, seconds=100 * DAY) == []
    # Those of the future are no good today: a clock that went back is a reason, too.
    assert set(certificates.prepare(tmp_path, PROCESSES)) == everything


def test_a_node_that_comes_is_a_name_more(tmp_path: Path) -> None:
    """With plain processes an API server is reached over each node's uplink."""
    certificates.prepare(tmp_path, PROCESSES)
    larger = Cluster("demo", 0, control_planes=1, workers=2)
    made = certificates.prepare(tmp_path, larger)
    assert set(made) == {"kubelet-worker-2", "kubelet-server-worker-2", "apiserver-master-1"}


def test_a_certificate_of_another_authority_is_replaced(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, PROCESSES)
    other = pki.issue(pki.make_authority("other"), "kubernetes-admin", client=True)
    (tmp_path / "admin.crt").write_bytes(other.certificate)
    (tmp_path / "admin.key").write_bytes(other.key)
    assert certificates.prepare(tmp_path, PROCESSES) == ["admin"]


def test_an_authority_that_has_ended_is_said_to_have(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, PROCESSES)
    with at(11 * 365 * DAY), pytest.raises(LabError, match=r"authority ca in .* has ended at .* --purge` forgets"):
        certificates.prepare(tmp_path, PROCESSES)


# -- in use --------------------------------------------------------------------------------------------------------


async def _answer(request: Request) -> Response:
    return Response(200, (request.peer.name if request.peer else "").encode())


@pytest.mark.real
def test_expired_certificates_are_named_and_renewed_under_a_running_server(tmp_path: Path) -> None:
    """Server and client go on as they are: nothing is started again."""
    folder = Folder(tmp_path)
    folder.save(PROCESSES)
    # Everything was made two days ago, for a day.
    with at(-2 * DAY):
        certificates.prepare(folder.pki, PROCESSES, seconds=DAY)

    async def scenario() -> None:
        server_tls = certificates.server_context(folder.pki, "apiserver-master-1")
        server = await serve(_answer, tls=server_tls)
        client_tls = certificates.client_context(folder.pki, certificates.ADMIN)
        transport = HttpTransport([f"https://127.0.0.1:{server.port}"], tls=client_tls)
        with pytest.raises(Unreachable, match="the server's certificate has expired"):
            await transport.send(Request("GET", "/"), repeatable=True)
        assert "apiserver-master-1" in await asyncio.to_thread(renew_once, folder)
        assert len(tls.refresh()) == 2
        answer = await transport.send(Request("GET", "/"), repeatable=True)
        assert answer.body == b"kubernetes-admin"
        assert tls.refresh() == []
        await transport.close()
        await server.close(grace_seconds=1)

    asyncio.run(scenario())


@pytest.mark.real
def test_a_client_with_an_expired_certificate_gets_a_clear_error(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, PROCESSES)
    (tmp_path / "admin.crt").unlink()
    with at(-2 * DAY):
        authority = pki.KeyPair((tmp_path / "ca.crt").read_bytes(), (tmp_path / "ca.key").read_bytes())
        old = pki.issue(authority, "kubernetes-admin", seconds=DAY, client=True)
    (tmp_path / "admin.crt").write_bytes(old.certificate)
    (tmp_path / "admin.key").write_bytes(old.key)

    async def scenario() -> None:
        server = await serve(_answer, tls=certificates.server_context(tmp_path, "apiserver-master-1"))
        context = certificates.client_context(tmp_path, certificates.ADMIN)
        transport = HttpTransport([f"https://127.0.0.1:{server.port}"], tls=context)
        with pytest.raises(Unreachable, match=r"the certificate .*admin.crt has expired at 20"):
            await transport.send(Request("GET", "/"), repeatable=True)
        await transport.close()
        await server.close(grace_seconds=1)

    asyncio.run(scenario())


def test_half_a_pair_is_left_for_the_next_time(tmp_path: Path) -> None:
    certificates.prepare(tmp_path, PROCESSES)
    context = certificates.client_context(tmp_path, certificates.ADMIN)
    new = pki.issue(pki.make_authority("x"), "new", client=True)
    (tmp_path / "admin.key").write_bytes(new.key)
    assert tls.refresh() == []
    (tmp_path / "admin.crt").write_bytes(new.certificate)
    assert tls.refresh() == [tmp_path / "admin.crt"]
    del context
    (tmp_path / "admin.crt").write_bytes(new.certificate + b"\n")
    assert tls.refresh() == []


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired", "this client's certificate has"),
        ("certificate verify failed: certificate has expired (_ssl.c:1006)", "the server's certificate has expired"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "does not know the authority of this client's"),
        ("certificate verify failed: self-signed certificate in certificate chain", "that is not trusted here"),
    ],
)
def test_handshakes_that_fail_are_explained(text: str, meaning: str) -> None:
    assert meaning in tls.explain(ssl.SSLError(text)) and text in tls.explain(text)


def test_other_errors_keep_their_words() -> None:
    assert tls.explain("connection refused") == "connection refused"


def test_a_nodes_own_folder_is_renewed_with_the_cluster_s(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.save(PROCESSES)
    certificates.prepare(folder.pki, PROCESSES, seconds=DAY)
    own = folder.node("worker-1") / "etc" / "kubernetes" / "pki"
    certificates.deliver(folder.pki, own, PROCESSES, PROCESSES.node("worker-1"))
    before = (own / "kubelet-worker-1.crt").read_bytes()
    with at(0.8 * DAY):
        assert "admin" in renew_once(folder)
    assert (own / "kubelet-worker-1.crt").read_bytes() == (folder.pki / "kubelet-worker-1.crt").read_bytes() != before
    assert folder.kubeconfig.exists()
