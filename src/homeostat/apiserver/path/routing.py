"""From a URL and a method to what is asked for (kube-apiserver's RequestInfo), and which parameters a request has.

`/api/v1/...` and `/apis/GROUP/VERSION/...` with `namespaces/NAMESPACE/` in between; everything else is a path. The
deprecated prefixes `/watch/` and `/proxy/` are not served: such a URL is no resource and so gets 404. What follows the
subresource `proxy` belongs to whoever is behind it.

A request is decided once, by the first stage (`finding`), from its path as the edge decoded it (so an encoded slash
separates as a plain one does) and from the catalogue that is served at that moment; whatever comes later uses that
decision (`contract.info_of`). The target as it came is looked at again only to find what is passed on
(`split_proxied`), and by the same rule.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from homeostat.api import errors
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.apiserver.cache.served_catalogue import Served
from homeostat.apiserver.contract import RequestInfo, Stage
from homeostat.wire.fields import decoded_path, encode_target
from homeostat.wire.message import Handler, Request, Response

_OF_COLLECTIONS = frozenset({"list", "watch", "deletecollection"})
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
# Subresources of a Namespace, which would else read as resources inside it.
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
# What a collection over all namespaces is asked for.
_EVERYWHERE = frozenset({"list", "watch"})
_DOT_NAMES = frozenset({".", ".."})
# Longer paths are resolved again each time: what anybody may send must not fill the memory.
_REMEMBERED_CHARACTERS_MAX = 512
# A slash in a target that was not decoded yet, and a segment that leads elsewhere.
_SLASH = re.compile(rb"/|%2[fF]")
_LEADING = re.compile(rb"\A(?:/|%2[fF])+")
_PIECES = re.compile(rb"(/|%2[fF])")
_DOTS = re.compile(rb"(?:\.|%2[eE]){1,2}")


class Routes:
    """What paths mean by one catalogue. Those asked for lately are remembered as long as the catalogue is."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._remembered = lru_cache(maxsize=4096)(self._decide)

    def decide(self, request: Request) -> RequestInfo:
        """What the request asks for."""
        query, path = request.query, request.path
        watch = query.get("watch") if query else None
        decide = self._remembered if len(path) <= _REMEMBERED_CHARACTERS_MAX else self._decide
        return decide(request.method, path, "watch" if watch is not None and truth(watch) else "list")

    def _decide(self, method: str, path: str, read: str) -> RequestInfo:
        return _decide(self.catalogue, method, path, read=read)


def finding(served: Served) -> Stage:
    """The first stage: find the resource that is asked for in the catalogue that is served now."""
    routes = served.catalogue.derived(Routes)

    # Not a coroutine of its own: one less for every request. A request that another server had before is resolved
    # again.
    def find(request: Request, following: Handler) -> Awaitable[Response]:
        nonlocal routes
        if served.catalogue is not routes.catalogue:
            routes = served.catalogue.derived(Routes)
        request.decided = routes.decide(request)
        return following(request)

    return find


def split_proxied(request: Request, info: RequestInfo) -> tuple[bytes, bytes]:
    """A proxy request's target up to the end of its `/proxy`, and the rest for the backend, unchanged.

    The second part is empty, or begins with `/` or `?`; of its path, segments `.` and `..` are resolved, so that it
    leads nowhere above the root. Raises 400 when the target is not the one that was decided on.
    """
    target = request.target or encode_target(request.path, dict(request.query)).encode("ascii")
    path, mark, query = target.partition(b"?")
    place = ["namespaces", info.namespace] if info.namespace else []
    wanted = ["api", info.version, *place, info.resource, info.name, "proxy"]
    end = at = len(path) - len(_LEADING.sub(b"", path))
    for _ in wanted:
        slash = _SLASH.search(path, at)
        end, at = slash.span() if slash else (len(path), len(path))
    head, tail = path[:end], path[end:]
    if decoded_path(head).lstrip("/").split("/") != wanted:
        raise errors.bad_request("the path of the request and its target do not agree")
    return head, _inside(tail) + mark + query


