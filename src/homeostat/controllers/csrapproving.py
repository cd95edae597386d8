"""The loop `csrapproving`: approves the certificate requests of node agents without a person.

Client certificates: of a machine that joins with a token, and of a node that renews its own or its service proxy's,
where a review of their permission says so (as kube-controller-manager, which knows no service proxies). Serving
certificates (`approve_serving`): of a node for the names and addresses that its Node has; Kubernetes leaves these to
others, here TLS is everywhere. Rules: pkg/controller/certificates/approver/sarapprove.go.
"""

from __future__ import annotations

from homeostat.api import meta, signers, x509
from homeostat.api.kinds import CSR, NODE
from homeostat.api.types import Obj
from homeostat.api.x509 import Asked
from homeostat.controllers.csr import conditions, with_condition
from homeostat.loop.contract import Action, IfAllowed, Key, Later, Loop, Update, Watch, World

_RETRY_SECONDS = 30.0
# A node asks for its serving certificate before it has registered, or with a new address.
_NODE_SECONDS = 2.0
# What a request must be allowed to create, and what it then is, in the order of trying.
_SELF = ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")
_OTHER = ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")


# A node that joins has no other way to an identity for its service proxy, which may read what every proxy may.
_PROXY_USER = "system:kube-proxy"
_PROXY = ("proxyclient", "Auto approving the service proxy's client certificate after SubjectAccessReview.")


def loop(*, approve_serving: bool) -> Loop:
    """The loop."""

    def decide(key: Key, world: World) -> list[Action]:
        request = world.get(CSR, "", key)
        if request is None or conditions(request) or (request.get("status") or {}).get("certificate"):
            return []
        spec = request.get("spec") or {}
        try:
            asked = x509.read_request(x509.decoded(spec.get("request")))
        except ValueError:
            return []
        signer = spec.get("signerName") or ""
        if signers.problem(signer, asked, spec.get("usages") or ()):
            return []
        if signer == signers.KUBELET_CLIENT:
            return _client(request, asked)
        if signer == signers.CLIENT and (asked.common_name, asked.organizations) == (_PROXY_USER, ()):
            return [IfAllowed(_review(request, _PROXY), (_approved(request, _PROXY[1]),), (Later(_RETRY_SECONDS),))]
        if signer == signers.KUBELET_SERVING and approve_serving:
            return _serving(request, asked, world)
        return []

    # Nodes are only read.
    return Loop("csrapproving", (Watch(CSR), Watch(NODE, lambda old, new, world: ())), decide)


def _client(request: Obj, asked: Asked) -> list[Action]:
    own = request["spec"].get("username") == asked.common_name
    decision: tuple[Action, ...] = (Later(_RETRY_SECONDS),)
    for permission in (_OTHER, _SELF) if own else (_OTHER,):
        decision = (IfAllowed(_review(request, permission), (_approved(request, permission[1]),), decision),)
    return list(decision)


def _review(request: Obj, permission: tuple[str, str]) -> Obj:
    spec = request["spec"]
    attributes = {"group": CSR.group, "resource": CSR.plural, "verb": "create", "subresource": permission[0]}
    asked_by = {"user": spec.get("username"), "groups": spec.get("groups") or [], "uid": spec.get("uid") or ""}
    return {**asked_by, "extra": spec.get("extra") or {}, "resourceAttributes": attributes | {"version": "*"}}


def _approved(request: Obj, message: str) -> Update:
    changed = with_condition(request, "Approved", "AutoApproved", message)
    return Update(CSR, changed, subresource="approval", note=message.rstrip("."))


def _serving(request: Obj, asked: Asked, world: World) -> list[Action]:
    """Approved when the node asks for itself, and only for what it is known by."""
    if request["spec"].get("username") != asked.common_name:
        return []
    name = asked.common_name.removeprefix(signers.NODE_PREFIX)
    node = world.get(NODE, "", name)
    addresses = ((node or {}).get("status") or {}).get("addresses") or ()
    known = {each["address"] for each in addresses} | {name}
    if node is None or meta.deleting(node) or not known.issuperset((*asked.dns_names, *asked.addresses)):
        return [Later(_NODE_SECONDS)]
    message = "Auto approving kubelet serving certificate: its names and addresses are those of the node."
    return [_approved(request, message)]
