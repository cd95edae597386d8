"""Brings a decoded object into the shape of its kind, as kube-apiserver's typed decoding does.

Wrong types are refused with the decoder's words (400), unknown fields are dropped and reported, nulls and empty
optional lists and maps go, quantities and times take their canonical form. One walk a type (`Walks`), compiled when the
type is first seen. This is about shape alone: what values mean is `api.validation`'s business, what is absent
`api.shape.defaults`'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from homeostat.api.errors import ApiError, Cause
from homeostat.api.fields import CAUSES_MAX
from homeostat.api.kinds import Kind, Subresource
from homeostat.api.shape import scalars
from homeostat.api.shape.duplicates import PROBLEMS_MAX, duplicate_fields
from homeostat.api.shape.remembered import Remembered, text_of
from homeostat.api.shape.required import Required
from homeostat.api.shape.schema import BYTE, DATE_TIME, Schema
from homeostat.api.types import Obj

# A check gets the value, the dict or list that holds it, its key or index there, and where to note what it finds.
Check: TypeAlias = Callable[[Any, Any, Any, "Notes"], None]
# Of one field: the exact type that needs no more than `check`, that check, whether an empty value is dropped, schema.
_Entry: TypeAlias = tuple[type | None, Check | None, bool, Schema]

# The type of which the same value comes again and again: once for each Pod of a template.
_REPEATED = "io.k8s.api.core.v1.PodSpec"
_PYTHON_TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


@dataclass(slots=True)
class Notes:
    """What a walk finds: the containers represent their paths, which are only built when they are needed.

    `is_json` says that what is walked was decoded from JSON, so that its text is complete.
    """

    is_json: bool = False
    unknown: list[tuple[Any, str]] = field(default_factory=list)
    missing: list[tuple[Any, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Findings:
    """`problems` are unknown and duplicate fields in kubectl's words; `missing` the required fields that are absent."""

    problems: list[str]
    missing: list[Cause]


class Mismatch(Exception):
    """A value of the wrong type; `box` and `key` say where it is."""

    def __init__(self, box: Any, key: Any, value: Any) -> None:
        super().__init__()
        self.box, self.key, self.value = box, key, value


