"""Requests and limits of containers: known names, amounts that are not negative, requests within limits."""

from __future__ import annotations

from typing import Any

from homeostat.api import names, quantity
from homeostat.api.fields import Causes, forbidden, invalid, required
from homeostat.api.types import Obj

_OF_CONTAINERS = frozenset(("cpu", "memory", "ephemeral-storage"))
# Names that quotas know, so that they are only wrong here.
_STANDARD = frozenset(
    ("storage", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "pods", "services", "secrets")
) | frozenset(("replicationcontrollers", "resourcequotas", "configmaps", "persistentvolumeclaims"))
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
    if name in _OF_CONTAINERS or name.startswith(_HUGEPAGES):
        return
    problems = names.qualified_name(name)
    out += [invalid(path, name, why) for why in problems]
    if not problems and "/" not in name:
        if name not in _STANDARD:
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
        exact = _is_extended(name) or name.startswith(_HUGEPAGES)
        if limit is None:
            if exact:
                out.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif exact and asked.nanos != limit.nanos:
            out.append(invalid(where, str(asked), f"must be equal to {name} limit of {limit}"))
        elif asked.nanos > limit.nanos:
            out.append(invalid(where, str(asked), f"must be less than or equal to {name} limit of {limit}"))
    given = {*limits, *requests}
    if any(name.startswith(_HUGEPAGES) for name in given) and not given & {"cpu", "memory"}:
        out.append(forbidden(path, "HugePages require cpu or memory"))


def _is_extended(name: str) -> bool:
    """Whether a resource is an extended one, which cannot be overcommitted."""
    return "/" in name and "kubernetes.io/" not in name


def _check_list(amounts: Obj | None, path: str, out: Causes) -> dict[str, quantity.Quantity]:
    found: dict[str, quantity.Quantity] = {}
    for name, value in (amounts or {}).items():
        if name not in _OF_CONTAINERS:
            check_resource_name(name, f"{path}[{name}]", out)
        amount = check_amount(value, f"{path}[{name}]", out)
        if amount is not None:
            found[name] = amount
            if _is_extended(name) and amount.nanos % quantity.NANO:
                out.append(invalid(f"{path}[{name}]", str(amount), "must be an integer"))
    return found
