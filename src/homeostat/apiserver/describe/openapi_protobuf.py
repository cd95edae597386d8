"""The OpenAPI v2 document as protobuf, the one form in which Go clients ask for it.

kubectl needs it where v3 cannot answer, such as for a manifest of an unknown kind. Pure: JSON object in, bytes out.
Field numbers are those of gnostic's OpenAPIv2.proto, for the fields that `api.openapi` writes; a field that is not here
raises KeyError rather than being left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from homeostat.api.types import Obj

MEDIA_TYPES = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)

_INFO = {"title": 1, "version": 2}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
_OPERATION = {"tags": 1, "description": 3, "operationId": 5, "produces": 6, "consumes": 7, "schemes": 10}
_BODY = {"description": 1, "name": 2, "in": 3, "required": 4}
_QUERY = {"required": 1, "in": 2, "description": 3, "name": 4, "type": 6, "uniqueItems": 20}
_PATH = {"required": 1, "in": 2, "description": 3, "name": 4, "type": 5, "uniqueItems": 19}
_SECURITY = {"type": 1, "name": 2, "in": 3}
_SCHEMA = {"$ref": 1, "format": 2, "description": 4, "uniqueItems": 16, "required": 19}
_LENGTH_DELIMITED = 2
_SMALL = [bytes((value,)) for value in range(128)]


def encode(document: Obj) -> bytes:
    """The message `Document`."""
    return b"".join(
        (
            _scalar(1, document["swagger"]),
            _part(2, _scalars(document["info"], _INFO)),
            _part(8, _named(2, document["paths"], _path_item)),
            _part(9, _named(1, document["definitions"], _schema)),
            _part(13, _named(1, document["securityDefinitions"], lambda item: _part(2, _scalars(item, _SECURITY)))),
        )
    )


def _schema(node: Obj) -> bytes:
    """Schema. Its type, items and additional properties are each a message of their own."""
    out = []
    for field, value in node.items():
        if field == "type":
            out.append(_part(22, _scalar(1, value)))
        elif field in ("items", "additionalProperties"):
            out.append(_part(23 if field == "items" else 21, _part(1, _schema(value))))
        elif field == "properties":
            out.append(_part(25, _named(1, value, _schema)))
        else:
            out.append(_extension(31, field, value) if field.startswith("x-") else _scalar(_SCHEMA[field], value))
    return b"".join(out)


def _path_item(item: Obj) -> bytes:
    methods = [_part(_METHODS[method], _operation(item[method])) for method in item if method != "parameters"]
    return b"".join((*methods, *(_part(9, _parameter(parameter)) for parameter in item.get("parameters", ()))))


def _operation(operation: Obj) -> bytes:
    out = []
    for field, value in operation.items():
        if field == "parameters":
            out += [_part(8, _parameter(parameter)) for parameter in value]
        elif field == "responses":
            out.append(_part(9, _named(1, value, _response)))
        else:
            out.append(_extension(13, field, value) if field.startswith("x-") else _scalar(_OPERATION[field], value))
    return b"".join(out)


def _parameter(parameter: Obj) -> bytes:
    """ParametersItem, around Parameter, around the message of the parameter's place."""
    where = parameter["in"]
    if where == "body":
        rest = {name: value for name, value in parameter.items() if name != "schema"}
        return _part(1, _part(1, _scalars(rest, _BODY) + _part(5, _schema(parameter["schema"]))))
    number, fields = (3, _QUERY) if where == "query" else (4, _PATH)
    return _part(1, _part(2, _part(number, _scalars(parameter, fields))))


def _response(response: Obj) -> bytes:
    """ResponseValue, around Response."""
    schema = _part(2, _part(1, _schema(response["schema"]))) if "schema" in response else b""
    return _part(1, _scalar(1, response["description"]) + schema)


# ---- the wire


def _scalars(values: Mapping[str, Any], numbers: Mapping[str, int]) -> bytes:
    return b"".join(_scalar(numbers[name], value) for name, value in values.items())


def _scalar(number: int, value: Any) -> bytes:
    """A string, a boolean, or several strings."""
    if isinstance(value, list):
        return b"".join(_scalar(number, one) for one in value)
    if isinstance(value, bool):
        return _varint(number << 3) + _varint(int(value))
    return _part(number, str(value).encode())


def _named(number: int, values: Mapping[str, Obj], encoded: Callable[[Obj], bytes]) -> bytes:
    """A map, which gnostic writes as pairs of name and value."""
    return b"".join(_part(number, _scalar(1, name) + _part(2, encoded(value))) for name, value in values.items())


def _extension(number: int, name: str, value: Any) -> bytes:
    """An `x-` field: its value is YAML text, which JSON is too."""
    return _part(number, _scalar(1, name) + _part(2, _part(2, orjson.dumps(value))))


def _part(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    if value < len(_SMALL):
        return _SMALL[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
