"""The kinds of the API as data: names, scope, verbs and subresources of a resource in one version.

The built-in kinds come from the schema file made at build time (`api.facts`); short names and categories, which no
schema carries, are in `api.kind_names`. The constants name the kinds that code speaks of. Which kinds there are, and
which one a name means, is for a `Catalogue` (`api.catalogue`) to say: nothing else enumerates them.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field

from homeostat.api import facts
from homeostat.api.kind_names import CATEGORIES, CONNECTED, GROUP_ORDER, SHORT_NAMES, STORED_AS, VERBS
from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource of a kind: its verbs, and the group, version and kind of its bodies.

    `definition` is the OpenAPI name of the body's type where it is none of the built-in types.
    """

    name: str
    group: str
    version: str
    kind: str
    verbs: frozenset[str] = frozenset()
    definition: str = ""

    @property
    def api_version(self) -> str:
        """As `Kind.api_version`, of the body."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource in one version. `group` is empty for the core group; `definition` is the OpenAPI name of its type.

    `virtual` kinds are asked and answered but never stored (reviews, bindings, component statuses). `custom` ones come
    from a definition at run time: they have no rules in code, and their bodies are JSON or YAML alone.
    """

    group: str
    version: str
    kind: str
    plural: str = field(hash=False)
    singular: str = field(hash=False)
    namespaced: bool = field(hash=False)
    verbs: frozenset[str] = field(default=frozenset(), hash=False)
    parts: tuple[Subresource, ...] = field(default=(), hash=False)
    short_names: tuple[str, ...] = field(default=(), hash=False)
    categories: tuple[str, ...] = field(default=(), hash=False)
    virtual: bool = field(default=False, hash=False)
    definition: str = field(default="", hash=False)
    list_kind: str = field(default="", hash=False)
    custom: bool = field(default=False, hash=False)
    # The kind in whose version, and under whose prefix, the store keeps the objects; the kind itself if not given.
    stored: InitVar[Kind | None] = None
    home: Kind = field(init=False, hash=False, compare=False, repr=False)
    # The subresources by name; each request of one looks here several times.
    by_name: dict[str, Subresource] = field(init=False, hash=False, compare=False, repr=False)
    # The names of the subresources, such as `status`.
    subresources: tuple[str, ...] = field(init=False, hash=False, compare=False, repr=False)
    # Where the store keeps objects of this resource: the same for all versions of it.
    prefix: str = field(init=False, hash=False, compare=False, repr=False)

    def __post_init__(self, stored: Kind | None) -> None:
        put = object.__setattr__
        put(self, "list_kind", self.list_kind or f"{self.kind}List")
        put(self, "home", stored or self)
        put(self, "by_name", {part.name: part for part in self.parts})
        put(self, "subresources", tuple(self.by_name))
        put(self, "prefix", f"/registry/{self.group or 'core'}/{self.plural}/")

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def part(self, subresource: str) -> Subresource | None:
        """What the kind offers under that subresource."""
        return self.by_name.get(subresource)

    def key(self, namespace: str, name: str) -> str:
        """The store key of one object."""
        return f"{self.prefix}{namespace}/{name}" if self.namespaced else f"{self.prefix}{name}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = (f"/{name}" if name else "") + (f"/{subresource}" if subresource else "")
        return f"{root}{place}/{self.plural}{tail}"


def _parts(entry: Obj) -> tuple[Subresource, ...]:
    """The subresources of one entry of the facts, by name."""
    group, version = entry["group"], entry["version"]
    found: dict[str, Subresource] = {}
    for name, about in entry["subresources"].items():
        of_group, of_version, body = about["gvk"]
        found[name] = Subresource(name, of_group, of_version, body, frozenset(about["verbs"]))
    for name, (body, verbs) in CONNECTED.get((group, entry["plural"]), {}).items():
        found[name] = Subresource(name, group, version, body, frozenset(verbs))
    return tuple(found[name] for name in sorted(found))


def _kind_from(entry: Obj, stored: Kind | None) -> Kind:
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
        parts=_parts(entry),
        short_names=SHORT_NAMES.get((group, plural), ()),
        categories=CATEGORIES.get((group, plural), ()),
        virtual="update" not in verbs,
        definition=entry["definition"],
        stored=stored,
    )


def _place(group: str) -> tuple[int, str]:
    """A group's position in discovery; unknown ones last, by name."""
    return (GROUP_ORDER.index(group) if group in GROUP_ORDER else len(GROUP_ORDER), group)


def _built_in() -> tuple[Kind, ...]:
    entries = {(entry["group"], entry["version"], entry["plural"]): entry for entry in facts.resources()}
    # Events of events.k8s.io are stored as core ones, autoscaling/v1 autoscalers as v2 ones; others as what they are.
    homes = {place: _kind_from(entries[place], None) for place in STORED_AS.values()}
    return tuple(
        homes.get(place) or _kind_from(entry, homes.get(STORED_AS.get(place, place)))
        for place, entry in sorted(entries.items(), key=lambda each: _place(each[0][0]))
    )


# Every built-in kind in every version, by group in discovery's order: what `Catalogue.builtin` is made from.
BUILT_IN = _built_in()
_BY_KIND = {(kind.api_version, kind.kind): kind for kind in BUILT_IN}


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
