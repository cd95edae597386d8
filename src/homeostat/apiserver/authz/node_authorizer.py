"""The Node authorizer: a node agent may read what its own Pods need, and write what is its own.

It has an opinion on users called `system:node:NAME` in the group system:nodes only, and never forbids: what it does not
allow, a later authorizer may. What a write may change is the business of `admission.node_restriction`.
Rules: plugin/pkg/auth/authorizer/node/node_authorizer.go; kubernetes.io/docs/reference/access-authn-authz/node.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api import kinds
from homeostat.api.types import Obj
from homeostat.apiserver.authz.node_graph import NodeGraph, Reference
from homeostat.apiserver.authz.rbac_rules import Rule
from homeostat.apiserver.contract import Reader, RequestInfo
from homeostat.wire.message import User

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
LEASE_NAMESPACE = "kube-node-lease"
_READS = ("get", "list", "watch")
_OWN_VERBS = ("get", "create", "update", "patch", "delete")
_UNRELATED = "no relationship found between node '{node}' and this object"


def node_of(user: User) -> str | None:
    """The node that a user is the agent of; empty for a member of system:nodes without a name, None for others."""
    if NODES_GROUP not in user.groups:
        return None
    return user.name.removeprefix(NODE_PREFIX) if user.name.startswith(NODE_PREFIX) else ""


class NodeAuthorizer:
    """`rules` are what every node may do with any object. The graph is updated when a node makes a request."""

    def __init__(self, reader: Reader, rules: Iterable[Rule]) -> None:
        self._reader = reader
        self._rules = tuple(rules)
        self._graph = NodeGraph(self._pod)
        self._seen = -1
        self._allowed_by_rule: dict[tuple[str, str, str, str], bool] = {}

    def allowed(self, user: User, info: RequestInfo) -> tuple[bool, str]:
        """Whether the node may; why not, where this authorizer knows."""
        if NODES_GROUP not in user.groups:
            return False, ""
        node = node_of(user)
        if not node:
            return False, f'unknown node for user "{user.name}"'
        if info.is_resource:
            why = self._about(node, info)
            if why is not None:
                return not why, why
        return self._by_rule(info), ""

    def _by_rule(self, info: RequestInfo) -> bool:
        key = (info.verb, info.group, info.resource, info.subresource)
        known = self._allowed_by_rule.get(key)
        if known is None:
            known = info.is_resource and any(
                rule.has_verb(info.verb) and rule.has_resource(info.group, info.resource, info.subresource)
                for rule in self._rules
            )
            if len(self._allowed_by_rule) < 4096:
                self._allowed_by_rule[key] = known
        return known

    def _about(self, node: str, info: RequestInfo) -> str | None:
        """Why the node may not, empty when it may, None where the rules for all nodes decide."""
        match info.group, info.resource:
            case "", "secrets" | "configmaps":
                return self._read_namespaced(node, info)
            case "", "persistentvolumeclaims" if info.subresource == "status":
                return self._status_write(node, info)
            case ("", "persistentvolumeclaims" | "persistentvolumes") | ("resource.k8s.io", "resourceclaims"):
                return self._get(node, info)
            case "storage.k8s.io", "volumeattachments":
                return self._get(node, info)
            case "", "serviceaccounts":
                return self._account(node, info)
            case "coordination.k8s.io", "leases":
                return _lease(node, info)
            case "storage.k8s.io", "csinodes":
                return _own("CSINode", node, info)
            case "", "nodes":
                return _node(node, info)
            case "", "pods":
                return self._pods(node, info)
        return None

    def _read_namespaced(self, node: str, info: RequestInfo) -> str:
        if info.verb not in _READS:
            return "can only read resources of this type"
        if info.subresource:
            return "cannot read subresource"
        if not info.namespace:
            return "can only read namespaced object of this type"
        return self._related(node, info)

    def _status_write(self, node: str, info: RequestInfo) -> str:
        if info.verb not in ("get", "update", "patch"):
            return "can only get/update/patch this type"
        return self._related(node, info)

    def _get(self, node: str, info: RequestInfo) -> str:
        if info.verb != "get":
            return "can only get individual resources of this type"
        if info.subresource:
            return "cannot get subresource"
        return self._related(node, info)

    def _account(self, node: str, info: RequestInfo) -> str:
        if info.subresource == "token":
            if info.verb != "create":
                return "can only create tokens for individual service accounts"
        elif info.subresource or info.verb != "get":
            return "can only get individual resources of this type"
        return self._related(node, info)

    def _pods(self, node: str, info: RequestInfo) -> str | None:
        if info.subresource:
            return None
        if info.verb == "get":
            self._catch_up()
            related = self._graph.runs(node, f"{info.namespace}/{info.name}")
            return "" if related else _UNRELATED.format(node=node)
        if info.verb in ("list", "watch"):
            own = info.node == node
            return "" if own else "can only list/watch pods with spec.nodeName field selector"
        return None

    def _related(self, node: str, info: RequestInfo) -> str:
        if not info.name:
            return "No Object name found"
        self._catch_up()
        related = self._relates(node, (info.resource, info.namespace, info.name))
        return "" if related else _UNRELATED.format(node=node)

    def _relates(self, node: str, wanted: Reference) -> bool:
        resource, namespace, name = wanted
        if resource == "volumeattachments":
            attachment = self._reader.get(kinds.VOLUMEATTACHMENT, "", name)
            return attachment is not None and (attachment.get("spec") or {}).get("nodeName") == node
        if resource == "persistentvolumes":
            return any(claim["metadata"].get("name") == name for claim in self._volumes(node))
        if self._graph.refers(node, wanted):
            return True
        if resource != "secrets":
            return False
        return any((namespace, name) in _secrets_of_volume(volume) for volume in self._volumes(node))

    def _volumes(self, node: str) -> list[Obj]:
        """The PersistentVolumes that are bound to the claims of the node's Pods."""
        found = []
        for _, namespace, name in self._graph.claims(node):
            claim = self._reader.get(kinds.PVC, namespace, name)
            volume_name = ((claim or {}).get("spec") or {}).get("volumeName")
            volume = self._reader.get(kinds.PV, "", volume_name) if volume_name else None
            bound = ((volume or {}).get("spec") or {}).get("claimRef") or {}
            if volume is not None and (bound.get("namespace"), bound.get("name")) == (namespace, name):
                found.append(volume)
        return found

    def _catch_up(self) -> None:
        revision = self._reader.revision(kinds.POD)
        if revision == self._seen:
            return
        changes = self._reader.changes(kinds.POD, self._seen) if self._seen >= 0 else None
        if changes is None:
            self._graph.load(self._reader.items(kinds.POD))
        else:
            for change in changes:
                self._graph.apply(change)
        self._seen = revision

    def _pod(self, key: str) -> Obj | None:
        namespace, _, name = key.partition("/")
        return self._reader.get(kinds.POD, namespace, name)


