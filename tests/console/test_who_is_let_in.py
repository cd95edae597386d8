"""The edge: names, origins, proofs, cookies and headers; everything that another page or a Pod could try."""

from __future__ import annotations

import base64

import orjson
import pytest

from homeostat.api.errors import ApiError
from homeostat.console.edge import guard
from homeostat.console.edge.guard import Hosts
from homeostat.console.sessions.sealed import Seal, Session
from homeostat.kit import clock
from tests.support.console_bench import HOST, KEY, MAPS, PORT, Bench, Browser, story

ROOT = "/k8s/api/v1/namespaces/default/configmaps"
EVERY_PATH = ["/", "/workloads/pods", "/assets/x.js", "/console/session", "/console/live", "/console/drills", ROOT]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1:1",
        "127.0.0.1",
        "",
        "localhost.evil:8443",
        f"127.0.0.1:{PORT}.evil.example",
        f"evil@127.0.0.1:{PORT}",
    ],
)
@pytest.mark.parametrize("path", EVERY_PATH)
def test_a_name_that_is_not_ours_gets_nothing(host: str, path: str) -> None:
    """DNS rebinding: a name of somebody else's that leads to this machine."""

    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        response = await browser.send("GET", path, host=host)
        assert response.status == 421
        assert b"csrf" not in response.body and "set-cookie" not in response.headers

    story(run)


def test_loopback_names_and_configured_ones_are_ours() -> None:
    hosts = Hosts(8443, ["console.example", "other.example:9000", "[fd00::1]"])
    for host in ("localhost:8443", "LOCALHOST:8443", "[::1]:8443", "127.0.0.1:8443", "console.example",
                 "console.example:1", "other.example:9000", "[fd00::1]:8443"):  # fmt: skip
        assert hosts.allow(host), host
    for host in ("other.example", "other.example:9001", "x.console.example", "[fd00::2]:8443", "localhost"):
        assert not hosts.allow(host), host


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", f"http://{HOST}.evil.example", "http://127.0.0.1:1", f"{HOST}"]
)
def test_what_changes_something_comes_from_a_page_of_ours(method: str, origin: str | None) -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        before = len(bench.slots[0].asked)
        assert (await browser.send(method, ROOT, {}, origin=origin)).status == 403
        assert (await browser.send("POST", "/console/session", {"token": "admin"}, origin=origin)).status == 403
        assert len(bench.slots[0].asked) == before

    story(run)


@pytest.mark.parametrize("proof", [None, "", "x", "0" * 32])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_what_changes_something_repeats_the_sessions_value(method: str, proof: str | None) -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        assert (await browser.send(method, ROOT, {}, x_homeostat_csrf=proof)).status == 403
        other = await bench.browser("root")
        assert (await browser.send(method, ROOT, {}, x_homeostat_csrf=other.proof)).status == 403
        assert (await browser.send("DELETE", "/console/session", x_homeostat_csrf=proof)).status == 403

    story(run)


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "https://evil.example"])
def test_a_websocket_of_another_page_is_refused(origin: str | None) -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        assert (await browser.upgrade(origin=origin)).status == 403
        assert (await browser.upgrade(cookie=None)).status == 401
        assert (await browser.upgrade()).status == 101

    story(run)


