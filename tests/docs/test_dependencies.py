"""Every run-time dependency is explained and used; every decision is in the list of decisions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
_MODULES = {"PyYAML": "yaml", "grpcio": "grpc", "prometheus-client": "prometheus_client"}


def dependencies() -> set[str]:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {re.split(r"[<>=~!\[ ]", entry)[0] for entry in listed}


def test_each_dependency_has_a_reason() -> None:
    text = (DECISIONS / "0009-dependencies.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) == dependencies()


def test_each_dependency_is_imported() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    used = {name for name in dependencies() if re.search(rf"(?:import|from) {_MODULES.get(name, name)}\b", code)}
    assert used == dependencies()


def test_each_decision_is_listed() -> None:
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (DECISIONS / "README.md").read_text())
    assert listed == sorted(path.name for path in DECISIONS.glob("0*.md"))
