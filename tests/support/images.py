"""Looking into image archives, and running what is in them with nothing else of the machine."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from homeostat.lab.images.spec import ImageSpec


def member(archive: Path, name: str) -> bytes:
    """One file of an archive."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def document(archive: Path, name: str) -> Any:
    """One JSON file of an archive."""
    return orjson.loads(member(archive, name))


def layers(archive: Path) -> list[bytes]:
    """The layers of an archive's one image, lowest first."""
    return [member(archive, name) for name in document(archive, "manifest.json")[0]["Layers"]]


def config_of(archive: Path) -> Any:
    """The configuration of an archive's one image."""
    return document(archive, document(archive, "manifest.json")[0]["Config"])


def members(archive: Path) -> dict[str, bytes]:
    """All files of an archive."""
    with tarfile.open(archive) as tar:
        return {each.name: file.read() for each in tar if (file := tar.extractfile(each))}


def packed(target: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    """An archive with these files, and these symbolic links."""
    with tarfile.open(target, "w") as tar:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
        for name, to in (links or {}).items():
            header = tarfile.TarInfo(name)
            header.type, header.linkname = tarfile.SYMTYPE, to
            tar.addfile(header)
    return target


def repacked(archive: Path, target: Path, edit: Callable[[dict[str, bytes]], None]) -> Path:
    """An archive as another one, with its files edited."""
    files = members(archive)
    edit(files)
    return packed(target, files)


def lay_out(archive: Path, root: Path) -> None:
    """Put an image's layers into a folder, one over the other."""
    for layer in layers(archive):
        with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as files:
            # Pythons before 3.11.4 trust every archive; those after need an option.
            files.extractall(root, **({"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}))


def run_inside(root: Path, argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program with `root` as the root folder."""
    enter = ["/usr/bin/unshare", "--map-root-user", "--mount", f"--root={root}", "--wd=/"]
    return subprocess.run([*enter, *argv], env=env, capture_output=True, text=True, timeout=60)


def environment_of(spec: ImageSpec) -> dict[str, str]:
    """What a container of the image sees."""
    return dict(line.split("=", 1) for line in spec.run_config()["Env"])


def share_images(state_root: Path) -> None:
    """Let the clusters below `state_root` take this machine's images from a folder that all stories share."""
    shared = Path(tempfile.gettempdir(), f"homeostat-test-images-{os.getuid()}")
    shared.mkdir(exist_ok=True)
    state_root.mkdir(parents=True, exist_ok=True)
    link = state_root / ".images"
    if not link.exists():
        link.symlink_to(shared)
