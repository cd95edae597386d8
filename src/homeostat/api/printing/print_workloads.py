"""How workloads are printed: controllers of Pods, jobs, autoscalers, disruption budgets.

Source: kube-apiserver's printers (internalversion).
"""

from __future__ import annotations

from typing import Any

from homeostat.api import meta
from homeostat.api.printing.print_columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    NONE,
    SELECTOR,
    UNKNOWN,
    UNSET,
    Column,
    Printer,
    age,
    boolean,
    human_duration,
    labels_text,
    number,
    selector_text,
    since,
    spec,
    status,
    template_containers,
    text,
)
from homeostat.api.rules import ownership
from homeostat.api.selecting import label_selectors
from homeostat.api.types import Obj

_TEMPLATE = (CONTAINERS, IMAGES, SELECTOR)


def _int(part: Obj, name: str) -> int:
    value: int = part.get(name) or 0
    return value


def _template(obj: Obj) -> Obj:
    template: Obj = spec(obj).get("template") or {}
    return template


def _pod_template(obj: Obj, now: float) -> list[Any]:
    template = obj.get("template") or {}
    return [meta.name(obj), *template_containers(template), labels_text(meta.labels(template))]


def _replicas(obj: Obj, now: float) -> list[Any]:
    """ReplicaSets and ReplicationControllers."""
    seen = status(obj)
    counts = [_int(spec(obj), "replicas"), _int(seen, "replicas"), _int(seen, "readyReplicas")]
    selector = spec(obj).get("selector")
    shown = labels_text(selector) if obj.get("kind") == "ReplicationController" else selector_text(selector)
    return [meta.name(obj), *counts, age(obj, now), *template_containers(_template(obj)), shown]


def _deployment(obj: Obj, now: float) -> list[Any]:
    seen = status(obj)
    ready = f"{_int(seen, 'readyReplicas')}/{_int(spec(obj), 'replicas')}"
    counts = [_int(seen, "updatedReplicas"), _int(seen, "availableReplicas")]
    try:
        selector = str(label_selectors.of_label_selector(spec(obj).get("selector")))
    except label_selectors.SelectorError:
        selector = "<invalid>"
    return [meta.name(obj), ready, *counts, age(obj, now), *template_containers(_template(obj)), selector]


def _stateful_set(obj: Obj, now: float) -> list[Any]:
    ready = f"{_int(status(obj), 'readyReplicas')}/{_int(spec(obj), 'replicas')}"
    return [meta.name(obj), ready, age(obj, now), *template_containers(_template(obj))]


def _daemon_set(obj: Obj, now: float) -> list[Any]:
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    counts = [_int(status(obj), name) for name in (*names, "numberAvailable")]
    nodes = labels_text(spec(_template(obj)).get("nodeSelector"))
    selector = selector_text(spec(obj).get("selector"))
    return [meta.name(obj), *counts, nodes, age(obj, now), *template_containers(_template(obj)), selector]


def _job_status(obj: Obj) -> str:
    if meta.condition_true(obj, "Complete"):
        return "Complete"
    if meta.condition_true(obj, "Failed"):
        return "Failed"
    if meta.deleting(obj):
        return "Terminating"
    return next((name for name in ("Suspended", "FailureTarget") if meta.condition_true(obj, name)), "Running")


def _job(obj: Obj, now: float) -> list[Any]:
    said, seen = spec(obj), status(obj)
    succeeded, parallelism = _int(seen, "succeeded"), _int(said, "parallelism")
    if said.get("completions") is not None:
        done = f"{succeeded}/{said['completions']}"
    else:
        done = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    duration = ""
    if seen.get("startTime"):
        end = meta.time_of(seen.get("completionTime"), now)
        duration = human_duration(end - meta.time_of(seen["startTime"]))
    template, selector = template_containers(_template(obj)), selector_text(said.get("selector"))
    return [meta.name(obj), _job_status(obj), done, duration, age(obj, now), *template, selector]


def _cron_job(obj: Obj, now: float) -> list[Any]:
    said, seen = spec(obj), status(obj)
    last = since(seen["lastScheduleTime"], now) if seen.get("lastScheduleTime") else NONE
    job = spec(said.get("jobTemplate") or {})
    return [
        meta.name(obj),
        said.get("schedule") or "",
        said.get("timeZone") or NONE,
        boolean(said, "suspend"),
        len(seen.get("active") or ()),
        last,
        age(obj, now),
        *template_containers(job.get("template")),
        selector_text(job.get("selector")),
    ]


def _disruption_budget(obj: Obj, now: float) -> list[Any]:
    limits = [str(spec(obj).get(name, "N/A")) for name in ("minAvailable", "maxUnavailable")]
    return [meta.name(obj), *limits, _int(status(obj), "disruptionsAllowed"), age(obj, now)]


