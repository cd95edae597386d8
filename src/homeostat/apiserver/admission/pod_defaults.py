"""DefaultTolerationSeconds and TaintNodesByCondition: how long Pods stay on a failed node, and the taint a new Node
starts with.

Rules: plugin/pkg/admission/defaulttolerationseconds and nodetaint.
"""

from __future__ import annotations

from homeostat.api.rules import wellknown
from homeostat.apiserver.admission.plugin import CREATE, UPDATE, Plugin, is_write_of
from homeostat.apiserver.contract import Attributes


class DefaultTolerationSeconds(Plugin):
    """A Pod tolerates not-ready and unreachable nodes for a while, unless it says otherwise."""

    name = "DefaultTolerationSeconds"
    mutates = frozenset({"pods"})

    def __init__(self, *, not_ready_seconds: int = 300, unreachable_seconds: int = 300) -> None:
        self._seconds = {wellknown.TAINT_NOT_READY: not_ready_seconds, wellknown.TAINT_UNREACHABLE: unreachable_seconds}

    async def mutate(self, attributes: Attributes) -> None:
        """Add the missing tolerations."""
        if not is_write_of(attributes, "pods", CREATE, UPDATE) or attributes.obj is None:
            return
        spec = attributes.obj.setdefault("spec", {})
        tolerations = spec.get("tolerations") or []
        covered = {
            toleration.get("key") or ""
            for toleration in tolerations
            if toleration.get("effect") in (None, "", wellknown.NO_EXECUTE)
        }
        added = [
            {"effect": wellknown.NO_EXECUTE, "key": key, "operator": "Exists", "tolerationSeconds": seconds}
            for key, seconds in self._seconds.items()
            if key not in covered and "" not in covered
        ]
        if added:
            spec["tolerations"] = [*tolerations, *added]


class TaintNodesByCondition(Plugin):
    """A new node takes no Pods until the node lifecycle loop has seen it ready."""

    name = "TaintNodesByCondition"
    mutates = frozenset({"nodes"})

    async def mutate(self, attributes: Attributes) -> None:
        """Add the not-ready taint to a node that is created."""
        if not is_write_of(attributes, "nodes", CREATE) or attributes.obj is None:
            return
        spec = attributes.obj.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any(
            taint.get("key") == wellknown.TAINT_NOT_READY and taint.get("effect") == wellknown.NO_SCHEDULE
            for taint in taints
        ):
            spec["taints"] = [*taints, {"effect": wellknown.NO_SCHEDULE, "key": wellknown.TAINT_NOT_READY}]
