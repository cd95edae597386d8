"""Request number K of a seed: who asks, the method, the target, the headers and the body."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import yaml

from bench.fuzz import mutations, protobuf
from bench.fuzz.objects import NAMES, NAMESPACES, SPECIMENS, any_object
from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind, Subresource
from homeostat.api.shape.schema import definition_of

IDENTITIES = (*["admin"] * 16, "owner", "owner", "nobody", "node", "anonymous", "forged")
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
_PATCHES = tuple(f"application/{name}+json" for name in ("json-patch", "merge-patch", "strategic-merge-patch"))
_TYPES = (
    "",
    "text/plain",
    "application/xml",
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "application/",
    "\xe9/\xe9",
    "multipart/form-data; boundary=x",
    "application/apply-patch+yaml",
    "application/cbor",
    "a" * 3000,
    *_PATCHES,
    YAML,
    PROTOBUF,
)
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_ACCEPTS = (
    "*/*",
    "application/*",
    "text/html",
    PROTOBUF,
    f"{PROTOBUF},{JSON}",
    _TABLE,
    f"{_TABLE},{JSON}",
    "application/json;as=Table",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Nothing;v=v1;g=x",
    ";;;,,,q=;=",
    "application/json;q=nan",
    "application/json;q=-1",
    YAML,
    "application/yaml;as=Table;v=v1;g=meta.k8s.io",
    "application/cbor",
    "x" * 5000,
)
_QUERY: dict[str, tuple[str, ...]] = {
    "labelSelector": (
        "app=a",
        "app in (a,b)",
        "!app",
        "app>1",
        "a=b,",
        "(",
        "a in ()",
        "=",
        "a" * 300,
        "a!=",
        "\x00",
        "é=é",
        "a=b" * 900,
    ),
    "fieldSelector": (
        "metadata.name=fuzz-a",
        "spec.nodeName=",
        "status.phase!=Running",
        "source=x",
        "nope=1",
        "=",
        "a",
        "\\",
        "metadata.name=a\\,b",
        "reportingComponent=x",
    ),
    "limit": ("1", "0", "-1", "nan", "1e3", "9" * 25, "", "0x1"),
    "continue": ("x", "", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", "=" * 50, "A" * 2000, "eyJydiI6LTEsInN0YXJ0IjoiIn0"),
    "resourceVersion": ("0", "1", "-1", "x", "9" * 15, "9" * 30, "1.5"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "x"),
    "timeoutSeconds": ("1", "0", "-5", "x", "9" * 30),
    "sendInitialEvents": ("true", "false", "x"),
    "allowWatchBookmarks": ("true", "x"),
    "dryRun": ("All", "x", "", "All,All"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "x"),
    "fieldManager": ("m", "m" * 200, "\x00", "é"),
    "gracePeriodSeconds": ("0", "-1", "x", "9" * 30),
    "propagationPolicy": ("Orphan", "Foreground", "Background", "x"),
    "orphanDependents": ("true", "x"),
    "pretty": ("true", "x"),
    "includeObject": ("None", "Object", "Metadata", "x"),
    "force": ("true", "x"),
    "container": ("app", "", "\x00"),
    "tailLines": ("1", "-1", "nan"),
    "sinceSeconds": ("1", "-1", "x"),
    "limitBytes": ("0", "x"),
    "sinceTime": ("2026-01-01T00:00:00Z", "x"),
    "ports": ("80", "x", "99999999"),
    "path": ("/x", "\r\nX: 1"),
    "command": ("sh", ""),
    "stdin": ("1", "x"),
    "tty": ("maybe",),
    "stdout": ("1",),
}
_PATHS = (
    "/",
    "/api",
    "/apis",
    "/api/v1",
    "/apis/apps",
    "/apis/apps/v1",
    "/apis/nope",
    "/api/v2/pods",
    "/version",
    "/healthz",
    "/livez/etcd",
    "/readyz?verbose&exclude=etcd&exclude=nope",
    "/readyz/nope",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/apis/apps/v1",
    "/openapi/v3/nope",
    "/homeostat/journal",
    "/homeostat/journal?limit=nan",
    "/homeostat/journal?since=nan&limit=-1",
    "/homeostat/journal?after=1e999&name=%00",
    "/logs",
    "/.well-known/openid-configuration",
    "/openid/v1/jwks",
    "/api/v1/watch/pods",
    "/api/v1/proxy/nodes/x",
    "/api/v1/namespaces/fuzz-1/pods/%2e%2e/log",
    "/api/v1/namespaces/fuzz-1%2Fpods",
    "//api//v1//pods",
    "/api/v1/namespaces//pods",
    "/api/v1/pods/x/y/z",
    "/%",
    "/%zz",
    "/%00",
    "/%c3%28",
    "/api/v1/namespaces/%0d%0aX/pods",
    "/api/v1/namespaces/" + "a" * 3000,
    "/apis/" + "/".join("ab" * 400),
    "/api/v1/namespaces/fuzz-1/pods?" + "a=b&" * 3000,
    "/?" + "%" * 500,
    "/api/v1/namespaces/fuzz-1/configmaps/%F0%9F%98%80",
)
_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")
_HEADS: tuple[bytes, ...] = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    b"GET /\r\n\r\n",
    b"\x16\x03\x01\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA:\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"GET http://a/version HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PUT /api HTTP/1.1\r\nHost: a\r\nExpect: nothing\r\nContent-Length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 3000 + b"\r\n",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One request. `raw` is sent as it is, with `TOKEN` replaced by the token of `identity`."""

    number: int
    identity: str
    method: str
    target: str
    raw: bytes
    # Whether the answer may be a stream that continues, or the connection does not outlive it.
    ends: bool = False


