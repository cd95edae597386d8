"""The catalogue that an API server describes by discovery: for its clients, who know the names of kinds but no schemas.

Rule: kubernetes.io/docs/concepts/overview/kubernetes-api, "Aggregated discovery". Of a resource that is served in
several versions the first one, which the server prefers, counts as the one that is stored.
"""

from __future__ import annotations

from dataclasses import replace

from homeostat.api.catalogue.catalogue import Catalogue
from homeostat.api.catalogue.definition import Definition, Version
from homeostat.api.types import Obj

# What a client asks for at /apis, and the answer's type.
ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def described(document: Obj, before: Catalogue) -> Catalogue:
    """The built-in kinds, and those of an APIGroupDiscoveryList that are none; it shares with the one from before.
    Raises KeyError, TypeError and ValueError for what is no such list."""
    builtin = Catalogue.builtin()
    found: dict[tuple[str, str], Definition] = {}
    for group in document["items"]:
        name = group["metadata"]["name"]
        if name in builtin.groups:
            continue
        for version in group["versions"]:
            for resource in version.get("resources") or ():
                place = (name, resource["resource"])
                known = found.get(place)
                if known is None:
                    found[place] = _definition(name, version["version"], resource)
                else:
                    more = Version(version["version"], stored=False, status=_has(resource, "status"))
                    found[place] = replace(known, versions=(*known.versions, more))
    return before.with_definitions(tuple(found.values()))


def _definition(group: str, version: str, resource: Obj) -> Definition:
    return Definition(
        group,
        resource["responseKind"]["kind"],
        resource["resource"],
        namespaced=resource["scope"] == "Namespaced",
        versions=(Version(version, status=_has(resource, "status"), scale=_has(resource, "scale")),),
        singular=resource.get("singularResource") or "",
        short_names=tuple(resource.get("shortNames") or ()),
        categories=tuple(resource.get("categories") or ()),
        verbs=frozenset(resource["verbs"]),
    )


def _has(resource: Obj, subresource: str) -> bool:
    return any(each["subresource"] == subresource for each in resource.get("subresources") or ())
