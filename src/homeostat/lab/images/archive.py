"""An image archive that both worlds read: an OCI image layout with docker's `manifest.json` beside it, in one tar.

Layers are compressed by gzip at its fastest: an import writes less to disk and so ends sooner than with plain tars
(docs/decisions/0017-images-from-this-machine.md has the figures).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from homeostat.lab.images.spec import ImageSpec, architecture
from homeostat.lab.images.tree import FIXED_SECONDS, Tree

CREATED = "2020-01-01T00:00:00Z"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """Something addressed by the SHA-256 of its bytes: a layer's file, or a short document."""

    digest: str
    size: int
    file: Path | None = None
    data: bytes = b""

    @property
    def path(self) -> str:
        """Its path in the layout."""
        return f"blobs/sha256/{self.digest}"

    def descriptor(self, media_type: str) -> dict[str, Any]:
        """How other documents point at it (image-spec, descriptor.md)."""
        return {"mediaType": media_type, "digest": f"sha256:{self.digest}", "size": self.size}


def document(value: object) -> Blob:
    """A JSON document as a blob."""
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return Blob(hashlib.sha256(data).hexdigest(), len(data), data=data)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's compressed file, and the digest of what it holds (its DiffID: image-spec, config.md)."""

    blob: Blob
    diff_id: str


def pack(tree: Tree, target: Path) -> Layer:
    """Write a layer's file; its digests are taken on the way."""
    with target.open("wb", buffering=BUFFER_BYTES) as file:
        packed = _Hashing(file)
        # No name and no time in the header: equal trees give equal bytes.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=packed, mtime=0) as squeezed:
            plain = _Hashing(squeezed)
            tree.write(cast(BinaryIO, plain))
    return Layer(Blob(packed.hexdigest(), packed.size, file=target), plain.hexdigest())


def write(spec: ImageSpec, layers: list[Layer], out: BinaryIO) -> str:
    """The whole archive; returns the digest of the image's manifest, `sha256:...`."""
    config = document(
        {
            "created": CREATED,
            "architecture": architecture(),
            "os": "linux",
            "config": spec.run_config(),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
            "history": [{"created": CREATED, "created_by": "homeostat"} for _ in layers],
        }
    )
    manifest = document(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(CONFIG),
            "layers": [layer.blob.descriptor(LAYER) for layer in layers],
        }
    )
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [_named(manifest, spec.name)]}
    docker = [{"Config": config.path, "RepoTags": [spec.name], "Layers": [layer.blob.path for layer in layers]}]
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, bufsize=BUFFER_BYTES) as tar:
        _put(tar, "oci-layout", orjson.dumps({"imageLayoutVersion": "1.0.0"}))
        _put(tar, "index.json", orjson.dumps(index))
        _put(tar, "manifest.json", orjson.dumps(docker))
        for blob in {blob.digest: blob for blob in (manifest, config, *(layer.blob for layer in layers))}.values():
            _put(tar, blob.path, blob.file or blob.data)
    return f"sha256:{manifest.digest}"


def _named(manifest: Blob, name: str) -> dict[str, Any]:
    platform = {"architecture": architecture(), "os": "linux"}
    # containerd reads the first annotation, other tools the second (image-spec, annotations.md).
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    return {**manifest.descriptor(MANIFEST), "platform": platform, "annotations": names}


def _put(tar: tarfile.TarFile, path: str, content: bytes | Path) -> None:
    header = tarfile.TarInfo(path)
    header.mtime = FIXED_SECONDS
    if isinstance(content, Path):
        header.size = content.stat().st_size
        with content.open("rb") as file:
            tar.addfile(header, file)
    else:
        header.size = len(content)
        tar.addfile(header, io.BytesIO(content))


class _Hashing(io.RawIOBase):
    """A stream to write to that knows the SHA-256 and the length of what went through."""

    def __init__(self, below: BinaryIO | gzip.GzipFile) -> None:
        self._below = below
        self._digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._below.write(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
