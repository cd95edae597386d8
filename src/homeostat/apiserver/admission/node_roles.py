"""NodeRoles: a Node that its agent registers gets the role that the cluster's plan gives it.

An agent may not say so itself (`node_labels`): Pods are steered by roles. Where kubeadm has its administrator label the
first master, the API server does it for every node, each time one registers.
"""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api.rules import wellknown
from homeostat.apiserver.admission.plugin import CREATE, Plugin, is_write_of, name_of
from homeostat.apiserver.authz.node_authorizer import node_of
from homeostat.apiserver.contract import Attributes


class NodeRoles(Plugin):
    """`role_of` gives a node's role by its name; empty for none."""

    name = "NodeRoles"
    mutates = frozenset(("nodes",))

    def __init__(self, role_of: Callable[[str], str]) -> None:
        self._role_of = role_of

    async def mutate(self, attributes: Attributes) -> None:
        """Add the label."""
        if not is_write_of(attributes, "nodes", CREATE) or attributes.obj is None or node_of(attributes.user) is None:
            return
        role = self._role_of(name_of(attributes))
        if role:
            metadata = attributes.obj["metadata"]
            metadata["labels"] = {**(metadata.get("labels") or {}), f"{wellknown.LABEL_NODE_ROLE_PREFIX}{role}": ""}
