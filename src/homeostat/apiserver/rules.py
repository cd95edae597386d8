"""The kinds' rules as the write path uses them: shape, defaults, what a strategy resets, validation.

All of it is `api`'s; here is only the order, which is that of kube-apiserver's decoder and registries.
"""

from __future__ import annotations

from homeostat.api import defaults, names, strategy, structural
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.kit import chance


def accept(kind: Kind, obj: Obj, *, field_validation: str, body: bytes, warnings: list[str]) -> None:
    """Bring a client's object into its kind's shape and fill in defaults, in place. Raises 400."""
    found = structural.conform(kind, obj, field_validation=field_validation, body=body)
    warnings.extend(found.problems)
    defaults.apply_defaults(kind, obj)


def generate_name(prefix: str) -> str:
    """A name from generateName."""
    return names.generated(prefix, chance.name_suffix())


def prepare_create(kind: Kind, obj: Obj) -> None:
    """What the kind's strategy does to a new object."""
    strategy.prepare_create(kind, obj)


def validate_create(kind: Kind, obj: Obj, warnings: list[str]) -> None:
    """Raises 422."""


def prepare_update(kind: Kind, new: Obj, old: Obj, subresource: str) -> None:
    """What the kind's strategy does to a changed object."""
    strategy.prepare_update(kind, new, old, subresource)


def validate_update(kind: Kind, new: Obj, old: Obj, subresource: str, warnings: list[str]) -> None:
    """Raises 422."""
