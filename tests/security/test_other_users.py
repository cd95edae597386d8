"""Another user of the same machine: of what a cluster keeps on disk, nothing can be listed, read or connected to."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.lab.prepare import prepare
from homeostat.lab.processes import orders
from homeostat.runtime.process.process_runtime import ProcessRuntime
from homeostat.runtime.shim import container_process
from homeostat.runtime.spec import ContainerSpec, SandboxSpec
from homeostat.store.sqlite import SqliteStore

pytestmark = pytest.mark.real
NOBODY = 65534
SECRET = "the-value-of-a-secret"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody can reach, as a home directory is on many machines."""
    made = Path(tempfile.mkdtemp(prefix="hs-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _seen_by_nobody(root: Path, paths: list[Path]) -> list[str]:
    """What another user can list, read or connect to. As root that user tries; else the modes are read."""
    if os.geteuid():
        open_to_all = root.stat().st_mode & 0o077
        return [str(root)] if open_to_all else []
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.write(writing, json.dumps([str(path) for path in paths if _can(path)]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        found: list[str] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return found


def _can(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.listdir(path)
        elif stat.S_ISSOCK(mode):
            with socket.socket(socket.AF_UNIX) as end:
                end.connect(str(path))
        else:
            path.read_bytes()
    except OSError:
        return False
    return True


def _everything(root: Path) -> list[Path]:
    return [root, *(Path(folder, name) for folder, names, files in os.walk(root) for name in (*names, *files))]


async def _run_a_container(folder: Folder) -> Path:
    """A container with a Secret's value in its environment, as an agent of the process runtime makes it."""
    runtime = ProcessRuntime(folder.runtime("worker-1"), pod_cidr="127.10.1.0/24", node_address="127.10.0.21")
    await runtime.start()
    box = await runtime.run_sandbox(SandboxSpec("uid-1", "default", "web"))
    spec = ContainerSpec(
        "main",
        "none",
        argv=("true",),
        env=(("PASSWORD", SECRET),),
        log_path=str(folder.node("worker-1") / "logs" / "0.log"),
    )
    made = await runtime.create_container(box.id, spec)
    await runtime.close()
    return folder.containers("worker-1") / made.id


def test_another_user_sees_nothing_of_a_cluster(place: Path) -> None:
    folder = Folder(place / "state" / "homeostat" / "mine")
    # An earlier version made it so; the next start closes it.
    folder.path.mkdir(parents=True)
    folder.path.chmod(0o755)
    cluster = Cluster("mine", 0, control_planes=1, workers=1)
    with folder.only_one():
        prepare(folder, cluster)
        listener = orders.bind(folder.supervisor_socket)
        container = asyncio.run(_run_a_container(folder))
        asyncio.run(_store(folder))
        container_process.write_json(container / "pid.json", {"pid": 1})
        paths = _everything(folder.path)
        assert {"kubeconfig", "ca.key", "sa.key", "spec.json", "store.db", "supervisor.sock"} <= {p.name for p in paths}
        assert _seen_by_nobody(folder.path, paths) == []
        listener.close()


async def _store(folder: Folder) -> None:
    store = SqliteStore(folder.store)
    await store.start()
    await store.commit("/registry/core/secrets/a/b", 0, SECRET.encode())
    await store.close()


def test_what_holds_keys_or_secrets_is_closed_by_itself_too(place: Path) -> None:
    """A folder that somebody opens later, or a copy of a part, still holds files of one owner."""
    folder = Folder(place / "mine")
    cluster = Cluster("mine", 0, control_planes=1, workers=1)
    prepare(folder, cluster)
    container = asyncio.run(_run_a_container(folder))
    asyncio.run(_store(folder))
    container_process.write_json(container / "exit.json", {"code": 0})
    for file in _everything(folder.path):
        held = file.is_file() and (file.suffix == ".key" or SECRET.encode() in file.read_bytes())
        if held or file.name in ("kubeconfig", "spec.json", "container.json", "exit.json", "store.db"):
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
