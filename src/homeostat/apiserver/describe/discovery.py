"""Discovery: which groups, versions and resources there are, in the legacy form and the aggregated one.

`/api`, `/apis`, `/api/v1`, `/apis/GROUP` and `/apis/GROUP/VERSION`. Rules:
kubernetes.io/docs/concepts/overview/kubernetes-api, Discovery API.
"""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.api import errors
from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.contract import Call
from homeostat.apiserver.describe.etag_documents import Document
from homeostat.apiserver.path.accept import PLAIN, Form, chosen
from homeostat.wire.message import Response

_GROUP = "apidiscovery.k8s.io"
_LIST = "APIGroupDiscoveryList"
_FORMS = frozenset((Form(_LIST, _GROUP, "v2"), Form(_LIST, _GROUP, "v2beta1")))


class _Documents:
    """The documents of one catalogue, each made when it is first asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[tuple[str, str, Form], Document] = {}

    def of(self, path: str, form: Form, address: str) -> Document:
        """The document behind a path. Raises 404."""
        place = (path, address, form)
        document = self._known.get(place)
        if document is None:
            document = self._known[place] = _made(self._catalogue, path, form, address)
        return document


class Discovery:
    """Answers from the documents of the catalogue that a request began with; `address` is where this server is."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def handle(self, call: Call) -> Response:
        """Any path under /api and /apis that is no resource. Raises 404, 405, 406."""
        request = call.request
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        path = request.path.rstrip("/")
        form = chosen(request.headers, _FORMS) if path in ("/api", "/apis") else PLAIN
        return call.info.catalogue.derived(_Documents).of(path, form, self._address).respond(request)


def _made(catalogue: Catalogue, path: str, form: Form, address: str) -> Document:
    if form is not PLAIN and form.as_kind:
        groups = [""] if path == "/api" else [group for group in catalogue.groups if group]
        kind = f"application/json;g={form.group};v={form.version};as={form.as_kind}"
        return Document.of(aggregated(catalogue, groups, form.version), kind)
    parts = path.split("/")[1:]
    found: Obj | None = None
    if parts == ["api"]:
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        found = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
    elif parts == ["apis"]:
        described = [_group(catalogue, group) for group in catalogue.groups if group]
        found = {"kind": "APIGroupList", "apiVersion": "v1", "groups": described}
    elif len(parts) == 2:
        found = resource_list(catalogue, "", parts[1]) if parts[0] == "api" else _whole_group(catalogue, parts[1])
    elif len(parts) == 3 and parts[0] == "apis":
        found = resource_list(catalogue, parts[1], parts[2])
    if found is None:
        raise errors.path_not_found()
    return Document.of(found)


def _group(catalogue: Catalogue, group: str) -> Obj:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in catalogue.groups[group]]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _whole_group(catalogue: Catalogue, group: str) -> Obj | None:
    if not group or group not in catalogue.groups:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(catalogue, group)}


def resource_list(catalogue: Catalogue, group: str, version: str) -> Obj | None:
    """The APIResourceList of one version; None when it is not served."""
    served = catalogue.of_group_version(group, version)
    if not served:
        return None
    resources: list[Obj] = []
    for kind in served:
        entry: Obj = {"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced}
        entry |= {"kind": kind.kind, "verbs": sorted(kind.verbs)}
        if kind.short_names:
            entry["shortNames"] = list(kind.short_names)
        if kind.categories:
            entry["categories"] = list(kind.categories)
        resources.append(entry)
        for sub in kind.parts:
            entry = {"name": f"{kind.plural}/{sub.name}", "singularName": "", "namespaced": kind.namespaced}
            if (sub.group, sub.version) != (group, version):
                entry |= {"group": sub.group, "version": sub.version}
            resources.append(entry | {"kind": sub.kind, "verbs": sorted(sub.verbs)})
    api_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}


def aggregated(catalogue: Catalogue, groups: Sequence[str], version: str) -> Obj:
    """The APIGroupDiscoveryList of `groups`, in `version` of the discovery API."""
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": [
                {
                    "version": served,
                    "resources": [_resource(kind) for kind in catalogue.of_group_version(group, served)],
                    "freshness": "Current",
                }
                for served in catalogue.groups[group]
            ],
        }
        for group in groups
    ]
    return {"kind": _LIST, "apiVersion": f"{_GROUP}/{version}", "metadata": {}, "items": items}


def _resource(kind: Kind) -> Obj:
    entry: Obj = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    subresources = [
        {
            "subresource": sub.name,
            "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
            "verbs": sorted(sub.verbs),
        }
        for sub in kind.parts
    ]
    if subresources:
        entry["subresources"] = subresources
    return entry
