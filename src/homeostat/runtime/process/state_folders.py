"""The process runtime's state on disk: what it keeps per sandbox and container, and how it is read back.

ROOT/sandboxes/ID.json
ROOT/containers/ID/container.json   what the agent asked for
ROOT/containers/ID/spec.json        what the shim is to run; locked by the shim while it lives
ROOT/containers/ID/pid.json         who runs (written by the shim)
ROOT/containers/ID/exit.json        how it ended (written by the shim)
ROOT/containers/ID/alive            a pipe that the shim holds open while it lives
ROOT/containers/ID/root/            the container's own folder, its working folder
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import TypeVar

import msgspec

from homeostat.kit import private
from homeostat.runtime.contract import Container, Sandbox

T = TypeVar("T")


class Pids(msgspec.Struct):
    """Who runs: process IDs with their start times in clock ticks, which distinguish them from later processes."""

    shim: int
    shim_ticks: int
    pid: int
    ticks: int
    started_at: float


class Exit(msgspec.Struct):
    """How a container ended."""

    code: int
    reason: str
    message: str
    finished_at: float


class Folders:
    """Paths, reads and writes under one root."""

    def __init__(self, root: Path) -> None:
        self.sandboxes = root / "sandboxes"
        self.containers = root / "containers"
        self.probe = root / "probe"

    def make(self) -> None:
        """Create the folders."""
        for folder in (self.sandboxes, self.containers, self.probe):
            private.folder(folder)

    def container(self, container_id: str) -> Path:
        """A container's folder."""
        return self.containers / container_id

    def write_sandbox(self, sandbox: Sandbox) -> None:
        """Keep a sandbox's state."""
        _write(self.sandboxes / f"{sandbox.id}.json", sandbox)

    def drop_sandbox(self, sandbox_id: str) -> None:
        """Forget a sandbox."""
        (self.sandboxes / f"{sandbox_id}.json").unlink(missing_ok=True)

    def write_container(self, container: Container, shim_spec: dict[str, object]) -> None:
        """Make a container's folder. The shim's part is written last: with it the folder is complete."""
        folder = self.container(container.id)
        private.folder(folder)
        (folder / "root").mkdir()
        (folder / "view").mkdir()
        _write(folder / "container.json", container)
        _write(folder / "spec.json", shim_spec)

    def drop_container(self, container_id: str) -> None:
        """Forget a container; its log is elsewhere and stays."""
        shutil.rmtree(self.container(container_id), ignore_errors=True)

    def read_sandboxes(self) -> list[Sandbox]:
        """All kept sandboxes, oldest first."""
        found = [_read(path, Sandbox) for path in self.sandboxes.glob("*.json")]
        return sorted((box for box in found if box is not None), key=lambda box: (box.created_at, box.id))

    def read_containers(self) -> list[Container]:
        """All kept containers, oldest first. Half-made folders (no `spec.json`) are removed."""
        found = []
        for folder in self.containers.iterdir():
            container = _read(folder / "container.json", Container)
            if container is None or not (folder / "spec.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
            else:
                found.append(container)
        return sorted(found, key=lambda container: (container.created_at, container.id))

    def read_pids(self, container_id: str) -> Pids | None:
        """Who runs, None before the shim has started it."""
        return _read(self.container(container_id) / "pid.json", Pids)

    def read_exit(self, container_id: str) -> Exit | None:
        """How it ended, None while it has not."""
        return _read(self.container(container_id) / "exit.json", Exit)

    def has_shim(self, container_id: str) -> bool:
        """Whether a shim holds the container's lock."""
        try:
            descriptor = os.open(self.container(container_id) / "spec.json", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def _write(path: Path, value: object) -> None:
    # Values of Secrets are in a container's environment.
    private.write(path, msgspec.json.encode(value))


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
