"""What of this Python is in the control plane's image, and its byte code."""

from __future__ import annotations

import importlib.util
import marshal
import os
import py_compile
import sys
from pathlib import Path

import pytest

from homeostat.lab.images import python
from homeostat.lab.images.tree import Tree


def _names(tree: Tree) -> set[str]:
    return set(tree.entries)


@pytest.fixture(scope="module")
def interpreter() -> Tree:
    return python.interpreter_layer()


def _ran(code: bytes) -> object:
    """What the module of this byte code calls `answer`."""
    flags = int.from_bytes(code[4:8], "little")
    # PEP 552: bit 0 is a hash instead of a time, bit 1 that it is checked.
    assert (code[:4], flags) == (importlib.util.MAGIC_NUMBER, 1)
    space: dict[str, object] = {}
    exec(marshal.loads(code[16:]), space)
    return space["answer"]


def test_byte_code_is_bound_to_its_source_and_never_checked(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_bytes(b"answer = 42\n")
    code = python._bytecode(source.read_bytes(), source)
    assert _ran(code) == 42
    assert code[8:16] == importlib.util.source_hash(b"answer = 42\n")


def test_byte_code_that_is_there_is_taken(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_bytes(b"answer = 1\n")
    kept = Path(py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP))
    # Different from what a compilation would give.
    other = marshal.dumps(compile("answer = 'kept'", "x", "exec"))
    kept.write_bytes(kept.read_bytes()[:16] + other)
    assert _ran(python._bytecode(source.read_bytes(), source)) == "kept"


@pytest.mark.parametrize("change", ["content", "time"])
def test_byte_code_of_an_older_source_is_not_taken(tmp_path: Path, change: str) -> None:
    source = tmp_path / "module.py"
    source.write_bytes(b"answer = 1\n")
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    if change == "content":
        source.write_bytes(b"answer = 2222\n")
    else:
        source.write_bytes(b"answer = 3\n")
        os.utime(source, (1, 1))
    assert _ran(python._bytecode(source.read_bytes(), source)) == (2222 if change == "content" else 3)


def test_a_source_for_other_pythons_has_no_byte_code(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_bytes(b"print 'hello'\n")
    assert python._bytecode(source.read_bytes(), source) == b""


def test_every_module_has_its_byte_code_beside_it(interpreter: Tree) -> None:
    names = _names(interpreter)
    sources = [name for name in names if name.endswith(".py")]
    assert len(sources) > 500
    assert [name for name in sources if importlib.util.cache_from_source(name, optimization="") not in names] == []


def test_what_the_components_need_is_in_it(interpreter: Tree) -> None:
    names = _names(interpreter)
    for name in ("grpc/__init__.py", "numpy/__init__.py", "orjson/__init__.py", "uvloop/__init__.py"):
        assert f"{python.PACKAGES}/{name}" in names
    assert python.PYTHON.lstrip("/") in names
    assert any(name.endswith("/libgcc_s.so.1") for name in names)
    assert "etc/passwd" in names


@pytest.mark.parametrize("package", ["pytest", "mypy", "rich", "pygments", "click", "pip", "hypothesis", "ruff"])
def test_what_people_and_developers_use_is_not(interpreter: Tree, package: str) -> None:
    assert not [name for name in _names(interpreter) if name.startswith(f"{python.PACKAGES}/{package}")]


def test_no_link_or_file_of_this_machine_s_own_folders_is_named(interpreter: Tree) -> None:
    """All moves to the places of an image, wherever the interpreter is here."""
    places = ("usr/local/", "lib", "usr/lib", "etc/", "root", "tmp", "run", "var/run")
    assert [name for name in _names(interpreter) if not name.startswith(places)] == []


def test_our_own_code_is_a_layer_without_commands_and_simulation() -> None:
    names = _names(python.own_layer())
    own = f"{python.PACKAGES}/homeostat"
    for module in ("compose/__init__.py", "apiserver/api_server.py", "api/facts.json.xz"):
        assert f"{own}/{module}" in names
    for room in ("cli", "sim", "console/static"):
        assert not [name for name in names if name.startswith(f"{own}/{room}/")]


def test_the_environment_says_where_the_interpreter_is() -> None:
    reported = python.environment()
    assert reported["PYTHONHOME"] == "/usr/local"
    assert reported["PYTHONPATH"] == f"/{python.PACKAGES}"
    assert f"python{sys.version_info[0]}.{sys.version_info[1]}" in python.PACKAGES