def check_place(kind: Kind, info: RequestInfo) -> None:
    """Check what a path of a known kind asks for. Raises 405 for a verb that the collection over all namespaces does
    not have, and 400 for a name that no object can have (apimachinery's IsPathSegmentName)."""
    if kind.namespaced and not info.namespace and info.verb not in _EVERYWHERE:
        raise errors.method_not_allowed()
    name = info.name
    if "%" in name or name in _DOT_NAMES:
        why = f"may not be '{name}'" if name in _DOT_NAMES else "may not contain '%'"
        raise errors.bad_request(f'Name parameter invalid: "{name}": {why}')


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
        equal = info.catalogue.resource(info.kind).selectable.parse(text).equal
    except ApiError:
        return info
    return replace(info, name=equal.get("metadata.name", ""), node=equal.get("spec.nodeName", ""))


def _inside(path: bytes) -> bytes:
    """The path beginning with a slash, its segments `.` and `..` resolved (RFC 3986, 5.2.4), all else as it came."""
    _, *pieces = _PIECES.split(path)
    kept: list[tuple[bytes, bytes]] = []
    pairs = list(zip(pieces[::2], pieces[1::2], strict=True))
    for number, (slash, segment) in enumerate(pairs, 1):
        dots = _DOTS.fullmatch(segment)
        if dots and len(unquote(segment)) == 2 and kept:
            kept.pop()
        if not dots:
            kept.append((slash, segment))
        elif number == len(pairs):
            kept.append((b"/", b""))
    return b"/" + b"".join([slash + segment for slash, segment in kept]).removeprefix(kept[0][0]) if kept else b""


def _decide(catalogue: Catalogue, method: str, path: str, *, read: str) -> RequestInfo:
    parts = path.strip("/").split("/")
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(method.lower(), path, catalogue=catalogue)
    namespace, inside = "", False
    if rest[0] == "namespaces" and len(rest) >= 3 and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES):
        namespace, inside, rest = rest[1], True, rest[2:]
    elif rest[0] == "namespaces" and len(rest) >= 2:
        # A Namespace is its own namespace: so RBAC lets its admins read it.
        namespace = rest[1]
    proxied = len(rest) > 2 and rest[2] == "proxy"
    # An empty segment names nothing; what follows `proxy` may have some.
    nameless = "" in parts[: len(parts) - len(rest)] or "" in rest[:3]
    if (len(rest) > 3 and not proxied) or nameless or rest[0] in ("watch", "proxy"):
        return RequestInfo(method.lower(), path, catalogue=catalogue)
    name = rest[1] if len(rest) > 1 else ""
    kind = catalogue.by_resource(group, version, rest[0])
    return RequestInfo(
        verb=_verb(method, name, read=read),
        path=path,
        is_resource=True,
        group=group,
        version=version,
        resource=rest[0],
        subresource=rest[2] if len(rest) > 2 else "",
        namespace=namespace,
        name=name,
        kind=kind if kind is None or _is_at_home(kind, name, inside=inside) else None,
        catalogue=catalogue,
    )


def _is_at_home(kind: Kind, name: str, *, inside: bool) -> bool:
    """Whether the kind is served where the path looks for it: inside a namespace, or outside all.

    A namespaced kind is also served outside, as the collection over all namespaces (`check_place`: for which verbs).
    """
    if kind.namespaced == inside:
        return True
    return kind.namespaced and not name and "list" in kind.verbs


def _verb(method: str, name: str, *, read: str) -> str:
    """The verb of a request; `read` is what a GET of a collection is, `list` or `watch`."""
    if method in ("GET", "HEAD"):
        # Of one object a `watch` in the query means nothing, as to kube-apiserver (request/requestinfo.go).
        return "get" if name else read
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(method, method.lower())
