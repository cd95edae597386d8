"""Real etcd members on loopback, for tests: short elections, data on a memory disk where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.keys import Layout
from homeostat.store.etcd.members import Members

# Its fsync costs nothing: durability is etcd's own matter, not these tests'.
_MEMORY_DISK = Path("/dev/shm")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EtcdCluster:
    """`size` members; each can be stopped, killed, frozen and started again. Ends all of them at `close`."""

    def __init__(
        self, size: int = 1, *, heartbeat_ms: int = 10, election_ms: int = 100, flags: tuple[str, ...] = ()
    ) -> None:
        base = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="homeostat-etcd-", dir=base))
        self.names = [f"m{n}" for n in range(1, size + 1)]
        self.clients = [free_port() for _ in self.names]
        self.peers = [free_port() for _ in self.names]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._flags = (f"--heartbeat-interval={heartbeat_ms}", f"--election-timeout={election_ms}", *flags)
        for member in range(size):
            self.start(member)

    @property
    def endpoints(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.clients]

    def data(self, member: int) -> Path:
        return self.folder / self.names[member]

    def log(self, member: int) -> str:
        return (self.folder / f"{self.names[member]}.log").read_text(errors="replace")

    def start(self, member: int, *, state: str = "new", initial: str = "") -> None:
        client, peer = (f"http://127.0.0.1:{ports[member]}" for ports in (self.clients, self.peers))
        everyone = ",".join(f"{n}=http://127.0.0.1:{p}" for n, p in zip(self.names, self.peers, strict=True))
        with (self.folder / f"{self.names[member]}.log").open("ab") as log:
            self.processes[member] = subprocess.Popen(
                [
                    "etcd",
                    f"--name={self.names[member]}",
                    f"--data-dir={self.data(member)}",
                    f"--listen-client-urls={client}",
                    f"--advertise-client-urls={client}",
                    f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}",
                    f"--initial-cluster={initial or everyone}",
                    f"--initial-cluster-state={state}",
                    f"--max-request-bytes={8 << 20}",
                    "--logger=zap",
                    *self._flags,
                ],
                stdout=log,
                stderr=log,
            )

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
