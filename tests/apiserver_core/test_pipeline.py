"""The stages around the verbs: authentication, authorization, limits, errors; and the paths that are no resources."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from homeostat.api import errors
from homeostat.apiserver.path.pipeline import answer_errors
from homeostat.apiserver.settings import Settings
from homeostat.kit import clock, tasks
from homeostat.store.contract import Unavailable
from homeostat.wire.message import Request, Response, User

MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


class Nobody:
    """Lets `admin` do everything, others only read ConfigMaps' list."""

    def allowed(self, user, info):
        return user.name == "admin" or (info.verb, info.resource) == ("list", "configmaps"), ""


class ByHeader:
    """Believes a header."""

    async def authenticate(self, request):
        name = request.headers.get("x-user", "")
        if name == "bad":
            raise errors.unauthorized()
        return User(name) if name else None


def test_what_is_not_allowed_is_403_in_kubernetes_words(story, with_parts):
    async def scenario(api):
        api.user = User("jane")
        assert (await api.ask("GET", MAPS))[0] == 200
        _, error = await api.ask("GET", f"{MAPS}/a")
        why = 'User "jane" cannot get resource "configmaps" in API group "" in the namespace "default"'
        assert error["message"] == f'configmaps "a" is forbidden: {why}'
        _, error = await api.ask("GET", "/apis/apps/v1/deployments")
        assert error["message"].endswith('cannot list resource "deployments" in API group "apps" at the cluster scope')
        _, error = await api.ask("GET", "/metrics")
        assert (error["code"], error["message"]) == (403, 'forbidden: User "jane" cannot get path "/metrics"')

    story(scenario, parts=with_parts(authorizer=Nobody()))


def test_who_asks_is_found_by_the_authenticators(story, with_parts):
    async def scenario(api):
        api.user = None
        assert (await api.ask("GET", f"{MAPS}/a", headers={"x-user": "admin"}))[0] == 404
        assert (await api.ask("GET", f"{MAPS}/a", headers={"x-user": "jane"}))[0] == 403
        assert (await api.ask("GET", f"{MAPS}/a", headers={"x-user": "bad"}))[0] == 401
        assert (await api.ask("GET", f"{MAPS}/a"))[0] == 401

    story(scenario, parts=with_parts(authorizer=Nobody(), authenticators=[ByHeader()]))


# Limits


class SlowAdmission:
    """Holds creates of ConfigMaps for ten seconds."""

    name = "Slow"

    async def mutate(self, attributes):
        if attributes.kind.plural == "configmaps":
            await clock.sleep(10)

    async def validate(self, attributes):
        pass


def test_what_is_too_much_at_once_is_429_and_watches_do_not_count(story, with_parts):
    async def scenario(api):
        watches = [await api.watch() for _ in range(5)]
        slow = [
            tasks.spawn(api.ask("POST", MAPS, {"metadata": {"name": f"c{number}"}}), name="slow") for number in range(2)
        ]
        await api.settle()
        response = await api.send("POST", MAPS, {"metadata": {"name": "c3"}})
        assert (response.status, response.headers["retry-after"]) == (429, "1")
        assert orjson.loads(response.body)["reason"] == "TooManyRequests"
        assert (await api.ask("GET", MAPS))[0] == 200
        assert [status for status, _ in await asyncio.gather(*slow)] == [201, 201]
        assert (await api.ask("POST", MAPS, {"metadata": {"name": "c3"}}))[0] == 201
        for watch in watches:
            await watch.stop()

    settings = Settings(max_mutating_requests_inflight=2, max_requests_inflight=3)
    story(scenario, settings=settings, parts=with_parts(admission=[SlowAdmission()]))


def test_a_request_that_takes_too_long_is_504(story, with_parts):
    async def scenario(api):
        began = clock.monotonic()
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "a"}})
        assert (status, error["reason"]) == (504, "Timeout")
        assert clock.monotonic() - began == pytest.approx(5)

    story(scenario, settings=Settings(request_timeout_seconds=5), parts=with_parts(admission=[SlowAdmission()]))


