"""LimitRanger: default requests and limits of containers, and the least and most that a namespace allows.

Rule: plugin/pkg/admission/limitranger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeostat.api import kinds, quantity
from homeostat.api.rules import wellknown
from homeostat.api.rules.podresources import of_containers
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import CREATE, UPDATE, Plugin, is_write_of, refuse
from homeostat.apiserver.contract import Attributes, Reader

_CLAIM = "PersistentVolumeClaim"


class LimitRanger(Plugin):
    """See the module."""

    name = "LimitRanger"
    mutates = frozenset({"pods"})
    validates = frozenset({"pods", "persistentvolumeclaims"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def _limits(self, attributes: Attributes) -> list[Obj]:
        found = self._reader.list(kinds.LIMITRANGE, attributes.namespace)
        return [limit for item in found for limit in (item.get("spec") or {}).get("limits") or ()]

    async def mutate(self, attributes: Attributes) -> None:
        """Fill in the defaults of containers."""
        if not is_write_of(attributes, "pods", CREATE) or attributes.obj is None:
            return
        limits = [limit for limit in self._limits(attributes) if limit.get("type") == "Container"]
        if not limits:
            return
        spec = attributes.obj.setdefault("spec", {})
        notes: list[str] = []
        for group, word in (("initContainers", "init container"), ("containers", "container")):
            for container in spec.get(group) or ():
                notes += _fill(container, limits, word)
        if notes:
            annotations = attributes.obj["metadata"].get("annotations") or {}
            text = "LimitRanger plugin set: " + "; ".join(notes)
            attributes.obj["metadata"]["annotations"] = {**annotations, wellknown.ANNOTATION_LIMIT_RANGER: text}

    async def validate(self, attributes: Attributes) -> None:
        """Refuse with 403 what is outside the bounds; all breaches in one message."""
        obj = attributes.obj
        if obj is None:
            return
        is_resize = attributes.subresource == "resize" and attributes.kind is kinds.POD
        if is_write_of(attributes, "pods", CREATE) or is_resize:
            limits = self._limits(attributes)
            wrong = _pod_breaches(obj, limits) if limits else []
        elif is_write_of(attributes, "persistentvolumeclaims", CREATE, UPDATE):
            resources = (obj.get("spec") or {}).get("resources") or {}
            wrong = _breaches(resources, _of_type(self._limits(attributes), _CLAIM))
        else:
            return
        if wrong:
            raise refuse(attributes, wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")


def _fill(container: Obj, limits: Iterable[Obj], word: str) -> list[str]:
    resources = container.setdefault("resources", {})
    notes: list[str] = []
    for field, source in (("requests", "defaultRequest"), ("limits", "default")):
        held = dict(resources.get(field) or {})
        added: list[str] = []
        for limit in limits:
            defaults = dict(limit.get(source) or {})
            if field == "requests":
                # A default limit is a default request too, where no other is given.
                defaults = {**(limit.get("default") or {}), **defaults}
            for name, value in defaults.items():
                if name not in held:
                    own_limit = (container.get("resources") or {}).get("limits") or {}
                    held[name] = own_limit.get(name, value) if field == "requests" else value
                    added.append(name)
        if added:
            resources[field] = held
            what = "request" if field == "requests" else "limit"
            notes.append(f"{', '.join(sorted(added))} {what} for {word} {container.get('name', '')}")
    return notes


def _of_type(limits: Iterable[Obj], name: str) -> list[Obj]:
    return [limit for limit in limits if limit.get("type") == name]


def _pod_breaches(pod: Obj, limits: list[Obj]) -> list[str]:
    spec = pod.get("spec") or {}
    wrong: list[str] = []
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    for limit in _of_type(limits, "Container"):
        for container in containers:
            wrong += _breaches(container.get("resources") or {}, [limit])
    if of_pod := _of_type(limits, "Pod"):
        wrong += _breaches(_pod_resources(spec), of_pod)
    return wrong


def _pod_resources(spec: Obj) -> Obj:
    """What the containers request together and may use together, without the Pod's overhead."""
    total: Obj = {}
    for field in ("requests", "limits"):
        sums = of_containers(spec, lambda container: _in_nanos(container, field))  # noqa: B023 (called at once)
        total[field] = {name: str(quantity.Quantity(value)) for name, value in sums.items()}
    return total


def _in_nanos(container: Obj, field: str) -> dict[str, int]:
    return {name: _nanos(value) for name, value in ((container.get("resources") or {}).get(field) or {}).items()}


def _nanos(value: str) -> int:
    return quantity.of(value).nanos


def _breaches(resources: Obj, limits: Iterable[Obj]) -> list[str]:
    requests, caps = resources.get("requests") or {}, resources.get("limits") or {}
    wrong: list[str] = []
    for limit in limits:
        kind = limit.get("type")
        for name, least in (limit.get("min") or {}).items():
            wrong += _below(name, least, requests, caps, f"minimum {name} usage per {kind} is {least}")
        for name, most in (limit.get("max") or {}).items():
            check = _asked_above if kind == _CLAIM else _above
            wrong += check(name, most, requests, caps, f"maximum {name} usage per {kind} is {most}")
        for name, ratio in (limit.get("maxLimitRequestRatio") or {}).items():
            wrong += _ratio(name, ratio, requests, caps, f"{name} max limit to request ratio per {kind} is {ratio}")
    return wrong


def _below(name: str, least: str, requests: Mapping[str, str], caps: Mapping[str, str], text: str) -> list[str]:
    if name not in requests:
        return [f"{text}.  No request is specified"]
    if _nanos(requests[name]) < _nanos(least):
        return [f"{text}, but request is {requests[name]}"]
    if name in caps and _nanos(caps[name]) < _nanos(least):
        return [f"{text}, but limit is {caps[name]}"]
    return []


def _above(name: str, most: str, requests: Mapping[str, str], caps: Mapping[str, str], text: str) -> list[str]:
    if name not in caps:
        return [f"{text}.  No limit is specified"]
    if _nanos(caps[name]) > _nanos(most):
        return [f"{text}, but limit is {caps[name]}"]
    if name in requests and _nanos(requests[name]) > _nanos(most):
        return [f"{text}, but request is {requests[name]}"]
    return []


def _asked_above(name: str, most: str, requests: Mapping[str, str], _: Mapping[str, str], text: str) -> list[str]:
    """The bound of claims, which have requests only."""
    if name not in requests:
        return [f"{text}.  No request is specified"]
    return [f"{text}, but request is {requests[name]}"] if _nanos(requests[name]) > _nanos(most) else []


def _ratio(name: str, ratio: str, requests: Mapping[str, str], caps: Mapping[str, str], text: str) -> list[str]:
    asked, limit = _nanos(requests.get(name, "0")), _nanos(caps.get(name, "0"))
    if not asked:
        return [f"{text}, but no request is specified or request is 0"]
    if not limit:
        return [f"{text}, but no limit is specified or limit is 0"]
    if limit * quantity.NANO > _nanos(ratio) * asked:
        return [f"{text}, but provided ratio is {limit / asked:f}"]
    return []
