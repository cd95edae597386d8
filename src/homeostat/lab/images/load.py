"""Images of nodes that run: an archive is loaded onto them through their own engine, and what they have is listed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images.reader import Archive, plain

# Runs a command in a node: its name, the command, what it reads. The command's result, whatever its exit code.
Enter = Callable[[str, Sequence[str], "IO[bytes] | None"], "subprocess.CompletedProcess[bytes]"]

CTR = ("ctr", "--namespace", "k8s.io")
# An import hashes, unpacks and waits for the disk: more at once than this gains nothing on a small machine.
_AT_ONCE = 2
_COLUMNS = ("REF", "DIGEST", "SIZE")


@dataclass(frozen=True, slots=True)
class Listed:
    """An image on a node: its name, its manifest's digest, and its size as containerd prints it."""

    name: str
    digest: str
    size: str


def load(archive: Archive, nodes: Iterable[str], enter: Enter) -> None:
    """Import an archive on nodes. Raises LabError that names those where it failed; the others have it."""
    names = list(nodes)
    with plain(archive) as file, ThreadPoolExecutor(_AT_ONCE) as pool:
        failed = [said for said in pool.map(partial(_import, file, archive.base, enter), names) if said]
    if failed:
        raise LabError("; ".join(failed))


def listed(node: str, enter: Enter) -> list[Listed]:
    """The images of a node by name. Raises LabError when its engine does not answer."""
    ended = enter(node, [*CTR, "images", "ls"], None)
    if ended.returncode:
        raise LabError(f"{node}: {_said(ended)}")
    return parse(ended.stdout.decode())


def parse(table: str) -> list[Listed]:
    """What `ctr images ls` prints, without the names that are digests. Columns are found by their titles."""
    title, *lines = table.splitlines() or [""]
    spans = [_span(title, column) for column in _COLUMNS]
    rows = [[line[span].strip() for span in spans] for line in lines]
    return [Listed(*row) for row in sorted(rows) if not row[0].startswith("sha256:")]


def _span(title: str, column: str) -> slice:
    found = re.search(rf"\b{column}\b\s*", title)
    if found is None:
        raise LabError(f"`ctr images ls` has no column {column}")
    return slice(found.start(), found.end() if found.end() < len(title) else None)


def _import(path: Path, base: str, enter: Enter, node: str) -> str:
    """Import on one node; what went wrong, or nothing."""
    base_name = ["--base-name", base] if base else []
    with path.open("rb") as file:
        try:
            ended = enter(node, [*CTR, "images", "import", *base_name, "-"], file)
        except LabError as error:
            return f"{node}: {error}"
    return f"{node}: {_said(ended)}" if ended.returncode else ""


def _said(ended: subprocess.CompletedProcess[bytes]) -> str:
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    said = (lines[-1] if lines else f"exit code {ended.returncode}").removeprefix("ctr: ")
    if "no space left" in said:
        return f"the disk is full ({said})"
    if "connection refused" in said or ("no such file or directory" in said and "containerd.sock" in said):
        return f"its container engine does not answer; `systemctl start docker` on the node starts it ({said})"
    return said