TOKEN = b"@TOKEN@"


def make(seed: int, number: int) -> Case:
    """Request `number` of `seed`."""
    random = Random(f"{seed}/{number}")
    roll = random.random()
    if roll < 0.02:
        return Case(number, "anonymous", "?", "a malformed head", random.choice(_HEADS), ends=True)
    identity = random.choice(IDENTITIES)
    if roll < 0.10:
        method = random.choice(_METHODS)
        return _request(random, number, identity, method, random.choice(_PATHS), b"", "")
    kind = _kind(random)
    if roll < 0.35 and kind.subresources:
        return _of_subresource(random, number, identity, kind)
    method, collection = random.choice([*_VERBS.items()])[1] if random.random() < 0.05 else _offered(random, kind.verbs)
    if random.random() < 0.04:
        collection, method = not collection, random.choice(_METHODS)
    name, namespace = _name(random, kind), random.choice(NAMESPACES)
    path = kind.path(namespace if random.random() < 0.95 else "", "" if collection else name)
    body, form = b"", ""
    if method in ("POST", "PUT", "PATCH", "DELETE") or random.random() < 0.03:
        body, form = _body(random, kind, method, name, namespace)
    return _request(random, number, identity, method, path, body, form)


# Each verb's method, and whether it is asked of the collection.
_VERBS = {
    "get": ("GET", False),
    "list": ("GET", True),
    "watch": ("GET", True),
    "create": ("POST", True),
    "update": ("PUT", False),
    "patch": ("PATCH", False),
    "delete": ("DELETE", False),
    "deletecollection": ("DELETE", True),
}
_RARE = frozenset({"deletecollection"})


def _offered(random: Random, verbs: frozenset[str]) -> tuple[str, bool]:
    """One of the verbs that there are; the writes come more often, what empties the server seldom."""
    offered = [verb for verb in sorted(verbs) if verb in _VERBS and (verb not in _RARE or random.random() < 0.1)]
    writes = [verb for verb in offered if verb in ("create", "update", "patch")]
    return _VERBS[random.choice(writes if writes and random.random() < 0.7 else offered or ["get"])]


def _kind(random: Random) -> Kind:
    every = Catalogue.builtin().kinds
    if random.random() < 0.5:
        return random.choice(every)
    return random.choice([kind for kind in every if kind.kind in SPECIMENS])


def _name(random: Random, kind: Kind) -> str:
    if kind.kind == "Namespace":
        # Those that the others are in must stay.
        return random.choice(("fuzz-x", "fuzz-y"))
    if random.random() < 0.03:
        return random.choice(("a" * 260, "A", "a%2Fb", "%2e%2e", "a%00", "é", "-", "a:b", "2001-db8--1", "10.0.0.1"))
    return random.choice(NAMES)


def _of_subresource(random: Random, number: int, identity: str, kind: Kind) -> Case:
    name, namespace = _name(random, kind), random.choice(NAMESPACES)
    sub = random.choice(kind.subresources)
    found = kind.part(sub)
    method = _offered(random, found.verbs)[0] if found and random.random() < 0.9 else random.choice(_METHODS)
    path = kind.path(namespace, name, sub)
    taken: Kind | Subresource = kind if found is None or not definition_of(found) else found
    body, form = b"", ""
    if method not in ("GET", "HEAD"):
        body, form = _body(random, taken, method, name, namespace)
    return _request(random, number, identity, method, path, body, form)


def _body(random: Random, kind: Kind | Subresource, method: str, name: str, namespace: str) -> tuple[bytes, str]:
    if method == "PATCH":
        return _patch(random, kind, name, namespace)
    if method == "DELETE":
        if random.random() < 0.6:
            return b"", ""
        kind = Subresource("", "", "v1", "DeleteOptions")
    obj: Any = any_object(kind, random, name=name, namespace=namespace)
    if method == "PUT":
        obj["metadata"].setdefault("name", name)
    if kind.kind == "DeleteOptions":
        obj.pop("metadata", None)
    if random.random() < 0.5:
        obj = mutations.mutate(obj, random)
    return _written(random, obj, kind)


