"""Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController.

Rules: pkg/apis/apps/validation. A selector must match its template and never changes.
"""

from __future__ import annotations

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, not_supported, required
from homeostat.api.rules.intorpercent import is_zero
from homeostat.api.selecting.label_selectors import SelectorError, of_label_selector
from homeostat.api.types import Obj
from homeostat.api.validation.common import (
    check_at_most_all,
    check_immutable,
    check_int_or_percent,
    check_needed_enum,
    check_numbers,
    check_selector,
)
from homeostat.api.validation.objectmeta import check_labels
from homeostat.api.validation.podspec.pods import check_template

_MISMATCH = "`selector` does not match template `labels`"
_STATEFUL_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_STATEFUL_FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _labels_of(template: Obj | None) -> dict[str, str]:
    return ((template or {}).get("metadata") or {}).get("labels") or {}


def _check_selector_and_template(spec: Obj, said: str, out: Causes) -> None:
    """A selector that is there, says something and matches the template's labels."""
    selector, template = spec.get("selector"), spec.get("template")
    if selector is None:
        out.append(required("spec.selector"))
    else:
        check_selector(selector, "spec.selector", out)
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            out.append(invalid("spec.selector", selector, f"empty selector is invalid for {said}"))
    check_template(template, "spec.template", out)
    if not template or not selector:
        return
    try:
        matches = of_label_selector(selector).matches(_labels_of(template))
    except SelectorError:
        return
    if not matches:
        out.append(invalid("spec.template.metadata.labels", _labels_of(template), _MISMATCH))


def _check_runs_always(spec: Obj, said: str, out: Causes) -> None:
    """What a controller's template may not ask: to end by itself."""
    pod = (spec.get("template") or {}).get("spec") or {}
    policy = pod.get("restartPolicy")
    if policy and policy != "Always":
        out.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        path = "spec.template.spec.activeDeadlineSeconds"
        out.append(forbidden(path, f"activeDeadlineSeconds in {said} is not Supported"))


def check_deployment(obj: Obj, out: Causes) -> None:
    """ValidateDeploymentSpec."""
    spec = obj.get("spec") or {}
    check_numbers(spec, "spec", ("replicas",), out)
    _check_selector_and_template(spec, "deployment", out)
    _check_runs_always(spec, "ReplicaSet", out)
    _check_deployment_strategy(spec.get("strategy") or {}, out)
    check_numbers(spec, "spec", ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"), out)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        out.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))


def _check_deployment_strategy(strategy: Obj, out: Causes) -> None:
    kind, rolling = strategy.get("type") or "RollingUpdate", strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            why = "may not be specified when strategy `type` is 'Recreate'"
            out.append(forbidden("spec.strategy.rollingUpdate", why))
    elif kind == "RollingUpdate":
        _check_rolling_deployment(rolling or {}, "spec.strategy.rollingUpdate", out)
    else:
        out.append(not_supported("spec.strategy.type", kind, ("Recreate", "RollingUpdate")))


def _check_rolling_deployment(rolling: Obj, path: str, out: Causes) -> None:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    check_int_or_percent(unavailable, f"{path}.maxUnavailable", out)
    check_int_or_percent(surge, f"{path}.maxSurge", out)
    if unavailable is not None and surge is not None and is_zero(unavailable) and is_zero(surge):
        out.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    check_at_most_all(unavailable, f"{path}.maxUnavailable", out)


def check_replicaset(obj: Obj, out: Causes) -> None:
    """ValidateReplicaSetSpec."""
    spec = obj.get("spec") or {}
    check_numbers(spec, "spec", ("replicas", "minReadySeconds"), out)
    _check_selector_and_template(spec, "deployment", out)
    _check_runs_always(spec, "ReplicaSet", out)


def check_daemonset(obj: Obj, out: Causes) -> None:
    """ValidateDaemonSetSpec."""
    spec = obj.get("spec") or {}
    _check_selector_and_template(spec, "daemonset", out)
    _check_runs_always(spec, "DaemonSet", out)
    check_numbers(spec, "spec", ("minReadySeconds", "revisionHistoryLimit"), out)
    strategy = spec.get("updateStrategy") or {}
    kind = strategy.get("type") or "RollingUpdate"
    if kind not in ("OnDelete", "RollingUpdate"):
        out.append(not_supported("spec.updateStrategy.type", kind, ("OnDelete", "RollingUpdate")))
    if kind == "RollingUpdate":
        _check_rolling_daemonset(strategy.get("rollingUpdate") or {}, "spec.updateStrategy.rollingUpdate", out)


def _check_rolling_daemonset(rolling: Obj, path: str, out: Causes) -> None:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    for field, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        check_int_or_percent(value, f"{path}.{field}", out)
        check_at_most_all(value, f"{path}.{field}", out)
    if unavailable is None:
        return
    if is_zero(unavailable) and is_zero(surge):
        out.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    elif not is_zero(unavailable) and not is_zero(surge):
        out.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))


