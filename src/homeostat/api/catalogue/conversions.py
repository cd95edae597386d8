"""Converts an object between two versions of the same resource, for the resources that have two.

Events of `v1` and `events.k8s.io/v1` are the same objects under other field names. Autoscalers of `autoscaling/v1` know
one CPU target; what else a `v2` one says is carried in annotations, so that nothing is lost on the way there and back.
Pure; the objects that come in are not changed. Source: Kubernetes' conversion functions for both groups.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from homeostat.api.kinds import EVENT, EVENT_V1, HPA, HPA_V1, Kind
from homeostat.api.types import Obj

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"


def convert(obj: Obj, to: Kind) -> Obj:
    """`obj` in the version of `to`; the same object where it already is. Raises ValueError where there is no way."""
    version = obj.get("apiVersion", "")
    if version == to.api_version:
        return obj
    if to.custom:
        return {**obj, "apiVersion": to.api_version, "kind": to.kind}
    change = _CHANGES.get((version, to.api_version, to.kind))
    if change is None:
        raise ValueError(f"{to.kind} cannot be converted from {version} to {to.api_version}")
    return {**change(obj), "apiVersion": to.api_version, "kind": to.kind}


def _renamed(obj: Obj, names: dict[str, str]) -> Obj:
    return {names.get(name, name): value for name, value in obj.items()}


# core/v1 name -> events.k8s.io/v1 name
_EVENT_NAMES = {
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "involvedObject": "regarding",
    "lastTimestamp": "deprecatedLastTimestamp",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
}
_EVENT_NAMES_BACK = {new: old for old, new in _EVENT_NAMES.items()}


def _event_to_new(obj: Obj) -> Obj:
    return _renamed(obj, _EVENT_NAMES)


def _event_to_core(obj: Obj) -> Obj:
    return _renamed(obj, _EVENT_NAMES_BACK)


def _is_cpu_target(metric: Obj) -> bool:
    """Whether v1 can say this metric with its one field."""
    resource = metric.get("resource") or {}
    target = resource.get("target") or {}
    return resource.get("name") == "cpu" and target.get("averageUtilization") is not None


def _autoscaler_to_v1(obj: Obj) -> Obj:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    kept: dict[str, object] = {}
    metrics = spec.pop("metrics", None) or []
    cpu = next((metric for metric in metrics if _is_cpu_target(metric)), None)
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
    others = [metric for metric in metrics if metric is not cpu]
    current = status.pop("currentMetrics", None) or []
    current_cpu = next((metric for metric in current if _is_current_cpu(metric)), None)
    if current_cpu is not None:
        status["currentCPUUtilizationPercentage"] = current_cpu["resource"]["current"]["averageUtilization"]
    kept[_METRICS] = others
    kept[_BEHAVIOR] = spec.pop("behavior", None)
    kept[_CURRENT_METRICS] = [metric for metric in current if metric is not current_cpu]
    kept[_CONDITIONS] = status.pop("conditions", None)
    texts = {name: orjson.dumps(value).decode() for name, value in kept.items() if value}
    out = {**obj, "spec": spec}
    if texts:
        meta = obj.get("metadata") or {}
        out["metadata"] = {**meta, "annotations": {**(meta.get("annotations") or {}), **texts}}
    return {**out, "status": status} if "status" in obj else out


def _is_current_cpu(metric: Obj) -> bool:
    resource = metric.get("resource") or {}
    return resource.get("name") == "cpu" and (resource.get("current") or {}).get("averageUtilization") is not None


def _autoscaler_to_v2(obj: Obj) -> Obj:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    kept = {name: _loaded(annotations.pop(name, "")) for name in (_METRICS, _BEHAVIOR, _CURRENT_METRICS, _CONDITIONS)}
    metrics = list(kept[_METRICS] or [])
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    current = list(kept[_CURRENT_METRICS] or [])
    percent_now = status.pop("currentCPUUtilizationPercentage", None)
    if percent_now is not None:
        now = {"averageUtilization": percent_now}
        current.insert(0, {"type": "Resource", "resource": {"name": "cpu", "current": now}})
    spec |= {name: value for name, value in (("metrics", metrics), ("behavior", kept[_BEHAVIOR])) if value}
    more = (("currentMetrics", current), ("conditions", kept[_CONDITIONS]))
    status |= {name: value for name, value in more if value}
    meta = {name: value for name, value in (obj.get("metadata") or {}).items() if name != "annotations"}
    if annotations:
        meta["annotations"] = annotations
    out = {**obj, "metadata": meta, "spec": spec}
    return {**out, "status": status} if "status" in obj or status else out


def _loaded(text: str) -> list[Obj] | Obj | None:
    """The value in an annotation; None where it is not JSON, since any client can write annotations."""
    try:
        value = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, list | dict) else None


_CHANGES: dict[tuple[str, str, str], Callable[[Obj], Obj]] = {
    (EVENT.api_version, EVENT_V1.api_version, "Event"): _event_to_new,
    (EVENT_V1.api_version, EVENT.api_version, "Event"): _event_to_core,
    (HPA.api_version, HPA_V1.api_version, "HorizontalPodAutoscaler"): _autoscaler_to_v1,
    (HPA_V1.api_version, HPA.api_version, "HorizontalPodAutoscaler"): _autoscaler_to_v2,
}
