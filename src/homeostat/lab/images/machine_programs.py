"""What images take from this machine: its programs with their libraries, certificates, users; and what is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import elf
from homeostat.lab.images.tree import Tree

# Debian's package of each program that an image is made of.
PACKAGES = {"catatonit": "catatonit", "busybox": "busybox", "etcd": "etcd-server", "etcdctl": "etcd-client"}
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def program(name: str) -> Path:
    """A program of this machine, links followed. Raises LabError that says how to get it."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        raise LabError(f"{name} is not on this machine; on Debian: apt-get install {PACKAGES.get(name, name)}")
    return Path(found).resolve()


def static_program(name: str) -> Path:
    """A program that needs no shared library. Raises LabError."""
    found = program(name)
    wanted = elf.needs(found)
    if wanted.interpreter or wanted.libraries:
        text = f"{found} needs shared libraries; images want the static one: apt-get install {PACKAGES.get(name, name)}"
        raise LabError(text)
    return found


def add_libraries(
    tree: Tree, programs: Iterable[Path], *, carried: Iterable[Path] = (), also: Iterable[str] = ()
) -> None:
    """All libraries that the programs load, where the dynamic loader of an image looks by itself.

    `carried` are folders of libraries that are in the tree already; `also` names libraries that are taken if there.
    """
    by_name = {name: found for name in also if (found := elf.find_library(name))}
    libraries = {**by_name, **elf.closure([*programs, *by_name.values()], carried=carried)}
    folder = _default_folder(libraries)
    for name, source in sorted(libraries.items()):
        inside = name if "/" in name else f"{folder}/{name}"
        tree.file(inside, source.resolve(), mode=0o755, change=elf.without_symbols)


def add_users(tree: Tree) -> None:
    """The files that turn user numbers into names, and host names into addresses; and the usual scratch folders."""
    tree.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")
    tree.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    tree.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    tree.folder("root", mode=0o700)
    tree.folder("tmp", mode=0o1777)
    tree.folder("run")
    tree.folder("var/run")


def add_certificates(tree: Tree) -> None:
    """The machine's certificate authorities, if it has any."""
    for candidate in map(Path, _CERTIFICATES):
        if candidate.exists():
            tree.file(CERTIFICATES, candidate.resolve(), mode=0o644)
            return


def _default_folder(libraries: dict[str, Path]) -> str:
    """Where this machine has its C library: each dynamic loader looks in its own such folder by itself."""
    for name, source in libraries.items():
        if name.startswith(("libc.so", "libc.musl")):
            return str(source.parent).lstrip("/")
    return "usr/lib"
