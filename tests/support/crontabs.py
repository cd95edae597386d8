"""A kind that is defined at run time: CronTabs of stable.example.com, as the Kubernetes documentation has them."""

from __future__ import annotations

from typing import Any

from homeostat.api.catalogue import Catalogue
from homeostat.api.catalogue.columns import PrinterColumn
from homeostat.api.catalogue.definition import Definition, Version

Obj = dict[str, Any]
GROUP = "stable.example.com"
SCHEMA: Obj = {
    "type": "object",
    "description": "CronTab runs an image at times",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["image"],
            "properties": {
                "image": {"type": "string"},
                "replicas": {"type": "integer", "default": 1, "minimum": 0},
                "color": {"type": "string"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "steps": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"run": {"type": "string"}}},
                },
            },
        },
        "status": {"type": "object", "properties": {"runs": {"type": "integer"}}},
    },
}
COLUMNS = (
    PrinterColumn("Spec", "string", ".spec.image", description="What it runs"),
    PrinterColumn("Replicas", "integer", ".spec.replicas"),
    PrinterColumn("Age", "date", ".metadata.creationTimestamp"),
)
V1 = Version("v1", SCHEMA, columns=COLUMNS, selectable=(".spec.color",), status=True)
CRONTABS = Definition(
    GROUP, "CronTab", "crontabs", namespaced=True, versions=(V1,), short_names=("ct",), categories=("all",)
)
MOONS = Definition(GROUP, "Moon", "moons", namespaced=False, versions=(Version("v1beta1"),))
CATALOGUE = Catalogue.builtin().with_definitions((CRONTABS,))
PATH = f"/apis/{GROUP}/v1/namespaces/default/crontabs"


def crontab(name: str, *, metadata: Obj | None = None, **spec: Any) -> Obj:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "CronTab",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"image": "app", **spec},
    }
