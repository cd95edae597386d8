"""NodeRestriction: a node agent writes its own Node, Lease and mirror Pods, and the status of its own Pods, no more.

The Node authorizer decides by names alone; what a write says is judged here, as the agent said it: before other
plugins add to it. Rule: plugin/pkg/admission/noderestriction.
"""

from __future__ import annotations

from homeostat.api import errors, kinds, meta
from homeostat.api.certificates import signers
from homeostat.api.rules import ownership, wellknown
from homeostat.api.rules.eviction import is_mirror
from homeostat.api.types import Obj
from homeostat.apiserver.admission.node_labels import forbidden_changes
from homeostat.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin, name_of, refuse
from homeostat.apiserver.authz.node_authorizer import LEASE_NAMESPACE, NODES_GROUP, node_of
from homeostat.apiserver.authz.node_graph import references_of
from homeostat.apiserver.contract import Attributes, Reader

_NODE_SIGNERS = (signers.KUBELET_SERVING, signers.KUBELET_CLIENT)
# What a mirror Pod may not refer to, in the order in which it is reported.
_FORBIDDEN_REFERENCES = ("secrets", "configmaps", "persistentvolumeclaims", "resourceclaims")
_CLAIM_STATUS_OF_NODE = ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")


class NodeRestriction(Plugin):
    """See the module."""

    name = "NodeRestriction"
    mutates = frozenset(("pods", "nodes", "persistentvolumeclaims", "leases", "csinodes", "certificatesigningrequests"))

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, attributes: Attributes) -> None:
        """Judge a write by a node agent; changes nothing. Raises 403, and 404 where the Node is not there."""
        if NODES_GROUP not in attributes.user.groups:
            return
        node = node_of(attributes.user)
        if not node:
            raise refuse(attributes, f'could not determine node from user "{attributes.user.name}"')
        match attributes.kind.group, attributes.kind.plural:
            case "", "pods":
                self._pod(node, attributes)
            case "", "nodes":
                _check_node(node, attributes)
            case "", "persistentvolumeclaims":
                _check_claim(node, attributes)
            case "coordination.k8s.io", "leases":
                _check_lease(node, attributes)
            case "storage.k8s.io", "csinodes":
                if name_of(attributes) != node:
                    raise refuse(
                        attributes, f'can only access CSINode with the same name as the requesting node "{node}"'
                    )
            case "certificates.k8s.io", "certificatesigningrequests":
                _check_request(attributes)

    def _pod(self, node: str, attributes: Attributes) -> None:
        match attributes.subresource, attributes.operation:
            case "", "CREATE":
                self._check_mirror(node, attributes, attributes.obj or {})
            case "", "DELETE":
                if meta.pod_node(attributes.old or {}) != node:
                    raise refuse(attributes, f'node "{node}" can only delete pods with spec.nodeName set to itself')
            case "", operation:
                why = f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'
                raise refuse(attributes, why)
            case "status", "UPDATE":
                _check_pod_status(node, attributes, attributes.obj or {}, attributes.old or {})
            case subresource, _:
                why = f"unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"
                raise refuse(attributes, why)

    def _check_mirror(self, node: str, attributes: Attributes, pod: Obj) -> None:
        if not is_mirror(pod):
            missing = f'pod does not have "{wellknown.ANNOTATION_MIRROR}" annotation'
            why = f'{missing}, node "{node}" can only create mirror pods'
            raise refuse(attributes, why)
        if meta.pod_node(pod) != node:
            raise refuse(attributes, f'node "{node}" can only create pods with spec.nodeName set to itself')
        self._check_owner(node, attributes, ownership.owner_references(pod))
        if (pod.get("spec") or {}).get("serviceAccountName"):
            raise refuse(attributes, f'node "{node}" can not create pods that reference a service account')
        named = {resource for resource, _, _ in references_of(pod)}
        for resource in _FORBIDDEN_REFERENCES:
            if resource in named:
                raise refuse(attributes, f'node "{node}" can not create pods that reference {resource}')

    def _check_owner(self, node: str, attributes: Attributes, owners: list[Obj]) -> None:
        """A mirror Pod is owned by the Node and nobody else, so that it is deleted with it."""
        only = f'node "{node}" can only create pods with'
        if len(owners) > 1:
            raise refuse(attributes, f"{only} a single owner reference set to itself")
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            raise refuse(attributes, f"{only} an owner reference set to itself")
        if not owner.get("controller"):
            raise refuse(attributes, f"{only} a controller owner reference set to itself")
        if owner.get("blockOwnerDeletion"):
            raise refuse(attributes, f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        known = self._reader.get(kinds.NODE, "", node)
        if known is None:
            raise errors.not_found("nodes", "", node)
        if owner.get("uid") != meta.uid(known):
            why = f"node {node} UID mismatch: expected {owner.get('uid')} got {meta.uid(known)}"
            raise refuse(attributes, why)


def _check_pod_status(node: str, attributes: Attributes, new: Obj, old: Obj) -> None:
    if meta.pod_node(old) != node:
        why = f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
        raise refuse(attributes, why)
    if meta.labels(new) != meta.labels(old):
        raise refuse(attributes, f'node "{node}" cannot update labels through pod status')
    claims = "resourceClaimStatuses"
    if ((new.get("status") or {}).get(claims) or []) != ((old.get("status") or {}).get(claims) or []):
        raise refuse(attributes, f'node "{node}" cannot update resource claim statuses')


def _check_node(node: str, attributes: Attributes) -> None:
    name = name_of(attributes)
    if name != node:
        raise refuse(attributes, f'node "{node}" is not allowed to modify node "{name}"')
    new, old = attributes.obj, attributes.old
    if new is None or attributes.operation not in (CREATE, UPDATE):
        return
    if (new.get("spec") or {}).get("configSource") and not ((old or {}).get("spec") or {}).get("configSource"):
        raise refuse(attributes, f'node "{node}" is not allowed to update configSource to a new non-nil configSource')
    forbidden = forbidden_changes(meta.labels(new), meta.labels(old) if old else {})
    if forbidden:
        verb = "set the following" if old is None else "modify"
        raise refuse(attributes, f'node "{node}" is not allowed to {verb} labels: {", ".join(forbidden)}')
    if old is None:
        # A node that owns itself to something could delete itself (and come back without its taints).
        if ownership.owner_references(new):
            raise refuse(attributes, f'node "{node}" is not allowed to set ownerReferences')
        return
    if ((new.get("spec") or {}).get("taints") or []) != ((old.get("spec") or {}).get("taints") or []):
        raise refuse(attributes, f'node "{node}" is not allowed to modify taints')
    if ownership.owner_references(new) != ownership.owner_references(old):
        raise refuse(attributes, f'node "{node}" is not allowed to modify ownerReferences')


def _check_claim(node: str, attributes: Attributes) -> None:
    if attributes.subresource != "status" or attributes.operation != UPDATE:
        raise refuse(attributes, "may only update PVC status")
    new, old = _without_status_of_node(attributes.obj or {}), _without_status_of_node(attributes.old or {})
    if new != old:
        why = "is not allowed to update fields other than status.capacity and status.conditions"
        raise refuse(attributes, f'node "{node}" {why}')


def _without_status_of_node(claim: Obj) -> Obj:
    status = {key: value for key, value in (claim.get("status") or {}).items() if key not in _CLAIM_STATUS_OF_NODE}
    own = {key: value for key, value in claim.get("metadata", {}).items() if key != "resourceVersion"}
    return {**claim, "metadata": own, "status": status}


def _check_lease(node: str, attributes: Attributes) -> None:
    if attributes.namespace != LEASE_NAMESPACE:
        raise refuse(attributes, f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
    if attributes.operation != DELETE and name_of(attributes) != node:
        raise refuse(attributes, f'can only access node lease with the same name as the requesting node "{node}"')


def _check_request(attributes: Attributes) -> None:
    """A node requests certificates in its own name only."""
    spec = (attributes.obj or {}).get("spec") or {}
    if attributes.operation != CREATE or spec.get("signerName") not in _NODE_SIGNERS:
        return
    from homeostat.api.certificates import certificate_text

    try:
        asked = certificate_text.read_request(certificate_text.decoded(spec.get("request")))
    except ValueError as error:
        raise refuse(attributes, f"unable to parse CSR: {error}") from error
    if asked.common_name != attributes.user.name:
        raise refuse(attributes, f"can only create a node CSR with CN={attributes.user.name}")


def check_token(reader: Reader, node: str, namespace: str, spec: Obj) -> str:
    """Why a node may not ask for this token (a TokenRequest's spec); empty when it may.

    It must be bound to a Pod that runs on the node (admitServiceAccount).
    """
    bound = spec.get("boundObjectRef")
    if not bound:
        return "node requested token not bound to a pod"
    if bound.get("apiVersion", "v1") != "v1" or bound.get("kind") != "Pod" or not bound.get("name"):
        return "node requested token not bound to a pod"
    if not bound.get("uid"):
        return "node requested token with a pod binding without a uid"
    pod = reader.get(kinds.POD, namespace, bound["name"])
    if pod is None or meta.uid(pod) != bound["uid"]:
        return f"the UID in the bound object reference ({bound['uid']}) is not that of a pod"
    if meta.pod_node(pod) != node:
        return "node requested token bound to a pod scheduled on a different node"
    return ""
