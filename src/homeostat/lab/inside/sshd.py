"""The SSH server of a node, Debian's OpenSSH: its configuration, and the keys of a cluster.

Run as `/usr/sbin/sshd -D -e -f /etc/ssh/sshd_config`, with the folder /run/sshd, which is root's alone. It drops to its
own user before anybody has logged in, so it needs that user and leave to change groups: as root, or in a user namespace
with ranges of IDs. Where a namespace has one user only, `usable` says no, and a shell on a node is one that enters its
namespaces.

All nodes of a cluster share one host key, so that a client knows each of them from the first time on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from homeostat.cluster.state_folder import replace_file
from homeostat.kit import private

USER = "core"
PORT = 22
CONFIG = "/etc/ssh/sshd_config"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
AUTHORIZED_KEYS = "/etc/ssh/authorized_keys"
_HOST, _CLIENT, _KNOWN_HOSTS, _CONFIG = "host_ed25519", "id_ed25519", "known_hosts", "config"
# A client that takes its time must not keep others out: logins come in crowds when a whole class follows the guide.
_STARTUPS = "100:30:300"


class Keys(NamedTuple):
    """A cluster's keys on the host, in its state folder's `ssh`."""

    folder: Path

    @property
    def host(self) -> Path:
        """The private key by which clients know the nodes; its public half is beside it with `.pub`."""
        return self.folder / _HOST

    @property
    def client(self) -> Path:
        """The private key that opens the nodes."""
        return self.folder / _CLIENT

    @property
    def known_hosts(self) -> Path:
        """What a client compares a node's key with."""
        return self.folder / _KNOWN_HOSTS

    @property
    def config(self) -> Path:
        """For `ssh -F`: `ssh -F FILE worker-1`."""
        return self.folder / _CONFIG


class Host(NamedTuple):
    """A node as a client knows it."""

    name: str
    address: str


def prepare(folder: Path, hosts: Sequence[Host]) -> Keys:
    """Make the keys that are missing, and write the clients' configuration. Raises OSError."""
    keys = Keys(folder)
    private.folder(folder)
    for path, comment in ((keys.host, "homeostat-node"), (keys.client, "homeostat")):
        if not (path.exists() and _public(path).exists()):
            _make_key(path, comment)
    public = _public(keys.host).read_text()
    replace_file(keys.known_hosts, known_hosts(hosts, public).encode(), durable=False)
    replace_file(keys.config, client_config(keys, hosts).encode(), durable=False)
    return keys


def _public(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


def _make_key(path: Path, comment: str) -> None:
    key = Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.OpenSSH
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    replace_file(_public(path), public + f" {comment}\n".encode(), mode=0o644)
    replace_file(path, private)


def known_hosts(hosts: Iterable[Host], public: str) -> str:
    """A client's known_hosts: every node by name and address. Pure."""
    key = " ".join(public.split()[:2])
    return "".join(f"{host.name},{host.address} {key}\n" for host in hosts)


def client_config(keys: Keys, hosts: Iterable[Host]) -> str:
    """A client's configuration: each node by its name. Pure."""
    blocks = [f"Host {host.name} {host.address}\n    HostName {host.address}\n" for host in hosts]
    words = [
        "Host *",
        f"    User {USER}",
        f'    IdentityFile "{keys.client}"',
        "    IdentitiesOnly yes",
        f'    UserKnownHostsFile "{keys.known_hosts}"',
        "    StrictHostKeyChecking yes",
        "    PasswordAuthentication no",
        "    LogLevel ERROR",
    ]
    return "".join(blocks) + "\n".join(words) + "\n"


def authorized_keys(own: str, users: Iterable[str]) -> str:
    """Who may log in: the cluster's own key, and the public keys of the person whose cluster it is. Pure."""
    lines = [line.strip() for text in (own, *users) for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    return "".join(f"{line}\n" for line in dict.fromkeys(kept))


def users_keys(home: Path) -> list[str]:
    """The public keys in a person's `.ssh`, as far as they can be read."""
    found = []
    for file in sorted((home / ".ssh").glob("*.pub")):
        try:
            found.append(file.read_text())
        except (OSError, UnicodeDecodeError):
            continue
    return found


def files(keys: Keys, *, path: str, users: Iterable[str] = ()) -> dict[str, tuple[str, int]]:
    """The SSH server's files of a node's /etc, by their path in it, each with its mode. `path` is the node's PATH.

    Raises OSError when the keys are not there.
    """
    return {
        "ssh/sshd_config": (server_config(path), 0o644),
        "ssh/ssh_host_ed25519_key": (keys.host.read_text(), 0o600),
        "ssh/ssh_host_ed25519_key.pub": (_public(keys.host).read_text(), 0o644),
        "ssh/authorized_keys": (authorized_keys(_public(keys.client).read_text(), users), 0o644),
    }


def server_config(path: str) -> str:
    """The server's configuration. Pure.

    Keys alone open a node (core is root there); nothing is looked up in DNS, so a login is quick; PAM, which would
    want the host's whole configuration, is not used.
    """
    return "\n".join(
        [
            f"Port {PORT}",
            "AddressFamily any",
            f"HostKey {HOST_KEY}",
            f"AllowUsers {USER} root",
            "PermitRootLogin prohibit-password",
            "PubkeyAuthentication yes",
            f"AuthorizedKeysFile {AUTHORIZED_KEYS} .ssh/authorized_keys",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "UseDNS no",
            "PrintMotd yes",
            "PrintLastLog no",
            "X11Forwarding no",
            "PidFile none",
            f"MaxStartups {_STARTUPS}",
            "LoginGraceTime 30",
            "ClientAliveInterval 30",
            "ClientAliveCountMax 4",
            "AcceptEnv LANG LC_* TERM COLORTERM",
            f"SetEnv PATH={path}",
            "Subsystem sftp internal-sftp",
            "",
        ]
    )


def usable(uid_map: str, setgroups: str) -> bool:
    """Whether the server can drop to its own user, by `/proc/self/uid_map` and `/proc/self/setgroups`. Pure."""
    mapped = sum(int(line.split()[2]) for line in uid_map.splitlines() if line.strip())
    return mapped > 1 and setgroups.strip() != "deny"


def usable_here() -> bool:
    """The same of this process's user namespace."""
    try:
        return usable(Path("/proc/self/uid_map").read_text(), Path("/proc/self/setgroups").read_text())
    except OSError:
        return os.geteuid() == 0
