"""The defaults of Kubernetes v1.36 that depend on other fields: one small function a type, in place, idempotent.

Each is the like-named type's `SetDefaults_*` function, or the part of its conversion that a client sees:
`serviceAccount` mirrors `serviceAccountName`, `stringData` becomes `data`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from homeostat.api.rules import wellknown
from homeostat.api.rules.podresources import container_requests
from homeostat.api.types import Obj

# ---- pods and what they hold


def _pull_policy(image: str) -> str:
    """Always for the latest tag, written or implied; a digest without a tag is no latest."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or (not tag and not digest) else "IfNotPresent"


def _container(obj: Obj) -> None:
    if not obj.get("imagePullPolicy"):
        obj["imagePullPolicy"] = _pull_policy(obj.get("image") or "")


def _pod(obj: Obj) -> None:
    """What holds for Pods but not for templates: requests follow limits, host ports follow container ports."""
    spec = obj["spec"]
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        resources = container.get("resources")
        if resources and resources.get("limits"):
            resources["requests"] = container_requests(resources)
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                if not port.get("hostPort") and "containerPort" in port:
                    port["hostPort"] = port["containerPort"]
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True


def _pod_spec(obj: Obj) -> None:
    account = obj.get("serviceAccountName") or obj.get("serviceAccount")
    if account:
        obj["serviceAccountName"] = obj["serviceAccount"] = account


def _volume(obj: Obj) -> None:
    if not obj.keys() - {"name"}:
        obj["emptyDir"] = {}
    image = obj.get("image")
    if image and not image.get("pullPolicy"):
        image["pullPolicy"] = _pull_policy(image.get("reference") or "")


# ---- workloads


def _rolling(obj: Obj) -> None:
    """Deployments and DaemonSets: the rolling update's own settings are there whenever that is the strategy."""
    if obj["type"] == "RollingUpdate":
        obj.setdefault("rollingUpdate", {})


def _stateful_set_strategy(obj: Obj) -> None:
    if not obj.get("type"):
        obj["type"] = "RollingUpdate"
        obj.setdefault("rollingUpdate", {})


def _stateful_set_spec(obj: Obj) -> None:
    for claim in obj.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")


def _labels_from_template(obj: Obj) -> dict[str, str]:
    """Give an object without labels those of its pod template; returns the template's."""
    template = obj["spec"].get("template") or {}
    labels: dict[str, str] = (template.get("metadata") or {}).get("labels") or {}
    if labels and not (obj.get("metadata") or {}).get("labels"):
        obj.setdefault("metadata", {})["labels"] = dict(labels)
    return labels


def _replication_controller(obj: Obj) -> None:
    labels = _labels_from_template(obj)
    if labels and not obj["spec"].get("selector"):
        obj["spec"]["selector"] = dict(labels)


def _job(obj: Obj) -> None:
    spec = obj["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else 0x7FFFFFFF)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    _labels_from_template(obj)


def _autoscaler_spec(obj: Obj) -> None:
    if not obj.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        obj["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = obj.get("behavior")
    if behavior is not None:
        percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
        up = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max"}
        up |= {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, percent]}
        down = {"selectPolicy": "Max", "policies": [dict(percent)]}
        behavior["scaleUp"] = {**up, **(behavior.get("scaleUp") or {})}
        behavior["scaleDown"] = {**down, **(behavior.get("scaleDown") or {})}


# ---- services, configuration, cluster objects


def _service_spec(obj: Obj) -> None:
    kind = obj["type"]
    if obj["sessionAffinity"] == "None":
        obj.pop("sessionAffinityConfig", None)
    elif obj["sessionAffinity"] == "ClientIP":
        affinity = obj.get("sessionAffinityConfig") or {}
        if (affinity.get("clientIP") or {}).get("timeoutSeconds") is None:
            obj["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    for port in obj.get("ports") or ():
        if not port.get("targetPort") and "port" in port:
            port["targetPort"] = port["port"]
    outside = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and obj.get("externalIPs"))
    if outside and not obj.get("externalTrafficPolicy"):
        obj["externalTrafficPolicy"] = "Cluster"
    if kind in ("ClusterIP", "NodePort", "LoadBalancer"):
        obj.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        obj.setdefault("allocateLoadBalancerNodePorts", True)


def _secret(obj: Obj) -> None:
    texts = obj.pop("stringData", None) or {}
    if texts:
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _namespace(obj: Obj) -> None:
    meta = obj.get("metadata") or {}
    if meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), wellknown.LABEL_NAMESPACE_NAME: meta["name"]}


def _node_status(obj: Obj) -> None:
    if obj.get("allocatable") is None and obj.get("capacity") is not None:
        obj["allocatable"] = dict(obj["capacity"])


def _limit_range_item(obj: Obj) -> None:
    if obj.get("type") != "Container":
        return
    limits = {**(obj.get("max") or {}), **(obj.get("default") or {})}
    requests = {**(obj.get("min") or {}), **limits, **(obj.get("defaultRequest") or {})}
    if limits:
        obj["default"] = limits
    if requests:
        obj["defaultRequest"] = requests


def _network_policy_spec(obj: Obj) -> None:
    if not obj.get("policyTypes"):
        obj["policyTypes"] = ["Ingress", "Egress"] if obj.get("egress") else ["Ingress"]


def _subject(obj: Obj) -> None:
    if obj.get("kind") in ("User", "Group") and not obj.get("apiGroup"):
        obj["apiGroup"] = "rbac.authorization.k8s.io"


def _device_request(obj: Obj) -> None:
    if obj["allocationMode"] == "ExactCount" and not obj.get("count"):
        obj["count"] = 1


def _custom_resource(obj: Obj) -> None:
    obj.setdefault("conversion", {"strategy": "None"})
    names = obj.get("names")
    if names and names.get("kind"):
        names["singular"] = names.get("singular") or names["kind"].lower()
        names["listKind"] = names.get("listKind") or names["kind"] + "List"


RULES: dict[str, Callable[[Obj], None]] = {
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec": _custom_resource,
    "apps.v1.DaemonSetUpdateStrategy": _rolling,
    "apps.v1.DeploymentStrategy": _rolling,
    "apps.v1.StatefulSetSpec": _stateful_set_spec,
    "apps.v1.StatefulSetUpdateStrategy": _stateful_set_strategy,
    "autoscaling.v2.HorizontalPodAutoscalerSpec": _autoscaler_spec,
    "batch.v1.Job": _job,
    "core.v1.Container": _container,
    "core.v1.EphemeralContainer": _container,
    "core.v1.LimitRangeItem": _limit_range_item,
    "core.v1.Namespace": _namespace,
    "core.v1.NodeStatus": _node_status,
    "core.v1.Pod": _pod,
    "core.v1.PodSpec": _pod_spec,
    "core.v1.ReplicationController": _replication_controller,
    "core.v1.Secret": _secret,
    "core.v1.ServiceSpec": _service_spec,
    "core.v1.Volume": _volume,
    "networking.v1.NetworkPolicySpec": _network_policy_spec,
    "rbac.v1.Subject": _subject,
    "resource.v1.DeviceSubRequest": _device_request,
    "resource.v1.ExactDeviceRequest": _device_request,
}
