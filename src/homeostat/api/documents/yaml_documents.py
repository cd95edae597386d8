"""YAML documents as the JSON that they mean, as Kubernetes reads them: names of fields are text, times stay text.

The value is made from the parser's events, one after the other: nothing here or below recurses, and what aliases and
merges would repeat is counted before it is made. Which plain texts are numbers or booleans is decided as go-yaml does
(no numbers of base 60). Only the first document of a text is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import orjson
import yaml

from homeostat.api.documents.json_documents import DEEP, DEPTH_MAX, DocumentError, TooLarge

# Values in one document, names of fields and what aliases repeat counted. Each costs more than in JSON.
NODES_MAX = 100_000
# What the texts of a document may add up to when aliases are written out: two bodies' worth.
_TEXT_MAX = 6 * 1024 * 1024
# A longer plain text is no number that anybody writes.
_NUMBER_MAX = 128

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset(("!", f"{_TAG}str", f"{_TAG}timestamp"))
_PLAIN = frozenset((f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float"))
_CONTAINERS = frozenset((None, "!", f"{_TAG}map", f"{_TAG}seq"))
_ENDS = (yaml.DocumentEndEvent, yaml.StreamEndEvent)
_WORDS: dict[str, bool | None] = {
    **{text: form for word, form in (("yes", True), ("true", True), ("on", True), ("no", False), ("false", False),
                                     ("off", False), ("null", None)) for text in (word, word.title(), word.upper())},
    "~": None,
    "": None,
}  # fmt: skip
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)").fullmatch
_DIGITS = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))").fullmatch
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII).fullmatch


@dataclass(slots=True)
class _Known:
    """What an anchor names: the value, how many values and how much text it holds, how deep it is."""

    value: Any
    nodes: int
    text: int
    height: int


@dataclass(slots=True)
class _Open:
    """A list or object that is not finished. `key` is the name whose value comes next, None where a name comes."""

    value: Any
    anchor: str | None
    nodes: int
    text: int
    height: int = 1
    key: str | None = None
    merging: bool = False
    merged: list[Any] = field(default_factory=list)


def load(text: bytes | str) -> Any:
    """The JSON value of the first document in `text`; None for an empty one. Raises DocumentError."""
    try:
        parser = _Loader(text)
        try:
            return _Reader().read(parser.get_event)
        finally:
            parser.dispose()
    except yaml.YAMLError as error:
        raise DocumentError(str(error)) from error


class _Reader:
    """Makes one document's value from events; counts what it makes, with what aliases repeat."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._anchors: dict[str, _Known] = {}
        self._nodes = 0
        self._text = 0
        self._result: Any = None
        self._shared = False

    def read(self, following: Callable[[], Any]) -> Any:
        """The value of the document whose events `following` gives. Raises DocumentError."""
        act: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
        }
        while (event := following()).__class__ not in _ENDS:
            if (step := act.get(event.__class__)) is not None:
                step(event)
        # Aliases share what they repeat, and callers change the value in place.
        return orjson.loads(orjson.dumps(self._result)) if self._shared else self._result

    def _scalar(self, event: Any) -> None:
        if event.value == "<<" and event.implicit[0] and event.tag is None and self._open and self._names():
            self._open[-1].merging = True
            return
        self._count(1, len(event.value))
        value = _value(event)
        if event.anchor:
            self._anchors[event.anchor] = _Known(value, 1, len(event.value), 0)
        self._put(value, 0)

    def _alias(self, event: Any) -> None:
        anchor = event.anchor
        known = self._anchors.get(anchor)
        if known is None:
            inside = any(place.anchor == anchor for place in self._open)
            unknown = f"unknown anchor '{anchor}' referenced"
            raise DocumentError(f"anchor '{anchor}' value contains itself" if inside else unknown)
        try:
            self._count(known.nodes, known.text)
        except TooLarge:
            raise DocumentError("document contains excessive aliasing") from None
        if len(self._open) + known.height > DEPTH_MAX:
            raise DocumentError(DEEP)
        self._shared = self._shared or known.height > 0
        self._put(known.value, known.height)

    def _begin(self, event: Any) -> None:
        if event.tag not in _CONTAINERS:
            raise DocumentError(f"the tag {event.tag} is not supported")
        if self._open and self._names():
            raise DocumentError("invalid map key: only text, numbers and booleans can be names of fields")
        if len(self._open) >= DEPTH_MAX:
            raise DocumentError(DEEP)
        self._count(1, 0)
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(value, event.anchor, self._nodes - 1, self._text))

    def _end(self, _: Any) -> None:
        done = self._open.pop()
        for more in done.merged:
            for key, value in more.items():
                done.value.setdefault(key, value)
        if done.anchor:
            size, text = self._nodes - done.nodes, self._text - done.text
            self._anchors[done.anchor] = _Known(done.value, size, text, done.height)
        self._put(done.value, done.height)

    def _names(self) -> bool:
        """Whether the name of a field comes next."""
        place = self._open[-1]
        return isinstance(place.value, dict) and place.key is None and not place.merging

    def _put(self, value: Any, height: int) -> None:
        """The value, `height` levels deep, is attached where the next one belongs."""
        if not self._open:
            self._result = value
            return
        place = self._open[-1]
        place.height = max(place.height, height + 1)
        if isinstance(place.value, list):
            place.value.append(value)
        elif place.merging:
            place.merged += _mergeable(value)
            place.merging = False
            self._shared = True
        elif place.key is None:
            place.key = _name(value)
        else:
            place.value[place.key] = value
            place.key = None

    def _count(self, nodes: int, text: int) -> None:
        self._nodes += nodes
        self._text += text
        if self._nodes > NODES_MAX or self._text > _TEXT_MAX:
            raise TooLarge(f"the document has more than {NODES_MAX} values")


def _mergeable(value: Any) -> list[Any]:
    """The objects of a merge, the one that counts most first. Raises DocumentError."""
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in found):
        raise DocumentError("map merge requires map or sequence of maps as the value")
    return found


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise DocumentError("unsupported map key of type null" if value is None else "invalid map key")


def _value(event: Any) -> Any:
    """What a scalar means. Raises DocumentError."""
    tag, text = event.tag, event.value
    if tag in _TEXTS or (tag is None and not event.implicit[0]):
        return text
    if tag is not None and tag not in _PLAIN:
        raise DocumentError(f"the tag {tag} is not supported")
    value = _resolved(text)
    if tag is not None and isinstance(value, str):
        raise DocumentError(f"cannot decode !!str `{text[:20]}` as a !!{tag.removeprefix(_TAG)}")
    return value


def _resolved(text: str) -> Any:
    """A plain text as go-yaml takes it: null, a boolean, a number, else text. Raises DocumentError."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _NUMBER_MAX or text[0] not in "+-.0123456789":
        return text
    if _NOT_JSON(text):
        raise DocumentError(f"json: unsupported value: {text}")
    plain = text.replace("_", "")
    if found := _DIGITS(plain):
        sign, *forms = found.groups()
        size = next(int(digits, base) for digits, base in zip(forms, (16, 2, 8, 10), strict=True) if digits)
        whole = -size if sign == "-" else size
        return whole if -(1 << 63) <= whole < 1 << 64 else float(whole)
    return float(plain) if _FLOAT(plain) and isfinite(float(plain)) else text
