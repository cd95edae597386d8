"""ClusterRoles that aggregate others, in circles too, and what uniting them costs.

Rule: pkg/controller/clusterroleaggregation: the rules of a role with an aggregation rule are those of the roles that
its selectors match; what was written in it is overwritten.
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.apiserver.authz.rbac_aggregation import ClusterRoles
from tests.support.api_edge import World, story

Obj = dict[str, Any]
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


def role(name: str, *resources: str, selects: tuple[Obj, ...] = (), **labels: str) -> Obj:
    made: Obj = {"metadata": {"name": name, "labels": labels}}
    if resources:
        made["rules"] = [{"verbs": ["get"], "apiGroups": [""], "resources": [each]} for each in resources]
    if selects:
        made["aggregationRule"] = {"clusterRoleSelectors": list(selects)}
    return made


def by(**labels: str) -> Obj:
    return {"matchLabels": labels}


def resources(roles: ClusterRoles, name: str) -> set[str]:
    return {resource for rule in roles.rules(name) for resource in rule.resources}


def test_a_role_has_the_rules_of_all_it_reaches():
    roles = ClusterRoles(
        [
            role("top", selects=(by(to="top"), by(to="extra"))),
            role("middle", selects=(by(to="middle"),), to="top"),
            role("leaf", "pods", to="middle"),
            role("extra", "secrets", to="extra"),
            role("other", "nodes", to="other"),
        ]
    )
    assert resources(roles, "top") == {"pods", "secrets"}
    assert resources(roles, "middle") == {"pods"}
    assert roles.rules("nobody") == ()


def test_what_is_written_in_an_aggregating_role_does_not_count():
    roles = ClusterRoles([role("top", "secrets", selects=(by(to="top"),)), role("leaf", "pods", to="top")])
    assert resources(roles, "top") == {"pods"}


def test_a_selector_that_asks_for_nothing_matches_all_others():
    roles = ClusterRoles([role("top", selects=({},)), role("a", "pods"), role("b", "nodes", x="y")])
    assert resources(roles, "top") == {"pods", "nodes"}


def test_expressions_select_as_labels_do():
    wanted = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]}
    absent = {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}
    found = [role("x", "pods", tier="a"), role("y", "nodes", tier="c"), role("z", "events")]
    assert resources(ClusterRoles([role("top", selects=(wanted,), tier="q"), *found]), "top") == {"pods"}
    assert resources(ClusterRoles([role("top", selects=(absent,), tier="q"), *found]), "top") == {"events"}


@pytest.mark.parametrize("start", ["a", "b", "c"])
def test_roles_that_select_each_other_have_the_same_rules(start):
    roles = ClusterRoles(
        [
            role("a", selects=(by(in_b="x"),), in_c="x"),
            role("b", selects=(by(in_c="x"),), in_b="x"),
            role("c", selects=(by(in_c="x"), by(leaf="x")), in_c="x"),
            role("leaf", "pods", leaf="x"),
        ]
    )
    assert resources(roles, start) == {"pods"}


def test_a_role_that_selects_itself_has_the_rules_of_the_others():
    roles = ClusterRoles([role("self", "secrets", selects=(by(x="y"),), x="y"), role("leaf", "pods", x="y")])
    assert resources(roles, "self") == {"pods"}


def circle(count: int) -> list[Obj]:
    """Each selects all others by a selector of its own, the most links that there can be."""
    all_users = {f"s{number}": "x" for number in range(count)}
    made = [role(f"r{number}", selects=(by(**{f"s{number}": "x"}),), **all_users) for number in range(count)]
    return [*made, role("leaf", "pods", **all_users)]


def test_uniting_roles_costs_as_much_as_there_are_links():
    for count in (5, 30, 60):
        roles = ClusterRoles(circle(count))
        for number in range(count):
            assert resources(roles, f"r{number}") == {"pods"}
        # Links of one walk: each of the selectors matches all; and each role is asked.
        links = count * (count + 1)
        assert roles.steps <= links * (count + 1) + count
        one = ClusterRoles(circle(count))
        one.rules("r0")
        assert one.steps <= 2 * links + 1
        one.rules("r0")
        assert one.steps <= 2 * links + 1, "and it is not done again"


def test_a_long_chain_needs_no_depth():
    """Deeper than the interpreter's stack."""
    count = 5000
    chain = [role(f"r{n}", selects=(by(l=str(n + 1)),), l=str(n)) for n in range(count)]
    roles = ClusterRoles([*chain, role("leaf", "pods", l=str(count))])
    assert resources(roles, "r0") == {"pods"}
    assert roles.steps <= 3 * count


def test_roles_that_nobody_asks_for_cost_nothing():
    roles = ClusterRoles(circle(30))
    assert roles.steps == 0 and "r0" in roles and "r30" not in roles


def test_a_stored_selector_that_cannot_be_read_selects_nothing():
    bad = {"matchExpressions": [{"key": "a", "operator": "Like"}]}
    roles = ClusterRoles([role("top", selects=(bad, by(x="y"))), role("leaf", "pods", x="y")])
    assert resources(roles, "top") == {"pods"}


@pytest.mark.parametrize(
    ("aggregation", "message"),
    [
        (
            {},
            "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if "
            "aggregationRule is non-nil",
        ),
        (
            {"clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "Like"}]}]},
            "aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "
            '"Like": not a valid selector operator',
        ),
    ],
)
def test_an_aggregation_rule_that_selects_nothing_readable_is_invalid(aggregation, message):
    """Otherwise no request of anybody could be authorized."""

    async def scenario(w: World) -> None:
        reply = await w.post(ROLES, {"metadata": {"name": "bad"}, "aggregationRule": aggregation})
        assert reply.status == 422
        assert message in reply.message

    story(scenario)
