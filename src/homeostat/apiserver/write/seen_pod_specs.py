"""Bodies of new Pods with a spec that was seen before: the rest is decoded, the completed spec is reused.

What the shape and the defaults of a spec come to depends on its text alone, and nearly all Pods are made from
templates. Only the plain form of a body is looked at (the fields in the usual order, nothing given twice); any other,
and whatever has a fault, is left to the usual way, which alone words refusals and warnings.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from homeostat.api.documents.json_documents import DocumentError, from_json
from homeostat.api.errors import ApiError
from homeostat.api.shape.remembered import text_of
from homeostat.api.shape.structural import Shape, conform
from homeostat.api.types import Obj

# What is remembered at most is the product of the two, twice: 8 MB.
_TEXTS_MAX = 256
_BYTES_MAX = 16 * 1024

_HEADS = (b'{"apiVersion":"v1","kind":"Pod","metadata":', b'{"kind":"Pod","apiVersion":"v1","metadata":')
_TAILS = (b"}", b',"status":{}}')
_PLAIN = frozenset((head, tail) for head in _HEADS for tail in _TAILS)
_SPEC = b',"spec":'
_TEXTS = frozenset(("name", "generateName", "namespace"))
_MAPS = frozenset(("labels", "annotations"))


class _Parts(msgspec.Struct):
    metadata: msgspec.Raw
    spec: msgspec.Raw


_decode = msgspec.json.Decoder(_Parts).decode


def _is_plain(metadata: Any) -> bool:
    """Whether this is metadata of which the check of the shape would change nothing: texts, and maps of texts."""
    if metadata.__class__ is not dict:
        return False
    for name, value in metadata.items():
        if name in _TEXTS:
            if value.__class__ is not str:
                return False
        elif name not in _MAPS or value.__class__ is not dict or not value:
            return False
        else:
            for text in value.values():
                if text.__class__ is not str:
                    return False
    return True


class Templates:
    """The specs that were valid, as received and as completed; evicted first in, first out."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def parts(self, body: bytes) -> tuple[bytes, bytes] | None:
        """The texts of the metadata and the spec of a plain body; None of any other."""
        try:
            found = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        metadata, spec = bytes(found.metadata), bytes(found.spec)
        at = body.find(metadata)
        head, tail = body[:at], body[at + len(metadata) + len(_SPEC) + len(spec) :]
        if (head, tail) not in _PLAIN or body != b"%b%b%b%b%b" % (head, metadata, _SPEC, spec, tail):
            return None
        return metadata, spec

    def read(self, parts: tuple[bytes, bytes], shape: Shape) -> Obj | None:
        """The Pod in its shape and with its defaults; None when the spec is not known, or something has to be reported.

        `shape` is that of Pods."""
        known = self._known.get(parts[1])
        if known is None:
            return None
        try:
            metadata = from_json(parts[0])
            if orjson.dumps(metadata) != parts[0]:
                return None  # A field given twice, or another spelling.
            pod: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
            if not _is_plain(metadata):
                found = conform(shape, pod, field_validation="Warn", is_json=True)
                if found.problems or found.missing or pod.get("metadata") is None:
                    return None
        except (DocumentError, ApiError):
            return None
        pod["spec"] = orjson.loads(known)
        return pod

    def learn(self, parts: tuple[bytes, bytes], pod: Obj) -> None:
        """Remember the spec of an accepted Pod in which there was nothing to report, duplicate fields included."""
        text = text_of(pod.get("spec"))
        if text and len(parts[1]) <= _BYTES_MAX:
            self._known[parts[1]] = text
            if len(self._known) > _TEXTS_MAX:
                del self._known[next(iter(self._known))]
