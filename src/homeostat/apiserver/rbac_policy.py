"""The roles and bindings that every cluster starts with, as data.

They follow kube-apiserver's bootstrap policy, cut to the resources served here. Two differences, both until the Node
authorizer and per-loop identities come: the group system:nodes is bound to system:node, and one role,
system:kube-controller-manager, holds what all loops need.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api.types import Obj

GROUP = "rbac.authorization.k8s.io"
_VERSION = f"{GROUP}/v1"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}

_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_ALL = f"{_WRITE} {_READ}"


def _rule(verbs: str, group: str, resources: str, *, names: str = "") -> Obj:
    """A rule; every argument is words. Group "core" is the empty one."""
    groups = ["" if word == "core" else word for word in group.split()]
    rule: Obj = {"apiGroups": groups, "resources": resources.split(), "verbs": verbs.split()}
    if names:
        rule["resourceNames"] = names.split()
    return rule


def _urls(verbs: str, urls: str) -> Obj:
    return {"nonResourceURLs": urls.split(), "verbs": verbs.split()}


_EVENTS = _rule("create patch update", "core events.k8s.io", "events")
_REVIEWS = [
    _rule("create", "authentication.k8s.io", "tokenreviews"),
    _rule("create", "authorization.k8s.io", "subjectaccessreviews"),
]

_VIEW = [
    _rule(
        _READ,
        "core",
        "bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims "
        "persistentvolumeclaims/status pods pods/log pods/status replicationcontrollers replicationcontrollers/scale "
        "replicationcontrollers/status resourcequotas resourcequotas/status serviceaccounts services services/status",
    ),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule(
        _READ,
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
        "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    ),
    _rule(_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    _rule(_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    _rule(_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    _rule(_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    _rule(_READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
]
_STREAMS = "pods/attach pods/exec pods/portforward pods/proxy"
_EDIT = [
    _rule(_READ, "core", f"{_STREAMS} secrets services/proxy"),
    _rule("impersonate", "core", "serviceaccounts"),
    _rule(_WRITE, "core", f"pods {_STREAMS}"),
    _rule("create", "core", "pods/eviction serviceaccounts/token"),
    _rule(
        _WRITE,
        "core",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
        "serviceaccounts services services/proxy",
    ),
    _rule(
        _WRITE,
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
        "statefulsets/scale",
    ),
    _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
    _rule(_WRITE, "batch", "cronjobs jobs"),
    _rule(_WRITE, "policy", "poddisruptionbudgets"),
    _rule(_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    _rule(_ALL, "coordination.k8s.io", "leases"),
    _rule(_WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
]
_ADMIN = [
    _rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    _rule(_ALL, GROUP, "roles rolebindings"),
]
_NODE = [
    *_REVIEWS,
    _rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    _rule(_READ, "core", "services configmaps secrets persistentvolumeclaims persistentvolumes endpoints namespaces"),
    _rule("create get list watch patch update delete", "core", "nodes"),
    _rule("patch update", "core", "nodes/status pods/status persistentvolumeclaims/status"),
    _EVENTS,
    _rule("get list watch create delete", "core", "pods"),
    _rule("create", "core", "pods/eviction serviceaccounts/token"),
    _rule("get", "core", "serviceaccounts"),
    _rule("get create update patch delete", "coordination.k8s.io", "leases"),
    _rule(_READ, "storage.k8s.io", "volumeattachments csidrivers"),
    _rule(_ALL, "storage.k8s.io", "csinodes"),
    _rule(_READ, "node.k8s.io", "runtimeclasses"),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
]
_CONTROLLERS = [
    # The garbage collector and the namespace loop work on every kind; the others on parts of that.
    _rule("get list watch delete deletecollection patch update", "*", "*"),
    _rule(
        "create",
        "core",
        "configmaps endpoints events pods persistentvolumeclaims secrets serviceaccounts serviceaccounts/token",
    ),
    _rule("create", "apps", "replicasets controllerrevisions"),
    _rule("create", "batch", "jobs"),
    _rule("create", "discovery.k8s.io", "endpointslices"),
    _rule("create", "events.k8s.io", "events"),
    _rule("create", "coordination.k8s.io", "leases"),
    _rule("create", "networking.k8s.io", "ipaddresses servicecidrs"),
    _rule("create", "resource.k8s.io", "resourceclaims"),
    *_REVIEWS,
    _urls("get", "*"),
]
_SCHEDULER = [
    _EVENTS,
    _rule("create get list watch update patch", "coordination.k8s.io", "leases"),
    _rule(_READ, "core", "nodes namespaces pods services replicationcontrollers persistentvolumes"),
    _rule("get list watch patch update", "core", "persistentvolumeclaims"),
    _rule("delete", "core", "pods"),
    _rule("create", "core", "bindings pods/binding"),
    _rule("patch update", "core", "pods/status"),
    _rule(_READ, "apps", "replicasets statefulsets"),
    _rule(_READ, "policy", "poddisruptionbudgets"),
    _rule(_READ, "scheduling.k8s.io", "priorityclasses"),
    _rule(_READ, "storage.k8s.io", "csinodes csidrivers csistoragecapacities storageclasses volumeattachments"),
    *_REVIEWS,
]
_PROXIER = [
    _rule(_READ, "core", "services endpoints nodes"),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule(_READ, "networking.k8s.io", "servicecidrs"),
    _EVENTS,
]
_DISCOVERY_URLS = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"
_SELF = [
    _rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
    _rule("create", "authentication.k8s.io", "selfsubjectreviews"),
]


def _role(name: str, rules: Iterable[Obj] = (), *, aggregates: str = "", labels: Obj | None = None) -> Obj:
    metadata: Obj = {"name": name, "annotations": {AUTOUPDATE: "true"}, "labels": _LABELS | (labels or {})}
    role: Obj = {"apiVersion": _VERSION, "kind": "ClusterRole", "metadata": metadata, "rules": list(rules)}
    if aggregates:
        selector = {"matchLabels": {f"{GROUP}/aggregate-to-{aggregates}": "true"}}
        role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
    return role


def _to(name: str) -> Obj:
    return {f"{GROUP}/aggregate-to-{name}": "true"}


def cluster_roles() -> list[Obj]:
    """The bootstrap ClusterRoles; admin, edit and view show the rules they aggregate."""
    everything = [_rule("*", "*", "*"), _urls("*", "*")]
    probes = "/healthz /healthz/* /livez /livez/* /metrics /metrics/* /readyz /readyz/*"
    return [
        _role("cluster-admin", everything),
        _role("admin", [*_ADMIN, *_EDIT, *_VIEW], aggregates="admin"),
        _role("edit", [*_EDIT, *_VIEW], aggregates="edit", labels=_to("admin")),
        _role("view", _VIEW, aggregates="view", labels=_to("edit")),
        _role("system:aggregate-to-admin", _ADMIN, labels=_to("admin")),
        _role("system:aggregate-to-edit", _EDIT, labels=_to("edit")),
        _role("system:aggregate-to-view", _VIEW, labels=_to("view")),
        _role("system:discovery", [_urls("get", _DISCOVERY_URLS)]),
        _role("system:public-info-viewer", [_urls("get", "/healthz /livez /readyz /version /version/")]),
        _role("system:monitoring", [_urls("get", probes)]),
        _role("system:basic-user", _SELF),
        _role("system:auth-delegator", _REVIEWS),
        _role("system:service-account-issuer-discovery", [_urls("get", "/.well-known/openid-configuration /openid/*")]),
        _role(
            "system:kubelet-api-admin", [_rule("*", "core", "nodes nodes/log nodes/metrics nodes/proxy nodes/stats")]
        ),
        _role("system:node", _NODE),
        _role("system:node-proxier", _PROXIER),
        _role(
            "system:node-bootstrapper",
            [_rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests")],
        ),
        _role("system:kube-controller-manager", _CONTROLLERS),
        _role("system:kube-scheduler", _SCHEDULER),
        _role(
            "system:kube-dns",
            [
                _rule("list watch", "core", "endpoints services"),
                _rule("list watch", "discovery.k8s.io", "endpointslices"),
            ],
        ),
    ]


def _subject(kind: str, name: str) -> Obj:
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": "kube-system"}
    return {"apiGroup": GROUP, "kind": kind, "name": name}


def _binding(name: str, *subjects: Obj) -> Obj:
    metadata: Obj = {"name": name, "annotations": {AUTOUPDATE: "true"}, "labels": dict(_LABELS)}
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
    binding: Obj = {"apiVersion": _VERSION, "kind": "ClusterRoleBinding", "metadata": metadata, "roleRef": reference}
    binding["subjects"] = list(subjects)
    return binding


def cluster_role_bindings() -> list[Obj]:
    """The bootstrap ClusterRoleBindings, each of the name of its role."""
    everyone = _subject("Group", "system:authenticated")
    return [
        _binding("cluster-admin", _subject("Group", "system:masters")),
        _binding("system:discovery", everyone),
        _binding("system:basic-user", everyone),
        _binding("system:public-info-viewer", everyone, _subject("Group", "system:unauthenticated")),
        _binding("system:monitoring", _subject("Group", "system:monitoring")),
        _binding("system:service-account-issuer-discovery", _subject("Group", "system:serviceaccounts")),
        _binding("system:node", _subject("Group", "system:nodes")),
        _binding("system:node-proxier", _subject("User", "system:kube-proxy")),
        _binding("system:kube-controller-manager", _subject("User", "system:kube-controller-manager")),
        _binding("system:kube-scheduler", _subject("User", "system:kube-scheduler")),
        _binding("system:kube-dns", _subject("ServiceAccount", "kube-dns")),
    ]


def reconciled(stored: Obj, wanted: Obj) -> Obj | None:
    """`stored` with what a bootstrap role or binding `wanted` has and it lacks; None when nothing, or not to touch."""
    meta = stored["metadata"]
    if (meta.get("annotations") or {}).get(AUTOUPDATE) == "false":
        return None
    field = "rules" if stored["kind"].endswith("Role") else "subjects"
    lacking = [item for item in wanted[field] if item not in (stored.get(field) or [])]
    own_labels = meta.get("labels") or {}
    own_annotations = meta.get("annotations") or {}
    labels = {**wanted["metadata"]["labels"], **own_labels}
    annotations = {**wanted["metadata"]["annotations"], **own_annotations}
    if not lacking and labels == own_labels and annotations == own_annotations:
        return None
    changed = {**stored, "metadata": {**meta, "labels": labels, "annotations": annotations}}
    changed[field] = [*(stored.get(field) or []), *lacking]
    return changed
