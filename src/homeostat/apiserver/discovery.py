"""Discovery: which groups, versions and resources there are, in the legacy form and the aggregated one.

`/api`, `/apis`, `/api/v1`, `/apis/GROUP` and `/apis/GROUP/VERSION`. Rules:
kubernetes.io/docs/concepts/overview/kubernetes-api, Discovery API.
"""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.api import errors, kinds
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.accept import PLAIN, Form, chosen
from homeostat.apiserver.contract import Call
from homeostat.apiserver.documents import Document
from homeostat.wire.message import Response

_GROUP = "apidiscovery.k8s.io"
_LIST = "APIGroupDiscoveryList"
_FORMS = frozenset((Form(_LIST, _GROUP, "v2"), Form(_LIST, _GROUP, "v2beta1")))


class Discovery:
    """Answers from documents that are made when first asked for; the kinds do not change while a server runs."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._documents: dict[tuple[str, Form], Document] = {}

    async def handle(self, call: Call) -> Response:
        """Any path under /api and /apis that is no resource. Raises 404, 405, 406."""
        request = call.request
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        path = request.path.rstrip("/")
        form = chosen(request.headers, _FORMS) if path in ("/api", "/apis") else PLAIN
        document = self._documents.get((path, form))
        if document is None:
            document = self._documents[path, form] = self._make(path, form)
        return document.respond(request)

    def _make(self, path: str, form: Form) -> Document:
        if form is not PLAIN and form.as_kind:
            groups = [""] if path == "/api" else [group for group in kinds.groups() if group]
            kind = f"application/json;g={form.group};v={form.version};as={form.as_kind}"
            return Document.of(aggregated(groups, form.version), kind)
        parts = path.split("/")[1:]
        found: Obj | None = None
        if parts == ["api"]:
            addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}]
            found = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
        elif parts == ["apis"]:
            described = [_group(group) for group in kinds.groups() if group]
            found = {"kind": "APIGroupList", "apiVersion": "v1", "groups": described}
        elif len(parts) == 2:
            found = resource_list("", parts[1]) if parts[0] == "api" else _whole_group(parts[1])
        elif len(parts) == 3 and parts[0] == "apis":
            found = resource_list(parts[1], parts[2])
        if found is None:
            raise errors.path_not_found()
        return Document.of(found)


def _group(group: str) -> Obj:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in kinds.groups()[group]]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _whole_group(group: str) -> Obj | None:
    if not group or group not in kinds.groups():
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}


def _kinds_of(group: str, version: str) -> list[Kind]:
    found = [kind for kind in kinds.all_kinds() if (kind.group, kind.version) == (group, version)]
    return sorted(found, key=lambda kind: kind.plural)


def _subresources(kind: Kind) -> list[kinds.Subresource]:
    found = [kinds.subresource(kind, name) for name in kind.subresources]
    return [subresource for subresource in found if subresource is not None]


def resource_list(group: str, version: str) -> Obj | None:
    """The APIResourceList of one version; None when it is not served."""
    served = _kinds_of(group, version)
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
        for sub in _subresources(kind):
            entry = {"name": f"{kind.plural}/{sub.name}", "singularName": "", "namespaced": kind.namespaced}
            if (sub.group, sub.version) != (group, version):
                entry |= {"group": sub.group, "version": sub.version}
            resources.append(entry | {"kind": sub.kind, "verbs": sorted(sub.verbs)})
    api_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}


def aggregated(groups: Sequence[str], version: str) -> Obj:
    """The APIGroupDiscoveryList of `groups`, in `version` of the discovery API."""
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": [
                {
                    "version": served,
                    "resources": [_resource(kind) for kind in _kinds_of(group, served)],
                    "freshness": "Current",
                }
                for served in kinds.groups()[group]
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
        for sub in _subresources(kind)
    ]
    if subresources:
        entry["subresources"] = subresources
    return entry