class Misshapen(ApiError):
    """400: an object that cannot be of its kind; `why` is the decoder's reason alone."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(400, "BadRequest", message)
        self.why = why


class Shape(Protocol):
    """What an object is brought into the shape of: a kind, or what a subresource takes."""

    @property
    def kind(self) -> Kind | Subresource:
        """What it is called."""
        ...

    @property
    def schema(self) -> Schema:
        """Its schema."""
        ...

    @property
    def walk(self) -> Check:
        """The compiled walk over a whole object."""
        ...


def conform(
    shape: Shape, obj: Obj, *, field_validation: str = "Ignore", body: bytes = b"", is_json: bool = False
) -> Findings:
    """Bring `obj` into a shape, in place.

    `field_validation` is Ignore, Warn or Strict. `body` is the JSON that `obj` was decoded from, for duplicate fields;
    `is_json` says that it came from JSON where there is no one body.
    Raises Misshapen on a value of the wrong type and, in Strict, on unknown and duplicate fields.
    """
    kind = shape.kind
    notes = Notes(is_json=is_json or bool(body))
    strict = field_validation in ("Warn", "Strict")
    doubled = duplicate_fields(body, obj) if strict else []
    try:
        shape.walk(obj, None, None, notes)
    except Mismatch as wrong:
        raise _cannot_handle(kind, _unmarshal_text(shape.schema, kind.kind, obj, wrong)) from None
    except scalars.Malformed as wrong:
        raise _cannot_handle(kind, str(wrong)) from None
    problems: list[str] = []
    if strict:
        problems = [f'unknown field "{path}"' for path in _paths(obj, notes.unknown[:PROBLEMS_MAX])]
        problems += [f'duplicate field "{path}"' for path in doubled]
    if problems and field_validation == "Strict":
        raise _cannot_handle(kind, "strict decoding error: " + ", ".join(problems))
    required = [Cause("FieldValueRequired", path, "Required value") for path in _paths(obj, notes.missing[:CAUSES_MAX])]
    return Findings(problems[:PROBLEMS_MAX], required)


def _cannot_handle(kind: Kind | Subresource, why: str) -> Misshapen:
    return Misshapen(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}', why)


# ---- the compiled walk


class Walks:
    """The walks of the built-in types, each compiled when it is first needed."""

    def __init__(self, required: Required) -> None:
        self._required = required
        self._known: dict[str, Check] = {}

    def of(self, schema: Schema) -> Check:
        """The walk of an object with named fields; one for each definition, whoever refers to it."""
        known = self._known.get(schema.definition)
        if known is not None:
            return known
        entries: dict[str, _Entry] = {}
        needed = self._required.needed_fields(schema)
        check = _object_check(entries, needed)
        # Before the fields: a type may hold itself (JSONSchemaProps).
        self._known[schema.definition] = _once(check) if schema.definition == _REPEATED else check
        for name, place in schema.properties.items():
            exact, inner = self._compile(place)
            if name in needed and exact is str and inner is None:
                inner = _check_filled
            drop_empty = exact is list or place.values is not None
            entries[name] = (exact, inner, drop_empty and not self._required.may_be_empty(schema, name), place)
        return self._known[schema.definition]

    def _compile(self, place: Schema) -> tuple[type | None, Check | None]:
        """The exact type that a value of this place has, and what is left to check of it (None: nothing)."""
        if place.preserve_unknown:
            return dict, None
        if place.is_int_or_string:
            return int, None
        if place.is_quantity:
            return str, scalars.check_quantity
        if place.type == "object":
            return dict, _map_check(
                place.values, *self._compile(place.values)
            ) if place.values is not None else self.of(place)
        if place.type == "array" and place.items is not None:
            return list, _list_check(place.items, *self._compile(place.items))
        if place.type == "number":
            return float, None
        if place.format == DATE_TIME:
            return str, scalars.check_micro_time if place.definition.endswith(".MicroTime") else scalars.check_time
        if place.format == BYTE:
            return str, scalars.check_base64
        if place.format == "int32":
            return int, _check_int32
        return _PYTHON_TYPES[place.type], None


def _object_check(entries: dict[str, _Entry], needed: frozenset[str]) -> Check:
    """The walk of an object whose fields are `entries`, which may be filled in later."""
    entry_of = entries.get

    def check(value: Any, box: Any, key: Any, notes: Notes) -> None:
        drops: list[str] = []
        for name, child in value.items():
            entry = entry_of(name)
            if entry is None:
                notes.unknown.append((value, name))
                drops.append(name)
                continue
            exact, inner, drop_empty, place = entry
            if child.__class__ is exact:
                if inner is None:
                    pass
                elif child or not drop_empty:
                    inner(child, value, name, notes)
                else:
                    drops.append(name)
            elif child is None:
                drops.append(name)
            else:
                _odd(child, value, name, place)
        for name in drops:
            del value[name]
        if needed and not needed <= value.keys():
            notes.missing += [(value, name) for name in sorted(needed - value.keys())]

    return check


def _once(walk: Check) -> Check:
    """The same walk, which passes over values that it once left as they were."""
    good = Remembered()

    def check(value: Any, box: Any, key: Any, notes: Notes) -> None:
        text = text_of(value) if notes.is_json else b""
        if text in good:
            return
        found = len(notes.unknown) + len(notes.missing)
        walk(value, box, key, notes)
        if text and found == len(notes.unknown) + len(notes.missing) and text_of(value) == text:
            good.add(text)

    return check


def _check_filled(value: Any, box: Any, key: Any, notes: Notes) -> None:
    if not value:
        notes.missing.append((box, key))


def _check_int32(value: Any, box: Any, key: Any, notes: Notes) -> None:
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise Mismatch(box, key, value)


def _map_check(values: Schema, exact: type | None, inner: Check | None) -> Check:
    def check(value: Any, box: Any, key: Any, notes: Notes) -> None:
        for name, child in value.items():
            if child.__class__ is not exact:
                _odd_element(child, value, name, values)
            elif inner is not None:
                inner(child, value, name, notes)

    return check


def _list_check(items: Schema, exact: type | None, inner: Check | None) -> Check:
    def check(value: Any, box: Any, key: Any, notes: Notes) -> None:
        for at, child in enumerate(value):
            if child.__class__ is not exact:
                _odd_element(child, value, at, items)
            elif inner is not None:
                inner(child, value, at, notes)

    return check


def _odd(value: Any, box: Any, key: Any, place: Schema) -> None:
    """A value that is not of its place's exact type: put right what Go would take, refuse the rest."""
    got = value.__class__
    if place.preserve_unknown or (place.is_int_or_string and got is str):
        return
    if place.is_quantity and got in (int, float):
        box[key] = scalars.canonical_quantity(str(value))
    elif place.is_quantity:
        raise scalars.Malformed(scalars.BAD_QUANTITY)
    elif place.type == "number" and got is int:
        box[key] = float(value)
    elif place.is_int_or_string:
        raise scalars.Malformed(f"json: cannot unmarshal {_go_value(value)} into Go value of type int32")
    elif place.format == DATE_TIME:
        raise scalars.Malformed(f"json: cannot unmarshal {_go_value(value)} into Go value of type string")
    else:
        raise Mismatch(box, key, value)


