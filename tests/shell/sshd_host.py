"""A node's SSH server in namespaces of its own: `python sshd_host.py FOLDER MAP` becomes it; FOLDER holds `etc` and
`home`, and MAP is empty (no user namespace) or a line for uid_map and gid_map."""

from __future__ import annotations

import ctypes
import os
import sys

_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
# A mapped user finds / and /etc owned by the host's root, whom it does not know; a node's own are its own.
_SCRIPT = """
set -e
mount --make-rprivate /
for file in passwd group shadow profile motd shells; do
    [ ! -e /etc/$file ] || mount --bind "$1/etc/$file" /etc/$file
done
mount --bind "$1/etc/ssh" /etc/ssh
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd
mount -t tmpfs -o mode=755 tmpfs /home
mkdir -p /home/core
cp "$1/home/.bashrc" "$1/home/.profile" /home/core
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts /dev/pts
mount --bind /dev/pts/ptmx /dev/ptmx
ip link set lo up
exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config -o "StrictModes=$2"
"""


def main(folder: str, mapping: str) -> None:
    """Never returns."""
    libc = ctypes.CDLL(None, use_errno=True)
    if mapping:
        _map(libc, mapping)
    if libc.unshare(_NEWNS | _NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    os.execv("/bin/sh", ["sh", "-c", _SCRIPT, "sh", folder, "no" if mapping else "yes"])


def _map(libc: ctypes.CDLL, mapping: str) -> None:
    """A user namespace, whose map a process outside of it has to write."""
    ready, go = os.pipe()
    target = os.getpid()
    if not (child := os.fork()):
        os.close(go)
        os.read(ready, 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{target}/{name}", "w") as file:
                file.write(mapping)
        os._exit(0)
    if libc.unshare(_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    os.close(go)
    assert os.waitpid(child, 0)[1] == 0
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
