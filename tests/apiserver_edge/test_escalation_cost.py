"""What is missing for a grant is found in classes, not permission by permission, and is what the plain rule finds."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.apiserver.authz import rbac_rules
from homeostat.apiserver.authz.rbac_rules import MISSING_MAX, Rule, TooManyRules, missing, parse_all
from homeostat.wire.message import User
from tests.support.api_edge import World, story

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


def test_a_role_that_takes_too_long_to_compare_is_refused(monkeypatch):
    """A namespace's owner may hold thousands of rules and ask for as many: that held the API server up for minutes."""
    held = [Rule(frozenset(("get",)), frozenset(("",)), frozenset(("pods",)), frozenset((f"p{n}",))) for n in range(60)]
    asked = Rule(frozenset(("get",)), frozenset(("",)), frozenset(("pods",)), frozenset(f"p{n}" for n in range(60)))
    assert missing(held, [asked]) == []
    monkeypatch.setattr(rbac_rules, "COMPARISONS_MAX", 1000)
    with pytest.raises(TooManyRules):
        missing(held, [asked])
    # The same rule again and again is compared once.
    assert missing(held[:10] * 100, [parse_all([{"verbs": ["get"]}])[0]] * 1000) == []

    async def refused(w: World) -> None:
        roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
        monkeypatch.setattr(rbac_rules, "COMPARISONS_MAX", 10_000_000)
        await w.make(roles, {"metadata": {"name": "owner"}, "rules": [
            {"verbs": ["create"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]},
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
        ]})  # fmt: skip
        await w.make(roles.replace("roles", "rolebindings"), {
            "metadata": {"name": "owner"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "owner"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "carol"}],
        })  # fmt: skip
        carol = User("carol", ("system:authenticated",))
        names = [f"p{number}" for number in range(500)]
        wanted = {"metadata": {"name": "wide"}, "rules": [
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": names}
        ]}  # fmt: skip
        monkeypatch.setattr(rbac_rules, "COMPARISONS_MAX", 1000)
        reply = await w.post(roles, wanted, user=carol)
        assert (reply.status, reply.obj["reason"]) == (403, "Forbidden")
        assert "more RBAC permissions than can be compared with those currently held" in reply.obj["message"]
        monkeypatch.undo()
        assert (await w.post(roles, wanted, user=carol)).status == 201

    story(refused)
