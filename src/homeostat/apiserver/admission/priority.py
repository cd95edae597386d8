"""Priority: a Pod's priority is the value of its PriorityClass; one class at most is the default.

Rule: plugin/pkg/admission/priority.
"""

from __future__ import annotations

from homeostat.api import kinds
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import CREATE, UPDATE, Plugin, is_write_of, refuse
from homeostat.apiserver.contract import Attributes, Reader

_PREEMPT = "PreemptLowerPriority"


class Priority(Plugin):
    """See the module."""

    name = "Priority"
    mutates = frozenset({"pods"})
    validates = frozenset({"priorityclasses"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._revision: int | None = None
        self._classes: dict[str, Obj] = {}
        self._default: Obj | None = None

    async def mutate(self, attributes: Attributes) -> None:
        """Set priority and preemptionPolicy. Raises 403 on an unknown class or a contradiction."""
        if attributes.obj is None or not is_write_of(attributes, "pods", CREATE, UPDATE):
            return
        spec = attributes.obj.setdefault("spec", {})
        if attributes.operation == UPDATE:
            old = (attributes.old or {}).get("spec") or {}
            for field in ("priority", "preemptionPolicy"):
                if spec.get(field) is None and old.get(field) is not None:
                    spec[field] = old[field]
            return
        self._refresh()
        name = spec.get("priorityClassName") or ""
        chosen = self._classes.get(name) if name else self._default
        if name and chosen is None:
            raise refuse(attributes, f"no PriorityClass with name {name} was found")
        if chosen is not None and not name:
            spec["priorityClassName"] = chosen["metadata"]["name"]
        value = int(chosen["value"]) if chosen else 0
        policy = (chosen or {}).get("preemptionPolicy") or _PREEMPT
        computed = "priority admission controller computed {} from the given PriorityClass name"
        if spec.get("priority") not in (None, value):
            why = f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            raise refuse(attributes, why + computed.format(value))
        if spec.get("preemptionPolicy") not in (None, policy):
            why = (
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
            )
            raise refuse(attributes, why + computed.format(policy))
        spec["priority"], spec["preemptionPolicy"] = value, policy

    async def validate(self, attributes: Attributes) -> None:
        """Refuse a second default class with 403."""
        if not is_write_of(attributes, "priorityclasses", CREATE, UPDATE, group=kinds.PRIORITYCLASS.group):
            return
        if attributes.obj is None or not attributes.obj.get("globalDefault"):
            return
        self._refresh()
        default = self._default
        if default is not None and default["metadata"]["name"] != attributes.name:
            name = default["metadata"]["name"]
            why = f"PriorityClass {name} is already marked as default. Only one default can exist"
            raise refuse(attributes, why)

    def _refresh(self) -> None:
        revision = self._reader.revision(kinds.PRIORITYCLASS)
        if revision != self._revision:
            self._classes = {found["metadata"]["name"]: found for found in self._reader.list(kinds.PRIORITYCLASS)}
            defaults = [found for found in self._classes.values() if found.get("globalDefault")]
            self._default = min(defaults, key=lambda found: int(found["value"]), default=None)
            self._revision = revision
