"""Where an object that makes Pods holds their template."""

from __future__ import annotations

from homeostat.api.types import Obj

_TEMPLATE = ("spec", "template")
# The path of the template in each kind, by its resource as `errors.qualified` names it.
PATHS = {
    "replicationcontrollers": _TEMPLATE,
    "podtemplates": ("template",),
    "replicasets.apps": _TEMPLATE,
    "deployments.apps": _TEMPLATE,
    "statefulsets.apps": _TEMPLATE,
    "daemonsets.apps": _TEMPLATE,
    "jobs.batch": _TEMPLATE,
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}
PLURALS = frozenset(resource.partition(".")[0] for resource in PATHS)


def template_of(resource: str, obj: Obj) -> Obj | None:
    """The template in an object of `resource`; None when the kind has none, or the object."""
    found: Obj | None = obj
    for step in PATHS.get(resource, ()):
        found = (found or {}).get(step)
    return found if resource in PATHS else None