def _controller_revision(obj: Obj, now: float) -> list[Any]:
    owner = ownership.controller_of(obj)
    shown = NONE
    if owner is not None:
        group = (owner.get("apiVersion") or "").rpartition("/")[0]
        kind = (owner.get("kind") or "").lower()
        shown = f"{kind}.{group}/{owner.get('name', '')}" if group else f"{kind}/{owner.get('name', '')}"
    return [meta.name(obj), shown, _int(obj, "revision"), age(obj, now)]


# How a metric source is named in its status, and whether its resource's name precedes it.
_METRIC_PARTS = {
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _metric(metric: Obj, seen: Obj) -> str:
    """`cpu: 12%/80%`, `5/10 (avg)`: what is and what should be."""
    part = _METRIC_PARTS.get(metric.get("type") or "")
    if part is None:
        return "<unknown type>"
    source = metric.get(part) or {}
    target, current = source.get("target") or {}, (seen.get(part) or {}).get("current") or {}
    if part in ("resource", "containerResource"):
        name = source.get("name") or ""
        if target.get("averageValue") is not None:
            return f"{name}: {current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
        now, goal = current.get("averageUtilization"), target.get("averageUtilization")
        shown = UNKNOWN if now is None else f"{now}%"
        return f"{name}: {shown}/{'<auto>' if goal is None else f'{goal}%'}"
    if part != "pods" and target.get("averageValue") is not None:
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
    field = "averageValue" if part == "pods" else "value"
    return f"{current.get(field, UNKNOWN)}/{target.get(field)}"


def _metrics(obj: Obj) -> str:
    metrics, seen = spec(obj).get("metrics") or [], status(obj).get("currentMetrics") or []
    shown = [_metric(metric, seen[at] if at < len(seen) else {}) for at, metric in enumerate(metrics)]
    if len(shown) > 2:
        return f"{', '.join(shown[:2])} + {len(shown) - 2} more..."
    return ", ".join(shown) or NONE


def _autoscaler(obj: Obj, now: float) -> list[Any]:
    said = spec(obj)
    target = said.get("scaleTargetRef") or {}
    reference = f"{target.get('kind', '')}/{target.get('name', '')}"
    least = str(said["minReplicas"]) if said.get("minReplicas") is not None else UNSET
    counts = [_int(said, "maxReplicas"), _int(status(obj), "currentReplicas")]
    return [meta.name(obj), reference, _metrics(obj), least, *counts, age(obj, now)]


_COUNTS = (number("Desired", "Pods wanted."), number("Current", "Pods there."), number("Ready", "Pods that are ready."))
_READY = text("Ready", "Pods that are ready, of those wanted.")
_UP_TO_DATE = "Pods of the newest template."

PRINTERS = {
    ("", "podtemplates"): Printer(
        (NAME, text("Containers"), text("Images"), text("Pod Labels", "The labels of the template.")), _pod_template
    ),
    ("", "replicationcontrollers"): Printer((NAME, *_COUNTS, AGE, *_TEMPLATE), _replicas),
    ("apps", "replicasets"): Printer((NAME, *_COUNTS, AGE, *_TEMPLATE), _replicas),
    ("apps", "deployments"): Printer(
        (NAME, _READY, text("Up-to-date", _UP_TO_DATE), text("Available", "Pods available."), AGE, *_TEMPLATE),
        _deployment,
    ),
    ("apps", "statefulsets"): Printer((NAME, _READY, AGE, CONTAINERS, IMAGES), _stateful_set),
    ("apps", "daemonsets"): Printer(
        (
            NAME,
            *_COUNTS,
            number("Up-to-date", _UP_TO_DATE),
            number("Available", "Pods available."),
            text("Node Selector", "The labels of nodes that get a Pod."),
            AGE,
            *_TEMPLATE,
        ),
        _daemon_set,
    ),
    ("apps", "controllerrevisions"): Printer(
        (NAME, text("Controller", "Whose revision it is."), text("Revision"), AGE), _controller_revision
    ),
    ("batch", "jobs"): Printer(
        (NAME, text("Status"), text("Completions"), text("Duration", "How long it took."), AGE, *_TEMPLATE), _job
    ),
    ("batch", "cronjobs"): Printer(
        (
            NAME,
            text("Schedule"),
            text("Timezone"),
            Column("Suspend", "boolean"),
            number("Active", "Jobs that run now."),
            text("Last Schedule"),
            AGE,
            *_TEMPLATE,
        ),
        _cron_job,
    ),
    ("policy", "poddisruptionbudgets"): Printer(
        (NAME, text("Min Available"), text("Max Unavailable"), number("Allowed Disruptions"), AGE), _disruption_budget
    ),
    ("autoscaling", "horizontalpodautoscalers"): Printer(
        (NAME, text("Reference"), text("Targets"), text("MinPods"), text("MaxPods"), text("Replicas"), AGE),
        _autoscaler,
    ),
}
