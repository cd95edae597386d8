"""Eviction: delete a Pod unless a PodDisruptionBudget forbids it (policy/v1 Eviction).

The disruption is written into the budget's status by compare and swap before the Pod is deleted, so that evictions on
several API servers never use the same allowance twice. Rule: pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from dataclasses import replace

from homeostat.api import errors, kinds, meta
from homeostat.api.errors import ApiError
from homeostat.api.rules.disruption import (
    Counts,
    UnknownScale,
    counted,
    counts,
    disrupted,
    is_unprotected,
    needs_allowance,
    selector,
)
from homeostat.api.types import Obj
from homeostat.apiserver.contract import Call
from homeostat.apiserver.subresources.exchange import body_of, success, write_options
from homeostat.kit import clock
from homeostat.wire.message import Response

_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(call: Call) -> Response:
    """POST pods/NAME/eviction. Raises 400, 404, 409, 429."""
    eviction = body_of(call)
    namespace, name = call.info.namespace, call.info.name
    if (eviction.get("metadata") or {}).get("name", name) != name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    options = dict(eviction.get("deleteOptions") or {})
    pod = call.reader.get(kinds.POD, namespace, name)
    if pod is None:
        raise errors.not_found("pods", "", name)
    dry_run = write_options(call)["dry_run"] or "All" in (options.get("dryRun") or ())
    if dry_run:
        options["dryRun"] = ["All"]
    if not is_unprotected(pod):
        await _use_budget(call, pod, dry_run=dry_run)
        if not dry_run:
            await _mark(call, pod)
    preconditions = {"uid": pod["metadata"]["uid"], **(options.get("preconditions") or {})}
    await call.writer.delete(
        kinds.POD, namespace, name, user=call.user, options={**options, "preconditions": preconditions}
    )
    return success()


async def _use_budget(call: Call, pod: Obj, *, dry_run: bool) -> None:
    budgets = call.reader.list(kinds.PDB, call.info.namespace)
    found = [pdb for pdb in budgets if selector(pdb).matches(meta.labels(pod))]
    if not found:
        return
    if len(found) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, "InternalError", text)
    name = meta.name(found[0])

    def use(pdb: Obj) -> Obj:
        return _used(call, pdb, pod)

    options = {**write_options(call), "subresource": "status", "dry_run": dry_run}
    await call.writer.change(kinds.PDB, call.info.namespace, name, use, user=call.user, **options)


def _used(call: Call, pdb: Obj, pod: Obj) -> Obj:
    """The budget with this Pod among its disrupted ones. Raises 429 when it allows none."""
    now = clock.wall()
    pods = counted(pdb, call.reader.list(kinds.POD, call.info.namespace))
    found = _counts(call, pdb, pods, now)
    going = disrupted(pdb, now)
    if needs_allowance(pdb, pod, found):
        if found.allowed <= 0:
            raise _refused(meta.name(pdb), found)
        going[meta.name(pod)] = clock.rfc3339(now)
        found = replace(found, healthy=found.healthy - 1)
    status = {**(pdb.get("status") or {}), **found.status()}
    status["observedGeneration"] = meta.generation(pdb)
    status["disruptedPods"] = going
    pdb["status"] = status
    # No precondition: on a conflict the allowance is counted again over the newest budget.
    pdb["metadata"]["resourceVersion"] = ""
    return pdb


def _counts(call: Call, pdb: Obj, pods: list[Obj], now: float) -> Counts:
    """The budget now. When the number of expected Pods is not known no Pod may be evicted, and the counts of before
    hold."""

    def find(kind: kinds.Kind, name: str) -> Obj | None:
        return call.reader.get(kind, call.info.namespace, name)

    try:
        return counts(pdb, pods, find, now)
    except UnknownScale:
        before = pdb.get("status") or {}
        return Counts(0, int(before.get("currentHealthy") or 0), int(before.get("desiredHealthy") or 0))


def _refused(name: str, found: Counts) -> ApiError:
    # Without a time to retry after: clients would then retry by themselves, and `kubectl drain` would say nothing.
    error = errors.too_many_requests(_VIOLATES, retry_after_seconds=0)
    message = f"The disruption budget {name} needs {found.desired} healthy pods and has {found.healthy} currently"
    error.details["causes"] = [{"reason": "DisruptionBudget", "message": message}]
    return error


async def _mark(call: Call, pod: Obj) -> None:
    """Write the DisruptionTarget condition, so that everybody sees why the Pod went."""
    now = clock.now_rfc3339()
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }

    def mark(current: Obj) -> Obj:
        current["metadata"]["resourceVersion"] = ""
        status = current.setdefault("status", {})
        conditions = list(status.get("conditions") or ())
        meta.set_condition(conditions, dict(condition), now)
        status["conditions"] = conditions
        return current

    options = {**write_options(call), "subresource": "status"}
    await call.writer.change(kinds.POD, call.info.namespace, meta.name(pod), mark, user=call.user, **options)
