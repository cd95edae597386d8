"""Checks that nothing outside `api/catalogue` enumerates kinds or caches by kind (`doors.py` runs it).

It looks for the raw table of built-in kinds, for caches of functions that take a kind (or a catalogue, or a store
prefix), for state that is keyed by kind, for catalogues that are frozen at import or taken where a request or a world
has its own, and for enumerations in functions that were given no catalogue.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

HOME = ("api/catalogue/", "api/kinds.py")
# Who may ask for the built-in kinds: each begins with them, or speaks of objects of its own of built-in kinds.
BUILTIN = frozenset(
    {
        "apiserver/upkeep/cluster_objects.py",  # the objects that every cluster begins with
        "apiserver/contract.py",  # what is asked without a request: reviews
        "apiserver/upkeep/server_leases.py",  # its own Leases and Endpoints
        "apiserver/api_server.py",  # what a server serves at first
        "console/server.py",  # the kinds whose rows are made in the Console
        "cli/commands/why.py",  # the names that a person may type
        "operate/addons.py",  # the objects of cluster DNS
        "loop/cache.py",  # a world in tests of decisions
        "loop/discovery.py",  # until discovery has answered
        "loop/manager.py",
        "loop/runner.py",
        "node/machine/static_pods.py",  # Pods without an API
    }
)
RAW = frozenset({"BUILT_IN", "homeostat.api.facts.resources"})
ROOMS = ("api/", "apiserver/", "controllers/")
CACHES = frozenset({"cache", "lru_cache", "cached"})
KIND_TYPES = frozenset({"Kind", "Subresource", "Resource", "Catalogue", "Shape"})
KIND_WORDS = frozenset({"kind", "prefix", "plural", "resource", "catalogue", "api_version"})
ENUMERATIONS = frozenset({"kinds", "groups", "stored_kinds", "of_group_version"})
MAPPINGS = frozenset({"dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "WeakKeyDictionary"})

Fault = tuple[int, str]


def kind_faults(tree: ast.AST, place: str) -> list[Fault]:
    """What the module at `place`, below the package, may not do with kinds."""
    if place.startswith(HOME):
        return []
    faults = [*_raw(tree), *_frozen(tree), *_keyed(tree), *_remembering(tree, place)]
    for function in _functions(tree):
        faults += _cached(function)
    faults += _enumerated(tree, given=False)
    if place not in BUILTIN:
        faults += [(node.lineno, "takes the built-in kinds: use the catalogue of the request, the world or the server")
                   for node in _builtin(tree)]  # fmt: skip
    return sorted(set(faults))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _names(node: ast.AST | None) -> set[str]:
    """All names in an expression, those in quoted annotations too."""
    if node is None:
        return set()
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.add(each.id)
        elif isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found |= set(each.value.replace("[", " ").replace("|", " ").replace(",", " ").split())
    return found


def _raw(tree: ast.AST) -> Iterator[Fault]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if alias.name in RAW or f"{node.module}.{alias.name}" in RAW:
                    yield node.lineno, f"reads the table of built-in kinds ({alias.name})"
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if node.attr in RAW or f"homeostat.api.{name}" in RAW:
                yield node.lineno, f"reads the table of built-in kinds ({name})"


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _cached(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Fault]:
    """A cache that a kind is a key of, or that keeps what was made of all kinds for ever."""
    if not any(_names(decorator) & CACHES for decorator in function.decorator_list):
        return
    for parameter in _parameters(function):
        if parameter.arg in KIND_WORDS or _names(parameter.annotation) & KIND_TYPES:
            yield function.lineno, f"caches by kind ({function.name}): derive it of the catalogue"
    if any(True for _ in _builtin(function)) or _enumerated(function, given=False):
        yield function.lineno, f"keeps what all kinds come to ({function.name}): derive it of the catalogue"


def _builtin(tree: ast.AST) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "builtin" and _names(node.value) == {"Catalogue"}:
            yield node


def _frozen(tree: ast.AST) -> Iterator[Fault]:
    """Catalogues at import: what is made of one then never changes. (A default's factory is called later.)"""
    todo: list[ast.AST] = list(ast.iter_child_nodes(tree))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call) and any(node.func is each for each in _builtin(node)):
            yield node.lineno, "takes a catalogue at import"
        todo += ast.iter_child_nodes(node)


def _keyed(tree: ast.AST) -> Iterator[Fault]:
    """State keyed by kind: of a module, or of an object."""
    module = set(tree.body) if isinstance(tree, ast.Module) else set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.AnnAssign) or not (isinstance(node.target, ast.Attribute) or node in module):
            continue
        for each in ast.walk(node.annotation):
            if isinstance(each, ast.Subscript) and _names(each.value) & MAPPINGS:
                key = each.slice.elts[0] if isinstance(each.slice, ast.Tuple) and each.slice.elts else each.slice
                if _names(key) & KIND_TYPES:
                    yield node.lineno, f"keeps state by kind ({ast.unparse(node.target)})"


def _remembering(tree: ast.AST, place: str) -> Iterator[Fault]:
    """Empty dictionaries of a module that are there to be filled, in the rooms that work with kinds."""
    for node in tree.body if isinstance(tree, ast.Module) and place.startswith(ROOMS) else ():
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(value, ast.Dict) and not value.keys and not _names(target) & {"_NOTHING"}:
            yield node.lineno, f"keeps state in the module ({ast.unparse(target)})" if target else "keeps state"


def _enumerated(tree: ast.AST, *, given: bool) -> list[Fault]:
    """Enumerations of a catalogue's kinds outside functions that get the catalogue as an argument."""
    found: list[Fault] = []

    def look(node: ast.AST, given: bool) -> None:  # noqa: FBT001 (a recursion over two values)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = given or any("Catalogue" in _names(each.annotation) for each in _parameters(node))
        elif isinstance(node, ast.Attribute) and node.attr in ENUMERATIONS and not given:
            # What is derived of a catalogue may be asked for anywhere: `catalogue.derived(Collected).kinds`.
            derived = isinstance(node.value, ast.Call) and "derived" in _names(node.value.func)
            if not derived and _names(node.value) & {"catalogue", "_catalogue", "Catalogue"}:
                found.append((node.lineno, f"enumerates kinds ({ast.unparse(node)})"))
        for child in ast.iter_child_nodes(node):
            look(child, given)

    look(tree, given)
    return found
