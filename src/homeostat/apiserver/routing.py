"""From a URL and a method to what is asked for (kube-apiserver's RequestInfo), and which parameters a request has.

`/api/v1/...` and `/apis/GROUP/VERSION/...` with `namespaces/NAMESPACE/` in between; everything else is a path. The
deprecated prefixes `/watch/` and `/proxy/` are not served: such a URL is no resource and so gets 404. What follows the
subresource `proxy` belongs to whoever is behind it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from homeostat.api import fieldselectors, kinds
from homeostat.api.errors import ApiError
from homeostat.apiserver.contract import RequestInfo
from homeostat.wire.message import Request

_OF_COLLECTIONS = frozenset({"list", "watch", "deletecollection"})
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
# Subresources of a Namespace, which would else read as resources inside it.
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


def resolve(request: Request) -> RequestInfo:
    """What the request asks for; kept for URLs seen lately, since several stages ask."""
    watch = request.query.get("watch") if request.query else None
    return _resolve(request.method, request.path, watch is not None and truth(watch))


def truth(text: str) -> bool:
    """A boolean query parameter as Go reads one: present and neither `false` nor `0`."""
    return text not in ("0", "false", "False", "FALSE", "f", "F")


def named_by_selector(request: Request, info: RequestInfo) -> RequestInfo:
    """The same, naming the object, or the node whose Pods, a collection's field selector asks for alone.

    So a rule with resourceNames lets its user list and watch just that object, as `kubectl get NAME --watch` does, and
    a node agent may watch its own Node and Pods.
    """
    text = request.query.get("fieldSelector", "") if info.verb in _OF_COLLECTIONS else ""
    if not text or info.kind is None:
        return info
    try:
        equal = fieldselectors.parse(text, info.kind).equal
    except ApiError:
        return info
    return replace(info, name=equal.get("metadata.name", ""), node=equal.get("spec.nodeName", ""))


@lru_cache(maxsize=4096)
def _resolve(method: str, path: str, watch: bool) -> RequestInfo:  # noqa: FBT001 (lru_cache takes positions faster)
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(method.lower(), path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES):
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and len(rest) >= 2:
        # A Namespace is its own namespace: so RBAC lets its admins read it.
        namespace = rest[1]
    proxied = len(rest) > 2 and rest[2] == "proxy"
    if (len(rest) > 3 and not proxied) or rest[0] in ("watch", "proxy"):
        return RequestInfo(method.lower(), path)
    name = rest[1] if len(rest) > 1 else ""
    return RequestInfo(
        verb=_verb(method, name, watch=watch and not proxied),
        path=path,
        is_resource=True,
        group=group,
        version=version,
        resource=rest[0],
        subresource=rest[2] if len(rest) > 2 else "",
        namespace=namespace,
        name=name,
        kind=kinds.by_resource(group, version, rest[0]),
    )


def _verb(method: str, name: str, *, watch: bool) -> str:
    if method in ("GET", "HEAD"):
        return "get" if name and not watch else "watch" if watch else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(method, method.lower())
