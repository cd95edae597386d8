"""Bodies that ask for far more work than their size: each is answered with a Status, and the server continues.

One real API server over sockets gets all of them, any account's as well as an administrator's: a review of one's own
access is open to everybody.
"""

from __future__ import annotations

import json
import time

import pytest

from homeostat.api.documents.json_documents import DEPTH_MAX, NODES_MAX
from tests.support.solo_server import solo_server

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE, STRATEGIC = (
    f"application/{name}+json" for name in ("json-patch", "merge-patch", "strategic-merge-patch")
)
# What one answer may take on a busy machine, and what the server may keep of all of them.
SECONDS_MAX = 60.0
GROWTH_BYTES_MAX = 250 * 1024 * 1024
BAD, LARGE, INVALID = (400, "BadRequest"), (413, "RequestEntityTooLarge"), (422, "Invalid")


def nested(count: int, opening: bytes, inner: bytes, closing: bytes) -> bytes:
    return opening * count + inner + closing * count


def multiplied(line: bytes) -> bytes:
    """Twelve lines, each made of ten of the one before."""
    lines = [b"l0: &l0 {" + b", ".join(b"k%d: v" % i for i in range(10)) + b"}"]
    lines += [
        b"l%d: &l%d " % (at, at) + line.replace(b"@", b", ".join([b"*l%d" % (at - 1)] * 10)) for at in range(1, 12)
    ]
    return b"\n".join(lines)


def protobuf(api_version: bytes, kind: bytes, raw: bytes) -> bytes:
    def field(number: int, data: bytes) -> bytes:
        size, out = len(data), b""
        while size >= 0x80:
            out += bytes((size & 0x7F | 0x80,))
            size >>= 7
        return bytes((number << 3 | 2,)) + out + bytes((size,)) + data

    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


BODIES = {
    "YAML lists 100,000 deep": (YAML, b"[" * 100_000, BAD),
    "YAML maps 100,000 deep": (YAML, b"{a: " * 100_000, BAD),
    "YAML blocks 100,000 deep": (YAML, b"- " * 100_000, BAD),
    "YAML keys 100,000 deep": (YAML, b"? " * 100_000, BAD),
    "YAML merges that multiply": (YAML, multiplied(b"{<<: [@]}"), BAD),
    "YAML aliases that multiply": (YAML, multiplied(b"[@]"), BAD),
    "YAML that holds itself": (YAML, b"a: &a [*a]", BAD),
    "YAML with a long text many times": (YAML, b"a: &a " + b"x" * 1_000_000 + b"\nb: [" + b"*a," * 90_000 + b"]", BAD),
    "YAML with a million values": (YAML, b"a: [" + b"1," * 1_000_000 + b"]", LARGE),
    "YAML with a number of a million digits": (YAML, b"kind: " + b"9" * 1_000_000, BAD),
    "YAML with a number of base 60": (YAML, b"kind: " + b"1:" * 500_000 + b"1", BAD),
    "JSON lists 100,000 deep": (JSON, nested(100_000, b"[", b"", b"]"), BAD),
    "JSON objects 1,000 deep": (JSON, nested(1_000, b'{"a":', b"1", b"}"), BAD),
    "JSON just too deep": (JSON, nested(DEPTH_MAX + 1, b'{"a":', b"1", b"}"), BAD),
    "JSON with a million lists": (JSON, b'{"a":[' + b"[]," * 999_999 + b"[]]}", LARGE),
    "JSON with a million objects": (JSON, b'{"a":[' + b"{}," * 999_999 + b"{}]}", LARGE),
    "JSON with a number of a million digits": (JSON, b'{"kind":' + b"9" * 1_000_000 + b"}", BAD),
    "JSON with a text that does not end": (JSON, b'{"a":"' + b'\\"' * 1_400_000, BAD),
    "JSON with a deep kind": (JSON, b'{"kind":' + nested(190, b"[", b"", b"]") + b"}", BAD),
    "protobuf with a million empty fields": (PROTOBUF, protobuf(b"v1", b"Pod", b"\x12\x00" * 1_000_000), LARGE),
    "protobuf with deep JSON inside": (
        PROTOBUF,
        protobuf(b"v1", b"Pod", b"\n\x94\x07" + b"\x8a\x01\x90\x07" + b"\x3a\x8d\x07" + b"\n\x8a\x07" + b"[" * 906),
        BAD,
    ),
}  # fmt: skip