def _odd_element(value: Any, box: Any, key: Any, place: Schema) -> None:
    """Like `_odd`, for the items of a list or map, where a null is the type's zero value."""
    if value is None:
        box[key] = _zero(place)
    else:
        _odd(value, box, key, place)


def _zero(place: Schema) -> Any:
    """Go's zero value of a place, as it is written out."""
    if place.preserve_unknown or place.type == "array" or place.format in (DATE_TIME, BYTE):
        return None
    if place.is_quantity:
        return "0"
    if place.is_int_or_string:
        return 0
    return _PYTHON_TYPES[place.type]()


# ---- where it was


_Steps: TypeAlias = tuple[str | int, ...]


def _ways(root: Any, boxes: set[int]) -> dict[int, _Steps]:
    """The keys and indices that lead from `root` to the containers with these identities, found in one walk."""
    found: dict[int, _Steps] = {}
    todo: list[tuple[Any, _Steps]] = [(root, ())]
    while todo and len(found) < len(boxes):
        here, way = todo.pop()
        if id(here) in boxes:
            found[id(here)] = way
        children = here.items() if isinstance(here, dict) else enumerate(here)
        todo += [(child, (*way, key)) for key, child in children if isinstance(child, dict | list)]
    return found


def _paths(root: Any, notes: list[tuple[Any, str]]) -> list[str]:
    """`spec.containers[0].image`: the place of each key in its container, in the words of field paths."""
    if not notes:
        return []
    ways = _ways(root, {id(box) for box, _ in notes})
    return [_path((*ways.get(id(box), ()), key)) for box, key in notes]


def _path(steps: _Steps) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _go_value(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}"
    return {"str": "string", "dict": "object", "list": "array"}.get(type(value).__name__, "null")


def _short(definition: str) -> str:
    """`v1.PodSpec`, from a definition's full name."""
    return ".".join(definition.rsplit(".", 2)[-2:])


def _go_type(place: Schema) -> str:
    if place.items is not None:
        return "[]" + _go_type(place.items)
    if place.values is not None:
        return "map[string]" + _go_type(place.values)
    if place.type == "object":
        return _short(place.definition)
    if place.type == "integer":
        return place.format or "int"
    if place.format == BYTE:
        return "[]uint8"
    return {"boolean": "bool", "number": "float64"}.get(place.type, "string")


def _unmarshal_text(schema: Schema, kind: str, root: Obj, wrong: Mismatch) -> str:
    """Go's words for a value of the wrong type: the innermost struct, the field path without indices, the Go type."""
    struct, names, place = kind, [], schema
    for step in (*_ways(root, {id(wrong.box)}).get(id(wrong.box), ()), wrong.key):
        if place.items is not None:
            place = place.items
        elif place.values is not None:
            place = place.values
        else:
            struct = place.definition.rsplit(".", 1)[-1]
            names.append(str(step))
            place = place.properties[str(step)]
    got = _go_value(wrong.value)
    if got.startswith("number") and place.type != "integer":
        got = "number"
    where = f"{struct}.{'.'.join(names)}"
    return f"json: cannot unmarshal {got} into Go struct field {where} of type {_go_type(place)}"
