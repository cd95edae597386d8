"""The loop `csrapproving`: approves the certificate requests of node agents without a person.

Client certificates: of a machine that joins with a token, and of a node that renews its own or its service proxy's,
where a review of their permission says so (as kube-controller-manager, which knows no service proxies). A join also
binds the node's addresses (`nodeplan`), and is denied where it asks for what is not a joining machine's. Serving
certificates (`approve_serving`): of a node for the names and addresses that the plan or its join gave it, whatever its
Node says; Kubernetes leaves these to others, here TLS is everywhere.
Rules: pkg/controller/certificates/approver/sarapprove.go.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.certificates import bootstrap_tokens, certificate_text, signers
from homeostat.api.certificates.certificate_text import Asked
from homeostat.api.kinds import CONFIGMAP, CSR, NODE
from homeostat.api.types import Obj
from homeostat.controllers.certificates.csr import conditions, with_condition
from homeostat.controllers.nodes import nodeplan
from homeostat.controllers.nodes.nodeplan import NodePlan
from homeostat.loop.contract import Action, Create, IfAllowed, Key, Later, Loop, Update, Watch, World

_RETRY_SECONDS = 30.0
# A node asks for its serving certificate before it has registered.
_NODE_SECONDS = 2.0
# The key under which the record of joined nodes is looked after; no request has such a name.
_RECORD = f"{nodeplan.NAMESPACE}/{nodeplan.NAME}"
# What a request must be allowed to create, and what it then is, in the order of trying.
_SELF = ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")
_OTHER = ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")


# A node that joins has no other way to an identity for its service proxy, which may read what every proxy may.
_PROXY_USER = "system:kube-proxy"
_PROXY = ("proxyclient", "Auto approving the service proxy's client certificate after SubjectAccessReview.")


def loop(*, approve_serving: bool, plan: NodePlan | None = None) -> Loop:
    """The loop. Without a `plan` no node is planned, no join is written down, and no serving certificate approved."""

    def decide(key: Key, world: World) -> list[Action]:
        record = world.get(CONFIGMAP, nodeplan.NAMESPACE, nodeplan.NAME) if plan is not None else None
        if plan is not None and key == _RECORD:
            return [] if record is not None else [_written(nodeplan.first_record(plan, world), record)]
        request = world.get(CSR, "", key)
        if request is None or conditions(request) or (request.get("status") or {}).get("certificate"):
            return []
        spec = request.get("spec") or {}
        try:
            asked = certificate_text.read_request(certificate_text.decoded(spec.get("request")))
        except ValueError:
            return []
        signer = spec.get("signerName") or ""
        if signers.problem(signer, asked, spec.get("usages") or ()):
            return []
        if signer == signers.KUBELET_CLIENT:
            own = spec.get("username") == asked.common_name
            return _renewal(request) if own else _join(request, asked, plan, world, record)
        if signer == signers.CLIENT and asked == Asked(_PROXY_USER, ()):
            return [IfAllowed(_review(request, _PROXY), (_approved(request, _PROXY[1]),), (Later(_RETRY_SECONDS),))]
        if signer == signers.KUBELET_SERVING and approve_serving and plan is not None:
            return _serving(request, asked, plan.names_of(_node_of(asked), record), world)
        return []

    def nothing(old: Obj | None, new: Obj | None, world: World) -> tuple[Key, ...]:
        return ()

    watches = (Watch(CSR), Watch(NODE, nothing))
    if plan is None:
        return Loop("csrapproving", watches, decide)
    # Machines that joined before there was a record are in it from the start.
    return Loop("csrapproving", (*watches, Watch(CONFIGMAP, nothing)), decide, start_keys=(_RECORD,))


def _node_of(asked: Asked) -> str:
    return asked.common_name.removeprefix(signers.NODE_PREFIX)


def _renewal(request: Obj) -> list[Action]:
    """A node requests its own next client certificate."""
    decision: tuple[Action, ...] = (Later(_RETRY_SECONDS),)
    for permission in (_OTHER, _SELF):
        decision = (IfAllowed(_review(request, permission), (_approved(request, permission[1]),), decision),)
    return list(decision)


def _join(request: Obj, asked: Asked, plan: NodePlan | None, world: World, record: Obj | None) -> list[Action]:
    """A request for a node's client certificate: approve it for a user who may, with the addresses that it names, or
    deny it with a reason."""
    name = _node_of(asked)
    text = meta.annotations(request).get(bootstrap_tokens.ADDRESSES, "")
    addresses = [each.strip() for each in text.split(",") if each.strip()]
    problem = nodeplan.join_problem(plan or NodePlan(), name, addresses, world, record)
    if problem:
        denied = with_condition(request, "Denied", "NotForJoining", problem)
        then: tuple[Action, ...] = (Update(CSR, denied, subresource="approval", note=problem),)
    else:
        then = (_approved(request, _OTHER[1]),)
        if plan is not None:
            # Its addresses are recorded before it gets its identity.
            bound = nodeplan.with_binding(record or nodeplan.first_record(plan, world), name, addresses)
            then = then if bound == record else (_written(bound, record), *then)
    return [IfAllowed(_review(request, _OTHER), then, (Later(_RETRY_SECONDS),))]


def _written(wanted: Obj, record: Obj | None) -> Action:
    """Record the addresses that joined nodes are bound to."""
    note = "which addresses joined nodes have is written down"
    return Create(CONFIGMAP, wanted, note=note) if record is None else Update(CONFIGMAP, wanted, note=note)


def _review(request: Obj, permission: tuple[str, str]) -> Obj:
    spec = request["spec"]
    attributes = {"group": CSR.group, "resource": CSR.plural, "verb": "create", "subresource": permission[0]}
    asked_by = {"user": spec.get("username"), "groups": spec.get("groups") or [], "uid": spec.get("uid") or ""}
    return {**asked_by, "extra": spec.get("extra") or {}, "resourceAttributes": attributes | {"version": "*"}}


def _approved(request: Obj, message: str) -> Update:
    changed = with_condition(request, "Approved", "AutoApproved", message)
    return Update(CSR, changed, subresource="approval", note=message.rstrip("."))


def _serving(request: Obj, asked: Asked, known: set[str], world: World) -> list[Action]:
    """Approved when the node requests it for itself, and only for `known`: the names and addresses that others assigned
    to it."""
    if request["spec"].get("username") != asked.common_name:
        return []
    name = _node_of(asked)
    node = world.get(NODE, "", name)
    if node is None or meta.deleting(node):
        return [Later(_NODE_SECONDS)]
    foreign = [each for each in (*asked.dns_names, *asked.addresses) if each not in known]
    if foreign:
        why = f"node {name} is not known by {', '.join(foreign)}: neither the cluster's plan nor its join says so"
        denied = with_condition(request, "Denied", "ForeignName", why)
        return [Update(CSR, denied, subresource="approval", note=why)]
    message = "Auto approving kubelet serving certificate: its names and addresses are those planned or bound for it."
    return [_approved(request, message)]
