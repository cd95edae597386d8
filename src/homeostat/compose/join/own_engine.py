"""A container engine of a joined machine's own: containerd, with all that it keeps below the node's folder.

It is started where no engine is named. What it runs outlives it, and is adopted by the next one. The images that this
machine can build itself (pause, busybox, hello) are there from the start; others come from registries.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from homeostat.cluster.state_folder import LabError, replace_file
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.lab.images import build, stock
from homeostat.lab.inside.planted_images import snapshotter
from homeostat.network.decide.pod_routes import conflist
from homeostat.runtime.cri.containerd_config import EngineConfig, containerd_config

_MTU = 1500
_NEEDED = ("containerd", "ctr", "runc")
_IMPORT_SECONDS, _LOOK_SECONDS = 60.0, 0.2
# A socket's path has 107 bytes at most, and the engine makes one more beside its own, with `.ttrpc` behind the name.
_SOCKET_BYTES_MAX = 107 - len(".ttrpc")
_ROOT_BYTES_MAX = _SOCKET_BYTES_MAX - len("/engine/run/containerd.sock")
_log = logger("join")


@dataclass(frozen=True, slots=True)
class Engine:
    """Where one engine has its files."""

    root: Path

    @property
    def socket(self) -> Path:
        """Where it takes requests."""
        return self.root / "run" / "containerd.sock"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.root / "config.toml"


def prepare(engine: Engine, pod_cidr: str) -> None:
    """Write its configuration and the Pod network's. Raises LabError where a program is missing, and OSError."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        text = f"{' and '.join(missing)} cannot be found: install containerd and runc, "
        raise LabError(text + "or name an engine's socket with --cri-endpoint")
    if len(os.fsencode(engine.socket)) > _SOCKET_BYTES_MAX:
        text = f"the folder {engine.root.parent} has too long a name for the engine's sockets below it; "
        raise LabError(text + f"choose one of at most {_ROOT_BYTES_MAX} characters with --root")
    networks = engine.root / "cni"
    for folder in (engine.socket.parent, networks, engine.root / "log"):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = EngineConfig(
        root=str(engine.root / "data"),
        state=str(engine.root / "run" / "state"),
        socket=str(engine.socket),
        sandbox_image=stock.PAUSE,
        snapshotter=snapshotter(engine.root),
        rootless=os.geteuid() != 0,
        cni_conf_dir=str(networks),
    )
    replace_file(engine.config, containerd_config(wanted).encode(), mode=0o644)
    replace_file(networks / "10-homeostat.conflist", conflist(pod_cidr, _MTU).encode(), mode=0o644)


async def run(engine: Engine, stop: asyncio.Event) -> None:
    """Run it until stopped. Raises RuntimeError when it ends by itself."""
    log = engine.root / "log" / "containerd.log"
    out = await asyncio.to_thread(log.open, "ab")
    with out:
        process = await asyncio.create_subprocess_exec(
            "containerd", "--config", str(engine.config), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
        )
    ending = tasks.spawn(process.wait(), name="join/containerd-end")
    stopping = tasks.spawn(stop.wait(), name="join/containerd-stop")
    await asyncio.wait((ending, stopping), return_when=asyncio.FIRST_COMPLETED)
    await tasks.stop(stopping)
    if process.returncode is not None:
        raise RuntimeError(f"containerd ended with {process.returncode}; its log is {log}")
    process.terminate()
    await ending


async def give_images(engine: Engine) -> None:
    """Wait for the engine, and import what this machine can build: before Pods ask for it, and wait for a back-off."""
    deadline = clock.monotonic() + _IMPORT_SECONDS
    while await _ctr(engine, "version") and clock.monotonic() < deadline:
        await clock.sleep(_LOOK_SECONDS)
    for spec in (stock.pause(), stock.busybox(), stock.hello()):
        try:
            archive = await asyncio.to_thread(build.build, spec)
        except LabError as error:
            _log.warning("image %s cannot be built: %s", spec.name, error)
            continue
        if await _ctr(engine, "images", "import", str(archive)):
            _log.warning("image %s was not imported", spec.name)


async def _ctr(engine: Engine, *words: str) -> int:
    command = ("ctr", "--address", str(engine.socket), "-n", "k8s.io", *words)
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=null, stderr=null)
    return await process.wait()
