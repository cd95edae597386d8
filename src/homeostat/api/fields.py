"""Causes of an invalid object, in kube-apiserver's words: the constructors of apimachinery's `field` package.

A path is plain text (`spec.containers[0].image`), built by the validators themselves. Each constructor returns one
`Cause` whose message is what the API server puts after the path.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, TypeAlias

from homeostat.api.errors import Cause

# What a validator adds to. Order is that of the checks, as clients see it.
Causes: TypeAlias = list[Cause]
# After so many causes an object is not looked at any further: a body has room for a quarter of a million.
CAUSES_MAX = 1000


def show(value: Any) -> str:
    """A bad value as Go prints it: text in quotes, numbers and booleans plain, the rest as JSON, nothing as null."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _tail(detail: str) -> str:
    return f": {detail}" if detail else ""


def required(path: str, detail: str = "") -> Cause:
    """The field must have a value."""
    return Cause("FieldValueRequired", path, f"Required value{_tail(detail)}")


def invalid(path: str, value: Any, detail: str = "") -> Cause:
    """The value breaks a rule."""
    return Cause("FieldValueInvalid", path, f"Invalid value: {show(value)}{_tail(detail)}")


def forbidden(path: str, detail: str = "") -> Cause:
    """The value may not be set here or now."""
    return Cause("FieldValueForbidden", path, f"Forbidden{_tail(detail)}")


def duplicate(path: str, value: Any) -> Cause:
    """Another item has this value."""
    return Cause("FieldValueDuplicate", path, f"Duplicate value: {show(value)}")


def not_found(path: str, value: Any) -> Cause:
    """The value names something that is not there."""
    return Cause("FieldValueNotFound", path, f"Not found: {show(value)}")


def not_supported(path: str, value: Any, supported: Collection[str]) -> Cause:
    """The value is not one of those listed (in sorted order)."""
    listed = ", ".join(show(item) for item in sorted(supported))
    return Cause("FieldValueNotSupported", path, f"Unsupported value: {show(value)}: supported values: {listed}")


def too_long(path: str, bytes_max: int) -> Cause:
    """The value has more than `bytes_max` bytes."""
    return Cause("FieldValueTooLong", path, f"Too long: may not be more than {bytes_max} bytes")


def too_many(path: str, count: int, count_max: int) -> Cause:
    """The list has more than `count_max` items."""
    return Cause("FieldValueTooMany", path, f"Too many: {count}: must have at most {count_max} items")
