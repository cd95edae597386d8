"""What is let in, and what every answer says to browsers. Pure.

A page of somebody else must not reach the Console through a person's browser: not by a name that suddenly leads to this
machine (the Host must be one of ours), not by a request or WebSocket of its own (the Origin must be the page's), not by
embedding. Answers of the cluster may come from anybody's Pod, so a browser must not run them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
CSRF_HEADER = "x-homeostat-csrf"
SERVER_HEADER = "x-homeostat-api-server"

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "manifest-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
DATA_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PAGE_HEADERS = {"content-security-policy": PAGE_POLICY, **_ALWAYS}
DATA_HEADERS = {"content-security-policy": DATA_POLICY, "cache-control": "no-store", **_ALWAYS}

# What a browser may say to an API server. Everything else stays here: who it is is said by the session alone.
_ASKED = frozenset(
    {
        "accept",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-version",
        "user-agent",
    }
)
# What of an API server's answer is for a browser.
_ANSWERED = frozenset(
    {
        "audit-id",
        "content-encoding",
        "content-type",
        "etag",
        "last-modified",
        "retry-after",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "vary",
        "warning",
    }
)
# A WebSocket's subprotocol that carries a bearer token (k8s.io/apiserver, authentication/request/websocket).
_TOKEN_PROTOCOL = "base64url.bearer.authorization.k8s.io."
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Hosts:
    """The names under which a browser may call: loopback names with `port`, and `allowed` (`name` or `name:port`)."""

    def __init__(self, port: int, allowed: Iterable[str]) -> None:
        self._exact = {f"{name}:{port}" for name in _LOOPBACK}
        if port in (80, 443):
            self._exact |= set(_LOOPBACK)
        self._names = set()
        for entry in allowed:
            lowered = entry.strip().lower()
            if _port_of(lowered):
                self._exact.add(lowered)
            elif lowered:
                self._names.add(lowered)

    def allow(self, host: str) -> bool:
        """Whether a Host header is one of ours."""
        host = host.lower()
        return host in self._exact or _name_of(host) in self._names


def _port_of(host: str) -> str:
    return host.rpartition("]")[2].partition(":")[2] if host.startswith("[") else host.partition(":")[2]


def _name_of(host: str) -> str:
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def changes_something(method: str) -> bool:
    """Whether a request of this method needs a page's proof."""
    return method not in _SAFE


def same_origin(headers: Mapping[str, str], *, tls: bool) -> bool:
    """Whether the request comes from a page of ours: its Origin is the Host that it was sent to."""
    host, origin = headers.get("host", "").lower(), headers.get("origin", "").lower()
    schemes = ("https",) if tls else ("http", "https")  # a proxy in front may speak TLS
    return bool(host) and origin in {f"{scheme}://{host}" for scheme in schemes}


def fetched_by_a_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks by `fetch` or a WebSocket of a page of ours: not to show what comes as a document, script
    or picture. Programs that are no browsers do not say."""
    site, use = headers.get("sec-fetch-site", "same-origin"), headers.get("sec-fetch-dest", "empty")
    return site == "same-origin" and use in ("empty", "websocket")


def cookie_name(host: str, *, tls: bool) -> str:
    """The name of the session's cookie. Cookies are shared by all ports of a host, so the port is part of it."""
    port = _port_of(host) or ("443" if tls else "80")
    return f"{'__Host-' if tls else ''}homeostat-console-{port}"


def cookie(headers: Mapping[str, str], name: str) -> str:
    """The value of a cookie; empty without it."""
    for part in headers.get("cookie", "").replace(",", ";").split(";"):
        own, _, value = part.strip().partition("=")
        if own == name:
            return value
    return ""


def set_cookie(name: str, value: str, *, seconds: int, tls: bool) -> str:
    """The Set-Cookie header; without a value it removes the cookie."""
    age = seconds if value else 0
    return f"{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{'; Secure' if tls else ''}"


def request_headers(headers: Mapping[str, str], *, upgrading: bool) -> dict[str, str]:
    """What of a browser's headers is sent on to an API server."""
    found = {name: value for name, value in headers.items() if name in _ASKED}
    if not upgrading:
        return {name: value for name, value in found.items() if not name.startswith("sec-websocket-")}
    found |= {"connection": "Upgrade", "upgrade": headers.get("upgrade", "")}
    offered = [word.strip() for word in headers.get("sec-websocket-protocol", "").split(",")]
    kept = [word for word in offered if word and not word.lower().startswith(_TOKEN_PROTOCOL)]
    return found | ({"sec-websocket-protocol": ", ".join(kept)} if kept else {})


def response_headers(headers: Mapping[str, str], server: str, *, switching: bool) -> dict[str, str]:
    """What of an API server's headers is sent on to a browser, with ours."""
    found = {name: value for name, value in headers.items() if name in _ANSWERED}
    if switching:
        return found | {"connection": "Upgrade", "upgrade": headers.get("upgrade", "websocket"), SERVER_HEADER: server}
    return found | DATA_HEADERS | {SERVER_HEADER: server}
