"""A node's users, and what a person sees who logs in: files of /etc and of core's home. Pure data.

`core` is root under another name, as on hosts that are made for containers alone; the system's accounts are Debian's.
Root comes first, so that programs that ask who owns a process or a file say `root`.
"""

from __future__ import annotations

from typing import NamedTuple

CORE_HOME = "/home/core"
_SHELL, _NOBODY_SHELL = "/bin/bash", "/usr/sbin/nologin"


class _Account(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str
    shell: str = _NOBODY_SHELL


_ACCOUNTS = (
    _Account("root", 0, 0, "/root", _SHELL),
    _Account("core", 0, 0, CORE_HOME, _SHELL),
    _Account("daemon", 1, 1, "/usr/sbin"),
    _Account("bin", 2, 2, "/bin"),
    _Account("sys", 3, 3, "/dev"),
    _Account("sync", 4, 65534, "/bin", "/bin/sync"),
    _Account("man", 6, 12, "/var/cache/man"),
    _Account("mail", 8, 8, "/var/mail"),
    _Account("www-data", 33, 33, "/var/www"),
    _Account("_apt", 100, 65534, "/nonexistent"),
    _Account("sshd", 101, 65534, "/run/sshd"),
    _Account("nobody", 65534, 65534, "/nonexistent"),
)
# Debian's static groups, by which files of the host's programs are owned.
_GROUPS = {
    "root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "disk": 6, "lp": 7, "mail": 8, "news": 9,
    "man": 12, "kmem": 15, "dialout": 20, "fax": 21, "voice": 22, "cdrom": 24, "floppy": 25, "tape": 26, "sudo": 27,
    "audio": 29, "dip": 30, "www-data": 33, "src": 40, "shadow": 42, "utmp": 43, "video": 44, "sasl": 45,
    "plugdev": 46, "staff": 50, "games": 60, "users": 100, "systemd-journal": 101, "_ssh": 102, "nogroup": 65534,
}  # fmt: skip
_MEMBERS = {"adm": "core", "sudo": "core", "systemd-journal": "core"}


def files(node: str, *, path: str, cluster: str) -> dict[str, tuple[str, int]]:
    """The files of a node's /etc by their path in it, each with its mode; `path` is its PATH."""
    return {
        "passwd": (passwd(), 0o644),
        "group": (group(), 0o644),
        "shadow": (shadow(), 0o640),
        "shells": ("/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/dash\n", 0o644),
        "profile": (profile(path), 0o644),
        "motd": (motd(node, cluster), 0o644),
        "subuid": ("", 0o644),
        "subgid": ("", 0o644),
    }


def home() -> dict[str, tuple[str, int]]:
    """The files of core's and root's home, each with its mode."""
    return {".bashrc": (bashrc(), 0o644), ".profile": ('[ -n "$BASH_VERSION" ] && . ~/.bashrc\n', 0o644)}


def passwd() -> str:
    """/etc/passwd."""
    return "".join(f"{one.name}:x:{one.uid}:{one.gid}:{one.name}:{one.home}:{one.shell}\n" for one in _ACCOUNTS)


def group() -> str:
    """/etc/group."""
    return "".join(f"{name}:x:{gid}:{_MEMBERS.get(name, '')}\n" for name, gid in _GROUPS.items())


def shadow() -> str:
    """/etc/shadow: nobody has a password (`*`: none fits; a `!` would lock SSH's keys out as well)."""
    return "".join(f"{one.name}:*:19000:0:99999:7:::\n" for one in _ACCOUNTS)


def profile(path: str) -> str:
    """/etc/profile: the node's tools come first on the PATH."""
    return (
        f"export PATH={path}\n"
        "export CONTAINER_RUNTIME_ENDPOINT=unix:///run/containerd/containerd.sock\n"
        "export CONTAINERD_NAMESPACE=k8s.io\n"
        "export SYSTEMD_PAGER=cat PAGER=${PAGER:-less}\n"
        "umask 022\n"
        'if [ -d /etc/profile.d ]; then for each in /etc/profile.d/*.sh; do [ -r "$each" ] && . "$each"; done; fi\n'
    )


def bashrc() -> str:
    """~/.bashrc: a prompt that says where one is, by the name under which one came."""
    return (
        "case $- in *i*) ;; *) return ;; esac\n"
        "HISTCONTROL=ignoreboth\n"
        "shopt -s checkwinsize histappend\n"
        "PS1='${LOGNAME:-core}@\\h:\\w\\$ '\n"
        "alias ls='ls --color=auto' ll='ls -l' grep='grep --color=auto'\n"
    )


def motd(node: str, cluster: str) -> str:
    """What a login says."""
    return (
        f"This is {node}, a node of the cluster {cluster}. It has its own processes, network, firewall\n"
        "and containers.\n"
        "  docker ps | docker kill ID      containers, over this node's containerd (also: crictl)\n"
        "  systemctl status kubelet        services: containerd (docker), kubelet, kube-proxy, sshd\n"
        "  journalctl -u kubelet -f        what they say\n"
        "  iptables -A OUTPUT ...          this node's own firewall\n"
    )
