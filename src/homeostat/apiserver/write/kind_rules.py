"""The kinds' rules as the write path uses them: shape, defaults, what a strategy resets, validation.

All of it is `api`'s; here is only the order, which is that of kube-apiserver's decoder and registries.
"""

from __future__ import annotations

from homeostat.api import errors, names, validation
from homeostat.api.catalogue import Resource
from homeostat.api.errors import Cause
from homeostat.api.kinds import Kind
from homeostat.api.shape import strategy, structural
from homeostat.api.types import Obj
from homeostat.kit import chance


def accept(
    resource: Resource, obj: Obj, *, field_validation: str = "Ignore", body: bytes = b"", is_json: bool = False
) -> structural.Findings:
    """Bring a client's object into its kind's shape and fill in defaults, in place. Raises 400.

    Returns what to warn of, and the required fields that are missing.
    """
    found = structural.conform(resource, obj, field_validation=field_validation, body=body, is_json=is_json)
    resource.apply_defaults(obj)
    return found


def generate_name(prefix: str) -> str:
    """A name from generateName."""
    return names.generated(prefix, chance.name_suffix())


def prepare_create(kind: Kind, obj: Obj) -> None:
    """What the kind's strategy does to a new object."""
    strategy.prepare_create(kind, obj)


def validate_create(kind: Kind, obj: Obj, missing: list[Cause]) -> None:
    """Judge a new object. Raises 422 with every cause."""
    _refuse(kind, obj, validation.validate_create(kind, obj), missing)


def prepare_update(kind: Kind, new: Obj, old: Obj, subresource: str) -> None:
    """What the kind's strategy does to a changed object."""
    strategy.prepare_update(kind, new, old, subresource)


def validate_update(kind: Kind, new: Obj, old: Obj, subresource: str, missing: list[Cause]) -> None:
    """Judge a changed object. Raises 422 with every cause."""
    _refuse(kind, new, validation.validate_update(kind, new, old, subresource), [] if subresource else missing)


def _refuse(kind: Kind, obj: Obj, causes: list[Cause], missing: list[Cause]) -> None:
    if missing:
        reported = {cause.field for cause in causes}
        causes = [*(cause for cause in missing if cause.field not in reported), *causes]
    if causes:
        metadata = obj["metadata"]
        raise errors.invalid(kind.kind, kind.group, metadata.get("name") or metadata.get("generateName") or "", causes)