def _written(random: Random, obj: Any, kind: Kind | Subresource) -> tuple[bytes, str]:
    roll = random.random()
    definition = definition_of(kind)
    if roll < 0.15:
        data, form = _yaml(obj), YAML
    elif roll < 0.3 and isinstance(obj, dict) and protobuf.known(definition):
        data, form = protobuf.encode(obj, definition), PROTOBUF
    else:
        data, form = mutations.written(obj), JSON
        if random.random() < 0.03:
            data = mutations.doubled(data, random)
    if random.random() < 0.12:
        data = mutations.mutate_bytes(data, random)
    if random.random() < 0.05:
        form = random.choice(_TYPES)
    return data, form


def _yaml(obj: Any) -> bytes:
    try:
        return yaml.dump(obj, Dumper=yaml.CSafeDumper, allow_unicode=True).encode("utf-8", "replace")
    except RecursionError:
        return mutations.DEEP


def _patch(random: Random, kind: Kind | Subresource, name: str, namespace: str) -> tuple[bytes, str]:
    form = random.choice(_PATCHES)
    obj = any_object(kind, random, name=name, namespace=namespace)
    patch: Any = obj
    if form.startswith("application/json-patch"):
        patch = [_operation(random, obj) for _ in range(random.choice((1, 1, 2, 5)))]
    elif random.random() < 0.3:
        patch = {"metadata": {"labels": {"a": random.choice("abc"), "b": None}}}
    if random.random() < 0.6:
        patch = mutations.mutate(patch, random)
    if form.startswith("application/strategic") and isinstance(patch, dict) and random.random() < 0.3:
        patch[random.choice(("$patch", "$retainKeys", "$setElementOrder/spec", "$deleteFromPrimitiveList/x"))] = (
            random.choice(("replace", "delete", "merge", ["a"], [{"name": "a"}], 1, None, {}))
        )
    data = mutations.written(patch)
    if random.random() < 0.08:
        data = mutations.mutate_bytes(data, random)
    return data, form if random.random() < 0.95 else random.choice(_TYPES)


def _operation(random: Random, obj: Any) -> Any:
    path, here = "", obj
    while isinstance(here, dict | list) and here and random.random() < 0.8:
        key = random.choice(list(here) if isinstance(here, dict) else list(range(len(here))))
        path += "/" + str(key).replace("~", "~0").replace("/", "~1")
        here = here[key]
    if random.random() < 0.15:
        path += random.choice(("/-", "/0", "/-1", "/x", "/~2", "/" + "9" * 30, "/01", "/"))
    name = random.choice(("add", "add", "replace", "replace", "remove", "copy", "move", "test", "nope"))
    return {"op": name, "path": path, "from": random.choice((path, "/metadata", "", "/spec", "x")), "value": here}


def _request(random: Random, number: int, identity: str, method: str, path: str, body: bytes, form: str) -> Case:
    target = path + _query(random, path, watches=method == "GET")
    lines = [f"{method} {_escaped(target)} HTTP/1.1", "Host: fuzz"]
    if identity != "anonymous":
        lines.append("Authorization: Bearer " + ("x.y.z" if identity == "forged" else TOKEN.decode()))
    if form:
        lines.append(f"Content-Type: {form}")
    if random.random() < 0.15:
        lines.append(f"Accept: {random.choice(_ACCEPTS)}")
    if random.random() < 0.02:
        lines.append(
            random.choice(
                (
                    "X-Homeostat-Cause: {}",
                    "Impersonate-User: admin",
                    "If-None-Match: *",
                    "Accept-Encoding: gzip",
                    "Range: bytes=0-1",
                )
            )
        )
    if body or method not in ("GET", "HEAD", "OPTIONS"):
        lines.append(f"Content-Length: {len(body)}")
    raw = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
    ends = "watch=" in target or "follow=" in target or method in ("CONNECT", "HEAD") or method not in _METHODS
    return Case(number, identity, method, target, raw, ends)


def _query(random: Random, path: str, *, watches: bool) -> str:
    if "?" in path or random.random() < 0.6:
        return ""
    names = random.sample(list(_QUERY), random.choice((1, 1, 2, 3)))
    pairs = [(name, random.choice(_QUERY[name])) for name in names]
    if watches and random.random() < 0.2:
        pairs = [
            ("watch", random.choice(("1", "true", "x"))),
            *(pair for pair in pairs if pair[0] != "timeoutSeconds"),
            ("timeoutSeconds", "1"),
        ]
    return "?" + "&".join(f"{name}={quote(value)}" for name, value in pairs)


def _escaped(target: str) -> str:
    """The target as a request line can carry it; what is escaped already stays."""
    return quote(target, safe="/%?&=:,.!~*'()+@;$-_")
