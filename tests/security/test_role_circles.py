"""Roles that select each other do not hold the server up: work is counted, not timed."""

from __future__ import annotations

from typing import Any

import orjson

from homeostat.apiserver.authz import rbac
from homeostat.apiserver.authz.rbac_aggregation import ClusterRoles
from homeostat.wire.message import User
from tests.support import api_site
from tests.support.api_site import Site

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES = 30
BOB = User("bob", ("system:authenticated",))


def test_thirty_roles_that_select_each_other_cost_no_more_than_their_links(monkeypatch):
    """Uniting them by trying every order of visits took factorial time on the event loop."""
    made: list[ClusterRoles] = []

    class Counted(ClusterRoles):
        def __init__(self, roles: Any) -> None:
            super().__init__(roles)
            made.append(self)

    monkeypatch.setattr(rbac, "ClusterRoles", Counted)
    all_users = {f"select{number}": "yes" for number in range(ROLES)}

    async def scenario(site: Site) -> None:
        w = site.world
        await w.make(f"{RBAC}/clusterroles", {
            "metadata": {"name": "leaf", "labels": all_users},
            "rules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]}],
        })  # fmt: skip
        for number in range(ROLES):
            selector = {"matchLabels": {f"select{number}": "yes"}}
            await w.make(f"{RBAC}/clusterroles", {
                "metadata": {"name": f"circle{number}", "labels": all_users},
                "aggregationRule": {"clusterRoleSelectors": [selector]},
            })  # fmt: skip
        await w.make(f"{RBAC}/clusterrolebindings", {
            "metadata": {"name": "bob"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "circle0"},
            "subjects": [{"kind": "User", "name": "bob"}],
        })  # fmt: skip
        caller = await site.call("GET", "/api/v1/namespaces/default/configmaps", token="bob")
        status, _, body = await caller.answer()
        assert status == 200 and orjson.loads(body)["kind"] == "ConfigMapList"
        # Every role selects every other one: so many links, each followed at most twice (compared, walked).
        assert 0 < made[-1].steps <= 2 * (ROLES + 1) ** 2

    api_site.story(scenario, static_tokens=api_site.TOKENS | {"bob": BOB})
