"""`homeostat ssh`: a shell on a node, or one command there."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from homeostat.cli.options import known, name_option
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.hosts import enter
from homeostat.lab.inside import sshd
from homeostat.operate.name_checks import check_host
from homeostat.runtime.children.forked import execute


@click.command("ssh", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@name_option
@click.argument("node")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
def command(name: str, node: str, words: tuple[str, ...]) -> None:
    """Log in on a node as core, or run one command there."""
    folder = known(name)
    check_host(folder.load(), node)
    pid = enter.process(folder, node)
    if not _serves_ssh(pid):
        # One user only: no SSH server can run there (see `lab.inside.sshd`).
        shell = ["/bin/bash", "-l", *(["-c", " ".join(words)] if words else [])]
        enter.become(folder, node, shell)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    argv = client(folder, node, words, terminal=terminal, proxy=proxy(pid) if _apart(pid) else "")
    if shutil.which(argv[0]) is None:
        raise LabError("the program `ssh` is missing (on Debian: apt-get install openssh-client)")
    sys.stdout.flush()
    execute(argv, dict(os.environ))


def client(folder: Folder, node: str, words: Sequence[str], *, terminal: bool, proxy: str) -> list[str]:
    """The SSH client's command line; `proxy` is how it reaches the node, empty: by its address. Pure."""
    argv = ["ssh", "-F", str(sshd.Keys(folder.ssh).config)]
    if proxy:
        argv += ["-o", f"ProxyCommand={proxy}"]
    if words and terminal:
        argv.append("-t")  # so that `homeostat ssh NODE docker exec -it ID sh` has one
    return [*argv, node, *words]


def proxy(pid: int) -> str:
    """The command that joins the client to the SSH server of the node whose init is the process `pid`. Pure."""
    words = [sys.executable, "-P", "-m", "homeostat.lab.links.connect", str(pid), str(sshd.PORT)]
    return shlex.join(words).replace("%", "%%")


def _serves_ssh(pid: int) -> bool:
    place = Path("/proc", str(pid))
    try:
        return sshd.usable((place / "uid_map").read_text(), (place / "setgroups").read_text())
    except OSError:
        return True


def _apart(pid: int) -> bool:
    """Whether the host has no way to the nodes' addresses: their user namespace is another one."""
    return os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
