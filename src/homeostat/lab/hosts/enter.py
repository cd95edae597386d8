"""Entering a node from the host: a program that runs as if somebody had started it there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from homeostat.cluster import node_layout
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.processes.orders import ask
from homeostat.runtime.children.forked import execute

_ENVIRONMENT = {"HOME": "/root", "USER": "root", "LANG": "C.UTF-8", "PATH": node_layout.PATH}


def words(folder: Folder, node: str, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` in a node that is on. Raises LabError."""
    pid = process(folder, node)
    spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
    if _namespace(str(pid), "cgroup") != _namespace("self", "cgroup"):
        spaces.append("--cgroup")
    # Without root the whole lab is in a user namespace of this user's.
    if _namespace(str(pid), "user") != _namespace("self", "user"):
        spaces += ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(pid), *spaces, "--", *argv]


def run(
    folder: Folder,
    node: str,
    argv: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    timeout_seconds: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a node and collect its output; its standard input is `stdin`, or empty. Raises LabError."""
    environment = {**_ENVIRONMENT, "TERM": os.environ.get("TERM", "dumb")}
    command = words(folder, node, argv)
    try:
        return subprocess.run(
            command,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError:
        raise LabError("the program `nsenter` is missing (on Debian: apt-get install util-linux)") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{argv[0]} on {node} did not end within {timeout_seconds:.0f} s") from None


def become(folder: Folder, node: str, argv: Sequence[str]) -> None:
    """Run a command in a node in place of this process; never returns. Raises LabError."""
    command = words(folder, node, argv)
    environment = {**_ENVIRONMENT, "TERM": os.environ.get("TERM", "dumb")}
    try:
        execute(command, environment)
    except FileNotFoundError:
        raise LabError("the program `nsenter` is missing (on Debian: apt-get install util-linux)") from None


def process(folder: Folder, node: str) -> int:
    """The host's process ID of a node's init. Raises LabError."""
    children = ask(folder.supervisor_socket, Order("status"))["children"]
    for child in children:
        if child["node"] == node:
            if child["pid"]:
                return int(child["pid"])
            raise LabError(f"{node} is off; `homeostat node start {node}` turns it on")
    raise LabError(f"there is no node {node!r}; the nodes are {', '.join(c['node'] for c in children if c['node'])}")


def _namespace(process_id: str, kind: str) -> str:
    try:
        return os.readlink(Path("/proc", process_id, "ns", kind))
    except OSError:
        return ""
