"""What is stored and served and has no effect in this cluster: kinds without a controller, fields that nothing reads.

Data: each with the sentence that a client gets as a warning when it creates such an object. When a controller is added
or a field is read, its line is removed. `warnings` is the one function. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from homeostat.api.errors import qualified
from homeostat.api.kinds import Kind
from homeostat.api.podsecurity import templates
from homeostat.api.types import Obj

_STORED = "the object is stored and has no effect"
_NO_DEVICES = "this cluster allocates no devices"
_NO_STORAGE = "this cluster binds no volumes"
_NO_WEBHOOKS = "this cluster calls no webhooks"
_NO_POLICIES = "this cluster evaluates no admission policies"
_NO_FLOWS = "this cluster has no API priority and fairness"

# The resources, as `errors.qualified` names them.
KINDS: Mapping[str, str] = {
    "statefulsets.apps": "this cluster has no StatefulSet controller: no Pods will be made",
    "jobs.batch": "this cluster has no Job controller: nothing will run",
    "cronjobs.batch": "this cluster has no CronJob controller: nothing will run",
    "replicationcontrollers": "this cluster has no ReplicationController controller: no Pods will be made "
    "(a Deployment makes them)",
    "horizontalpodautoscalers.autoscaling": "this cluster has no autoscaler and no metrics: nothing will be scaled",
    "ingresses.networking.k8s.io": "this cluster has no Ingress controller: no traffic will be routed "
    "(a Service of type LoadBalancer gets an address)",
    "ingressclasses.networking.k8s.io": f"this cluster has no Ingress controller: {_STORED}",
    "networkpolicies.networking.k8s.io": "this cluster enforces no NetworkPolicies: all Pods can reach each other",
    "servicecidrs.networking.k8s.io": "this cluster gives Services addresses from apiserver.service-cluster-ip-range "
    f"alone: {_STORED}",
    "persistentvolumes": f"{_NO_STORAGE}: the volume will not be bound",
    "persistentvolumeclaims": f"{_NO_STORAGE}: the claim stays Pending, and so do Pods that use it",
    "resourcequotas": "this cluster enforces no ResourceQuotas: nothing will be limited (a LimitRange is enforced)",
    "storageclasses.storage.k8s.io": f"{_NO_STORAGE}: {_STORED}",
    "csidrivers.storage.k8s.io": f"{_NO_STORAGE}: {_STORED}",
    "csinodes.storage.k8s.io": f"{_NO_STORAGE}: {_STORED}",
    "csistoragecapacities.storage.k8s.io": f"{_NO_STORAGE}: {_STORED}",
    "volumeattachments.storage.k8s.io": f"{_NO_STORAGE}: nothing will be attached",
    "volumeattributesclasses.storage.k8s.io": f"{_NO_STORAGE}: {_STORED}",
    "deviceclasses.resource.k8s.io": f"{_NO_DEVICES}: {_STORED}",
    "resourceclaims.resource.k8s.io": f"{_NO_DEVICES}: the claim will not be allocated",
    "resourceclaimtemplates.resource.k8s.io": f"{_NO_DEVICES}: {_STORED}",
    "resourceslices.resource.k8s.io": f"{_NO_DEVICES}: {_STORED}",
    "customresourcedefinitions.apiextensions.k8s.io": "this cluster serves no custom resources: the kind will not be "
    "served",
    "apiservices.apiregistration.k8s.io": "this cluster has no aggregation layer: the API will not be served",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": f"{_NO_WEBHOOKS}: nothing will be changed",
    "validatingwebhookconfigurations.admissionregistration.k8s.io": f"{_NO_WEBHOOKS}: nothing will be refused",
    "mutatingadmissionpolicies.admissionregistration.k8s.io": f"{_NO_POLICIES}: nothing will be changed",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": f"{_NO_POLICIES}: nothing will be changed",
    "validatingadmissionpolicies.admissionregistration.k8s.io": f"{_NO_POLICIES}: nothing will be refused",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": f"{_NO_POLICIES}: nothing will be refused",
    "flowschemas.flowcontrol.apiserver.k8s.io": f"{_NO_FLOWS}: {_STORED} "
    "(apiserver.max-requests-inflight bounds requests)",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": f"{_NO_FLOWS}: {_STORED} "
    "(apiserver.max-requests-inflight bounds requests)",
}

# Fields of a Pod's spec, of its containers and volumes: what is said when they are set.
POD_FIELDS: Mapping[str, str] = {
    "resourceClaims": f"{_NO_DEVICES}: the Pod will stay Pending",
    "resources": "this cluster counts and limits the resources of containers only: give them to the containers",
}
_NO_USERS = "nodes of this cluster have no user namespaces: where they isolate Pods, the Pod will not start"
CONTAINER_FIELDS: Mapping[str, str] = {
    "restartPolicyRules": "this cluster restarts a container by restartPolicy alone",
    "volumeDevices": "nodes of this cluster have no block volumes: the container will not start",
}
VOLUME_FIELDS: Mapping[str, str] = {
    "persistentVolumeClaim": f"{_NO_STORAGE}: the Pod will stay Pending",
    "ephemeral": f"{_NO_STORAGE}: the Pod will stay Pending",
}
# The volumes that nodes make; of another type the Pod waits for ever.
_MADE_VOLUMES = frozenset(("name", "configMap", "downwardAPI", "emptyDir", "hostPath", "projected", "secret"))
_LOAD_BALANCER_CLASS = "homeostat.dev/address-pool"


def warnings(kind: Kind, obj: Obj) -> list[str]:
    """Warnings about fields of a new object that have no effect here, one sentence each; empty if there are none."""
    resource = qualified(kind.plural, kind.group)
    said = [KINDS[resource]] if resource in KINDS else []
    check = _OTHERS.get(resource)
    if check is not None:
        said += check(obj)
    return said


def _pod(obj: Obj, path: str = "spec") -> Iterator[str]:
    spec = obj.get("spec") or {}
    # Most Pods have none of it: looking at the names of their fields is cheap.
    return iter(()) if _is_usual(spec) else _of_spec(spec, path)


def _is_usual(spec: Obj) -> bool:
    if not POD_FIELDS.keys().isdisjoint(spec) or spec.get("hostUsers") is False:
        return False
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            if not CONTAINER_FIELDS.keys().isdisjoint(container):
                return False
    return all(_MADE_VOLUMES.issuperset(volume) for volume in spec.get("volumes") or ())


def _of_spec(spec: Obj, path: str) -> Iterator[str]:
    yield from _set(spec, POD_FIELDS, path)
    if spec.get("hostUsers") is False:
        yield f"{path}.hostUsers: {_NO_USERS}"
    for group in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(group) or ()):
            yield from _set(container, CONTAINER_FIELDS, f"{path}.{group}[{place}]")
    for place, volume in enumerate(spec.get("volumes") or ()):
        where = f"{path}.volumes[{place}]"
        yield from _set(volume, VOLUME_FIELDS, where)
        for name in sorted(volume.keys() - _MADE_VOLUMES - VOLUME_FIELDS.keys()):
            yield f"{where}.{name}: nodes of this cluster have no volumes of this type: the Pod will not start"


def _set(holder: Obj, fields: Mapping[str, str], path: str) -> Iterator[str]:
    for name in fields:
        if holder.get(name):
            yield f"{path}.{name}: {fields[name]}"


def _service(obj: Obj) -> Iterator[str]:
    spec = obj.get("spec") or {}
    asked = spec.get("loadBalancerClass")
    if asked and asked != _LOAD_BALANCER_CLASS:
        yield (
            f"spec.loadBalancerClass: this cluster serves the class {_LOAD_BALANCER_CLASS} alone: "
            "the Service will get no address"
        )


def _template(resource: str) -> Callable[[Obj], Iterator[str]]:
    path = ".".join((*templates.PATHS[resource], "spec"))

    def check(obj: Obj) -> Iterator[str]:
        template = templates.template_of(resource, obj)
        return iter(()) if template is None else _pod(template, path)

    return check


_OTHERS: Mapping[str, Callable[[Obj], Any]] = {
    "pods": _pod,
    "services": _service,
    # What no controller makes Pods of says that already.
    **{resource: _template(resource) for resource in templates.PATHS if resource not in KINDS},
}
