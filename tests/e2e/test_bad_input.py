"""What no well-meant client sends, over real sockets: each gets a clear answer, and everybody else is served on."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.solo_server import SoloServer, solo_server

pytestmark = [pytest.mark.real]

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
YAML = "application/yaml"
MERGE = "application/merge-patch+json"
BYTES_MAX = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoloServer]:
    with solo_server(tmp_path_factory.mktemp("solo")) as running:
        # No controller runs here that would make it.
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        assert running.ask("POST", accounts, {"metadata": {"name": "default"}}).status == 201
        yield running


@pytest.fixture(autouse=True)
def served_on(server: SoloServer) -> Iterator[None]:
    """After each test the server answers as before."""
    yield
    server.hang_up()
    assert server.ask("GET", "/readyz").status == 200


def note(name: str = "note", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": spec}


BAD = (400, "BadRequest")
INVALID = (422, "Invalid")
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("body", "form", "outcome", "words"),
    [
        (b"", "application/json", BAD, "json parse error"),
        (b"{", "application/json", BAD, "json parse error"),
        (b'{"metadata":{"name":"a"}', "application/json", BAD, "json parse error"),
        (b"null", "application/json", BAD, "unrecognized"),
        (b"[1]", "application/json", BAD, "array"),
        (b'"text"', "application/json", BAD, "string"),
        (b'{"metadata":{"name":NaN}}', "application/json", BAD, "json parse error"),
        (b'{"metadata":{"name":"\xff\xfe"}}', "application/json", BAD, "json parse error"),
        (b"[" * 100_000, "application/json", BAD, "json parse error"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json", BAD, "json parse error"),
        (b"kind: [", YAML, BAD, "yaml"),
        (b"kind: !!python/object/apply:os.system [id]", YAML, BAD, "yaml"),
        (BOMB.encode(), YAML, BAD, "yaml"),
        (b"\x00\x01\x02", YAML, BAD, "yaml"),
        (b"k8s\x00garbage", "application/vnd.kubernetes.protobuf", BAD, "protobuf"),
        (b"no magic", "application/vnd.kubernetes.protobuf", BAD, "protobuf"),
        (b"<xml/>", "text/xml", (415, "UnsupportedMediaType"), "application/json"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else None,
)
def test_a_body_that_is_no_object(
    server: SoloServer, body: bytes, form: str, outcome: tuple[int, str], words: str
) -> None:
    reply = server.ask("POST", MAPS, body, form=form)
    assert reply.outcome == outcome, reply.raw
    assert words in reply.obj["message"].lower().replace("couldn't", ""), reply.raw
    assert len(reply.raw) < 2_000, "a refusal does not repeat the body"


@pytest.mark.parametrize(
    ("path", "body", "outcome", "field"),
    [
        (MAPS, {**note(), "kind": "Pod"}, BAD, ""),
        (MAPS, {**note(), "apiVersion": "v9"}, BAD, ""),
        (MAPS, {"kind": "ConfigMap", "metadata": []}, BAD, ""),
        (MAPS, note(name=5), BAD, ""),
        (MAPS, note(data={"a": 1}), BAD, ""),
        (MAPS, note(data=["a"]), BAD, ""),
        (MAPS, note(name="Not_A_Name"), INVALID, "metadata.name"),
        (MAPS, note(name="a" * 254), INVALID, "metadata.name"),
        (MAPS, note(name="../etc"), INVALID, "metadata.name"),
        (MAPS, {"kind": "ConfigMap"}, INVALID, "metadata.name"),
        (MAPS, note(data={"no/slash": "x"}), INVALID, "data[no/slash]"),
        (MAPS, {**note(), "metadata": {"name": "n", "namespace": "other"}}, BAD, ""),
        (MAPS, {**note(), "metadata": {"name": "n", "labels": {"a": "not a label"}}}, INVALID, "metadata.labels"),
        (PODS, pod(), INVALID, "spec.containers"),
        (PODS, pod(containers=[]), INVALID, "spec.containers"),
        (PODS, pod(containers="all"), BAD, ""),
        (PODS, pod(containers=[{"name": "a", "image": "x"}] * 2), INVALID, "spec.containers[1].name"),
        (PODS, pod(containers=[{"name": "a"}], restartPolicy="Sometimes"), INVALID, "spec.restartPolicy"),
        (PODS, pod(containers=[{"name": "a", "ports": [{"containerPort": 2**40}]}]), BAD, ""),
        (PODS, pod(terminationGracePeriodSeconds=10**400, containers=[]), BAD, ""),
        (PODS, pod(containers=[{"name": "a", "resources": {"limits": {"cpu": "lots"}}}]), BAD, ""),
    ],
)
def test_an_object_that_is_none_of_its_kind(
    server: SoloServer, path: str, body: dict[str, Any], outcome: tuple[int, str], field: str
) -> None:
    reply = server.ask("POST", path, body)
    assert reply.outcome == outcome, reply.raw
    if field:
        assert field in {cause["field"] for cause in reply.obj["details"]["causes"]}, reply.raw


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/gadgets", 404),
        ("GET", "/apis/toys.example/v1/gadgets", 404),
        ("GET", "/api/v1/namespaces/default/pods/none/nonsense", 404),
        ("PUT", "/api/v1/pods", 405),
        ("GET", "/%00", 404),
        ("GET", "/api/v1/../../etc/passwd", 404),
        ("GET", "/api/v1/pods?labelSelector=a%3D%3D%3Db", 400),
        ("GET", "/api/v1/pods?labelSelector=(", 400),
        ("GET", "/api/v1/pods?fieldSelector=spec.nonsense%3D1", 400),
        ("GET", "/api/v1/pods?limit=many", 400),
        ("GET", "/api/v1/pods?limit=" + "9" * 5_000, 400),
        ("GET", "/api/v1/pods?resourceVersion=" + "9" * 5_000, 400),
        ("GET", "/api/v1/pods?resourceVersion=99999999999999999999", 400),
        ("GET", "/api/v1/pods?watch=1&timeoutSeconds=soon", 400),
        ("GET", "/api/v1/pods?continue=forged", 400),
        ("GET", "/api/v1/pods?resourceVersion=old", 400),
        ("GET", "/api/v1/pods?resourceVersionMatch=Exact", 422),
        ("GET", "/api/v1/pods?watch=1&resourceVersion=-5", 400),
        ("DELETE", MAPS + "/kube-root-ca.crt?gracePeriodSeconds=soon", 400),
        ("PATCH", MAPS + "/nobody", 415),
    ],
)
def test_a_request_for_what_is_not_there(server: SoloServer, method: str, path: str, code: int) -> None:
    reply = server.ask(method, path)
    assert reply.outcome[0] == code, (reply.status, reply.raw)


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
def test_a_body_over_three_mebibytes_is_refused_without_being_read_whole(server: SoloServer, declared: bool) -> None:
    with server.connect() as link:
        if declared:
            link.sendall(server.head("POST", MAPS, f"Content-Length: {100 * BYTES_MAX}") + b"\r\n")
        else:
            link.sendall(server.head("POST", MAPS, "Transfer-Encoding: chunked") + b"\r\n")
            with contextlib.suppress(OSError):
                for _ in range(BYTES_MAX // 65_536 + 2):
                    link.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        reply = link.recv(65_536)
        assert reply.startswith(b"HTTP/1.1 413 "), reply[:200]
        assert b'"reason":"RequestEntityTooLarge"' in reply + link.recv(65_536)


def test_large_objects_are_taken_up_to_their_limits(server: SoloServer) -> None:
    largest = note("large", data={"a": "x" * (1024 * 1024)})
    assert server.ask("POST", MAPS, largest).status == 201
    reply = server.ask("POST", MAPS, note("larger", data={"a": "x" * (1024 * 1024 + 1)}))
    assert reply.outcome == INVALID and "Too long" in reply.obj["message"]
    reply = server.ask("POST", MAPS, note("annotated", metadata={"name": "a", "annotations": {"a": "x" * 300_000}}))
    assert reply.outcome == INVALID
    big = json.dumps(note("big", data={"a": "x" * BYTES_MAX}))
    assert server.ask("POST", MAPS, big).outcome == (413, "RequestEntityTooLarge")
    assert server.ask("PATCH", f"{MAPS}/large", big, form=MERGE).outcome == (413, "RequestEntityTooLarge")


def test_ten_thousand_labels(server: SoloServer) -> None:
    labels = {f"l{number}": f"v{number}" for number in range(10_000)}
    body = {"metadata": {"name": "labelled", "labels": labels}}
    assert server.ask("POST", MAPS, body).status == 201
    short = ",".join(f"l{number}" for number in range(7_000))
    found = server.ask("GET", f"{MAPS}?labelSelector={short}").obj["items"]
    assert [item["metadata"]["name"] for item in found] == ["labelled"]
    assert server.ask("GET", f"{MAPS}?labelSelector={short},!l9").obj["items"] == []
    values = "%2C".join(f"v{number}" for number in range(6_000))
    assert len(server.ask("GET", f"{MAPS}?labelSelector=l5999%20in%20({values})").obj["items"]) == 1
    # A selector of ten thousand requirements is longer than a request's head may be.
    whole = "%2C".join(f"{key}%3D{value}" for key, value in labels.items())
    assert server.ask("GET", f"{MAPS}?labelSelector={whole}").status == 431

    selector = {"matchLabels": labels}
    spec = {"selector": selector, "template": {"metadata": {"labels": labels}, "spec": {"containers": []}}}
    spec["template"]["spec"]["containers"] = [{"name": "a", "image": "x"}]
    made = server.ask("POST", "/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": "d"}, "spec": spec})
    assert made.status == 201, made.raw[:500]
    budget = {"metadata": {"name": "d"}, "spec": {"selector": selector, "minAvailable": 1}}
    assert server.ask("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget).status == 201


def test_a_watch_may_be_asked_for_an_eternity(server: SoloServer) -> None:
    with server.connect() as link:
        link.sendall(server.head("GET", f"{MAPS}?watch=1&timeoutSeconds={2**62}") + b"\r\n")
        assert link.recv(65_536).startswith(b"HTTP/1.1 200 ")


def quick(server: SoloServer) -> None:
    """Newcomers are answered while the others do their worst; a server that waits for those is far slower."""
    began = time.monotonic()
    for number in range(10):
        server.hang_up()
        assert server.ask("GET", f"{MAPS}/{number}").status == 404
    assert time.monotonic() - began < 20


def test_clients_that_never_finish_what_they_began_are_dropped(server: SoloServer) -> None:
    with contextlib.ExitStack() as stack:

        def client(*, tls: bool = True) -> Any:
            return stack.enter_context(contextlib.closing(server.connect(tls=tls, seconds=60)))

        silent = [client(tls=False) for _ in range(60)]
        half_shaken = [client(tls=False) for _ in range(10)]
        for link in half_shaken:
            link.sendall(b"\x16\x03\x01\x02\x00\x01")
        no_request = [client() for _ in range(8)]
        half_head = [client() for _ in range(8)]
        for link in half_head:
            link.sendall(b"GET /api/v1/pods HTTP/1.1\r\nHost: ")
        garbage = [client() for _ in range(5)]
        for link in garbage:
            link.sendall(bytes(range(256)) * 20)
        quick(server)
        for link in garbage:
            assert link.recv(100).startswith(b"HTTP/1.1 400 ")
        # Headers and handshakes have 32 seconds, looked at every second.
        drip = half_head[0]
        deadline = time.monotonic() + 50
        for link in (*silent, *half_shaken, *no_request, *half_head[1:]):
            link.settimeout(max(0.1, deadline - time.monotonic()))
            _gone(link)
        drip.settimeout(5)
        _gone(drip)


def _gone(link: Any) -> None:
    """Read until the server has closed the connection. Raises TimeoutError when it does not."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while link.recv(4096):
            pass


