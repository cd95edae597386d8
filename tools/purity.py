"""The law of purity: a module that says that it is pure reaches nothing but its arguments.

A module says so with the word "pure" in its docstring (one that speaks of others' purity needs another word). In the
rooms of `DECISIONS` every module is pure, whether it says so or not. A pure module

- imports of the standard library and of others only what computes (`COMPUTES`, `NAMES`); no clock, file, socket,
  process, thread or log;
- imports of the project only modules that are pure themselves, the data of `EXCUSED`, and message types of protocols
  (`*_pb2`): what it calls is then pure as well, however far away;
- awaits nothing (the signatures of a contract's protocol are no work), opens and prints nothing, and takes of a path
  only its text.

Imports for types alone, under TYPE_CHECKING, are free.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

PACKAGE = "homeostat"
# Every module there decides and does nothing, whatever its docstring says.
DECISIONS = ("api/", "controllers/", "scheduler/filters", "scheduler/scores", "network/decide/", "node/decide/")
# Constant data that is read once, from the package itself, when it is imported.
EXCUSED = ("api/facts.py",)
_COMPUTES = """
    __future__ abc base64 binascii bisect collections collections.abc contextlib copy dataclasses difflib enum fnmatch
    fractions functools graphlib gzip hashlib heapq hmac html ipaddress itertools json keyword math operator posixpath
    re shlex statistics string struct textwrap types typing unicodedata urllib.parse zlib
    cryptography cryptography.exceptions cryptography.x509.oid dnslib google.protobuf.message jsonpatch jsonpointer
    msgspec numpy numpy.typing orjson yaml
"""
COMPUTES = frozenset(_COMPUTES.split())
# Of modules that do more: the names that only compute.
NAMES: Mapping[str, frozenset[str]] = {
    "datetime": frozenset({"UTC", "datetime", "timedelta", "timezone"}),
    "pathlib": frozenset({"Path", "PurePath", "PurePosixPath"}),
    "socket": frozenset({"AF_INET", "AF_INET6", "inet_aton", "inet_ntoa", "inet_ntop", "inet_pton"}),
    "homeostat": frozenset({"KUBERNETES_VERSION", "__version__"}),
    "homeostat.kit.clock": frozenset(
        {"parse_rfc3339", "rfc3339", "rfc3339_micro", "rfc3339_nano", "written", "written_micro"}
    ),
}
_WORKS = frozenset({"breakpoint", "eval", "exec", "input", "open", "print", "__import__"})
# What a path can do beside being text.
_ON_DISK = """
    absolute chmod cwd exists expanduser glob group hardlink_to home is_dir is_file is_mount is_symlink iterdir lstat
    mkdir open owner read_bytes read_text readlink rename resolve rglob rmdir samefile stat symlink_to touch unlink walk
    write_bytes write_text
"""
_PATH_WORKS = frozenset(_ON_DISK.split())
_SAYS_SO = re.compile(r"\bpure\b", re.IGNORECASE)

Fault = tuple[int, str]


def module_name(place: str) -> str:
    """The dotted name of a file, given below the package: `api/meta.py` is `homeostat.api.meta`."""
    return ".".join([PACKAGE, *place.removesuffix(".py").removesuffix("__init__").strip("/").split("/")]).rstrip(".")


def is_pure(tree: ast.Module, place: str) -> bool:
    """Whether the law is for this module."""
    if place in EXCUSED:
        return False
    return place.startswith(DECISIONS) or bool(_SAYS_SO.search(ast.get_docstring(tree) or ""))


def purity_faults(trees: Mapping[str, ast.Module]) -> Iterator[tuple[str, Fault]]:
    """What pure modules do that they may not, by place, for all files of the package."""
    known = {module_name(place): place in EXCUSED or is_pure(tree, place) for place, tree in trees.items()}
    for place, tree in trees.items():
        if is_pure(tree, place):
            for fault in module_faults(tree, known):
                yield place, fault


def module_faults(tree: ast.Module, known: Mapping[str, bool]) -> Iterator[Fault]:
    """What one pure module does that it may not. `known` says of each module of the project whether it is pure."""
    has_paths = False
    for node in _run_time(tree):
        match node:
            case ast.Import(names=names, lineno=line):
                for alias in names:
                    if not _may_import(alias.name, "", known):
                        yield line, f"pure, and imports {alias.name}"
            case ast.ImportFrom(module=str(module), names=names, lineno=line):
                has_paths = has_paths or (module == "pathlib" and any(alias.name == "Path" for alias in names))
                for alias in names:
                    if not _may_import(module, alias.name, known):
                        yield line, f"pure, and imports {alias.name} of {module}"
            case ast.AsyncFunctionDef(body=body, lineno=line, name=name) if not _is_signature(body):
                yield line, f"pure, and {name} is a coroutine"
            case ast.Await(lineno=line) | ast.AsyncFor(lineno=line) | ast.AsyncWith(lineno=line):
                yield line, "pure, and awaits"
            case ast.Call(func=ast.Name(id=name), lineno=line) if name in _WORKS:
                yield line, f"pure, and calls {name}"
    if has_paths:
        for node in _run_time(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PATH_WORKS:
                yield node.lineno, f"pure, and calls {ast.unparse(node.func)}"


def _run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield node
            waiting.extend(ast.iter_child_nodes(node))


def _is_signature(body: list[ast.stmt]) -> bool:
    """Whether a function only says what others have to do: its body is `...`, with a docstring or without."""
    *before, last = body
    texts = [isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in before]
    return (
        all(texts) and isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...
    )


def _may_import(module: str, name: str, known: Mapping[str, bool]) -> bool:
    if module in COMPUTES or name in NAMES.get(module, ()):
        return True
    for dotted in (f"{module}.{name}", module):
        if dotted in known:
            return known[dotted] or dotted.endswith("_pb2")
    return False