def test_no_body_of_any_account_ends_a_server(tmp_path):
    """Rule: depth, values, aliases and merges are bounded before work is done; the answer is a Status."""
    tmp_path = tmp_path / "server"
    tmp_path.mkdir()
    with solo_server(tmp_path) as server:
        before = server.memory_bytes()
        for name, (form, body, expected) in BODIES.items():
            for path in (REVIEWS, MAPS):
                started = time.monotonic()
                reply = server.ask("POST", path, body, form=form)
                assert reply.outcome == expected, (name, path, reply.obj)
                assert time.monotonic() - started < SECONDS_MAX, name
                assert len(reply.raw) < 5_000, (name, len(reply.raw))
        assert server.ask("GET", "/version").status == 200
        grown = server.memory_bytes() - before
        assert grown < GROWTH_BYTES_MAX, f"{grown / 1e6:.0f} MB"


def deep(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


def written(value: object) -> bytes:
    """As JSON; deeper than the encoder for Python's own values allows."""
    if not isinstance(value, dict) or len(value) != 1:
        return json.dumps(value, separators=(",", ":")).encode()
    ((key, inner),) = value.items()
    return b'{"%b":%b}' % (key.encode(), written(inner))


def deepening(steps: int) -> list[object]:
    """Each operation puts 190 more levels into the innermost place of the one before."""
    return [{"op": "add", "path": "/metadata" + "/a" * (190 * at) + "/a", "value": deep(190)} for at in range(steps)]


PATCHES = {
    "too many operations": (JSON_PATCH, [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10_001, LARGE),
    "copies that double": (
        JSON_PATCH,
        [{"op": "add", "path": "/data/a", "value": "x" * 1000}]
        + [{"op": "copy", "from": "/data", "path": f"/data/b{at}"} for at in range(40)],
        INVALID,
    ),
    "a thousand copies of much": (
        JSON_PATCH,
        [{"op": "add", "path": "/data/a", "value": "x" * 100_000}]
        + [{"op": "copy", "from": "/data/a", "path": f"/data/b{at}"} for at in range(1_000)],
        INVALID,
    ),
    "copies into themselves": (
        JSON_PATCH, [{"op": "copy", "from": "/metadata", "path": "/metadata/a"}] * 9_999, INVALID,
    ),
    "operations that nest": (JSON_PATCH, deepening(6), INVALID),
    "an index of 5,000 digits": (
        JSON_PATCH,
        [{"op": "add", "path": "/data/l", "value": []}, {"op": "add", "path": "/data/l/" + "1" * 5000, "value": 1}],
        INVALID,
    ),
    "a merge patch that is deep": (MERGE, deep(900), BAD),
    "a strategic patch that is deep": (STRATEGIC, deep(900), BAD),
    "a merge patch with a million values": (MERGE, {"data": [[]] * 1_000_000}, LARGE),
    "a directive that is a list": (STRATEGIC, {"$patch": ["delete"]}, INVALID),
    "an order of lists": (STRATEGIC, {"metadata": {"$setElementOrder/finalizers": [["a"]] * 1000}}, INVALID),
}  # fmt: skip


def test_no_patch_ends_a_server(tmp_path):
    """Rule: at most 10,000 operations, 3 MiB of copies, and the depth of the result is that of any document."""
    folder = tmp_path / "server"
    folder.mkdir()
    with solo_server(folder) as server:
        assert server.ask("POST", MAPS, {"metadata": {"name": "m"}, "data": {"k": "v"}}).status == 201
        before = server.memory_bytes()
        for name, (form, patch, expected) in PATCHES.items():
            started = time.monotonic()
            reply = server.ask("PATCH", f"{MAPS}/m", written(patch), form=form)
            assert reply.outcome == expected, (name, reply.raw[:500])
            assert time.monotonic() - started < SECONDS_MAX, name
        assert server.ask("GET", f"{MAPS}/m").obj["data"] == {"k": "v"}
        grown = server.memory_bytes() - before
        assert grown < GROWTH_BYTES_MAX, f"{grown / 1e6:.0f} MB"


def crd(schema: object) -> object:
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "deep.test", "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": "things.deep.test"}, "spec": spec}


def schema(levels: int) -> object:
    value: dict[str, object] = {"type": "object"}
    for _ in range(levels):
        value = {"type": "object", "properties": {"a": value}}
    return value


