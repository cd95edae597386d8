"""The verbs become the requests that the API expects, and its answers become objects, events and errors."""

import asyncio
from contextlib import aclosing

import orjson
import pytest

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.client.api_client import ApiClient, header_text
from homeostat.client.contract import JSON_PATCH, Unreachable
from homeostat.client.in_process import InProcessTransport
from homeostat.wire import cause as causes
from homeostat.wire.cause import Seen, WriteCause
from homeostat.wire.message import Request, Response, User

POD = Kind("", "v1", "Pod", "pods", "pod", namespaced=True)
SET = Kind("apps", "v1", "ReplicaSet", "replicasets", "replicaset", namespaced=True)


def talk(use, answer=None):
    """Run `use(client)` against one server that gives `answer`; the requests it got."""
    requests = []

    async def handle(request):
        requests.append(request)
        return answer if answer is not None else Response(200, b"{}")

    asyncio.run(use(ApiClient(InProcessTransport([handle], User("me")), user_agent="test")))
    return requests


def test_reads_become_requests():
    async def use(client):
        await client.get(POD, "p", "default")
        await client.list(SET, "ns", labels="a=b", fields="x=y", limit=5, next_token="t", resource_version="7")

    get, listing = talk(use)
    assert (get.method, get.path, get.user) == ("GET", "/api/v1/namespaces/default/pods/p", User("me"))
    assert listing.path == "/apis/apps/v1/namespaces/ns/replicasets"
    assert listing.query == {
        "labelSelector": "a=b",
        "fieldSelector": "x=y",
        "limit": "5",
        "continue": "t",
        "resourceVersion": "7",
    }
    assert get.headers["user-agent"] == "test"


def test_writes_become_requests_with_their_cause():
    why = WriteCause("test/loop", "ns/é", "because", (Seen("Pod", "ns", "p", 4),))

    async def use(client):
        obj = {"metadata": {"name": "p", "namespace": "ns"}}
        await client.create(POD, obj, cause=why, dry_run=True)
        await client.create(POD, obj, subresource="binding")
        await client.update(POD, obj, subresource="status")
        await client.patch(POD, "p", "ns", [{"op": "remove", "path": "/x"}], content_type=JSON_PATCH)
        await client.delete(POD, "p", "ns", options={"gracePeriodSeconds": 0})
        await client.delete_collection(POD, "ns")

    create, binding, update, patch, delete, collection = talk(use)
    assert (create.method, create.path, create.query) == ("POST", "/api/v1/namespaces/ns/pods", {"dryRun": "All"})
    assert create.headers["homeostat-cause"].isascii()
    assert causes.decode(create.headers["homeostat-cause"]) == why
    assert binding.path == "/api/v1/namespaces/ns/pods/p/binding"
    assert (update.method, update.path) == ("PUT", "/api/v1/namespaces/ns/pods/p/status")
    assert patch.headers["content-type"] == JSON_PATCH
    assert orjson.loads(delete.body) == {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    assert (collection.method, collection.path) == ("DELETE", "/api/v1/namespaces/ns/pods")


def test_a_header_holds_any_text():
    why = WriteCause("l", note="日本 𝄞 \x7f\n")
    assert header_text(why).isprintable()
    assert causes.decode(header_text(why)) == why


def test_items_of_a_list_know_their_kind():
    async def use(client):
        listing = await client.list(SET)
        assert listing.items == [{"metadata": {}, "apiVersion": "apps/v1", "kind": "ReplicaSet"}]
        assert (listing.resource_version, listing.next_token) == ("9", "more")

    body = {"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [{"metadata": {}}]}
    talk(use, Response(200, orjson.dumps(body)))


@pytest.mark.parametrize(
    ("response", "code", "reason", "text"),
    [
        (Response(404, orjson.dumps(errors.not_found("pods", "", "p").status())), 404, "NotFound", "not found"),
        (Response(502, b"Bad Gateway"), 502, "", "Bad Gateway"),
        (Response(500, b""), 500, "", "HTTP status 500"),
        (Response(200, b"<html>"), 503, "ServiceUnavailable", "not JSON"),
        (Response(200, b"[]"), 503, "ServiceUnavailable", "not a JSON object"),
    ],
)
def test_failures_become_api_errors(response, code, reason, text):
    async def use(client):
        with pytest.raises(ApiError, match=text) as raised:
            await client.get(POD, "p", "default")
        assert (raised.value.code, raised.value.reason) == (code, reason)

    talk(use, response)


def watch(chunks, *, status=200):
    """What a watch of a server that streams `chunks` gives, and whether the server's stream was closed."""
    closed = []

    async def stream():
        try:
            for chunk in chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            closed.append(True)

    events = []

    async def use(client):
        async with aclosing(client.watch(POD, resource_version="3")) as following:
            async for event in following:
                events.append((event.type, event.obj))

    try:
        talk(use, Response(status, stream()))
    finally:
        assert closed == [True]
    return events


def test_a_watch_is_decoded_however_it_was_cut_into_chunks():
    lines = b'{"type":"ADDED","object":{"a":1}}\n{"type":"BOOKMARK","object":{"b":"\\n"}}\n'
    whole = [("ADDED", {"a": 1}), ("BOOKMARK", {"b": "\n"})]
    assert watch([lines]) == whole
    assert watch([lines[:5], lines[5:40], b"", lines[40:]]) == whole


def test_an_error_event_ends_a_watch_as_the_error_it_is():
    gone = orjson.dumps({"type": "ERROR", "object": errors.expired("too old").status()}) + b"\n"
    with pytest.raises(ApiError, match="too old") as raised:
        watch([gone])
    assert raised.value.code == 410


def test_a_watch_that_breaks_is_unreachable():
    with pytest.raises(Unreachable):
        watch([b'{"type":"ADDED","object":{}}\n', ConnectionResetError("x")])


def test_leaving_a_watch_closes_the_servers_stream():
    closed = []

    async def stream():
        try:
            while True:
                yield b'{"type":"ADDED","object":{}}\n'
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def use(client):
        async with aclosing(client.watch(POD, resource_version="3")) as following:
            async for _ in following:
                break
        assert closed == [True]

    talk(use, Response(200, stream()))


def test_a_refused_watch_is_its_status():
    async def use(client):
        with pytest.raises(ApiError, match="nope"):
            async for _ in client.watch(POD, resource_version="3"):
                pass

    talk(use, Response(403, orjson.dumps(errors.forbidden("pods", "", "", "nope").status())))


def test_raw_gives_error_responses_as_they_are():
    async def use(client):
        assert (await client.raw(Request("GET", "/healthz"))).status == 500

    talk(use, Response(500, b"no"))