def check_statefulset(obj: Obj, out: Causes) -> None:
    """ValidateStatefulSetSpec."""
    spec = obj.get("spec") or {}
    check_needed_enum(
        spec.get("podManagementPolicy") or "OrderedReady",
        "spec.podManagementPolicy",
        ("OrderedReady", "Parallel"),
        out,
    )
    strategy = spec.get("updateStrategy") or {}
    kind = strategy.get("type") or "RollingUpdate"
    if kind not in ("OnDelete", "RollingUpdate"):
        out.append(invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'"))
    check_numbers(strategy.get("rollingUpdate") or {}, "spec.updateStrategy.rollingUpdate", ("partition",), out)
    check_numbers(spec, "spec", ("replicas", "minReadySeconds", "revisionHistoryLimit"), out)
    _check_selector_and_template({**spec, "template": _with_claims(spec)}, "statefulset", out)
    _check_runs_always(spec, "StatefulSet", out)


def _with_claims(spec: Obj) -> Obj | None:
    """The template as its Pods will be: with a volume for each claim that is made for them."""
    template: Obj | None = spec.get("template")
    claims = [(claim.get("metadata") or {}).get("name") or "" for claim in spec.get("volumeClaimTemplates") or ()]
    if not template or not claims:
        return template
    pod = template.get("spec") or {}
    volumes = pod.get("volumes") or []
    known = {volume.get("name") for volume in volumes}
    made = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}}
        for name in dict.fromkeys(claims)
        if name not in known and not names.dns1123_label(name)
    ]
    return {**template, "spec": {**pod, "volumes": [*volumes, *made]}}


def check_replication_controller(obj: Obj, out: Causes) -> None:
    """ValidateReplicationControllerSpec; its selector is a plain map."""
    spec = obj.get("spec") or {}
    check_numbers(spec, "spec", ("replicas", "minReadySeconds"), out)
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        out.append(required("spec.selector"))
    check_labels(selector, "spec.selector", out)
    check_template(template, "spec.template", out)
    if selector and template and not selector.items() <= _labels_of(template).items():
        out.append(invalid("spec.template.metadata.labels", _labels_of(template), _MISMATCH))
    _check_runs_always(spec, "ReplicationController", out)


def check_selector_update(new: Obj, old: Obj, out: Causes) -> None:
    """Deployments, ReplicaSets and DaemonSets keep their selector."""
    check_immutable(_spec(new).get("selector"), _spec(old).get("selector"), "spec.selector", out)


def check_statefulset_update(new: Obj, old: Obj, out: Causes) -> None:
    """Only some fields of a StatefulSet's spec may change."""
    ours, theirs = _spec(new), _spec(old)
    fixed = {*ours, *theirs}.difference(_STATEFUL_MUTABLE)
    if any((ours.get(field) or None) != (theirs.get(field) or None) for field in fixed):
        out.append(forbidden("spec", _STATEFUL_FIXED))


def _spec(obj: Obj) -> Obj:
    return obj.get("spec") or {}
