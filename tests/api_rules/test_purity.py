"""The rules do no I/O and read no clock: the tool that checks decision modules covers them."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from homeostat.api import rules

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("doors", ROOT / "tools" / "doors.py")
assert _spec is not None and _spec.loader is not None
doors = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(doors)


def test_every_rule_is_a_decision_module() -> None:
    assert any("api/rules/".startswith(place) for place in doors.DECISIONS)
    assert not any(place.startswith("api/rules") for place in doors.NOT_DECISIONS)


@pytest.mark.parametrize("path", sorted(Path(rules.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_a_rule_has_no_await_clock_chance_or_log(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert doors.purity_faults(tree) + doors.door_faults(tree) == []
    known = ("homeostat.api", "homeostat.kit.clock", "__future__", "collections", "dataclasses", "typing", "functools")
    names = [name for node in ast.walk(tree) for name in doors.imported(node)[:1]]
    assert [name for name in names if not name.startswith((*known, "orjson"))] == []