@pytest.mark.parametrize(
    "fetch", [{"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"sec_fetch_site": "none"},
              {"sec_fetch_dest": "script"}, {"sec_fetch_dest": "document"}, {"sec_fetch_dest": "iframe"},
              {"sec_fetch_dest": "image"}, {"sec_fetch_dest": "serviceworker"}]
)  # fmt: skip
def test_answers_of_the_cluster_are_not_shown_run_or_embedded(fetch: dict[str, str]) -> None:
    """A Pod behind the API server's proxy could answer with a page or script of its own."""

    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        assert (await browser.send("GET", ROOT, **fetch)).status == 403
        assert (await browser.send("GET", "/console/session", **fetch)).status == 403
        plain = await browser.send("GET", ROOT, sec_fetch_site="same-origin", sec_fetch_dest="empty")
        assert plain.status == 200
        assert "sandbox" in plain.headers["content-security-policy"]

    story(run)


@pytest.mark.parametrize("path", EVERY_PATH)
def test_every_answer_has_the_strict_headers(path: str) -> None:
    async def run(bench: Bench) -> None:
        for browser in (await bench.browser(), Browser(bench.console)):
            headers = (await browser.send("GET", path)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy and "*" not in policy and "http" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["x-frame-options"] == "DENY"
            assert "access-control-allow-origin" not in headers

    story(run)


SMUGGLED = {
    "authorization": "Bearer root",
    "proxy-authorization": "Basic eA==",
    "impersonate-user": "root",
    "impersonate-group": "system:masters",
    "impersonate-extra-scopes": "x",
    "x-remote-user": "root",
    "x-remote-group": "system:masters",
    "x-remote-extra-x": "y",
    "x-forwarded-for": "1.2.3.4",
    "x-forwarded-user": "root",
    "forwarded": "for=1.2.3.4",
    "homeostat-cause": '{"loop":"kubelet/master-1"}',
    "cookie2": "x",
    "te": "trailers",
    "x-original-url": "/",
}


def test_nothing_that_says_who_asks_is_passed_on_but_the_sessions_token() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser("eve")
        slot = bench.slots[0]
        assert (await browser.send("GET", ROOT, **SMUGGLED)).status == 403
        asked = slot.asked[-1]
        assert asked.headers["authorization"] == "Bearer eve"
        assert not set(asked.headers) & (set(SMUGGLED) - {"authorization"}) and "cookie" not in asked.headers
        assert (await browser.send("POST", ROOT, {}, **SMUGGLED)).status == 403
        assert not set(slot.asked[-1].headers) & (set(SMUGGLED) - {"authorization"})
        offered = "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.cm9vdA"
        handshake = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "origin": f"http://{HOST}",
            "sec_websocket_version": "13",
            "sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "sec_websocket_protocol": offered,
        }
        upgrade = await browser.send("GET", f"{ROOT}/x/exec?command=sh", **handshake, **SMUGGLED)
        assert upgrade.status in (400, 403, 404)
        assert slot.asked[-1].headers["sec-websocket-protocol"] == "v5.channel.k8s.io"
        assert slot.asked[-1].headers["authorization"] == "Bearer eve"

    story(run)


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/namespaces/default/pods/a%2Fb",
        "/api/v1/pods?fieldSelector=a%3Db%2Cc&x=%2B+1",
        "/apis/a//b",
        "/api/v1/%70ods",
        "/api/v1/namespaces/default/services/http:web:80/proxy/a/../b?c=d&c=e",
    ],
)
def test_path_and_query_are_passed_on_byte_for_byte(target: str) -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        await browser.send("GET", f"/k8s{target}")
        assert bench.slots[0].asked[-1].target == target.encode()

    story(run)


def test_what_an_api_server_says_to_browsers_stays_here() -> None:
    stays = "set-cookie access-control-allow-origin www-authenticate location clear-site-data link refresh "
    stays += "service-worker-allowed strict-transport-security"
    said = dict.fromkeys(stays.split(), "x") | {"content-security-policy": "x", "x-frame-options": "x"}
    said |= {"content-type": "text/plain", "warning": '299 - "old"', "cache-control": "public"}
    found = guard.response_headers(said, "master-1", switching=False)
    assert (found["content-type"], found["warning"], found["cache-control"]) == (
        "text/plain",
        '299 - "old"',
        "no-store",
    )
    assert found["content-security-policy"] == guard.DATA_POLICY and found["x-frame-options"] == "DENY"
    assert not set(found) & set(stays.split())


def test_a_cookie_is_good_as_it_was_sealed_and_for_its_own_port_alone() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        name, _, value = browser.cookie.partition("=")
        assert name == f"homeostat-console-{PORT}"
        for wrong in (value[:-2], value[1:], value.swapcase(), "", "A" * len(value), value + "AAAA", "ü"):
            assert (await browser.send("GET", ROOT, cookie=f"{name}={wrong}")).status == 401
        raw = bytearray(base64.urlsafe_b64decode(value))
        for at in (0, 12, len(raw) - 1):
            raw[at] ^= 1
            changed = base64.urlsafe_b64encode(bytes(raw)).decode()
            assert (await browser.send("GET", ROOT, cookie=f"{name}={changed}")).status == 401
            raw[at] ^= 1
        assert (await browser.send("GET", ROOT, cookie=f"other=1; {name}={value}")).status == 200
        assert Seal(KEY).open(value, "homeostat-console-9999", clock.wall()) is None
        assert Seal(bytes(32)).open(value, name, clock.wall()) is None

    story(run)


