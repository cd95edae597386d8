"""Checks that several families share: enumerations, numbers, percentages, ports, label selectors, references."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, not_supported, required
from homeostat.api.types import Obj
from homeostat.api.validation.objectmeta import check_labels

_SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def check_enum(value: str | None, path: str, supported: Collection[str], out: Causes) -> None:
    """One of `supported`, or left to its default."""
    if value and value not in supported:
        out.append(not_supported(path, value, supported))


def check_needed_enum(value: str | None, path: str, supported: Collection[str], out: Causes) -> None:
    """One of `supported`, and there."""
    if not value:
        out.append(required(path))
    elif value not in supported:
        out.append(not_supported(path, value, supported))


def check_numbers(holder: Obj, path: str, fields: tuple[str, ...], out: Causes) -> None:
    """These fields of `holder` are not negative."""
    for field in fields:
        value = holder.get(field)
        if value is not None and value < 0:
            out.append(invalid(f"{path}.{field}", value, "must be greater than or equal to 0"))


def check_name(value: str | None, path: str, rule: names.Rule, out: Causes) -> None:
    """A name that must be there and follow `rule`."""
    if not value:
        out.append(required(path))
    else:
        out += [invalid(path, value, why) for why in rule(value)]


def check_optional_name(value: str | None, path: str, rule: names.Rule, out: Causes) -> None:
    """A name that follows `rule`, if there."""
    if value:
        out += [invalid(path, value, why) for why in rule(value)]


def check_port(value: int | None, path: str, out: Causes) -> None:
    """A port number that must be there."""
    if not value:
        out.append(required(path))
    elif not 1 <= value <= 65535:
        out.append(invalid(path, value, "must be between 1 and 65535, inclusive"))


def check_port_or_name(value: int | str | None, path: str, out: Causes) -> None:
    """A port by number or by name."""
    if isinstance(value, str):
        out += [invalid(path, value, why) for why in names.port_name(value)]
    else:
        out += [invalid(path, value or 0, why) for why in names.port_number(value or 0)]


def check_int_or_percent(value: int | str | None, path: str, out: Causes) -> None:
    """A number that is not negative, or a percentage."""
    if isinstance(value, str):
        out += [invalid(path, value, why) for why in names.percent(value)]
    elif value is not None and value < 0:
        out.append(invalid(path, value, "must be greater than or equal to 0"))


def check_at_most_all(value: int | str | None, path: str, out: Causes) -> None:
    """A percentage is at most 100%."""
    if isinstance(value, str) and not names.percent(value) and int(value[:-1][:9]) > 100:
        out.append(invalid(path, value, "must not be greater than 100%"))


def check_selector(selector: Obj | None, path: str, out: Causes) -> None:
    """A LabelSelector: its labels, and its expressions' operators and values (ValidateLabelSelector)."""
    if not selector:
        return
    check_labels(selector.get("matchLabels"), f"{path}.matchLabels", out)
    for position, expression in enumerate(selector.get("matchExpressions") or ()):
        where = f"{path}.matchExpressions[{position}]"
        operator, values = expression.get("operator") or "", expression.get("values") or ()
        if operator in ("In", "NotIn") and not values:
            out.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            out.append(forbidden(f"{where}.values", why))
        elif operator not in _SELECTOR_OPERATORS:
            out.append(invalid(f"{where}.operator", operator, "not a valid selector operator"))
        key = expression.get("key") or ""
        out += [invalid(f"{where}.key", key, why) for why in names.qualified_name(key)]
        for place, value in enumerate(values):
            out += [invalid(f"{where}.values[{place}]", value, why) for why in names.label_value(value)]


def present(holder: Obj, fields: Collection[str]) -> list[str]:
    """Which of the fields are set (in their own order in `holder`)."""
    return [field for field in holder if field in fields and holder[field] is not None]


def check_immutable(new: Any, old: Any, path: str, out: Causes) -> None:
    """The field has not changed; null, absent and empty are the same."""
    if (new or None) != (old or None):
        out.append(invalid(path, new, "field is immutable"))
