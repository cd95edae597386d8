"""RuntimeClass: a Pod gets the overhead of its class, and runs on nodes that support the class.

Rule: plugin/pkg/admission/runtimeclass.
"""

from __future__ import annotations

from homeostat.api import kinds, quantity
from homeostat.api.rules import tolerations
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import CREATE, Plugin, is_write_of, refuse
from homeostat.apiserver.contract import Attributes, Reader

_MISMATCH = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_UNCALLED_FOR = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClass(Plugin):
    """See the module."""

    name = "RuntimeClass"
    mutates = validates = frozenset({"pods"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, attributes: Attributes) -> None:
        """Fill in overhead, nodeSelector and tolerations. Raises 403 on an unknown class or a contradiction."""
        if attributes.obj is None or not is_write_of(attributes, "pods", CREATE):
            return
        spec = attributes.obj.setdefault("spec", {})
        runtime = self._of(attributes, spec)
        if runtime is None:
            return
        fixed = _overhead(runtime)
        if fixed:
            if spec.get("overhead") and not _same(spec["overhead"], fixed):
                raise refuse(attributes, _MISMATCH)
            spec["overhead"] = dict(fixed)
        scheduling = runtime.get("scheduling") or {}
        if scheduling.get("nodeSelector"):
            spec["nodeSelector"] = _node_selector(
                attributes, spec.get("nodeSelector") or {}, scheduling["nodeSelector"]
            )
        if scheduling.get("tolerations"):
            spec["tolerations"] = tolerations.merged(spec.get("tolerations") or (), scheduling["tolerations"])

    async def validate(self, attributes: Attributes) -> None:
        """Raises 403 for an overhead that is not the class's."""
        if attributes.obj is None or not is_write_of(attributes, "pods", CREATE):
            return
        spec = attributes.obj.get("spec") or {}
        runtime = self._of(attributes, spec)
        fixed = _overhead(runtime) if runtime is not None else {}
        if fixed and not _same(spec.get("overhead") or {}, fixed):
            raise refuse(attributes, _MISMATCH)
        if spec.get("overhead") and not fixed:
            raise refuse(attributes, _UNCALLED_FOR)

    def _of(self, attributes: Attributes, spec: Obj) -> Obj | None:
        """The Pod's class; None when it names none."""
        name = spec.get("runtimeClassName")
        if not name:
            return None
        found = self._reader.get(kinds.RUNTIMECLASS, "", name)
        if found is None:
            raise refuse(attributes, f'pod rejected: RuntimeClass "{name}" not found')
        return found


def _overhead(runtime: Obj) -> Obj:
    fixed: Obj = (runtime.get("overhead") or {}).get("podFixed") or {}
    return fixed


def _same(one: Obj, other: Obj) -> bool:
    """Whether two resource lists are the same amounts, however they are written."""
    if one.keys() != other.keys():
        return False
    return all(quantity.of(value).nanos == quantity.of(other[name]).nanos for name, value in one.items())


def _node_selector(attributes: Attributes, own: Obj, needed: Obj) -> Obj:
    for key, value in sorted(needed.items()):
        if own.get(key, value) != value:
            ours, theirs = "runtimeClass.scheduling.nodeSelector", "pod.spec.nodeSelector"
            raise refuse(attributes, f"conflict: {ours}[{key}] = {value}; {theirs}[{key}] = {own[key]}")
    return {**own, **needed}
