"""The roles and bindings that every cluster starts with, as data.

They follow kube-apiserver's bootstrap policy, cut to the resources served here. One difference, until per-loop
identities come: one role, system:kube-controller-manager, holds what all loops need. What lets machines join is in
`bootstrap_policy`.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

GROUP = "rbac.authorization.k8s.io"
_VERSION = f"{GROUP}/v1"
_LABELS = {wellknown.LABEL_BOOTSTRAPPING: "rbac-defaults"}

_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_ALL = f"{_WRITE} {_READ}"


def rule(verbs: str, group: str, resources: str, *, names: str = "") -> Obj:
    """A rule; every argument is a list of words in one text. Group "core" is the empty one."""
    groups = ["" if word == "core" else word for word in group.split()]
    rule: Obj = {"apiGroups": groups, "resources": resources.split(), "verbs": verbs.split()}
    if names:
        rule["resourceNames"] = names.split()
    return rule


def _urls(verbs: str, urls: str) -> Obj:
    return {"nonResourceURLs": urls.split(), "verbs": verbs.split()}


_EVENTS = rule("create patch update", "core events.k8s.io", "events")
_REVIEWS = [
    rule("create", "authentication.k8s.io", "tokenreviews"),
    rule("create", "authorization.k8s.io", "subjectaccessreviews"),
]

_VIEW = [
    rule(
        _READ,
        "core",
        "bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims "
        "persistentvolumeclaims/status pods pods/log pods/status replicationcontrollers replicationcontrollers/scale "
        "replicationcontrollers/status resourcequotas resourcequotas/status serviceaccounts services services/status",
    ),
    rule(_READ, "discovery.k8s.io", "endpointslices"),
    rule(
        _READ,
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
        "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    ),
    rule(_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    rule(_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    rule(_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    rule(_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    rule(_READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
]
_STREAMS = "pods/attach pods/exec pods/portforward pods/proxy"
_EDIT = [
    rule(_READ, "core", f"{_STREAMS} secrets services/proxy"),
    rule("impersonate", "core", "serviceaccounts"),
    rule(_WRITE, "core", f"pods {_STREAMS}"),
    rule("create", "core", "pods/eviction serviceaccounts/token"),
    rule(
        _WRITE,
        "core",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
        "serviceaccounts services services/proxy",
    ),
    rule(
        _WRITE,
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
        "statefulsets/scale",
    ),
    rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
    rule(_WRITE, "batch", "cronjobs jobs"),
    rule(_WRITE, "policy", "poddisruptionbudgets"),
    rule(_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    rule(_ALL, "coordination.k8s.io", "leases"),
    rule(_WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
]
_ADMIN = [
    rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    rule(_ALL, GROUP, "roles rolebindings"),
]
# What every node may do, whatever it is about; the Node authorizer narrows reads, and admission narrows writes.
_NODE = [
    *_REVIEWS,
    rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    rule(_READ, "core", "services"),
    rule("get", "core", "endpoints"),
    rule("create get list watch patch update", "core", "nodes"),
    rule("patch update", "core", "nodes/status pods/status"),
    _EVENTS,
    rule("get list watch create delete", "core", "pods"),
    rule("create", "core", "pods/eviction serviceaccounts/token"),
    rule("get list watch", "core", "secrets configmaps"),
    rule("get", "core", "persistentvolumeclaims persistentvolumes serviceaccounts"),
    rule("get patch update", "core", "persistentvolumeclaims/status"),
    rule("get create update patch delete", "coordination.k8s.io", "leases"),
    rule("get", "storage.k8s.io", "volumeattachments"),
    rule(_READ, "storage.k8s.io", "csidrivers"),
    rule("get create update patch delete", "storage.k8s.io", "csinodes"),
    rule(_READ, "node.k8s.io", "runtimeclasses"),
    rule("get", "resource.k8s.io", "resourceclaims"),
    rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
]
_CONTROLLERS = [
    # The garbage collector and the namespace loop work on every kind; the others on parts of that.
    rule("get list watch delete deletecollection patch update", "*", "*"),
    rule(
        "create",
        "core",
        "configmaps endpoints events pods persistentvolumeclaims secrets serviceaccounts serviceaccounts/token",
    ),
    rule("create", "apps", "replicasets controllerrevisions"),
    rule("create", "batch", "jobs"),
    rule("create", "discovery.k8s.io", "endpointslices"),
    rule("create", "events.k8s.io", "events"),
    rule("create", "coordination.k8s.io", "leases"),
    rule("create", "networking.k8s.io", "ipaddresses servicecidrs"),
    rule("create", "resource.k8s.io", "resourceclaims"),
    rule(
        "approve sign",
        "certificates.k8s.io",
        "signers",
        names="kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet "
        "kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
    ),
    *_REVIEWS,
    _urls("get", "*"),
]
_SCHEDULER = [
    _EVENTS,
    rule("create get list watch update patch", "coordination.k8s.io", "leases"),
    rule(_READ, "core", "nodes namespaces pods services replicationcontrollers persistentvolumes"),
    rule("get list watch patch update", "core", "persistentvolumeclaims"),
    rule("delete", "core", "pods"),
    rule("create", "core", "bindings pods/binding"),
    rule("patch update", "core", "pods/status"),
    rule(_READ, "apps", "replicasets statefulsets"),
    rule(_READ, "policy", "poddisruptionbudgets"),
    rule(_READ, "scheduling.k8s.io", "priorityclasses"),
    rule(_READ, "storage.k8s.io", "csinodes csidrivers csistoragecapacities storageclasses volumeattachments"),
    *_REVIEWS,
]
_PROXIER = [
    rule(_READ, "core", "services endpoints nodes"),
    rule(_READ, "discovery.k8s.io", "endpointslices"),
    rule(_READ, "networking.k8s.io", "servicecidrs"),
    _EVENTS,
]
_DISCOVERY_URLS = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"
_SELF = [
    rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
    rule("create", "authentication.k8s.io", "selfsubjectreviews"),
]


def cluster_role(name: str, rules: Iterable[Obj] = (), *, aggregates: str = "", labels: Obj | None = None) -> Obj:
    """A bootstrap ClusterRole; `aggregates` names the label of those that it unites."""
    metadata: Obj = {
        "name": name,
        "annotations": {wellknown.ANNOTATION_AUTOUPDATE: "true"},
        "labels": _LABELS | (labels or {}),
    }
    role: Obj = {"apiVersion": _VERSION, "kind": "ClusterRole", "metadata": metadata, "rules": list(rules)}
    if aggregates:
        selector = {"matchLabels": {f"{GROUP}/aggregate-to-{aggregates}": "true"}}
        role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
    return role


def _to(name: str) -> Obj:
    return {f"{GROUP}/aggregate-to-{name}": "true"}


def node_rules() -> list[Obj]:
    """The rules of system:node: what the Node authorizer allows every node."""
    return list(_NODE)


def cluster_roles() -> list[Obj]:
    """The bootstrap ClusterRoles; admin, edit and view show the rules they aggregate."""
    everything = [rule("*", "*", "*"), _urls("*", "*")]
    probes = "/healthz /healthz/* /livez /livez/* /metrics /metrics/* /readyz /readyz/*"
    return [
        cluster_role("cluster-admin", everything),
        cluster_role("admin", [*_ADMIN, *_EDIT, *_VIEW], aggregates="admin"),
        cluster_role("edit", [*_EDIT, *_VIEW], aggregates="edit", labels=_to("admin")),
        cluster_role("view", _VIEW, aggregates="view", labels=_to("edit")),
        cluster_role("system:aggregate-to-admin", _ADMIN, labels=_to("admin")),
        cluster_role("system:aggregate-to-edit", _EDIT, labels=_to("edit")),
        cluster_role("system:aggregate-to-view", _VIEW, labels=_to("view")),
        cluster_role("system:discovery", [_urls("get", _DISCOVERY_URLS)]),
        cluster_role("system:public-info-viewer", [_urls("get", "/healthz /livez /readyz /version /version/")]),
        cluster_role("system:monitoring", [_urls("get", probes)]),
        cluster_role("system:basic-user", _SELF),
        cluster_role("system:auth-delegator", _REVIEWS),
        cluster_role(
            "system:service-account-issuer-discovery", [_urls("get", "/.well-known/openid-configuration /openid/*")]
        ),
        cluster_role(
            "system:kubelet-api-admin", [rule("*", "core", "nodes nodes/log nodes/metrics nodes/proxy nodes/stats")]
        ),
        cluster_role("system:node", _NODE),
        cluster_role("system:node-proxier", _PROXIER),
        cluster_role(
            "system:node-bootstrapper",
            [rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests")],
        ),
        cluster_role("system:kube-controller-manager", _CONTROLLERS),
        cluster_role("system:kube-scheduler", _SCHEDULER),
        cluster_role(
            "system:kube-dns",
            [
                rule("list watch", "core", "endpoints services"),
                rule("list watch", "discovery.k8s.io", "endpointslices"),
            ],
        ),
    ]


def subject(kind: str, name: str) -> Obj:
    """A binding's subject; a ServiceAccount is one of kube-system."""
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": "kube-system"}
    return {"apiGroup": GROUP, "kind": kind, "name": name}


