"""Node selector terms (`nodeAffinity`), compiled. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from homeostat.api.types import Obj

_Match = Callable[[str | None], bool]


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """A conjunction over a node's labels and fields (`metadata.name` is the only field there is)."""

    labels: tuple[tuple[str, _Match], ...]
    names: tuple[_Match, ...]

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the node fits; a term without any requirement fits none."""
        if not self.labels and not self.names:
            return False
        return all(match(labels.get(key)) for key, match in self.labels) and all(match(name) for match in self.names)


def compile_terms(terms: Sequence[Obj]) -> tuple[NodeTerm, ...]:
    """The terms of a NodeSelector; a node must match one of them."""
    return tuple(
        NodeTerm(
            tuple((str(e["key"]), _matcher(e)) for e in term.get("matchExpressions") or ()),
            tuple(_matcher(e) for e in term.get("matchFields") or ()),
        )
        for term in terms
    )


def _matcher(expression: Obj) -> _Match:
    operator, values = expression["operator"], frozenset(expression.get("values") or ())
    matchers: dict[str, _Match] = {
        "In": lambda value: value in values,
        "NotIn": lambda value: value not in values,
        "Exists": lambda value: value is not None,
        "DoesNotExist": lambda value: value is None,
        "Gt": lambda value: _number(value) is not None and _compare(value, values) > 0,
        "Lt": lambda value: _number(value) is not None and _compare(value, values) < 0,
    }
    return matchers.get(operator, lambda _: False)


def _number(value: str | None) -> int | None:
    try:
        return int(value) if value is not None else None
    except ValueError:
        return None


def _compare(value: str | None, values: frozenset[str]) -> int:
    left, right = _number(value), _number(next(iter(values), None))
    return 0 if left is None or right is None else (left > right) - (left < right)
