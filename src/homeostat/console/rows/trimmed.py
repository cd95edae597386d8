"""What is kept of an object: its JSON without what pages do not show, and never a value of a Secret. Pure."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any, TypeAlias

import orjson

from homeostat.api.rules.wellknown import ANNOTATION_LAST_APPLIED
from homeostat.api.types import Obj

_LEVEL = 1
_DICTIONARY_BYTES_MAX = 24 * 1024
_SMALL_BYTES = 256

Packed: TypeAlias = bytes


def trim(group: str, plural: str, obj: Obj) -> Obj:
    """The object without managed fields and the manifest that was last applied, in place; the values of a Secret are
    replaced by their lengths in bytes."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
        annotations = metadata.get("annotations")
        if (
            isinstance(annotations, dict)
            and annotations.pop(ANNOTATION_LAST_APPLIED, None) is not None
            and not annotations
        ):
            del metadata["annotations"]
    if (group, plural) == ("", "secrets"):
        _hide(obj)
    return obj


def _hide(secret: Obj) -> None:
    for field, encoded in (("data", True), ("stringData", False)):
        values = secret.get(field)
        if isinstance(values, dict):
            secret[field] = {name: _length(value, encoded=encoded) for name, value in values.items()}
        elif values is not None:
            del secret[field]


def _length(value: Any, *, encoded: bool) -> int:
    if not isinstance(value, str):
        return 0
    if not encoded:
        return len(value.encode())
    try:
        return len(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return len(value)


class Packing:
    """Keeps objects of one resource small: what they have in common with the first one is not kept again."""

    def __init__(self) -> None:
        self._dictionary = b""

    def pack(self, obj: Obj) -> Packed:
        """The object in few bytes."""
        content = orjson.dumps(obj)
        if not self._dictionary:
            self._dictionary = content[:_DICTIONARY_BYTES_MAX]
        if len(content) < _SMALL_BYTES:
            return b"\0" + content
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=self._dictionary)
        return b"\1" + packer.compress(content) + packer.flush()

    def json(self, packed: Packed) -> bytes:
        """The object's JSON."""
        if packed[0] == 0:
            return packed[1:]
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._dictionary)
        return unpacker.decompress(packed[1:]) + unpacker.flush()

    def unpack(self, packed: Packed) -> Obj:
        """The object."""
        found: Obj = orjson.loads(self.json(packed))
        return found
