"""A container engine in namespaces of its own, as a process that leaves nothing behind.

`python -m tests.support.enginehost ROOT root|rootless` makes cgroups, then mount, network, PID, IPC, UTS and cgroup
namespaces, and in them an init that starts containerd on ROOT/containerd.sock. Orders come by standard input, one a
line (`start`, `kill`, `stop`, `freeze`, `thaw`, `reboot`), each answered by `ok`. At its end, however that came about,
the namespaces end with all that is in them, and cgroups and ROOT are removed; should this process itself be killed, the
next one clears up. `rootless`: all in a user namespace that maps one ID, without cgroups, on
a small disk.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from homeostat.lab.images.stock import PAUSE
from homeostat.runtime.cri.containerd_config import ONE_ID_RUNC, EngineConfig, containerd_config

PREFIX = "homeostat-engine-"
CGROUPS = Path("/sys/fs/cgroup")
ROOTLESS = "rootless"
DISK_BYTES = 32 << 20
_BRIDGE = {
    "type": "bridge",
    "bridge": "cni0",
    "isGateway": True,
    "ipMasq": False,
    "hairpinMode": True,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]]},
}
_PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
NETWORK = {"cniVersion": "0.4.0", "name": "pods", "plugins": [_BRIDGE, _PORTMAP]}
_SECONDS_MAX = 20.0
_PR_SET_PDEATHSIG = 1


def own_cgroups() -> dict[str, Path]:
    """This process's folder of each cgroup hierarchy, by its controllers (empty: version 2)."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        mounted = CGROUPS / controllers.removeprefix("name=") if controllers else CGROUPS
        if (controllers or (CGROUPS / "cgroup.controllers").exists()) and mounted.is_dir():
            found[controllers] = mounted / path.lstrip("/")
    return found


def remove_cgroup(folder: Path) -> None:
    """Remove it with everything below; its processes have ended or are about to."""
    for parent, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            _rmdir(Path(parent) / name)
    _rmdir(folder)


def _rmdir(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while folder.is_dir() and time.monotonic() < deadline:
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.01)


def sweep() -> None:
    """Remove the cgroups of hosts that were killed."""
    for folder in own_cgroups().values():
        for left in folder.glob(PREFIX + "*"):
            if not Path(f"/proc/{left.name.removeprefix(PREFIX)}").exists():
                remove_cgroup(left)


def host(root: Path, mode: str) -> None:
    """Outside: cgroups, namespaces, and clearing up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sweep()
    own = {} if mode == ROOTLESS else own_cgroups()
    cgroups = [folder / f"{PREFIX}{os.getpid()}" for folder in own.values()]
    for folder in cgroups:
        folder.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (folder.parent / name).exists():
                (folder / name).write_text((folder.parent / name).read_text())

    def enter() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for folder in cgroups:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    kinds = "-mnpiuUr" if mode == ROOTLESS else "-mnpiuC"
    inside = [sys.executable, "-m", "tests.support.enginehost", str(root), mode, "inside"]
    try:
        subprocess.run(
            ["unshare", kinds, "--fork", "--kill-child", "--mount-proc", *inside], preexec_fn=enter, check=False
        )
    finally:
        for folder in cgroups:
            remove_cgroup(folder)
        shutil.rmtree(root, ignore_errors=True)


class Inside:
    """The init of the namespaces."""

    def __init__(self, root: Path, *, rootless: bool) -> None:
        self.root = root
        self.rootless = rootless
        self.engine: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Own cgroups, /run, /var/lib and loopback; the engine's configuration and its network's."""
        if self.rootless:
            # A small disk, which a test can fill.
            (self.root / "data").mkdir()
            _mount("tmpfs", self.root / "data", "-o", f"size={DISK_BYTES}")
        else:
            self.mount_cgroups()
        # Mounts of the node and of its containers may reach each other, as on a host that systemd set up.
        subprocess.run(["mount", "--make-rshared", "/"], check=True)
        for folder in ("/run", "/var/lib"):
            _mount("tmpfs", Path(folder))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["hostname", "node"], check=True)
        conf = self.root / "cni"
        conf.mkdir()
        (conf / "10-pods.conflist").write_text(json.dumps(NETWORK))
        runc = self.root / "runc"
        runc.write_text(ONE_ID_RUNC)
        runc.chmod(0o755)
        wanted = EngineConfig(
            root=str(self.root / "data"),
            state="/run/containerd",
            socket=str(self.root / "containerd.sock"),
            sandbox_image=PAUSE,
            rootless=self.rootless,
            cgroups=not self.rootless,
            runc=str(runc) if self.rootless else "runc",
            cni_conf_dir=str(conf),
        )
        (self.root / "config.toml").write_text(containerd_config(wanted))

    def mount_cgroups(self) -> None:
        """This namespace's view of each hierarchy."""
        kinds = list(own_cgroups())
        _mount("tmpfs", CGROUPS)
        for kind in kinds:
            if not kind:
                _mount("cgroup2", CGROUPS)
                continue
            place = CGROUPS / kind.removeprefix("name=")
            place.mkdir()
            _mount("cgroup", place, "-o", f"none,{kind}" if kind.startswith("name=") else kind)

    def order(self, word: str) -> None:
        """Carry out one order."""
        if word == "start":
            self.start()
        elif word == "reboot":
            self.reboot()
        elif self.engine is not None:
            signals = {"kill": signal.SIGKILL, "stop": signal.SIGTERM, "freeze": signal.SIGSTOP, "thaw": signal.SIGCONT}
            self.engine.send_signal(signals[word])
            if word in ("kill", "stop"):
                self.engine.wait(_SECONDS_MAX)

    def reboot(self) -> None:
        """All processes are killed at once and /run is empty again, as after a loss of power; then all starts again."""
        assert self.engine is not None
        os.kill(-1, signal.SIGKILL)
        self.engine.wait(_SECONDS_MAX)
        while any(entry.isdigit() and entry != "1" for entry in os.listdir("/proc")):
            time.sleep(0.01)
            self.reap()
        subprocess.run(["umount", "--lazy", "/run"], check=True)
        _mount("tmpfs", Path("/run"))
        self.start()

    def start(self) -> None:
        """Start containerd, and wait until its socket accepts."""
        with (self.root / "containerd.log").open("ab") as log:
            command = ["containerd", "--config", str(self.root / "config.toml")]
            self.engine = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _SECONDS_MAX
        while not self.answers():
            assert time.monotonic() < deadline, (self.root / "containerd.log").read_text()
            time.sleep(0.01)

    def answers(self) -> bool:
        """Whether the engine's socket accepts; a file that a killed engine left does not."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.root / "containerd.sock"))
            except OSError:
                return False
        return True

    def reap(self) -> None:
        """Shims that have ended are this init's children; the engine is waited for by its own handle."""
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (self.engine is None or int(entry) != self.engine.pid):
                try:
                    os.waitpid(int(entry), os.WNOHANG)
                except ChildProcessError:
                    continue


def _mount(kind: str, place: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", kind, *options, kind, str(place)], check=True)


def inside(root: Path, mode: str) -> None:
    """Inside: carry out orders until standard input ends."""
    init = Inside(root, rootless=mode == ROOTLESS)
    init.prepare()
    init.start()
    signal.signal(signal.SIGCHLD, lambda *_: init.reap())
    print("ok", flush=True)
    for line in sys.stdin:
        init.order(line.strip())
        print("ok", flush=True)


if __name__ == "__main__":
    (inside if sys.argv[3:] == ["inside"] else host)(Path(sys.argv[1]), sys.argv[2])
