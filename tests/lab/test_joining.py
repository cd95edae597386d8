"""A machine that joins: it trusts no server without the fingerprint, and becomes a node by URL, token and
fingerprint."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from homeostat.api import meta
from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import CONFIGMAP, CSR, NODE, POD
from homeostat.client.contract import Client, Unreachable
from homeostat.client.http import HttpTransport
from homeostat.cluster.state_folder import LabError
from homeostat.compose.join import own_engine
from homeostat.compose.join.token_discovery import bootstrap_client, discover
from homeostat.wire import pki, tls
from homeostat.wire.message import Request
from tests.support.joinable import TOKEN, cluster

pytestmark = pytest.mark.real
HOMEOSTAT = str(Path(sys.executable).with_name("homeostat"))
_SECONDS = 60.0


def test_the_authority_is_found_by_token_and_fingerprint(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path) as made:
            found = await discover(made.invitation())
            assert found.authority == (tmp_path / "ca.crt").read_bytes()
            assert found.settings == Settings()

    asyncio.run(scenario())


def test_whom_a_machine_does_not_trust(tmp_path: Path) -> None:
    """kubeadm's discovery by token: what is not signed with it, or by another authority, is refused."""

    async def scenario() -> None:
        async with cluster(tmp_path) as made:

            async def reported(**changes: Any) -> str:
                with pytest.raises(LabError) as refused:
                    await bootstrap_client(made.invitation(**changes), tmp_path / "node", "w9", "192.0.2.9")
                return str(refused.value)

            assert "has another authority" in await reported(fingerprints=("sha256:" + "0" * 64,))
            assert "does not know the token zzzzzz" in await reported(token="zzzzzz.0123456789abcdef")
            assert "is not signed with this token" in await reported(token="abcdef.0000000000000000")
            assert "is no token" in await reported(token="nonsense")
            assert "cannot be reached" in await reported(url="https://127.0.0.1:1")
            # Nothing of what it received was kept, and no request was made.
            assert not (tmp_path / "node").exists()
            assert (await made.admin.list(CSR)).items == []

    asyncio.run(scenario())


def test_a_changed_cluster_info_is_not_believed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path) as made:
            info = await made.admin.get(CONFIGMAP, "cluster-info", "kube-public")
            signature = info["data"][f"{bootstrap_tokens.JWS_PREFIX}abcdef"]
            evil = pki.make_authority("evil").certificate.decode()
            content = info["data"]["kubeconfig"]
            forged = content.replace(
                content.split('"')[content.split('"').index("certificate-authority-data") + 2], evil
            )
            assert not bootstrap_tokens.is_signed(forged, signature, "abcdef", "0123456789abcdef")

    asyncio.run(scenario())


