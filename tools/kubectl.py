"""A kubectl for machines that have none of 1.32 or newer: kubectl and Helm, unpacked into the virtual environment.

    python tools/kubectl.py

The machine's own kubectl is kept where it is new enough, and $KUBECTL names another one. Otherwise the package that
requirements/kubectl.txt locks is downloaded, and its two programs are put beside this environment's `python`. Safe to
repeat. `chosen` is what the tests drive clusters with, and what `make up` prints.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

OLDEST = (1, 32)
REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "kubectl.txt"
# The folder of this environment's programs. Not resolved: its `python` is a link to the machine's.
BIN = Path(sys.executable).parent
# Where the package keeps its programs: a zip file in an npm package in the wheel.
_LAYER = "package/lib/layer.zip"
_PROGRAMS = {"kubectl": "kubectl/kubectl", "helm": "helm/helm"}
_OTHERS = "https://kubernetes.io/docs/tasks/tools/ has kubectl for all machines; it works from any folder of $PATH"


class NoKubectl(Exception):
    """There is no kubectl that is new enough; the text says why, and how to get one."""


def chosen(folder: Path = BIN) -> str | None:
    """The kubectl to use: $KUBECTL, the first of $PATH if it is new enough, or the one in `folder`; else None."""
    if named := os.environ.get("KUBECTL"):
        return named
    candidates = [shutil.which("kubectl"), str(folder / "kubectl")]
    return next((path for path in candidates if path and (client_version(path) or (0, 0)) >= OLDEST), None)


def client_version(path: str) -> tuple[int, int] | None:
    """The major and minor version of that kubectl; None where it is no kubectl that runs here."""
    try:
        asked = subprocess.run(
            [path, "version", "--client", "-o", "json"], capture_output=True, timeout=60, check=False
        )
        version = json.loads(asked.stdout)["clientVersion"]
        return int(version["major"]), int(re.sub(r"\D.*", "", version["minor"]))
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return None


def missing() -> str:
    """What this machine has instead of a kubectl that is new enough, in words."""
    found = shutil.which("kubectl")
    version = client_version(found) if found else None
    wanted = f"kubectl {_dotted(OLDEST)} or newer is needed, and"
    if version:
        return f"{wanted} {found} is {_dotted(version)}"
    return f"{wanted} {found} does not run" if found else f"{wanted} this machine has none"


def install(folder: Path = BIN, requirements: Path = REQUIREMENTS) -> None:
    """Download the package and put kubectl and helm into `folder`. Raises NoKubectl."""
    machine, system = platform.machine(), platform.system()
    if (system, machine) != ("Linux", "x86_64"):
        raise NoKubectl(f"{missing()}; the package that brings one is for Linux on x86_64, not {system} on {machine}")
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        try:
            subprocess.run([*pip, "-r", str(requirements), "-d", scratch], check=True)
        except subprocess.CalledProcessError as error:
            text = f"{missing()}; the package that brings one could not be downloaded (pip says why above)"
            raise NoKubectl(text) from error
        (wheel,) = Path(scratch).glob("*.whl")
        unpack(wheel, folder)
    if (client_version(str(folder / "kubectl")) or (0, 0)) < OLDEST:
        raise NoKubectl(f"{missing()}; the one in {wheel.name} does not run here")


def unpack(wheel: Path, folder: Path) -> None:
    """Put the programs of the package into `folder`. Raises NoKubectl when it is built otherwise than is known here."""
    try:
        with zipfile.ZipFile(wheel) as outer:
            (name,) = (name for name in outer.namelist() if name.endswith(".tgz"))
            with outer.open(name) as packed, tarfile.open(fileobj=packed, mode="r|gz") as inner:
                layer = next(inner.extractfile(member) for member in inner if member.name == _LAYER)
                assert layer is not None
                content = io.BytesIO(layer.read())
        with zipfile.ZipFile(content) as programs:
            for program, path in _PROGRAMS.items():
                # In one step: somebody may be running the one that is there.
                fresh = folder / f".{program}.new"
                with programs.open(path) as source, fresh.open("wb") as target:
                    shutil.copyfileobj(source, target)
                fresh.chmod(0o755)
                fresh.replace(folder / program)
    except (ValueError, StopIteration, KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise NoKubectl(
            f"there is no kubectl in {wheel.name}: it is built otherwise than tools/kubectl.py knows"
        ) from error


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def main() -> int:
    """Install a kubectl if there is none; exit code 1 when there is none in the end."""
    if chosen() is not None:
        return 0
    if sys.prefix == sys.base_prefix:
        print(f"{missing()}; only a virtual environment's python installs one", file=sys.stderr)
        return 1
    print(f"{missing()}: downloading one into {BIN}", flush=True)
    try:
        install()
    except NoKubectl as error:
        print(f"{error}; {_OTHERS}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
