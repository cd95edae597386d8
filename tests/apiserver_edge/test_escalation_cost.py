"""What is missing for a grant is found in classes, not permission by permission, and is what the plain rule finds."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.apiserver import rbac_rules
from homeostat.apiserver.rbac_rules import MISSING_MAX, Rule, missing

VERBS, GROUPS = ("get", "list", "*"), ("", "apps", "*")
RESOURCES, NAMES = ("pods", "pods/log", "*/log", "secrets", "*"), ("a", "b")
URLS = ("/healthz", "/metrics", "/metrics/*", "*")


def some(values: tuple[str, ...], least: int = 1) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), min_size=least, max_size=2)


def rules() -> st.SearchStrategy[Rule]:
    of_resources = st.builds(Rule, some(VERBS), some(GROUPS), some(RESOURCES), some(NAMES, 0))
    of_urls = st.builds(lambda verbs, urls: Rule(verbs, urls=tuple(urls)), some(VERBS), some(URLS))
    return of_resources | of_urls


def plainly(held: list[Rule], asked: list[Rule]) -> set[Rule]:
    """component-helpers/auth/rbac/validation, Covers: every single part by itself."""
    found: set[Rule] = set()
    for rule in asked:
        for verb, group, resource in product(rule.verbs, rule.groups, rule.resources):
            for names in [frozenset((name,)) for name in rule.names] or [frozenset[str]()]:
                part = Rule(frozenset((verb,)), frozenset((group,)), frozenset((resource,)), names)
                base, _, sub = resource.partition("/")
                if not any(
                    owner.has_verb(verb)
                    and owner.has_resource(group, base, sub)
                    and (not owner.names or (names and names <= owner.names))
                    for owner in held
                ):
                    found.add(part)
        for verb, url in product(rule.verbs, rule.urls):
            if not any(owner.has_verb(verb) and owner.has_url(url) for owner in held):
                found.add(Rule(frozenset((verb,)), urls=(url,)))
    return found


@settings(deadline=None, max_examples=300)
@given(st.lists(rules(), max_size=4), st.lists(rules(), max_size=3))
def test_classes_find_what_is_missing(held, asked):
    wanted = plainly(held, asked)
    found = missing(held, asked)
    assert set(found) == wanted or (len(found) == MISSING_MAX and set(found) <= wanted)


def test_a_rule_of_millions_of_permissions_is_judged_by_its_values(monkeypatch):
    """An owner of a namespace may ask for such a Role: what it costs follows what was written, not its product."""
    count = 2000
    asked = Rule(
        frozenset(f"verb{number}" for number in range(count)),
        frozenset(("", "apps")),
        frozenset(f"resource{number}" for number in range(count)),
    )
    looks = 0
    plain = Rule.has_verb

    def counted(self: Rule, verb: str) -> bool:
        nonlocal looks
        looks += 1
        return plain(self, verb)

    monkeypatch.setattr(rbac_rules.Rule, "has_verb", counted)
    everything = Rule(frozenset("*"), frozenset("*"), frozenset("*"))
    assert missing([everything], [asked]) == []
    assert looks == count
    assert len(missing([], [asked])) == MISSING_MAX
