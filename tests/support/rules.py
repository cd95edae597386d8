"""Objects to judge, and the words of what is wrong with them."""

from __future__ import annotations

import copy
from typing import Any

from homeostat.api.kinds import Kind
from homeostat.api.validation import validate_create, validate_update

Obj = dict[str, Any]


def pod(**spec: Any) -> Obj:
    """A valid Pod; keywords replace fields of its spec."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [container()], "restartPolicy": "Always", **spec},
    }


def container(name: str = "app", **fields: Any) -> Obj:
    """A valid container."""
    return {"name": name, "image": "nginx:1", **fields}


def template(labels: dict[str, str] | None = None, **spec: Any) -> Obj:
    """A pod template that a controller would take."""
    return {
        "metadata": {"labels": {"app": "web"} if labels is None else labels},
        "spec": {"containers": [container()], "restartPolicy": "Always", **spec},
    }


def workload(kind: str = "Deployment", **spec: Any) -> Obj:
    """A valid workload of group apps."""
    own = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    metadata = {"name": "web", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {**own, **spec}}


def named(kind: Kind, name: str = "it", **fields: Any) -> Obj:
    """An object of a kind with a name and these top-level fields."""
    metadata = {"name": name, **({"namespace": "default"} if kind.namespaced else {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **fields}


def faults(kind: Kind, obj: Obj) -> list[str]:
    """What is wrong with a new object, as `path: message`."""
    return [cause.text() for cause in validate_create(kind, obj)]


def change_faults(kind: Kind, old: Obj, change: Any, subresource: str = "") -> list[str]:
    """What is wrong with an update in which `change(obj)` alters a copy of `old` in place."""
    new = copy.deepcopy(old)
    change(new)
    return [cause.text() for cause in validate_update(kind, new, old, subresource)]
