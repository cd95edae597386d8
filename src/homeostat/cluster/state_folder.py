"""The state folder of one cluster, under the XDG state folder: everything a cluster leaves on the machine.

`cluster.json` is the plan; `pki/` the certificates; `store.db` the objects; `nodes/NAME/` a node's manifests and
containers; `console.key` seals the sessions of the Console's users; `log/` what the processes write;
`supervisor.sock`, `shim.sock` and `network.sock` the control sockets.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from homeostat.cluster.errors import LabError as LabError
from homeostat.cluster.topology import CLUSTERS_MAX, Cluster
from homeostat.kit import private

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$")


def state_root() -> Path:
    """`$XDG_STATE_HOME/homeostat`."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "homeostat"


@dataclass(frozen=True, slots=True)
class Folder:
    """The state folder of the cluster called `name`."""

    path: Path

    @staticmethod
    def of(name: str) -> Folder:
        """The folder of a cluster. Raises LabError on a name that cannot be one."""
        if not _NAME.match(name):
            raise LabError(f"{name!r} is no cluster name: use up to 32 lower-case letters, digits and '-'")
        return Folder(state_root() / name)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.path.name

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.path / "pki"

    @property
    def store(self) -> Path:
        """The SQLite file."""
        return self.path / "store.db"

    @property
    def log(self) -> Path:
        """Logs of the supervisor's own children."""
        return self.path / "log"

    @property
    def ssh(self) -> Path:
        """Keys of the nodes' SSH servers, and what a client needs."""
        return self.path / "ssh"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.path / "kubeconfig"

    @property
    def console_key(self) -> Path:
        """What seals the sessions of the Console's users."""
        return self.path / "console.key"

    @property
    def naming(self) -> str:
        """What a command needs behind it to be about this cluster: nothing for the one of the default name."""
        return "" if self.name == "homeostat" else f" --name {self.name}"

    @property
    def previous_context(self) -> Path:
        """The name of the kubectl context that was current before this cluster's."""
        return self.path / "previous-context"

    @property
    def supervisor_socket(self) -> Path:
        """Where the supervisor takes orders."""
        return self.path / "supervisor.sock"

    @property
    def shim_socket(self) -> Path:
        """Where the shim takes orders."""
        return self.path / "shim.sock"

    @property
    def network_socket(self) -> Path:
        """Where the network process takes orders."""
        return self.path / "network.sock"

    @property
    def published(self) -> Path:
        """Which ports of the host lead to which Services."""
        return self.path / "published.json"

    def node(self, name: str) -> Path:
        """A node's own folder."""
        return self.path / "nodes" / name

    def runtime(self, node: str) -> Path:
        """Where a node's runtime keeps its state."""
        return self.node(node) / "runtime"

    def containers(self, node: str) -> Path:
        """Where it keeps its containers, a folder each."""
        return self.runtime(node) / "containers"

    def exists(self) -> bool:
        """Whether there is a cluster in it."""
        return (self.path / "cluster.json").exists()

    def load(self) -> Cluster:
        """The saved plan. Raises LabError when there is none or it cannot be read."""
        file = self.path / "cluster.json"
        try:
            return Cluster(**orjson.loads(file.read_bytes()))
        except FileNotFoundError:
            raise LabError(f"there is no cluster {self.name!r}; `homeostat up --name {self.name}` makes one") from None
        except (orjson.JSONDecodeError, TypeError) as error:
            text = f"{file} cannot be read ({error}); `homeostat down --name {self.name} --purge` forgets this cluster"
            raise LabError(text) from error

    def save(self, cluster: Cluster) -> None:
        """Write the plan atomically."""
        private.folder(self.path)
        replace_file(self.path / "cluster.json", orjson.dumps(cluster.to_dict(), option=orjson.OPT_INDENT_2))

    def purge(self) -> None:
        """Forget the cluster."""
        remove(self.path)

    @contextmanager
    def only_one(self) -> Iterator[int]:
        """Hold the cluster's lock; yields its descriptor, which a supervisor inherits and so keeps while it lives.

        Raises LabError when another process has it.
        """
        private.folder(self.path)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            text = f"cluster {self.name!r} is running or starting; see `homeostat status --name {self.name}`"
            raise LabError(text) from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def clusters() -> list[Folder]:
    """All clusters of this user, by name."""
    root = state_root()
    if not root.is_dir():
        return []
    return [Folder(path) for path in sorted(root.iterdir()) if (path / "cluster.json").exists()]


def free_indexes() -> list[int]:
    """The cluster indexes that no cluster in this state folder has, in order."""
    taken = {folder.load().index for folder in clusters()}
    return [index for index in range(CLUSTERS_MAX) if index not in taken]


def replace_file(path: Path, content: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    One that is not `durable`, as it can be made again, may be empty after the machine lost its power.
    """
    private.write(path, content, mode=mode, durable=durable)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, folders that are closed to their owner too."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        os.chmod(path, 0o700)
        for folder, _, _ in os.walk(path):
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    os.chmod(entry.path, 0o700)
        shutil.rmtree(path, ignore_errors=True)