# Errors


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/api/v1/nothings", "/apis/apps/v9/deployments", "/api/v1/watch/pods", f"{MAPS}/a/nothing",
     f"{MAPS}/a/status", "/api/v1/namespaces/default/configmaps/a/b/c"],
)  # fmt: skip
def test_unknown_paths_are_404(story, path):
    async def scenario(api):
        status, error = await api.ask("GET", path)
        assert (status, error["message"]) == (404, "the server could not find the requested resource")

    story(scenario)


@pytest.mark.parametrize(("method", "path"), [("POST", f"{MAPS}/a"), ("DELETE", "/api/v1/namespaces"), ("PUT", MAPS)])
def test_verbs_that_a_resource_does_not_have_are_405(story, method, path):
    async def scenario(api):
        status, error = await api.ask(method, path, {"metadata": {"name": "a"}})
        assert (status, error["reason"]) == (405, "MethodNotAllowed")

    story(scenario)


def test_our_own_mistake_is_a_500_that_is_logged(story, with_parts, caplog):
    async def handler(call):
        raise KeyError("oops")

    async def scenario(api):
        status, error = await api.ask("GET", "/broken/path")
        assert (status, error["reason"]) == (500, "InternalError")
        assert "GET /broken/path failed" in caplog.text

    story(scenario, parts=with_parts(paths={"/broken": handler}))


def test_a_store_that_cannot_write_is_503_and_reads_go_on(story, monkeypatch):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})

        async def full(*arguments, **options):
            raise Unavailable("the disk is full")

        monkeypatch.setattr(api.store, "commit", full)
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "b"}})
        assert (status, error["reason"]) == (503, "ServiceUnavailable")
        assert "the disk is full" in error["message"]
        await api.get(f"{MAPS}/a")

    story(scenario)


def test_leases_must_say_which_version_they_change(story):
    async def scenario(api):
        lease = await api.create(LEASES, {"metadata": {"name": "a"}, "spec": {"holderIdentity": "x"}})
        status, error = await api.ask("PUT", f"{LEASES}/a", {"metadata": {"name": "a"}, "spec": {}})
        assert status == 422
        assert "must be specified for an update" in error["message"]
        assert (await api.ask("PUT", f"{LEASES}/a", {**lease, "spec": {"holderIdentity": "y"}}))[0] == 200

    story(scenario)


# Handlers of other parts


def test_handlers_come_before_the_verbs_and_paths_match_by_longest_prefix(story, with_parts):
    seen = []

    def named(name):
        async def handler(call):
            seen.append((name, call.info.verb, call.info.name, call.user.name))
            return Response(200, b"{}")

        return handler

    async def scenario(api):
        await api.ask("POST", "/api/v1/namespaces/default/pods/a/eviction", {})
        await api.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {})
        await api.ask("GET", "/apis/apps/v1/namespaces/default/deployments/web/scale")
        await api.ask("GET", "/apis")
        await api.ask("GET", "/apis/apps/")
        assert (await api.ask("GET", "/apisx"))[0] == 404
        assert seen == [
            ("evict", "create", "a", "admin"),
            ("review", "create", "", "admin"),
            ("scale", "get", "web", "admin"),
            ("apis", "get", "", "admin"),
            ("apps", "get", "", "admin"),
        ]

    handlers = {
        ("pods", "eviction"): named("evict"),
        ("selfsubjectaccessreviews.authorization.k8s.io", ""): named("review"),
        ("*", "scale"): named("scale"),
    }
    story(scenario, parts=with_parts(handlers=handlers, paths={"/apis": named("apis"), "/apis/apps": named("apps")}))


def test_background_work_runs_from_start_to_stop(story, with_parts):
    ticks = []

    async def work():
        while True:
            ticks.append(clock.monotonic())
            await clock.sleep(1)

    async def scenario(api):
        await clock.sleep(2.5)
        await api.server.stop()
        await clock.sleep(5)
        assert ticks == [0, 1, 2]

    story(scenario, parts=with_parts(background=[work]))


# Paths of no resource


