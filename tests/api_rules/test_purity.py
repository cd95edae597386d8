"""The rules do no I/O and read no clock: the tool that checks decision modules covers them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from homeostat.api import rules
from tests.support.tools import tool

doors, purity = tool("doors"), tool("purity")


def test_every_rule_is_a_decision_module() -> None:
    assert any("api/rules/".startswith(place) for place in purity.DECISIONS)
    assert not any(place.startswith("api/rules") for place in purity.EXCUSED)


@pytest.mark.parametrize("path", sorted(Path(rules.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_a_rule_has_no_await_clock_chance_or_log(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert purity.is_pure(tree, f"api/rules/{path.name}")
    assert doors.kit_faults(tree) == []
    known = ("homeostat.api", "homeostat.kit.clock", "__future__", "collections", "dataclasses", "typing", "functools")
    names = [name for node in ast.walk(tree) for name in doors.imported(node)[:1]]
    assert [name for name in names if not name.startswith((*known, "orjson"))] == []
