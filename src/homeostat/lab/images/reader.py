"""Inspecting an image archive before it is loaded: docker's and OCI's, gzipped or not.

One pass over the file. What is wrong with it is said with the file's name: no archive, cut short, damaged, no image in
it, an image for other machines, an image without a name.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images.spec import architecture

# Documents (manifests, configurations) are kept while reading, layers are not.
_DOCUMENT_BYTES_MAX = 4 << 20
_MEMBERS_MAX = 20_000
_READ_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_OTHER_COMPRESSIONS = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that can be imported. `base` completes names that are a tag alone (ctr's `--base-name`)."""

    path: Path
    names: tuple[str, ...]
    base: str = ""


@dataclass(slots=True)
class _Contents:
    """The files of an archive: their digests, and the text of the short ones."""

    digests: dict[str, str] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return self.links.get(name, name) in self.digests

    def document(self, name: str) -> Any:
        """A JSON file. Raises ValueError when it is not there or is something else."""
        text = self.texts.get(self.links.get(name, name))
        if text is None:
            raise ValueError(f"it refers to {name}, which is not in it")
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{name} in it is no JSON: {error}") from error


def examine(path: Path, *, name: str = "") -> Archive:
    """What is in an archive; `name` names an image that has none. Raises LabError that says what is wrong."""
    try:
        contents = _read(path)
        if "index.json" in contents.texts and "oci-layout" in contents.texts:
            names, base = _oci(contents, name)
        elif "manifest.json" in contents.texts:
            names, base = _docker(contents), ""
        else:
            raise ValueError("there is no image in it: neither docker's manifest.json nor OCI's index.json")
        return Archive(path, tuple(dict.fromkeys(names)), base)
    except ValueError as error:
        raise LabError(f"{path} cannot be loaded: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise LabError(f"{path} cannot be loaded: its index is not what docker or OCI write ({error!r})") from error


def _read(path: Path) -> _Contents:
    contents = _Contents()
    try:
        with _opened(path) as stream, tarfile.open(fileobj=stream, mode="r|", bufsize=_READ_BYTES) as tar:
            for member in tar:
                _take(tar, member, contents)
    except (tarfile.ReadError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        if not contents.digests:
            raise ValueError(f"it is no tar archive, or a damaged one ({error})") from error
        raise ValueError(f"it is cut short or damaged ({error})") from error
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    if not contents.digests:
        raise ValueError("there is nothing in it")
    return contents


@contextmanager
def plain(archive: Archive) -> Iterator[Path]:
    """A file with the archive as a plain tar, for readers that do not inflate (ctr 1.6): itself, or one for a while.

    Raises LabError when there is no room for it.
    """
    with archive.path.open("rb") as file:
        squeezed = file.read(2) == _GZIP
    if not squeezed:
        yield archive.path
        return
    with tempfile.NamedTemporaryFile(prefix="homeostat-", suffix=".tar") as scratch:
        try:
            with gzip.open(archive.path) as inflated:
                shutil.copyfileobj(inflated, scratch, _READ_BYTES)
            scratch.flush()
        except OSError as error:
            raise LabError(f"{archive.path} cannot be inflated in {tempfile.gettempdir()}: {error}") from error
        yield Path(scratch.name)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The tar in a file, inflated where needed."""
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        for magic, kind in _OTHER_COMPRESSIONS.items():
            if start.startswith(magic):
                raise ValueError(f"it is compressed by {kind}; only tar and gzipped tar are read")
        if start.startswith(_GZIP):
            with gzip.open(file) as inflated:
                yield cast(BinaryIO, inflated)
        else:
            yield file


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, contents: _Contents) -> None:
    if len(contents.digests) >= _MEMBERS_MAX:
        raise ValueError(f"it has more than {_MEMBERS_MAX} files: it is no image archive")
    name = member.name.removeprefix("./")
    if member.issym() or member.islnk():
        # Older docker links a layer that it has twice: `../OTHER/layer.tar`.
        contents.links[name] = re.sub(r"^(\.\./)+", "", member.linkname)
        return
    file = tar.extractfile(member)
    if file is None:
        return
    digest, kept = hashlib.sha256(), bytearray()
    while chunk := file.read(_READ_BYTES):
        digest.update(chunk)
        if member.size <= _DOCUMENT_BYTES_MAX:
            kept += chunk
    contents.digests[name] = digest.hexdigest()
    if member.size <= _DOCUMENT_BYTES_MAX:
        contents.texts[name] = bytes(kept)
    stated = re.fullmatch(r"blobs/sha256/([0-9a-f]{64})", name)
    if stated and stated[1] != contents.digests[name]:
        raise ValueError(f"it is damaged: the content of {name} has another digest")


def _oci(contents: _Contents, name: str) -> tuple[list[str], str]:
    """The names in an OCI layout, and what completes them (image-spec, image-layout.md and annotations.md)."""
    names, base, wrong = [], "", "there is no image in it: its index is empty"
    for described in contents.document("index.json")["manifests"]:
        fault = _fault(contents, described)
        if fault:
            wrong = fault
            continue
        marks = described.get("annotations") or {}
        own, tag = marks.get("io.containerd.image.name"), marks.get("org.opencontainers.image.ref.name", "")
        if own:
            names.append(own)
        elif "/" in tag or ":" in tag:
            base = _without_tag(tag)
            names.append(tag)
        elif name:
            base = _without_tag(name)
            names.append(f"{base}:{tag or 'latest'}")
        else:
            wrong = "the image in it has no name; give it one with --as NAME"
    if not names:
        raise ValueError(wrong)
    return names, base


def _fault(contents: _Contents, described: Mapping[str, Any]) -> str:
    """Why what a descriptor points at cannot run here; empty when it can."""
    manifest = contents.document(_path(described["digest"]))
    if "manifests" in manifest:
        # Of an image for several machines an archive may hold a part.
        parts = [part for part in manifest["manifests"] if contents.has(_path(part["digest"]))]
        faults = [_fault(contents, part) for part in parts]
        return "" if "" in faults else next(iter(faults), "the image in it is for no machine at all")
    if "layers" not in manifest:
        return f"{described['digest']} in it is no image"
    _complete(contents, [_path(layer["digest"]) for layer in manifest["layers"]])
    return _wrong_machine(contents.document(_path(manifest["config"]["digest"])))


def _docker(contents: _Contents) -> list[str]:
    """The names in docker's archive (moby, image/spec/v1.2.md)."""
    names: list[str] = []
    for image in contents.document("manifest.json"):
        config = contents.document(image["Config"])
        _complete(contents, image["Layers"])
        fault = _wrong_machine(config)
        if fault:
            raise ValueError(fault)
        names += image.get("RepoTags") or ()
    if not names:
        raise ValueError("the image in it has no name; save it as `docker save NAME:TAG`")
    return names


def _complete(contents: _Contents, layers: list[str]) -> None:
    missing = [layer for layer in layers if not contents.has(layer)]
    if missing:
        raise ValueError(f"it is not complete: it refers to {missing[0]}, which is not in it")


def _wrong_machine(config: Mapping[str, Any]) -> str:
    system, machine = config.get("os", "linux"), config.get("architecture", architecture())
    if (system, machine) == ("linux", architecture()):
        return ""
    return f"the image in it is for {system}/{machine}; this machine is linux/{architecture()}"


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _without_tag(name: str) -> str:
    return re.sub(r":[^/:]+$", "", name.partition("@")[0])
