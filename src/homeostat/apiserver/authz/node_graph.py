"""Which objects a node has to do with: those that the Pods bound to it refer to. Pure.

`references_of` reads one Pod; `NodeGraph` knows which Pods are on which node, follows their changes, and reads a Pod
only when its node asks for something. What a Pod refers to stays the same once it is bound, so its many changes of
status cost nothing here; ephemeral containers and claims made from templates are the exceptions.
Rules: plugin/pkg/auth/authorizer/node/graph.go and pkg/api/v1/pod (VisitPodSecretNames, VisitPodConfigmapNames).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from homeostat.api.types import Obj

if TYPE_CHECKING:
    from homeostat.apiserver.cache.cached_objects import Item
    from homeostat.apiserver.cache.window import Change

# Resource, namespace and name.
Reference: TypeAlias = tuple[str, str, str]

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
# Volume sources that name a Secret, and the field that does.
_SECRET_VOLUMES = {
    "azureFile": "secretName",
    "secret": "secretName",
    "cephfs": "secretRef",
    "cinder": "secretRef",
    "flexVolume": "secretRef",
    "rbd": "secretRef",
    "scaleIO": "secretRef",
    "iscsi": "secretRef",
    "storageos": "secretRef",
    "csi": "nodePublishSecretRef",
}
# What may come to a Pod after it was bound.
_LATE = (b'"ephemeralContainers":', b'"resourceClaimStatuses":')


def references_of(pod: Obj) -> frozenset[Reference]:
    """The Secrets, ConfigMaps, claims and the account that a Pod needs."""
    namespace, spec = pod["metadata"].get("namespace", ""), pod.get("spec") or {}
    found = [*_in_containers(spec), *_in_volumes(spec, pod["metadata"].get("name", ""))]
    found += [("secrets", secret.get("name", "")) for secret in spec.get("imagePullSecrets") or ()]
    found.append(("serviceaccounts", spec.get("serviceAccountName", "")))
    found += [("resourceclaims", claim.get("resourceClaimName", "")) for claim in spec.get("resourceClaims") or ()]
    made = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    found += [("resourceclaims", claim.get("resourceClaimName", "")) for claim in made]
    return frozenset((resource, namespace, name) for resource, name in found if name)


def _in_containers(spec: Obj) -> Iterator[tuple[str, str]]:
    for part in _CONTAINERS:
        for container in spec.get(part) or ():
            for source in container.get("envFrom") or ():
                yield "secrets", (source.get("secretRef") or {}).get("name", "")
                yield "configmaps", (source.get("configMapRef") or {}).get("name", "")
            for variable in container.get("env") or ():
                source = variable.get("valueFrom") or {}
                yield "secrets", (source.get("secretKeyRef") or {}).get("name", "")
                yield "configmaps", (source.get("configMapKeyRef") or {}).get("name", "")


def _in_volumes(spec: Obj, pod_name: str) -> Iterator[tuple[str, str]]:
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            yield "configmaps", (source.get("configMap") or {}).get("name", "")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield "secrets", (source.get("secret") or {}).get("name", "")
        yield "persistentvolumeclaims", (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        if volume.get("ephemeral") is not None:
            yield "persistentvolumeclaims", f"{pod_name}-{volume.get('name', '')}"
        yield from (("secrets", name) for name in _secrets_of_source(volume))


def _secrets_of_source(volume: Obj) -> Iterator[str]:
    """The Secrets that a volume's source names (in the volume's own namespace)."""
    for part, field in _SECRET_VOLUMES.items():
        named = (volume.get(part) or {}).get(field)
        yield (named or {}).get("name", "") if isinstance(named, dict) or named is None else str(named)


class NodeGraph:
    """Which Pods are on which node. `read` gives a Pod by its key (`namespace/name`); None when it has gone."""

    def __init__(self, read: Callable[[str], Obj | None]) -> None:
        self._read = read
        # By node: the keys of its Pods, each with what it refers to, or None until a request needs it.
        self._nodes: dict[str, dict[str, frozenset[Reference] | None]] = {}

    def load(self, pods: Iterable[Item]) -> None:
        """Start over with these Pods."""
        self._nodes = {}
        for pod in pods:
            if node := pod.node:
                self._nodes.setdefault(node, {})[pod.key] = None

    def apply(self, change: Change) -> None:
        """Take one change of a Pod."""
        new, old = change.item, change.old
        node = "" if change.deleted else new.node
        before = old.node if old is not None else ""
        if before and before != node:
            self._leave(before, new.key)
        if not node:
            return
        if before != node or any(mark in new.data for mark in _LATE):
            self._nodes.setdefault(node, {})[new.key] = None

    def _leave(self, node: str, key: str) -> None:
        pods = self._nodes.get(node, {})
        pods.pop(key, None)
        if not pods:
            self._nodes.pop(node, None)

    def runs(self, node: str, pod_key: str) -> bool:
        """Whether the Pod is bound to the node."""
        return pod_key in self._nodes.get(node, ())

    def refers(self, node: str, reference: Reference) -> bool:
        """Whether a Pod on the node refers to the object."""
        return any(reference in known for known in self._references(node))

    def claims(self, node: str) -> set[Reference]:
        """The PersistentVolumeClaims that Pods on the node use."""
        return {each for known in self._references(node) for each in known if each[0] == "persistentvolumeclaims"}

    def _references(self, node: str) -> Iterator[frozenset[Reference]]:
        pods = self._nodes.get(node)
        for key, known in list(pods.items()) if pods else ():
            if known is None:
                pod = self._read(key)
                known = references_of(pod) if pod is not None else frozenset()
                if pods is not None:
                    pods[key] = known
            yield known