def test_a_machine_that_comes_again_keeps_its_certificate(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path) as made:
            node = tmp_path / "node"
            for _ in range(2):
                await bootstrap_client(made.invitation(), node, "w9", "192.0.2.9")
            assert len((await made.admin.list(CSR)).items) == 1
            # Nor does it need the token any more.
            await bootstrap_client(made.invitation(token="zzzzzz.0123456789abcdef"), node, "w9", "192.0.2.9")
            (node / "kubelet-w9.key").write_bytes(b"damaged")
            await bootstrap_client(made.invitation(), node, "w9", "192.0.2.9")
            assert len((await made.admin.list(CSR)).items) == 2

    asyncio.run(scenario())


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, str, str]]:
    """A network namespace that shares nothing with this one but a cable: its name, our address, and its own."""
    name, number = f"hs-join-{os.getpid()}", os.getpid() % 250
    ours, theirs = f"10.213.{number}.1", f"10.213.{number}.2"
    here, there = f"hsj{os.getpid()}a"[:15], f"hsj{os.getpid()}b"[:15]
    commands = (
        ["ip", "netns", "add", name],
        ["ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name],
        ["ip", "addr", "add", f"{ours}/30", "dev", here],
        ["ip", "link", "set", here, "up"],
        ["ip", "-n", name, "addr", "add", f"{theirs}/30", "dev", there],
        ["ip", "-n", name, "link", "set", there, "up"],
        ["ip", "-n", name, "link", "set", "lo", "up"],
    )
    try:
        for command in commands:
            subprocess.run(command, check=True, timeout=30)
        yield name, ours, theirs
    finally:
        # The kernel removes a namespace's cables in its own time: the next test would find this one's still there.
        subprocess.run(["ip", "link", "del", here], check=False, timeout=30)
        subprocess.run(["ip", "netns", "del", name], check=False, timeout=30)


def test_a_machine_joins_by_url_token_and_fingerprint(tmp_path: Path, elsewhere: tuple[str, str, str]) -> None:
    """`homeostat join` in a network of its own: the node is Ready, answers under its own certificate, and ends in good
    order; the next start is the same node."""
    namespace, ours, theirs = elsewhere

    async def scenario() -> None:
        async with cluster(tmp_path, ours) as made:
            command = [HOMEOSTAT, "join", made.url, "--token", TOKEN, "--ca-cert-hash", made.fingerprint]
            command += ["--node-name", "guest", "--root", str(tmp_path / "root"), "--runtime", "simulated"]
            inside = ["nsenter", f"--net=/run/netns/{namespace}", *command]
            guest = await asyncio.create_subprocess_exec(*inside, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                node = await made.until(lambda: _ready(made.admin))
                assert node["metadata"]["labels"]["node-role.kubernetes.io/worker"] == ""
                assert {"type": "InternalIP", "address": theirs} in node["status"]["addresses"]
                assert node["spec"]["podCIDR"].startswith("10.244.")
                assert await made.until(lambda: _answers(tmp_path, theirs)) == b"ok"
            finally:
                guest.send_signal(signal.SIGINT)
                out, err = await asyncio.wait_for(guest.communicate(), _SECONDS)
            assert guest.returncode == 0, err
            assert "guest has joined" in out.decode() and "guest has stopped" in out.decode()
            signers = sorted(each["spec"]["signerName"] for each in (await made.admin.list(CSR)).items)
            assert signers == ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"]

    asyncio.run(scenario())


def _end_all_of(folder: str) -> None:
    """Pods outlive their agent and their engine; this machine is to keep nothing of them."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and folder.encode() in read(entry / "cmdline"):
            children = read(entry / "task" / entry.name / "children").split()
            for pid in (*map(int, children), int(entry.name)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def read(file: Path) -> bytes:
    """What is in it; nothing when the process has ended meanwhile."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name leaves room for an engine's sockets below it."""
    with tempfile.TemporaryDirectory(prefix="hs-") as made:
        yield Path(made)
        _end_all_of(made)


def test_a_root_with_too_long_a_name_is_refused_before_the_engine_fails_on_it(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"too long a name for the engine's sockets .*--root"):
        own_engine.prepare(own_engine.Engine(tmp_path / ("long" * 20) / "engine"), "10.244.9.0/24")


def test_a_joined_machine_runs_real_pods(tmp_path: Path, short: Path, elsewhere: tuple[str, str, str]) -> None:
    """With an engine, a Pod network and a service proxy of its own, whose identity it asked for as well."""
    namespace, ours, _ = elsewhere

    async def scenario() -> None:
        async with cluster(tmp_path, ours) as made:
            command = [HOMEOSTAT, "join", made.url, "--token", TOKEN, "--ca-cert-hash", made.fingerprint]
            command += ["--node-name", "guest", "--root", str(short / "root")]
            # Its mounts end with it, and what it puts below /run.
            inside = ["nsenter", f"--net=/run/netns/{namespace}", "unshare", "--mount", "--propagation", "private"]
            own = ["sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"]
            guest = await asyncio.create_subprocess_exec(*inside, *own, *command)
            try:
                await made.until(lambda: _ready(made.admin))
                await made.admin.create(POD, _hello())
                pod = await made.until(lambda: _running(made.admin))
                url = f"http://{pod['status']['podIP']}:8080/"
                page = await made.until(lambda: _fetched(namespace, url))
                assert page.startswith("hello from ")
                await made.admin.delete(POD, "hello", "default", options={"gracePeriodSeconds": 0})
                await made.until(lambda: _gone(namespace, url))
            finally:
                guest.send_signal(signal.SIGINT)
                assert await asyncio.wait_for(guest.wait(), _SECONDS) == 0
            requests = (await made.admin.list(CSR)).items
            assert "kubernetes.io/kube-apiserver-client" in {each["spec"]["signerName"] for each in requests}

    asyncio.run(scenario())


def _hello() -> dict[str, Any]:
    container = {"name": "hello", "image": "homeostat.local/hello:1", "imagePullPolicy": "IfNotPresent"}
    spec = {"nodeName": "guest", "tolerations": [{"operator": "Exists"}], "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hello", "namespace": "default"}, "spec": spec}


async def _running(admin: Client) -> Any:
    pod = await admin.get(POD, "hello", "default")
    return pod if meta.pod_ready(pod) else None


async def _fetched(namespace: str, url: str) -> str:
    program = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=2).read().decode())"
    inside = ["nsenter", f"--net=/run/netns/{namespace}", sys.executable, "-Sc", program]
    done = await asyncio.to_thread(subprocess.run, inside, capture_output=True, text=True, timeout=30)
    return done.stdout


async def _gone(namespace: str, url: str) -> bool:
    return not await _fetched(namespace, url)


async def _ready(admin: Client) -> Any:
    nodes = (await admin.list(NODE)).items
    return next((node for node in nodes if meta.name(node) == "guest" and meta.condition_true(node, "Ready")), None)


async def _answers(folder: Path, host: str) -> bytes:
    """What the guest's kubelet says to an API server, over TLS that is checked on both sides."""
    authority = pki.KeyPair((folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes())
    own = pki.issue(authority, "kube-apiserver-kubelet-client", client=True)
    (folder / "asking.crt").write_bytes(own.certificate)
    (folder / "asking.key").write_bytes(own.key)
    context = tls.client_context(folder / "ca.crt", certificate=folder / "asking.crt", key=folder / "asking.key")
    transport = HttpTransport([f"https://{host}:10250"], tls=context)
    try:
        body = (await transport.send(Request("GET", "/healthz"), repeatable=True)).body
    except Unreachable:
        return b""
    finally:
        await transport.close()
    assert isinstance(body, bytes)
    return body


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["http://x", "--token", TOKEN, "--ca-cert-hash", "sha256:0"], "is not the URL of a cluster's API"),
        (["https://127.0.0.1:1", "--token", TOKEN], "--ca-cert-hash"),
        (["https://127.0.0.1:1", "--token", "x", "--ca-cert-hash", "sha256:0"], "is no token"),
        (["https://127.0.0.1:1", "--token", TOKEN, "--ca-cert-hash", "sha256:0"], "cannot be reached"),
        (["https://127.0.0.1:1", "--ca-cert-hash", "sha256:0"], "--token"),
    ],
)
def test_what_is_wrong_with_an_invitation(arguments: list[str], reported: str) -> None:
    done = subprocess.run([HOMEOSTAT, "join", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and reported in done.stderr, done.stderr