def test_health(story, monkeypatch):
    async def scenario(api):
        for root in ("healthz", "livez", "readyz"):
            response = await api.send("GET", f"/{root}")
            assert (response.status, response.body) == (200, b"ok")
        assert (await api.send("GET", "/livez/ping")).body == b"ok"
        assert (await api.send("GET", "/livez/nothing")).status == 404
        verbose = (await api.send("GET", "/readyz", verbose="")).body.decode()
        assert verbose == "[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\nreadyz check passed\n"

        async def away():
            raise Unavailable("gone")

        monkeypatch.setattr(api.store, "revision", away)
        response = await api.send("GET", "/readyz")
        assert response.status == 500
        assert b"[-]etcd failed: reason withheld" in response.body
        assert (await api.send("GET", "/livez")).status == 500
        assert (await api.send("GET", "/livez", exclude="etcd")).status == 200
        answer = (await api.send("GET", "/livez", exclude="etcd", verbose="")).body.decode()
        assert answer == "[+]ping ok\n[+]etcd excluded: ok\nlivez check passed\n"
        request = Request("GET", "/readyz", {"exclude": "etcd"}, target=b"/readyz?exclude=etcd&exclude=informer-sync")
        assert (await api.server.handle(request)).status == 200
        answer = (await api.send("GET", "/livez", exclude="disk", verbose="")).body.decode()
        assert 'warn: some health checks cannot be excluded: no matches for "disk"' in answer

    story(scenario)


def test_a_linearizable_read_whose_store_says_nothing_fails_within_two_seconds(story, monkeypatch):
    """503 with a Status on a connection that ends, so that the client goes on with another server."""

    async def scenario(api):
        async def silent():
            await asyncio.Event().wait()

        monkeypatch.setattr(api.store, "revision", silent)
        for path in ("/api/v1/namespaces", "/api/v1/namespaces/default"):
            began = clock.monotonic()
            response = await api.send("GET", path)
            assert clock.monotonic() - began == pytest.approx(2, abs=0.01)
            status = orjson.loads(response.body)
            assert (response.status, status["reason"]) == (503, "ServiceUnavailable")
            assert "did not catch up" in status["message"]
            assert response.headers["connection"] == "close"

    story(scenario)


def test_version_names_the_api_and_us(story):
    async def scenario(api):
        version = await api.get("/version")
        assert (version["major"], version["minor"]) == ("1", "36")
        assert version["gitVersion"].startswith("v1.36.0+homeostat-")

    story(scenario)


def test_metrics_are_named_as_kubernetes_names_them(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        await api.get(MAPS)
        await api.ask("GET", f"{MAPS}/b")
        response = await api.send("GET", "/metrics")
        text = response.body.decode()
        common = 'component="apiserver",group="",resource="configmaps"'
        for line in (
            'apiserver_request_total{code="201",'
            + common
            + ',scope="resource",subresource="",verb="POST",version="v1"} 1.0',
            'apiserver_request_total{code="404",'
            + common
            + ',scope="resource",subresource="",verb="GET",version="v1"} 1.0',
            'apiserver_request_total{code="200",'
            + common
            + ',scope="namespace",subresource="",verb="LIST",version="v1"} 1.0',
            'apiserver_storage_objects{resource="configmaps"} 1.0',
            'etcd_request_duration_seconds_count{operation="create"} 2.0',
        ):
            assert sorted_labels(line) in {sorted_labels(found) for found in text.splitlines()}, line
        assert "apiserver_request_duration_seconds_bucket" in text

    story(scenario)


def sorted_labels(line):
    name, _, rest = line.partition("{")
    labels, _, value = rest.partition("}")
    return name, tuple(sorted(labels.split(","))), value


def test_a_store_that_does_not_answer_is_reported_at_once() -> None:
    """With a Retry-After client-go repeats a request ten times before it says a word, also one that had happened."""

    async def story() -> None:
        async def following(_: Request) -> Response:
            raise Unavailable("no quorum")

        response = await answer_errors(Request("GET", "/api/v1/pods"), following)
        assert response.status == 503 and "retry-after" not in response.headers
        assert "the store does not answer: no quorum" in orjson.loads(response.body)["message"]

    asyncio.run(story())
