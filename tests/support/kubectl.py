"""The machine's kubectl: found, or installed where Debian's own package is new enough. Its absence is an error."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache

OLDEST = (1, 32)
# Kubernetes' own package, where the machine knows a source of it, and Debian's.
_PACKAGES = ("kubectl", "kubernetes-client")
_WANTED = ".".join(map(str, OLDEST))


class NoKubectl(Exception):
    """The tests need a kubectl, and the text says how to get one."""


@cache
def kubectl_path() -> str:
    """The kubectl to test with. Raises NoKubectl."""
    found = _usable()
    if found is None and (package := _installable()) is not None:
        subprocess.run(["apt-get", "install", "-y", "-qq", package], check=True, capture_output=True, timeout=600)
        found = _usable()
    if found is None:
        raise NoKubectl(
            f"these tests drive the cluster with kubectl {_WANTED} or newer, and this machine has none (KUBECTL may "
            "name one; Debian 13's package kubernetes-client is new enough, Debian 12's is not; "
            "https://kubernetes.io/docs/tasks/tools/ has all others)"
        )
    return found


def _usable() -> str | None:
    path = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if path is None or (version := client_version(path)) is None or version < OLDEST:
        return None
    return path


def client_version(path: str) -> tuple[int, int] | None:
    """The version of that kubectl, or None where it is none."""
    try:
        asked = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, timeout=30)
        told = json.loads(asked.stdout)["clientVersion"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return None
    return int(told["major"]), int(re.sub(r"\D.*", "", told["minor"]))


def _installable() -> str | None:
    """The package to install as root on a Debian: one that is new enough, or None."""
    if os.geteuid() != 0 or shutil.which("apt-cache") is None:
        return None
    if not any(map(_candidate, _PACKAGES)):
        # A machine that has never looked has no list of packages.
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=600)
    return next((package for package in _PACKAGES if (found := _candidate(package)) and found >= OLDEST), None)


def _candidate(package: str) -> tuple[int, int] | None:
    """The version that apt-get would install, None where it knows none."""
    told = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"Candidate: (?:\d+:)?(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else None
