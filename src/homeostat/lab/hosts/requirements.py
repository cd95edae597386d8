"""What a machine must have for nodes that are hosts: programs, permission to make namespaces, disk space, free
addresses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import homeostat
from homeostat.cluster.state_folder import LabError
from homeostat.kit import kernel
from homeostat.lab.inside.rootfs import needed_folders

# Program (or file), and the Debian package that has it.
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
    "catatonit": "catatonit",
    "busybox": "busybox",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
}
# What engines, etcd and logs write before anybody asks for anything.
_ROOM_MIB = 64
_PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> list[str]:
    """The Debian packages that are not here."""
    path = f"{os.environ.get('PATH', '')}:{_PLACES}"
    return sorted({package for name, package in PROGRAMS.items() if shutil.which(name, path=path) is None})


def obstacle() -> str:
    """Why this user cannot have nodes that are hosts on this machine; empty when nothing is in the way."""
    if packages := missing():
        return f"{_named(packages)} not installed (on Debian: apt-get install {' '.join(packages)})"
    if not _namespaces():
        return "this user may make no namespaces (run as root, or allow unprivileged user namespaces)"
    return ""


def _named(packages: list[str]) -> str:
    return f"{packages[0]} is" if len(packages) == 1 else f"{', '.join(packages[:-1])} and {packages[-1]} are"


def _namespaces() -> bool:
    """Tried once, in a child."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            kernel.unshare((0 if os.geteuid() == 0 else kernel.NEWUSER) | kernel.NEWNS | kernel.NEWNET | kernel.NEWPID)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def interpreter_folders() -> frozenset[str]:
    """The folders that a node must share for this interpreter and this program to run there."""
    source = Path(homeostat.__file__).resolve().parent.parent
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.realpath(sys.executable)))
    return frozenset(needed_folders([*prefixes, str(source)]))


def check_room(folder: Path) -> None:
    """Whether the disk has room enough for nodes to start on. Raises LabError, with what to do."""
    folder.mkdir(parents=True, exist_ok=True)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize >> 20
    if free < _ROOM_MIB:
        text = f"the disk is full: {folder} has {free} MiB left, and real nodes want {_ROOM_MIB} to start; "
        raise LabError(text + "make room there, then try again")


def check_range(network: IPv4Network) -> None:
    """Whether the host already uses addresses of `network`. Raises LabError, with what to do."""
    for line in _routes():
        used = str(line.get("dst", ""))
        if used in ("default", "") or not network.overlaps(IPv4Network(used, strict=False)):
            continue
        text = f"the addresses {network} are in use on this host ({used} on {line.get('dev')}); "
        raise LabError(text + "choose other ones with --node-cidr")


def _routes() -> list[dict[str, object]]:
    try:
        done = subprocess.run(["ip", "-4", "-j", "route", "show"], capture_output=True, check=False)
    except FileNotFoundError:
        return []
    found: list[dict[str, object]] = json.loads(done.stdout or b"[]")
    return found
