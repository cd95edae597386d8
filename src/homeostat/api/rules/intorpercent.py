"""An IntOrString that is a number of things or a percentage of all of them. Pure.

Kubernetes: apimachinery/pkg/util/intstr (GetScaledValueFromIntOrPercent). maxSurge, maxUnavailable and minAvailable are
such values.
"""

from __future__ import annotations


def scaled(value: int | str | None, total: int, *, round_up: bool) -> int:
    """How many of `total` the value is: the number itself, or the percentage of `total` rounded up or down. 0 for none.

    Raises ValueError for text that is not a percentage.
    """
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    digits = value.removesuffix("%")
    if digits == value or not digits.isascii() or not digits.isdecimal():
        raise ValueError(f"{value!r} is neither a number nor a percentage")
    share = int(digits) * total
    return -(-share // 100) if round_up else share // 100


def is_zero(value: int | str | None) -> bool:
    """Whether the value is absent, 0 or 0%: whatever the total, it means none."""
    return value is None or value == 0 or (isinstance(value, str) and value.removesuffix("%").strip("0") == "")
