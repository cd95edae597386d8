"""Reading what machine this is: for a node that runs containers on the host itself."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from homeostat.kit import private
from homeostat.node.machine.node_object import Machine

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def this_machine(root: Path) -> Machine:
    """The machine's facts; storage is that of the file system of `root`."""
    name = os.uname()
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    private.folder(root)
    disk = os.statvfs(root)
    return Machine(
        operating_system=name.sysname.lower(),
        architecture=_ARCHITECTURES.get(name.machine, name.machine),
        os_image=_os_image(),
        kernel=name.release,
        machine_id=_first_line("/etc/machine-id"),
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"),
        capacity={
            "cpu": str(os.cpu_count() or 1),
            "memory": f"{pages * page_bytes // 1024}Ki",
            "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        },
    )


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return platform.system()


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().split("\n", 1)[0]
    except OSError:
        return ""
