"""Objects as protobuf, as Go clients send them: what the server's reader knows, written by the same tables."""

from __future__ import annotations

import base64
import struct
from datetime import datetime
from functools import cache
from typing import Any

from bench.fuzz.mutations import written
from homeostat.api.shape.schema import Schema, schema_named
from homeostat.apiserver.bodies.protobuf_fields import FIELDS

_API, _META = "io.k8s.api.", "io.k8s.apimachinery.pkg.apis."
_INLINED = {
    "localObjectReference": "core.v1.LocalObjectReference",
    "handler": "core.v1.ProbeHandler",
    "volumeSource": "core.v1.VolumeSource",
    "ingressRuleValue": "networking.v1.IngressRuleValue",
}


@cache
def _tables() -> dict[str, list[tuple[str, int]]]:
    tables: dict[str, list[tuple[str, int]]] = {}
    for line in FIELDS.strip().replace("\n ", "").splitlines():
        message, *fields = line.split()
        pairs = [field.rstrip("?").split("=") for field in fields]
        name = f"{_META}{message}" if message.startswith("meta.") else f"{_API}{message}"
        tables[name] = [(field, int(number)) for field, number in pairs]
    return tables


def known(definition: str) -> bool:
    """Whether objects of that type can be written."""
    return definition in _tables()


def encode(obj: dict[str, Any], definition: str) -> bytes:
    """The body of an object; what the tables do not have is left out."""
    head = _field(1, _text(1, obj.get("apiVersion", "")) + _text(2, obj.get("kind", "")))
    return b"k8s\x00" + head + _field(2, _message(obj, definition, schema_named(definition)))


def _message(obj: Any, table: str, place: Schema) -> bytes:
    if not isinstance(obj, dict):
        return b""
    out = b""
    for name, number in _tables().get(table, ()):
        if name in _INLINED:
            out += _field(number, _message(obj, _API + _INLINED[name], place))
        elif name in obj and name in place.properties:
            out += _values(number, obj[name], place.properties[name])
    return out


def _values(number: int, value: Any, place: Schema) -> bytes:
    if place.items is not None and isinstance(value, list):
        items = place.items
        return b"".join(_value(number, item, items) for item in value)
    if place.values is not None and isinstance(value, dict):
        values = place.values
        return b"".join(_field(number, _text(1, key) + _value(2, each, values)) for key, each in value.items())
    return _value(number, value, place)


def _value(number: int, value: Any, place: Schema) -> bytes:
    if place.definition.endswith(("Time", "MicroTime")):
        try:
            seconds = int(datetime.fromisoformat(str(value)).timestamp())
        except ValueError:
            return _field(number, str(value).encode(errors="replace"))
        return _field(number, _number(1, seconds))
    if place.is_int_or_string:
        inner = _number(2, value) if isinstance(value, int) else _number(1, 1) + _text(3, value)
        return _field(number, inner)
    if place.is_quantity:
        return _field(number, _text(1, value))
    if place.preserve_unknown:
        return _field(number, _field(1, written(value)))
    if isinstance(value, bool | int) and place.type in ("integer", "boolean"):
        return _number(number, int(value))
    if place.type == "number" and isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    if place.format == "byte" and isinstance(value, str):
        return _field(number, _bytes(value))
    if isinstance(value, dict):
        return _field(number, _message(value, place.definition, place))
    return _text(number, value)


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value + "==", validate=False)
    except ValueError:
        return value.encode(errors="replace")


def _text(number: int, value: Any) -> bytes:
    return _field(number, str(value).encode(errors="replace"))


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value & (1 << 64) - 1)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
