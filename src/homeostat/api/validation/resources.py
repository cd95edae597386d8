"""Requests and limits of containers: known names, amounts that are not negative, requests within limits."""

from __future__ import annotations

from typing import Any

from homeostat.api import names, quantity
from homeostat.api.fields import Causes, invalid, required
from homeostat.api.types import Obj

_STANDARD = frozenset(("cpu", "memory", "ephemeral-storage", "storage"))
# These may be asked for in larger amounts than their limit is not allowed to be below: all but none.
_HUGEPAGES = "hugepages-"


def check_amount(value: Any, path: str, out: Causes) -> quantity.Quantity | None:
    """A quantity that is not negative; returns it when it is one."""
    try:
        amount = quantity.of(value)
    except quantity.QuantityError as problem:
        out.append(invalid(path, value, str(problem)))
        return None
    if amount.nanos < 0:
        out.append(invalid(path, str(amount), "must be greater than or equal to 0"))
    return amount


def check_resource_name(name: str, path: str, out: Causes) -> None:
    """A standard resource of containers, or an extended one with a domain."""
    if name in _STANDARD or name.startswith(_HUGEPAGES):
        return
    problems = names.qualified_name(name)
    out += [invalid(path, name, why) for why in problems]
    if not problems and "/" not in name:
        out.append(invalid(path, name, "must be a standard resource type or fully qualified"))
        out.append(invalid(path, name, "must be a standard resource for containers"))


def check_resources(resources: Obj | None, path: str, out: Causes) -> None:
    """A ResourceRequirements (ValidateContainerResourceRequirements)."""
    if not resources:
        return
    limits = _check_list(resources.get("limits"), f"{path}.limits", out)
    requests = _check_list(resources.get("requests"), f"{path}.requests", out)
    for name, asked in requests.items():
        limit = limits.get(name)
        where = f"{path}.requests"
        if limit is not None and asked.nanos > limit.nanos:
            out.append(invalid(where, str(asked), f"must be less than or equal to {name} limit of {limit}"))
        elif "/" in name and limit is None:
            out.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif "/" in name and limit is not None and asked.nanos != limit.nanos:
            out.append(invalid(where, str(asked), f"must be equal to {name} limit of {limit}"))


def _check_list(amounts: Obj | None, path: str, out: Causes) -> dict[str, quantity.Quantity]:
    found: dict[str, quantity.Quantity] = {}
    for name, value in (amounts or {}).items():
        if name not in _STANDARD:
            check_resource_name(name, f"{path}[{name}]", out)
        amount = check_amount(value, f"{path}[{name}]", out)
        if amount is not None:
            found[name] = amount
            if "/" in name and amount.nanos % quantity.NANO:
                out.append(invalid(f"{path}[{name}]", str(amount), "must be an integer"))
    return found
