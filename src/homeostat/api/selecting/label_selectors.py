"""Label selectors: the text that kubectl sends and the LabelSelector of the API, compiled to one fast matcher.

Parsing is linear in the text. Errors are `SelectorError`, a 400 with apimachinery's message (pkg/labels).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from homeostat.api import names
from homeostat.api.errors import ApiError
from homeostat.api.fields import show
from homeostat.api.types import Obj

Labels: TypeAlias = Mapping[str, str]

# Enough for any client; a selector of 10,000 terms is still answered, one of megabytes is refused unread.
TEXT_BYTES_MAX = 1_048_576

_token = re.compile(r"\s*(==|!=|[!=(),<>]|[^\s!=(),<>]+)")
_integer = re.compile(r"[-+]?[0-9]{1,32}", re.ASCII)
_BINARY = "in, notin, =, ==, !=, gt, lt"
_WORD_OPERATORS = ("in", "notin")
_SYMBOLS = frozenset(("==", "!=", "!", "=", "(", ")", ",", "<", ">"))
_OF_EXPRESSION = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def int64(text: str) -> int | None:
    """The number that `text` writes, as strconv.ParseInt reads it: decimal digits with an optional sign, in 64 bits.
    None for anything else."""
    if not _integer.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


class SelectorError(ApiError):
    """The selector cannot be understood (400)."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. `operator` is one of `=`, `!=`, `in`, `notin`, `exists`, `!`, `gt`, `lt`."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Whether `labels` meet this term; != and notin are met by labels without the key."""
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        (text,) = self.values
        number, bound = int64(value), int64(text)
        if number is None or bound is None:
            return False
        return number > bound if self.operator == "gt" else number < bound

    def __str__(self) -> str:
        listed = ",".join(sorted(self.values))
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({listed})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{listed}"
        return f"{self.key}{self.operator}{listed}"


class LabelSelector:
    """A conjunction of terms. `equal` holds the pairs that labels must have (what an index can use)."""

    __slots__ = ("equal", "nothing", "others", "requirements")

    def __init__(self, requirements: tuple[Requirement, ...], *, nothing: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda term: term.key))
        self.nothing = nothing
        self.equal = tuple((term.key, next(iter(term.values))) for term in requirements if _is_equality(term))
        self.others = tuple(term for term in requirements if not _is_equality(term))

    @property
    def everything(self) -> bool:
        """Whether all labels match, even none."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Labels | None) -> bool:
        """Whether `labels` meet every term."""
        if self.nothing:
            return False
        if labels is None:
            labels = {}
        for key, value in self.equal:
            if labels.get(key) != value:
                return False
        return all(term.matches(labels) for term in self.others) if self.others else True

    def __str__(self) -> str:
        return ",".join(str(term) for term in self.requirements)


def _is_equality(term: Requirement) -> bool:
    return term.operator in ("=", "in") and len(term.values) == 1


EVERYTHING = LabelSelector(())
NOTHING = LabelSelector((), nothing=True)


@lru_cache(maxsize=512)
def _parsed(text: str) -> LabelSelector:
    return _Parser(text).selector()


def parse(text: str) -> LabelSelector:
    """The selector that `text` writes (`app=web,tier in (a,b),!old`); empty text matches everything.

    Raises SelectorError.
    """
    if not text or text.isspace():
        return EVERYTHING
    if len(text) > TEXT_BYTES_MAX:
        raise SelectorError(f"label selector is too long: may not be more than {TEXT_BYTES_MAX} bytes")
    return _parsed(text) if len(text) <= 1024 else _Parser(text).selector()


def of_labels(labels: Labels | None) -> LabelSelector:
    """The selector that matches all of `labels` (a Service's); one without labels matches nothing."""
    if not labels:
        return NOTHING
    return LabelSelector(tuple(Requirement(key, "=", frozenset((value,))) for key, value in labels.items()))


def of_label_selector(selector: Obj | None) -> LabelSelector:
    """The selector in a LabelSelector: null matches nothing, an empty one everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    terms = [Requirement(key, "=", frozenset((value,))) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _OF_EXPRESSION.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f"{show(expression.get('operator', ''))} is not a valid label selector operator")
        terms.append(Requirement(expression.get("key", ""), operator, frozenset(expression.get("values") or ())))
    return LabelSelector(tuple(terms))


class _Parser:
    """Recursive descent over the tokens, one token of lookahead; the grammar of labels.Parse."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = _token.findall(text)
        self._place = 0

    def selector(self) -> LabelSelector:
        """All terms up to the end. Raises SelectorError."""
        terms: list[Requirement] = []
        while token := self._peek():
            if token in _SYMBOLS and token != "!":
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                terms.append(self._requirement())
            except _Unparsable as problem:
                raise SelectorError(f"unable to parse requirement: {problem}") from None
            separator = self._next()
            if separator not in ("", ","):
                raise SelectorError(f"found '{separator}', expected: ',' or 'end of string'")
            after = self._peek()
            if separator == "," and (not after or (after in _SYMBOLS and after != "!")):
                raise SelectorError(f"found '{after}', expected: identifier after ','")
        return LabelSelector(tuple(terms))

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._place += 1
        return token

    def _requirement(self) -> Requirement:
        absent = self._peek() == "!"
        if absent:
            self._next()
        key = self._next()
        if not key or key in _SYMBOLS:
            raise _Unparsable(f"found '{key}', expected: identifier")
        if problems := names.qualified_name(key):
            raise _Unparsable(f"<nil>: Invalid value: {show(key)}: {'; '.join(problems)}")
        if absent or self._peek() in ("", ","):
            return Requirement(key, "!" if absent else "exists")
        operator = self._next()
        if operator in _WORD_OPERATORS:
            return Requirement(key, operator, self._checked(key, self._listed()))
        if operator in ("=", "==", "!="):
            return Requirement(key, "!=" if operator == "!=" else "=", self._checked(key, [self._value()]))
        if operator in ("<", ">"):
            return Requirement(key, "gt" if operator == ">" else "lt", self._bound(key))
        raise _Unparsable(f"found '{operator}', expected: {_BINARY}")

    def _value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        value = self._next()
        if value in _SYMBOLS:
            raise _Unparsable(f"found '{value}', expected: identifier")
        return value

    def _listed(self) -> list[str]:
        if (opening := self._next()) != "(":
            raise _Unparsable(f"found '{opening}' expected: '('")
        values: list[str] = []
        while True:
            value = "" if self._peek() in (",", ")") else self._next()
            if value in _SYMBOLS:
                raise _Unparsable(f"found '{value}', expected: ',', ')' or identifier")
            values.append(value)
            separator = self._next()
            if separator == ")":
                return values
            if separator != ",":
                raise _Unparsable(f"found '{separator}', expected: ',' or ')'")

    def _bound(self, key: str) -> frozenset[str]:
        value = self._value()
        if int64(value) is None:
            why = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise _Unparsable(f"values[0]: Invalid value: {show(value)}: {why}")
        return frozenset((value,))

    @staticmethod
    def _checked(key: str, values: list[str]) -> frozenset[str]:
        for position, value in enumerate(values):
            if problems := names.label_value(value):
                where = f"values[{position}][{key}]"
                raise _Unparsable(f"{where}: Invalid value: {show(value)}: {'; '.join(problems)}")
        return frozenset(values)


class _Unparsable(Exception):
    """One term is wrong; becomes a SelectorError."""
