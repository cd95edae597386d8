"""Reads the facts about Kubernetes' built-in kinds that `hatch_build.py` puts into `facts.json.xz`.

The file is three xz streams one after the other: the resources, the schema, the descriptions. Each is read when it is
first asked for, so that a process that only needs the table of kinds pays for that alone. Nothing else in this room
reads files.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orjson

from homeostat.api.types import Obj

_FILE = Path(__file__).with_name("facts.json.xz")


def _streams() -> Iterator[bytes]:
    """The file's documents, each unpacked only when it is asked for."""
    try:
        packed = _FILE.read_bytes()
    except FileNotFoundError:
        hint = "build the package (uv pip install -e .) or run `python hatch_build.py`"
        raise RuntimeError(f"the schema facts are missing ({_FILE.name}): {hint}") from None
    while packed:
        reader = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        yield reader.decompress(packed)
        packed = reader.unused_data


def _document(number: int) -> Obj:
    for at, stream in enumerate(_streams()):
        if at == number:
            document: Obj = orjson.loads(stream)
            return document
    raise RuntimeError(f"{_FILE.name} is cut short: it has no part {number}")


@cache
def resources() -> list[Obj]:
    """One entry a resource and version: group, version, kind, plural, namespaced, verbs, definition, subresources."""
    entries: list[Obj] = _document(0)["kinds"]
    return entries


def attribution() -> list[Obj]:
    """Which packages the facts come from, with their versions and licences."""
    sources: list[Obj] = _document(0)["attribution"]
    return sources


@cache
def definitions() -> dict[str, Obj]:
    """The schema of every type by its OpenAPI name; a `$ref` is such a name. Shared: do not change it."""
    found: dict[str, Obj] = _document(1)["definitions"]
    return found


@cache
def _definitions_by_kind() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for name, node in definitions().items():
        for gvk in node.get("x-kubernetes-group-version-kind", ()):
            api_version = f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]
            found[api_version, gvk["kind"]] = name
    return found


def definition_named(api_version: str, kind: str) -> str:
    """The OpenAPI name of a kind's schema, of kinds that are never stored too (`DeleteOptions`); "" for no kind."""
    return _definitions_by_kind().get((api_version, kind), "")


@cache
def descriptions() -> dict[str, dict[str, str]]:
    """The prose of every definition: its own under "", that of each property under the property's name."""
    found: dict[str, dict[str, str]] = _document(2)["descriptions"]
    return found
