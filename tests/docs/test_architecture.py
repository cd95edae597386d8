"""ARCHITECTURE.md says what the code says: the layers, the rooms, the loops; and every link of every page leads on."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from homeostat.api.flags.flag_settings import parse_settings
from homeostat.controllers.registry import Authority, all_loops

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "homeostat"
PAGES = [*ROOT.glob("*.md"), ROOT / "changes" / "README.md", *(ROOT / "docs").rglob("*.md")]
_LINK = re.compile(r"\[(`?[^\]]+`?)\]\(([^)\s]+)\)")


def architecture() -> str:
    return (ROOT / "ARCHITECTURE.md").read_text()


def links(text: str) -> list[tuple[str, str]]:
    return [(label, target) for label, target in _LINK.findall(text) if not target.startswith(("http", "#"))]


def defined_in(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_its_layers_are_those_that_import_linter_checks() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    block = re.search(r"```layers\n(.*?)```", architecture(), re.DOTALL)
    assert block is not None
    assert block[1].split("\n")[:-1] == [line.replace("homeostat.", "") for line in checked]


def test_every_room_is_described_and_no_other() -> None:
    table = architecture().partition("## The rooms")[2].partition("## ")[0]
    described = re.findall(r"^\| `([\w.]+)/?` \|", table, re.MULTILINE)
    rooms = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert set(described) == rooms
    assert len(described) == len(set(described))


def test_every_loop_is_in_its_table() -> None:
    loops = architecture().partition("## The loops")[2].partition("## ")[0]
    listed = re.findall(r"^\| `([\w-]+)` \|", loops, re.MULTILINE)
    settings = parse_settings(["controller-manager.load-balancer-addresses=192.0.2.1-192.0.2.9"])
    authority = Authority("a certificate", "https://api", lambda request: request)
    assert sorted(listed) == sorted(loop.name for loop in all_loops(settings, authority))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    missing = [t for _, t in links(page.read_text()) if not (page.parent / t.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_into_a_page_lead_to_a_heading(page: Path) -> None:
    for _, target in _LINK.findall(page.read_text()):
        file, mark, anchor = target.partition("#")
        if mark and not target.startswith("http") and (not file or file.endswith(".md")):
            headings = re.findall(r"^#+ (.*)$", (page.parent / file if file else page).read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, target


def test_the_make_targets_that_contributing_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_functions_are_where_the_page_says(page: Path) -> None:
    """A link `[`module.name`](path/to/module.py)` says that the file defines the name."""
    for label, target in links(page.read_text()):
        module, dot, name = label.strip("`").rpartition(".")
        if label.startswith("`") and dot and target.endswith(".py"):
            path = page.parent / target
            assert path.stem == module, f"{label} is not in {target}"
            assert name in defined_in(path), f"{target} does not define {name}"
