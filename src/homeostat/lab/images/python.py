"""This Python in an image: the interpreter with its library, the packages Homeostat needs at run time, its own code.

Works for a virtual environment, pyenv and Debian's own Python. Everything moves to `/usr/local`; byte code is made
beforehand and is not checked against the source when it loads. What no component uses stays out: test suites, headers,
type stubs, graphical toolkits, the packages that print for people, symbols of shared libraries.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import homeostat
from homeostat.lab.images import elf, machine_programs
from homeostat.lab.images.tree import Tree

PYTHON = "/usr/local/bin/python3"
_LIBRARY = f"usr/local/{sys.platlibdir}/python{sys.version_info[0]}.{sys.version_info[1]}"
PACKAGES = f"{_LIBRARY}/site-packages"

_STDLIB_OUT = re.compile(
    r"(^|/)(__pycache__|tests?|idlelib|idle_test|tkinter|turtledemo|turtle\.py|ensurepip|lib2to3|pydoc_data|distutils"
    r"|site-packages|dist-packages|config-[^/]*|venv)(/|$)"
    r"|lib-dynload/(_test|_xx|xx|_ctypes_test|_tkinter|_curses|_codecs_(cn|hk|iso|jp|kr|tw)|nis|ossaudiodev|readline"
    r"|_crypt|_dbm|_gdbm|audioop)"
    r"|\.(a|exe|bat|ps1|csh|fish|rst|txt)$"
)
_PACKAGES_OUT = re.compile(
    r"(^|/)(__pycache__|tests?|f2py|distutils|_pyinstaller|include|docs?|examples?)(/|$)|^bin/|^\.\.|^/"
    r"|\.(pyi|pyx|pxd|pxi|pyc|c|cc|cpp|h|hpp|a|lib|f|f90|rst|md|typed)$|\.dist-info/(RECORD|INSTALLER|REQUESTED|licenses/)"
)
# What only commands for people and compilers of C bindings import.
_NOT_AT_RUN_TIME = frozenset({"click", "markdown-it-py", "mdurl", "pycparser", "pygments", "rich"})
# Nor is there a Console in an image, which would need the built pages: it runs beside the nodes.
_OWN_OUT = re.compile(r"(^|/)(__pycache__|cli|sim|static)(/|$)|\.(pyi|proto)$")


@lru_cache(maxsize=1)
def interpreter_layer() -> Tree:
    """The interpreter, its library and the packages, looked for once; not to be changed. Raises LabError when a library
    is missing."""
    tree = Tree()
    executable = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    tree.file(PYTHON, executable, mode=0o755, change=elf.without_symbols)
    files = dict(_standard_library())
    files.update(_packages(_closure("homeostat")))
    native = [executable]
    for path, source in files.items():
        _add(tree, path, source)
        if re.search(r"\.so(\.|$)", path):
            native.append(source)
    carried = {source.parent for path, source in files.items() if path.startswith(PACKAGES)}
    # Threads that end load the second by name, without a trace in any file.
    machine_programs.add_libraries(tree, native, carried=carried, also=("libgcc_s.so.1",))
    machine_programs.add_users(tree)
    machine_programs.add_certificates(tree)
    return tree


def own_layer() -> Tree:
    """Homeostat's own code, wherever it is imported from: a checkout or an installed package."""
    tree = Tree()
    root = Path(homeostat.__file__).resolve().parent
    for source in sorted(root.rglob("*")):
        relative = source.relative_to(root).as_posix()
        if source.is_file() and not _OWN_OUT.search(relative):
            _add(tree, f"{PACKAGES}/homeostat/{relative}", source)
    return tree


def environment() -> dict[str, str]:
    """The environment that the interpreter needs in its new place."""
    return {
        "PYTHONHOME": "/usr/local",
        "PYTHONPATH": f"/{PACKAGES}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "SSL_CERT_FILE": machine_programs.CERTIFICATES,
        "LANG": "C.UTF-8",
    }


def _standard_library() -> Iterator[tuple[str, Path]]:
    root = Path(sysconfig.get_path("stdlib")).resolve()
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not _STDLIB_OUT.search((here / name).as_posix())]
        for name in files:
            relative = (here / name).as_posix()
            if not _STDLIB_OUT.search(relative):
                yield f"{_LIBRARY}/{relative}", Path(folder, name)


def _closure(package: str) -> list[metadata.Distribution]:
    """The distributions that a package needs to run, itself left out; those that people's commands alone need, too."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [package]
    while waiting:
        for requirement in metadata.distribution(waiting.pop()).requires or ():
            name = _canonical(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
            if name in found or name in _NOT_AT_RUN_TIME or re.search(r";.*\bextra\b", requirement):
                continue
            try:
                found[name] = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue  # its marker did not hold when the package was installed
            waiting.append(name)
    return [found[name] for name in sorted(found)]


def _packages(distributions: Iterable[metadata.Distribution]) -> Iterator[tuple[str, Path]]:
    for distribution in distributions:
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if not _PACKAGES_OUT.search(file.as_posix()) and source.is_file():
                yield f"{PACKAGES}/{file.as_posix()}", source


def _add(tree: Tree, path: str, source: Path) -> None:
    if path.endswith(".py"):
        tree.file(path, source, mode=0o644)
        tree.file(importlib.util.cache_from_source(path, optimization=""), source, mode=0o644, change=_bytecode)
    elif re.search(r"\.so(\.|$)", path):
        tree.file(path, source, mode=0o755, change=elf.without_symbols)
    else:
        tree.file(path, source)


def _bytecode(source: bytes, path: Path) -> bytes:
    """Byte code in the form of PEP 552 that is never checked; nothing for what does not compile."""
    code = _compiled_before(source, path)
    if not code:
        try:
            code = marshal.dumps(compile(source, "<image>", "exec", dont_inherit=True, optimize=0))
        except (SyntaxError, ValueError):
            return b""
    flags = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + code


def _compiled_before(source: bytes, path: Path) -> bytes:
    """The byte code that this interpreter keeps beside a source, without its header; nothing when it is of another.

    It names another file; the import system puts that right as it loads it.
    """
    try:
        kept = Path(importlib.util.cache_from_source(str(path), optimization="")).read_bytes()
    except OSError:
        return b""
    marks = (0, int(path.stat().st_mtime) & 0xFFFFFFFF, len(source) & 0xFFFFFFFF)
    header = importlib.util.MAGIC_NUMBER + b"".join(mark.to_bytes(4, "little") for mark in marks)
    return kept[len(header) :] if kept.startswith(header) else b""


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