def test_watchers_that_do_not_read_cost_no_memory_without_bound(server: SoloServer) -> None:
    events, bytes_each, watchers = 100, 60_000, 40
    with contextlib.ExitStack() as stack:
        for _ in range(watchers):
            link = stack.enter_context(contextlib.closing(server.connect()))
            link.sendall(server.head("GET", f"{MAPS}?watch=true&resourceVersion=0") + b"\r\n")
        before = server.memory_bytes()
        for number in range(events):
            assert server.ask("POST", MAPS, note(f"seen-{number}", data={"a": "x" * bytes_each})).status == 201
        grown = server.memory_bytes() - before
        assert grown < watchers * events * bytes_each / 4, f"{grown} bytes for {watchers} watchers"
        quick(server)
    assert server.ask("DELETE", MAPS).status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"BREW /api/v1/pods HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 100 + b"\0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_hung_up_on(server: SoloServer, sent: bytes) -> None:
    with server.connect() as link:
        link.sendall(sent)
        assert link.recv(4096).startswith(b"HTTP/1.1 400 ")
        _gone(link)


def test_a_client_that_leaves_in_the_middle_of_its_request_changes_nothing(server: SoloServer) -> None:
    body = json.dumps(note("half")).encode()
    for _ in range(15):
        with server.connect() as link:
            link.sendall(server.head("POST", MAPS, f"Content-Length: {len(body)}") + b"\r\n" + body[:-1])
    assert server.ask("GET", f"{MAPS}/half").outcome == (404, "NotFound")
    quick(server)