def cluster_role_binding(name: str, role: str, *subjects: Obj) -> Obj:
    """A bootstrap ClusterRoleBinding."""
    metadata: Obj = {"name": name, "annotations": {wellknown.ANNOTATION_AUTOUPDATE: "true"}, "labels": dict(_LABELS)}
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}
    binding: Obj = {"apiVersion": _VERSION, "kind": "ClusterRoleBinding", "metadata": metadata, "roleRef": reference}
    binding["subjects"] = list(subjects)
    return binding


def _binding(name: str, *subjects: Obj) -> Obj:
    return cluster_role_binding(name, name, *subjects)


def cluster_role_bindings() -> list[Obj]:
    """The bootstrap ClusterRoleBindings, each of the name of its role."""
    authenticated = subject("Group", "system:authenticated")
    return [
        _binding("cluster-admin", subject("Group", "system:masters")),
        _binding("system:discovery", authenticated),
        _binding("system:basic-user", authenticated),
        _binding("system:public-info-viewer", authenticated, subject("Group", "system:unauthenticated")),
        _binding("system:monitoring", subject("Group", "system:monitoring")),
        _binding("system:service-account-issuer-discovery", subject("Group", "system:serviceaccounts")),
        # Nobody: what a node may do is the Node authorizer's to say.
        _binding("system:node"),
        _binding("system:node-proxier", subject("User", "system:kube-proxy")),
        _binding("system:kube-controller-manager", subject("User", "system:kube-controller-manager")),
        _binding("system:kube-scheduler", subject("User", "system:kube-scheduler")),
        _binding("system:kube-dns", subject("ServiceAccount", "kube-dns")),
    ]


# What earlier versions granted: to every node, all that one node may do.
_RETIRED = (("system:node", subject("Group", "system:nodes")),)


def reconciled(stored: Obj, wanted: Obj) -> Obj | None:
    """`stored` with what a bootstrap role or binding `wanted` has and it lacks, and without what is no longer granted.

    None when nothing is to change, or it is not to be touched.
    """
    meta = stored["metadata"]
    if (meta.get("annotations") or {}).get(wellknown.ANNOTATION_AUTOUPDATE) == "false":
        return None
    field = "rules" if stored["kind"].endswith("Role") else "subjects"
    had = stored.get(field) or []
    kept = [item for item in had if (meta["name"], item) not in _RETIRED]
    lacking = [item for item in wanted[field] if item not in kept]
    own_labels = meta.get("labels") or {}
    own_annotations = meta.get("annotations") or {}
    labels = {**wanted["metadata"]["labels"], **own_labels}
    annotations = {**wanted["metadata"]["annotations"], **own_annotations}
    if not lacking and kept == had and labels == own_labels and annotations == own_annotations:
        return None
    changed = {**stored, "metadata": {**meta, "labels": labels, "annotations": annotations}}
    changed[field] = [*kept, *lacking]
    return changed