def test_a_session_ends_after_twelve_hours_and_at_sign_out() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        page = await browser.page()
        left = await bench.browser("root")
        gone = await left.send("DELETE", "/console/session")
        assert gone.status == 204 and "Max-Age=0" in gone.headers["set-cookie"]
        assert (await left.send("GET", ROOT)).status == 401, "a copy of the cookie is worth nothing"
        await clock.sleep(12 * 3600 - 60)
        assert (await browser.send("GET", "/console/session")).status == 200
        await clock.sleep(70)
        refused = await browser.send("GET", "/console/session")
        assert refused.status == 401 and orjson.loads(refused.body)["reason"] == "Unauthorized"
        await page.until(lambda: page.of("signed_out") and page.ended)

    story(run)


def test_the_tokens_own_end_is_the_sessions() -> None:
    claims = base64.urlsafe_b64encode(orjson.dumps({"exp": 1000})).decode().rstrip("=")
    from homeostat.console.sessions.signing_in import expiry

    assert expiry(f"a.{claims}.b") == 1000
    for token in ("x", "a.b.c", "..", f"a.{base64.urlsafe_b64encode(b'[]').decode()}.b"):
        assert expiry(token) is None


def test_signing_out_ends_the_pages_of_the_session_and_no_others() -> None:
    async def run(bench: Bench) -> None:
        browser, other = await bench.browser(), await bench.browser()
        page, kept = await browser.page(), await other.page()
        await browser.send("DELETE", "/console/session")
        await page.until(lambda: page.ended)
        assert page.of("signed_out")
        await clock.sleep(20)
        assert not kept.ended

    story(run)


def test_failed_sign_ins_are_bounded() -> None:
    async def run(bench: Bench) -> None:
        browser = Browser(bench.console)
        statuses = [(await browser.send("POST", "/console/session", {"token": f"guess-{n}"})).status for n in range(30)]
        assert statuses[:20] == [401] * 20 and set(statuses[20:]) == {429}
        signing_in = bench.console._entrance._signing_in
        await signing_in.sign_in({"token": "admin"}, "another address")
        await clock.sleep(61)
        assert (await browser.send("POST", "/console/session", {"token": "admin"})).status == 200
        for number in range(200):
            with pytest.raises(ApiError):
                await signing_in.sign_in({"token": "guess"}, f"address {number}")
        with pytest.raises(ApiError, match="too many failed"):
            await signing_in.sign_in({"token": "admin"}, "the last address")

    story(run)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"{}",
        b'{"token": 5}',
        b'{"token": "a", "code": "b"}',
        b'{"token": "a\nb"}',
        b'{"token": "a b"}',
        b'{"code": ["x"]}',
        b'{"token": "' + b"x" * 20_000 + b'"}',
    ],
)
def test_a_sign_in_that_is_none_is_refused(body: bytes) -> None:
    async def run(bench: Bench) -> None:
        assert (await Browser(bench.console).send("POST", "/console/session", body)).status == 400
        form = await Browser(bench.console).send("POST", "/console/session", body, content_type="text/plain")
        assert form.status == 415

    story(run)


def test_a_token_too_long_for_a_cookie_is_refused_by_name() -> None:
    sealed = Seal(KEY)
    with pytest.raises(ValueError, match="too long for a browser's cookie"):
        sealed.close(Session("u", "x" * 4000, 1.0, "p"), "n")


def test_with_the_consoles_own_credentials_tokens_are_not_taken() -> None:
    async def run(bench: Bench) -> None:
        answer = await Browser(bench.console).send("POST", "/console/session", {"token": "eve"})
        assert answer.status == 400 and b"credentials of its kubeconfig" in answer.body

    story(run, settings={"fixed_token": lambda: "admin"})


def test_a_write_is_passed_on_with_its_body() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        made = await browser.send("POST", ROOT, {"metadata": {"name": "m"}, "data": {"a": "1"}})
        assert made.status == 201
        assert (await bench.world.get(f"{MAPS}/m")).obj["data"] == {"a": "1"}

    story(run)


def test_a_write_that_did_not_leave_goes_to_the_next_api_server() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        bench.slots[0].kill()
        moved = await browser.send("POST", ROOT, {"metadata": {"name": "m"}})
        assert moved.status == 201 and moved.headers["x-homeostat-api-server"] == "master-2"

    story(run, servers=2)


def test_what_the_console_was_told_of_the_cluster_is_for_who_is_signed_in() -> None:
    facts = {"flags": [{"name": "max-pods", "value": "7"}], "drills": [{"name": "api-server"}]}

    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        for name, items in facts.items():
            answer = await browser.send("GET", f"/console/{name}")
            assert orjson.loads(answer.body) == {"items": items}
            assert (await browser.send("GET", f"/console/{name}", cookie="")).status == 401

    story(run, settings=facts)
