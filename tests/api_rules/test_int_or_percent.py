"""Numbers and percentages of a total.

Kubernetes: apimachinery/pkg/util/intstr (GetScaledValueFromIntOrPercent); Deployments (Max Unavailable, Max
Surge); Disruptions (Rounding logic when specifying percentages).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api.rules.intorpercent import is_zero, scaled


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [
        (0, 10, 0, 0),
        (3, 10, 3, 3),
        (12, 10, 12, 12),
        ("0%", 10, 0, 0),
        ("25%", 10, 3, 2),
        ("25%", 4, 1, 1),
        ("25%", 3, 1, 0),
        ("1%", 1, 1, 0),
        ("100%", 7, 7, 7),
        ("33%", 3, 1, 0),
        ("50%", 0, 0, 0),
        ("07%", 100, 7, 7),
        (None, 10, 0, 0),
    ],
)
def test_a_percentage_is_rounded_as_asked_and_a_number_stays(
    value: int | str | None, total: int, up: int, down: int
) -> None:
    assert scaled(value, total, round_up=True) == up
    assert scaled(value, total, round_up=False) == down


@pytest.mark.parametrize("text", ["half", "", "%", "10", "-1%", "1.5%", "10 percent", "10%%", "٣%", "1_0%"])
def test_other_text_is_no_percentage(text: str) -> None:
    with pytest.raises(ValueError, match="neither a number nor a percentage"):
        scaled(text, 10, round_up=True)


@pytest.mark.parametrize(
    ("value", "zero"), [(None, True), (0, True), ("0%", True), ("00%", True), (1, False), ("1%", False), ("10%", False)]
)
def test_none_of_whatever_total(value: int | str | None, zero: bool) -> None:
    assert is_zero(value) is zero


@given(st.integers(0, 100), st.integers(0, 10**6))
def test_both_roundings_lie_beside_the_exact_share(percent: int, total: int) -> None:
    down, up = (scaled(f"{percent}%", total, round_up=way) for way in (False, True))
    assert down * 100 <= percent * total <= up * 100
    assert up - down == (1 if percent * total % 100 else 0)
