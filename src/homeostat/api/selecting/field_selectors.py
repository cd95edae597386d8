"""Field selectors (`status.phase=Running,spec.nodeName!=n1`): which fields each kind can be selected by.

The fields are those of Kubernetes' own conversions; any other is refused with its message. Matching reads the
object's JSON and compares text, absent fields being Go's zero values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from homeostat.api.fields import show
from homeostat.api.selecting.label_selectors import TEXT_BYTES_MAX, SelectorError
from homeostat.api.types import Obj

_NAMES = {"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace"}
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _same(*paths: str) -> dict[str, str]:
    return {path: path for path in paths}


# (group, kind) -> selectable field -> the value's path in the object.
_FIELDS: dict[tuple[str, str], dict[str, str]] = {
    ("", "Pod"): _NAMES
    | {"spec.host": "spec.nodeName"}
    | _same("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName")
    | _same("spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    ("", "Node"): {"metadata.name": "metadata.name", "spec.unschedulable": "spec.unschedulable"},
    ("", "Namespace"): {"metadata.name": "metadata.name", "name": "metadata.name", "status.phase": "status.phase"},
    ("", "Secret"): _NAMES | _same("type"),
    ("", "Service"): _NAMES | _same("spec.clusterIP", "spec.type"),
    ("", "ReplicationController"): _NAMES | _same("status.replicas"),
    ("", "Event"): _NAMES
    | {f"involvedObject.{name}": f"involvedObject.{name}" for name in _INVOLVED}
    | {"reason": "reason", "type": "type", "source": "source.component"}
    | {"reportingComponent": "reportingComponent"},
    ("events.k8s.io", "Event"): _NAMES
    | {f"regarding.{name}": f"regarding.{name}" for name in _INVOLVED}
    | _same("reason", "type", "reportingController"),
    ("apps", "ReplicaSet"): _NAMES | _same("status.replicas"),
    ("batch", "Job"): _NAMES | {"status.successful": "status.succeeded"},
    ("certificates.k8s.io", "CertificateSigningRequest"): {"metadata.name": "metadata.name"} | _same("spec.signerName"),
}

# Where to look for a value that is empty: an Event that names no source was reported by a controller.
ELSE = {"source.component": "reportingComponent"}
_ZERO = {
    "spec.unschedulable": "false",
    "spec.hostNetwork": "false",
    "status.replicas": "0",
    "status.succeeded": "0",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison. `path` is the field as the kind's objects have it."""

    path: str
    value: str
    negated: bool
    read: Callable[[Obj], str]


class FieldSelector:
    """A conjunction of terms. `equal` maps paths to the values they must have (what an index can use)."""

    __slots__ = ("equal", "terms")

    def __init__(self, terms: tuple[Term, ...]) -> None:
        self.terms = terms
        self.equal = {term.path: term.value for term in terms if not term.negated}

    @property
    def everything(self) -> bool:
        """Whether all objects match."""
        return not self.terms

    def matches(self, obj: Obj) -> bool:
        """Whether the object meets every term."""
        return all((term.read(obj) == term.value) is not term.negated for term in self.terms)

    def __str__(self) -> str:
        return ",".join(f"{term.path}{'!=' if term.negated else '='}{term.value}" for term in self.terms)


EVERYTHING = FieldSelector(())


class SelectableFields:
    """The fields that objects of one kind can be selected by, and the selectors over them.

    `paths` maps a field, as selectors name it, to its place in the object; None where no field was chosen for the kind,
    so that it has its name and namespace alone.
    """

    def __init__(self, paths: Mapping[str, str] | None = None) -> None:
        self._paths = paths
        known = _NAMES if paths is None else paths
        # The paths beside those of the name and the namespace, and what absent reads as.
        self.zeros = {path: _ZERO.get(path, "") for path in known.values() if path not in _NAMES}
        self._parsed = lru_cache(maxsize=256)(self._parse)

    def parse(self, text: str) -> FieldSelector:
        """The selector that `text` writes. Raises SelectorError."""
        if not text:
            return EVERYTHING
        if len(text) > TEXT_BYTES_MAX:
            raise SelectorError(f"field selector is too long: may not be more than {TEXT_BYTES_MAX} bytes")
        return self._parsed(text) if len(text) <= 1024 else self._parse(text)

    def _parse(self, text: str) -> FieldSelector:
        terms = []
        for piece in _split(text):
            if not piece:
                continue
            left, operator, right = _halves(piece)
            if not operator:
                raise SelectorError(f"invalid selector: '{text}'; can't understand '{piece}'")
            path = self._path(left)
            terms.append(Term(path, _unescape(right), operator == "!=", _reader(path)))
        return FieldSelector(tuple(terms))

    def _path(self, field: str) -> str:
        if self._paths is None:
            if field in _NAMES:
                return field
            only = 'only "metadata.name", "metadata.namespace"'
            raise SelectorError(f"{show(field)} is not a known field selector: {only}")
        if field not in self._paths:
            raise SelectorError(f"field label not supported: {field}")
        return self._paths[field]


def built_in(group: str, kind: str) -> SelectableFields:
    """The selectable fields of a built-in kind."""
    return SelectableFields(_FIELDS.get((group, kind)))


def of_paths(paths: Iterable[str]) -> SelectableFields:
    """The name, the namespace, and the fields at these paths of the object."""
    return SelectableFields(_NAMES | _same(*paths))


def _split(text: str) -> list[str]:
    """Terms between commas; a backslash keeps the character after it (fields.splitTerms)."""
    if "\\" not in text:
        return text.split(",")
    pieces, start, escaped = [], 0, False
    for place, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            pieces.append(text[start:place])
            start = place + 1
    return [*pieces, text[start:]]


def _halves(piece: str) -> tuple[str, str, str]:
    """The field, the operator that comes first, and the value."""
    for place in range(len(piece)):
        for operator in ("!=", "==", "="):
            if piece.startswith(operator, place):
                return piece[:place], operator, piece[place + len(operator) :]
    return piece, "", ""


def _unescape(value: str) -> str:
    """The value without escapes; only backslash, comma and equals may be escaped (fields.UnescapeValue)."""
    if "\\" not in value and "=" not in value:
        return value
    out: list[str] = []
    escaped = False
    for char in value:
        if escaped and char not in "\\,=":
            raise SelectorError(f"invalid field selector: invalid escape sequence: \\{char}")
        if not escaped and char == "\\":
            escaped = True
            continue
        if not escaped and char == "=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {char}")
        out.append(char)
        escaped = False
    if escaped:
        raise SelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(out)


@lru_cache(maxsize=256)
def _reader(path: str) -> Callable[[Obj], str]:
    parts = tuple(path.split("."))
    zero = _ZERO.get(path, "")
    instead = _reader(ELSE[path]) if path in ELSE else None

    def read(obj: Obj) -> str:
        value: Any = obj
        for part in parts:
            value = value.get(part)
            if value is None:
                return instead(obj) if instead is not None else zero
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) or (instead(obj) if instead is not None else "")

    return read
