"""The kinds that the API serves, as data: names, scope, verbs and subresources of every resource.

The facts come from the schema file made at build time (`api.facts`); short names and categories, which no schema
carries, stand in `api.kindnames`. `by_kind("Pod")` and `by_resource("apps", "v1", "deployments")` are the two ways in;
the constants at the end name the kinds that code speaks of.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from homeostat.api import facts
from homeostat.api.kindnames import CATEGORIES, CONNECTED, GROUP_ORDER, PREFERRED, SHORT_NAMES, STORED_AS, VERBS
from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource in one version. `group` is empty for the core group; `subresources` are names such as `status`.

    `virtual` kinds are asked and answered but never stored (reviews, bindings, component statuses).
    """

    group: str
    version: str
    kind: str
    plural: str = field(hash=False)
    singular: str = field(hash=False)
    namespaced: bool = field(hash=False)
    verbs: frozenset[str] = field(default=frozenset(), hash=False)
    subresources: tuple[str, ...] = field(default=(), hash=False)
    short_names: tuple[str, ...] = field(default=(), hash=False)
    categories: tuple[str, ...] = field(default=(), hash=False)
    virtual: bool = field(default=False, hash=False)
    # Where the store keeps objects of this resource: the same for all versions of it.
    prefix: str = field(init=False, hash=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", f"/registry/{self.group or 'core'}/{self.plural}/")

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def key(self, namespace: str, name: str) -> str:
        """The store key of one object."""
        return f"{self.prefix}{namespace}/{name}" if self.namespaced else f"{self.prefix}{name}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = (f"/{name}" if name else "") + (f"/{subresource}" if subresource else "")
        return f"{root}{place}/{self.plural}{tail}"


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource of a kind: its verbs, and the group, version and kind of the bodies it speaks."""

    name: str
    group: str
    version: str
    kind: str
    verbs: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """As `Kind.api_version`, of the body."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _kind_from(entry: Obj) -> Kind:
    """The Kind of one entry of the facts."""
    group, kind, plural = entry["group"], entry["kind"], entry["plural"]
    verbs = frozenset(VERBS.get((group, plural)) or entry["verbs"])
    return Kind(
        group=group,
        version=entry["version"],
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=entry["namespaced"],
        verbs=verbs,
        subresources=tuple(sorted({*entry["subresources"], *CONNECTED.get((group, plural), {})})),
        short_names=SHORT_NAMES.get((group, plural), ()),
        categories=CATEGORIES.get((group, plural), ()),
        virtual="update" not in verbs,
    )


def _place(group: str) -> tuple[int, str]:
    """Where a group stands in discovery; unknown ones last, by name."""
    return (GROUP_ORDER.index(group) if group in GROUP_ORDER else len(GROUP_ORDER), group)


_ENTRIES = {(entry["group"], entry["version"], entry["plural"]): entry for entry in facts.resources()}
_BY_RESOURCE = {place: _kind_from(entry) for place, entry in sorted(_ENTRIES.items(), key=lambda e: _place(e[0][0]))}
_BY_KIND = {(kind.api_version, kind.kind): kind for kind in _BY_RESOURCE.values()}


def all_kinds() -> tuple[Kind, ...]:
    """Every kind in every version, by group in discovery's order."""
    return tuple(_BY_RESOURCE.values())


def groups() -> dict[str, tuple[str, ...]]:
    """The API groups in discovery's order, each with its versions, the preferred one first. "" is the core group."""
    found: dict[str, list[str]] = {}
    for kind in _BY_RESOURCE.values():
        versions = found.setdefault(kind.group, [])
        if kind.version not in versions:
            versions.append(kind.version)
    return {
        group: tuple(sorted(versions, key=lambda version: version != PREFERRED.get(group, "v1")))
        for group, versions in found.items()
    }


def by_kind(kind: str, api_version: str = "") -> Kind | None:
    """The kind of that name, in the given version or else in the first group that has it, in its preferred version."""
    if api_version:
        return _BY_KIND.get((api_version, kind))
    found = [known for known in _BY_RESOURCE.values() if known.kind == kind]
    preferred = [known for known in found if known.version == PREFERRED.get(known.group, "v1")]
    return next(iter(preferred or found), None)


def by_name(name: str) -> Kind | None:
    """The kind that a person calls so, as with kubectl: by its plural, singular or short name in any case, alone or
    with its group (`deployments.apps`); None for no kind's name."""
    plain = name.lower()
    for kind in _BY_RESOURCE.values():
        names = {kind.singular, kind.plural, *kind.short_names}
        if plain in names or (kind.group and plain in {f"{each}.{kind.group}" for each in names}):
            return kind
    return None


def by_resource(group: str, version: str, plural: str) -> Kind | None:
    """The kind behind a URL path's group, version and resource."""
    return _BY_RESOURCE.get((group, version, plural))


def definition_of(kind: Kind | Subresource) -> str:
    """The OpenAPI name of the kind's schema, or of what a subresource takes and gives."""
    if isinstance(kind, Subresource):
        return facts.definition_named(kind.api_version, kind.kind)
    name: str = _ENTRIES[kind.group, kind.version, kind.plural]["definition"]
    return name


def subresource(kind: Kind, name: str) -> Subresource | None:
    """What `kind` offers under that subresource."""
    connected = CONNECTED.get((kind.group, kind.plural), {}).get(name)
    if connected is not None:
        body, verbs = connected
        return Subresource(name, kind.group, kind.version, body, frozenset(verbs))
    entry = _ENTRIES.get((kind.group, kind.version, kind.plural))
    found = entry["subresources"].get(name) if entry else None
    if found is None:
        return None
    group, version, body = found["gvk"]
    return Subresource(name, group, version, body, frozenset(found["verbs"]))


_MOVED = frozenset(plural for _, _, plural in STORED_AS)


def stored_as(kind: Kind) -> Kind:
    """The kind whose prefix and version the store uses for objects of `kind`: one home for each resource.

    Events of events.k8s.io/v1 are stored as core/v1 ones, autoscaling/v1 autoscalers as autoscaling/v2 ones; every
    other kind is its own. `api.convert` turns one into the other.
    """
    if kind.plural not in _MOVED:
        return kind
    home = STORED_AS.get((kind.group, kind.version, kind.plural))
    return _BY_RESOURCE[home] if home else kind


def _kind(name: str, api_version: str = "v1") -> Kind:
    return _BY_KIND[api_version, name]


BINDING = _kind("Binding")
COMPONENTSTATUS = _kind("ComponentStatus")
CONFIGMAP = _kind("ConfigMap")
ENDPOINTS = _kind("Endpoints")
EVENT = _kind("Event")
LIMITRANGE = _kind("LimitRange")
NAMESPACE = _kind("Namespace")
NODE = _kind("Node")
PV = _kind("PersistentVolume")
PVC = _kind("PersistentVolumeClaim")
POD = _kind("Pod")
PODTEMPLATE = _kind("PodTemplate")
REPLICATIONCONTROLLER = _kind("ReplicationController")
RESOURCEQUOTA = _kind("ResourceQuota")
SECRET = _kind("Secret")
SERVICE = _kind("Service")
SERVICEACCOUNT = _kind("ServiceAccount")
APISERVICE = _kind("APIService", "apiregistration.k8s.io/v1")
CRD = _kind("CustomResourceDefinition", "apiextensions.k8s.io/v1")
CONTROLLERREVISION = _kind("ControllerRevision", "apps/v1")
DAEMONSET = _kind("DaemonSet", "apps/v1")
DEPLOYMENT = _kind("Deployment", "apps/v1")
REPLICASET = _kind("ReplicaSet", "apps/v1")
STATEFULSET = _kind("StatefulSet", "apps/v1")
EVENT_V1 = _kind("Event", "events.k8s.io/v1")
SELFSUBJECTREVIEW = _kind("SelfSubjectReview", "authentication.k8s.io/v1")
TOKENREVIEW = _kind("TokenReview", "authentication.k8s.io/v1")
LOCALSUBJECTACCESSREVIEW = _kind("LocalSubjectAccessReview", "authorization.k8s.io/v1")
SELFSUBJECTACCESSREVIEW = _kind("SelfSubjectAccessReview", "authorization.k8s.io/v1")
SELFSUBJECTRULESREVIEW = _kind("SelfSubjectRulesReview", "authorization.k8s.io/v1")
SUBJECTACCESSREVIEW = _kind("SubjectAccessReview", "authorization.k8s.io/v1")
HPA = _kind("HorizontalPodAutoscaler", "autoscaling/v2")
HPA_V1 = _kind("HorizontalPodAutoscaler", "autoscaling/v1")
CRONJOB = _kind("CronJob", "batch/v1")
JOB = _kind("Job", "batch/v1")
CSR = _kind("CertificateSigningRequest", "certificates.k8s.io/v1")
LEASE = _kind("Lease", "coordination.k8s.io/v1")
ENDPOINTSLICE = _kind("EndpointSlice", "discovery.k8s.io/v1")
FLOWSCHEMA = _kind("FlowSchema", "flowcontrol.apiserver.k8s.io/v1")
PRIORITYLEVELCONFIGURATION = _kind("PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io/v1")
INGRESS = _kind("Ingress", "networking.k8s.io/v1")
INGRESSCLASS = _kind("IngressClass", "networking.k8s.io/v1")
IPADDRESS = _kind("IPAddress", "networking.k8s.io/v1")
NETWORKPOLICY = _kind("NetworkPolicy", "networking.k8s.io/v1")
SERVICECIDR = _kind("ServiceCIDR", "networking.k8s.io/v1")
RUNTIMECLASS = _kind("RuntimeClass", "node.k8s.io/v1")
PDB = _kind("PodDisruptionBudget", "policy/v1")
CLUSTERROLE = _kind("ClusterRole", "rbac.authorization.k8s.io/v1")
CLUSTERROLEBINDING = _kind("ClusterRoleBinding", "rbac.authorization.k8s.io/v1")
ROLE = _kind("Role", "rbac.authorization.k8s.io/v1")
ROLEBINDING = _kind("RoleBinding", "rbac.authorization.k8s.io/v1")
DEVICECLASS = _kind("DeviceClass", "resource.k8s.io/v1")
RESOURCECLAIM = _kind("ResourceClaim", "resource.k8s.io/v1")
RESOURCECLAIMTEMPLATE = _kind("ResourceClaimTemplate", "resource.k8s.io/v1")
RESOURCESLICE = _kind("ResourceSlice", "resource.k8s.io/v1")
PRIORITYCLASS = _kind("PriorityClass", "scheduling.k8s.io/v1")
CSIDRIVER = _kind("CSIDriver", "storage.k8s.io/v1")
CSINODE = _kind("CSINode", "storage.k8s.io/v1")
CSISTORAGECAPACITY = _kind("CSIStorageCapacity", "storage.k8s.io/v1")
STORAGECLASS = _kind("StorageClass", "storage.k8s.io/v1")
VOLUMEATTACHMENT = _kind("VolumeAttachment", "storage.k8s.io/v1")
VOLUMEATTRIBUTESCLASS = _kind("VolumeAttributesClass", "storage.k8s.io/v1")