def test_the_deepest_documents_go_through_every_stage(tmp_path):
    """What is just not too deep is decoded, judged, stored, listed, shown as a table, watched and patched."""
    folder = tmp_path / "server"
    folder.mkdir()
    levels = (DEPTH_MAX - 6) // 2
    with solo_server(folder) as server:
        assert server.ask("POST", CRDS, crd(schema(levels))).status == 201
        assert server.ask("POST", CRDS, crd(schema(levels + 1))).outcome == BAD
        assert server.ask("GET", CRDS).status == 200
        assert server.ask("GET", f"{CRDS}/things.deep.test").status == 200
        assert server.ask("GET", "/homeostat/journal").status == 200
        patch = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
        assert server.ask("PATCH", f"{CRDS}/things.deep.test", json.dumps(patch), form=JSON_PATCH).status == 200
        assert (
            server.ask("PATCH", f"{CRDS}/things.deep.test", {"metadata": {"labels": {"a": "c"}}}, form=MERGE).status
            == 200
        )
        revision = {"metadata": {"name": "r"}, "revision": 1, "data": deep(DEPTH_MAX - 3)}
        assert server.ask("POST", "/apis/apps/v1/namespaces/default/controllerrevisions", revision).status == 201
        assert server.ask("DELETE", f"{CRDS}/things.deep.test").status == 200


def test_many_mistakes_in_one_body_are_answered_in_time(tmp_path):
    """Finding where each mistake is takes one walk; unknown fields beyond a hundred are not listed."""
    folder = tmp_path / "server"
    folder.mkdir()
    containers = b"[" + b",".join([b'{"x":1}'] * (NODES_MAX // 3)) + b"]"
    doubled = b'{"metadata":{"name":"d"},"data":{' + b",".join([b'"a":"1","a":"2"'] * 50_000) + b"}}"
    with solo_server(folder) as server:
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        assert server.ask("POST", accounts, {"metadata": {"name": "default"}}).status == 201
        before = server.memory_bytes()
        for how in ("", "?fieldValidation=Strict", "?fieldValidation=Ignore"):
            started = time.monotonic()
            body = b'{"metadata":{"name":"p"},"spec":{"containers":' + containers + b"}}"
            reply = server.ask("POST", PODS + how, body)
            assert reply.outcome == (BAD if "Strict" in how else INVALID), how
            reply = server.ask("POST", MAPS + how, doubled)
            assert reply.status == (400 if "Strict" in how else 201), how
            assert len(reply.headers.get("warning", "")) < 16_384
            server.ask("DELETE", f"{MAPS}/d")
            assert time.monotonic() - started < SECONDS_MAX, how
        grown = server.memory_bytes() - before
        assert grown < GROWTH_BYTES_MAX, f"{grown / 1e6:.0f} MB"


@pytest.mark.parametrize(
    "query",
    [
        "labelSelector=" + ",".join(f"k{at}%3Dv" for at in range(5_000)),
        "labelSelector=" + "a%20in%20(" + ",".join(map(str, range(10_000))) + ")",
        "labelSelector=" + "(" * 60_000,
        "labelSelector=" + "%21" * 20_000,
        "fieldSelector=" + ",".join("metadata.name%3Da" for _ in range(3_000)),
        "fieldSelector=metadata.name%3D" + "%5C" * 20_000,
        "limit=" + "9" * 60_000,
        "continue=" + "A" * 60_000,
        "resourceVersion=" + "1" * 60_000,
        "timeoutSeconds=" + "1" * 60_000,
    ],
    ids=lambda query: query[:24],
)
def test_long_queries_are_answered(solo, query):
    """Selectors and numbers as long as a request's head can be; none is kept once it is answered."""
    started = time.monotonic()
    reply = solo.ask("GET", f"{MAPS}?{query}")
    assert reply.status in (200, 400)
    assert time.monotonic() - started < SECONDS_MAX


def test_what_is_remembered_of_requests_does_not_grow_with_their_length(solo):
    """Different long selectors, paths, Accept headers and times leave little behind."""
    solo.ask("GET", f"{MAPS}?labelSelector=warm")
    before = solo.memory_bytes()
    for at in range(300):
        solo.ask("GET", f"{MAPS}?labelSelector=" + ",".join(f"k{at}-{n}" for n in range(5_000)))
        solo.ask("GET", f"/{at}" + "x" * 50_000)
    for at in range(40):
        time_text = f"2026-01-01T00:00:00.{at:04d}{'0' * 1_000_000}Z"
        event = {"metadata": {"name": f"e{at}"}, "involvedObject": {}, "eventTime": time_text}
        assert solo.ask("POST", "/api/v1/namespaces/default/events", event).outcome == BAD
    grown = solo.memory_bytes() - before
    assert grown < 60 * 1024 * 1024, f"{grown / 1e6:.0f} MB"


@pytest.fixture(scope="module")
def solo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solo") / "server"
    folder.mkdir()
    with solo_server(folder) as server:
        yield server