def _node(node: str, info: RequestInfo) -> str | None:
    """Nodes: reads of its own alone; writes are judged by admission."""
    if info.subresource or info.verb not in _READS or info.name == node:
        return None
    return f"node '{node}' cannot read '{info.name}', only its own Node object"


def _lease(node: str, info: RequestInfo) -> str:
    if info.verb not in _OWN_VERBS:
        return "can only get, create, update, patch, or delete a node lease"
    if info.namespace != LEASE_NAMESPACE:
        return f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
    if info.verb != "create" and info.name != node:
        return "can only access node lease with the same name as the requesting node"
    return ""


def _own(kind: str, node: str, info: RequestInfo) -> str:
    if info.verb not in _OWN_VERBS:
        return f"can only get, create, update, patch, or delete a {kind}"
    if info.subresource:
        return f"cannot authorize {kind} subresources"
    if info.verb != "create" and info.name != node:
        return f"can only access {kind} with the same name as the requesting node"
    return ""


def _secrets_of_volume(volume: Obj) -> set[tuple[str, str]]:
    """The Secrets (namespace and name) that a node needs to mount a PersistentVolume (VisitPVSecretNames)."""
    spec = volume.get("spec") or {}
    home = (spec.get("claimRef") or {}).get("namespace", "")
    azure = spec.get("azureFile") or {}
    found = {(azure.get("secretNamespace") or home, azure.get("secretName", ""))}
    for source in spec.values():
        for field, named in source.items() if isinstance(source, dict) else ():
            if field.lower().endswith("secretref") and not field.startswith("controller"):
                found.add((named.get("namespace") or home, named.get("name", "")))
    return {(namespace, name) for namespace, name in found if name}
