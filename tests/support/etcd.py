"""Real etcd members on loopback, for tests: short elections, data on a memory disk where there is one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import grpc.aio

from homeostat.cluster.etcd_member import tuning
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.keys import Layout
from homeostat.store.etcd.members import Members
from homeostat.wire import pki

# Its fsync costs nothing: durability is etcd's own matter, not these tests'.
_MEMORY_DISK = Path("/dev/shm")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EtcdCluster:
    """`size` members; each can be killed, frozen and started again. `close` ends all of them."""

    def __init__(self, size: int = 1, *, flags: Sequence[str] = (), tls: bool = False) -> None:
        base = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="homeostat-etcd-", dir=base))
        self.names = [f"m{n}" for n in range(1, size + 1)]
        self.clients = [free_port() for _ in self.names]
        self.peers = [free_port() for _ in self.names]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.scheme = "https" if tls else "http"
        self._flags = [*flags, *(_secured(self.folder) if tls else [])]
        for member in range(size):
            self.start(member)

    @property
    def endpoints(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.clients]

    def data(self, member: int) -> Path:
        return self.folder / self.names[member]

    def log(self, member: int) -> str:
        return (self.folder / f"{self.names[member]}.log").read_text(errors="replace")

    def start(self, member: int, *, state: str = "new") -> None:
        client, peer = (f"{self.scheme}://127.0.0.1:{ports[member]}" for ports in (self.clients, self.peers))
        all_members = zip(self.names, self.peers, strict=True)
        words = [
            "etcd",
            f"--name={self.names[member]}",
            f"--data-dir={self.data(member)}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={','.join(f'{name}={self.scheme}://127.0.0.1:{port}' for name, port in all_members)}",
            f"--initial-cluster-state={state}",
            *tuning(),
            *self._flags,
        ]
        with (self.folder / f"{self.names[member]}.log").open("ab") as log:
            self.processes[member] = subprocess.Popen(words, stdout=log, stderr=log)

    def kill(self, member: int) -> None:
        """As a power cut ends it."""
        process = self.processes.pop(member)
        process.kill()
        process.wait()

    def freeze(self, member: int) -> None:
        """It keeps its connections and says nothing more."""
        self.processes[member].send_signal(signal.SIGSTOP)

    def thaw(self, member: int) -> None:
        self.processes[member].send_signal(signal.SIGCONT)

    def wait_ended(self, member: int, *, seconds_max: float = 20) -> int:
        return self.processes.pop(member).wait(timeout=seconds_max)

    def close(self) -> None:
        for member in list(self.processes):
            self.kill(member)
        deadline = time.monotonic() + 5
        while self.folder.exists() and time.monotonic() < deadline:
            shutil.rmtree(self.folder, ignore_errors=True)


def _secured(folder: Path) -> list[str]:
    """An authority, a server's and a client's certificate in `folder`, and the flags that demand them."""
    authority = pki.make_authority("etcd")
    server = pki.issue(authority, "etcd", names=["127.0.0.1"], server=True, client=True)
    client = pki.issue(authority, "apiserver-etcd-client", client=True)
    for name, pair in (("ca", authority), ("server", server), ("client", client)):
        (folder / f"{name}.crt").write_bytes(pair.certificate)
        (folder / f"{name}.key").write_bytes(pair.key)
    files = {"trusted-ca-file": "ca.crt", "cert-file": "server.crt", "key-file": "server.key"}
    flags = [f"--{prefix}{flag}={folder / file}" for prefix in ("", "peer-") for flag, file in files.items()]
    return [*flags, "--client-cert-auth", "--peer-client-cert-auth"]


async def leader_of(endpoints: list[str]) -> int:
    """The member that leads; waits for one."""
    members = Members(endpoints)
    members.open()
    try:
        async with asyncio.timeout(20):
            while True:
                for member in range(len(endpoints)):
                    with suppress(grpc.aio.AioRpcError):
                        found = await members.once(
                            member,
                            "/etcdserverpb.Maintenance/Status",
                            rpc.StatusRequest(),
                            rpc.StatusResponse,
                            seconds=1,
                        )
                        if found.leader == found.header.member_id:
                            return member
                await asyncio.sleep(0.05)
    finally:
        await members.close()


async def empty_root(endpoints: list[str]) -> bytes:
    """A root under which the store is empty and at revision 0, however many revisions etcd has had."""
    root = f"/{uuid.uuid4().hex}/".encode()
    base = Layout(root).base_key
    members = Members(endpoints)
    members.open()
    try:
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=base, value=b"0"))
        found = await members.read("/etcdserverpb.KV/Txn", rpc.TxnRequest(success=[put]), rpc.TxnResponse, seconds=10)
        # The second put takes a revision too, and it is that one which is to be 0.
        value = str(-(found.header.revision + 1)).encode()
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=base, value=value))
        await members.read("/etcdserverpb.KV/Txn", rpc.TxnRequest(success=[put]), rpc.TxnResponse)
    finally:
        await members.close()
    return root
