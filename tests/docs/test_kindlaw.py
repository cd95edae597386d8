"""The law of kinds finds what it forbids, and lets through what is derived of a catalogue."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("kindlaw", Path(__file__).parents[2] / "tools" / "kindlaw.py")
kindlaw = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(kindlaw)

FORBIDDEN = {
    "the table of built-in kinds": "from homeostat.api.kinds import BUILT_IN",
    "the table by its module": "x = [kind for kind in kinds.BUILT_IN]",
    "the facts": "def f():\n    return facts.resources()",
    "a cache by kind": "@lru_cache(maxsize=8)\ndef f(kind: Kind): ...",
    "a cache by a quoted kind": "@functools.cache\ndef f(what: 'Kind | None'): ...",
    "a cache by store prefix": "@cache\ndef maker(prefix: str): ...",
    "a cache by catalogue": "@cache\ndef f(a: Catalogue): ...",
    "a cache of all kinds": "@cache\ndef f():\n    return [kind for kind in catalogue.kinds]",
    "state of a module": "_KNOWN: dict[Kind, int] = {}",
    "state of a module by name": "_CHECKS: dict[str, Check] = {}",
    "state of an object": "class A:\n    def __init__(self):\n        self.known: dict[tuple[Kind, str], int] = {}",
    "a catalogue at import": "KINDS = [kind for kind in Catalogue.builtin().kinds]",
    "a catalogue of a class": "class A:\n    kinds = Catalogue.builtin().kinds",
    "the built-in kinds in a request": "def f(call):\n    return Catalogue.builtin().by_kind('Pod')",
    "an enumeration": "def f(world):\n    for kind in world.catalogue.kinds: ...",
    "an enumeration of groups": "def f(self):\n    return list(self._catalogue.groups)",
}
ALLOWED = {
    "what is derived": "class A:\n    def __init__(self, catalogue: Catalogue):\n        self.all = catalogue.kinds",
    "what was derived": "def f(world):\n    return world.catalogue.derived(Collected).kinds",
    "a cache by text": "@lru_cache(maxsize=8)\ndef f(text: str): ...",
    "a kind by name": "def f(info):\n    return info.catalogue.by_kind('Pod')",
    "a local mapping": "def f(items):\n    left: dict[Kind, int] = {}",
    "rules by name": "RULES: dict[tuple[str, str], int] = {('apps', 'Deployment'): 1}",
    "a factory": "catalogue: Catalogue = field(default_factory=make)",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_it_finds(what):
    assert kindlaw.kind_faults(ast.parse(FORBIDDEN[what]), "apiserver/x.py")


@pytest.mark.parametrize("what", ALLOWED)
def test_it_lets_through(what):
    assert kindlaw.kind_faults(ast.parse(ALLOWED[what]), "controllers/x.py") == []


def test_the_catalogue_itself_may():
    assert kindlaw.kind_faults(ast.parse(FORBIDDEN["the table of built-in kinds"]), "api/catalogue/resource.py") == []
