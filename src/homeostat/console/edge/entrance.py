"""The Console's one handler: who may come in, and which part answers.

The order matters: the Host first (nothing is said to a page that came by another name), then where the request comes
from, then the session, then what it asks for.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import orjson

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.console.edge import guard
from homeostat.console.edge.api_proxy import PREFIX, ApiProxy
from homeostat.console.edge.pages import Pages
from homeostat.console.sessions.sealed import Seal, Session, TooLong
from homeostat.console.sessions.signing_in import SigningIn
from homeostat.kit import clock
from homeostat.wire import websocket
from homeostat.wire.duplex import Duplex
from homeostat.wire.fields import error_response, is_upgrade, json_response
from homeostat.wire.message import Request, Response

SESSION, LIVE = "/console/session", "/console/live"
FLAGS, DRILLS = "/console/flags", "/console/drills"
_BODY_BYTES_MAX = 16_384
_MISDIRECTED = 421


class Live(Protocol):
    """Serves the WebSockets of pages; `live.pages.Pages` does."""

    def admit(self, session: Session) -> None:
        """Raises ApiError when there are too many."""
        ...

    async def serve(self, session: Session, stream: Duplex) -> None:
        """Serve one until it leaves."""
        ...

    def sign_out(self, session: Session) -> None:
        """The session has ended: its pages are told so."""
        ...

    def is_signed_out(self, session: Session) -> bool:
        """Whether the session was ended before its time."""
        ...


class Entrance:
    """See the module. `live` serves one page's WebSocket; `about` is said of the Console to who is signed in."""

    def __init__(
        self,
        *,
        hosts: guard.Hosts,
        seal: Seal,
        signing_in: SigningIn,
        proxy: ApiProxy,
        pages: Pages,
        live: Live,
        about: Callable[[], Obj],
        facts: Mapping[str, Sequence[Obj]],
        tls: bool,
    ) -> None:
        self._hosts = hosts
        self._seal = seal
        self._signing_in = signing_in
        self._proxy = proxy
        self._pages = pages
        self._live = live
        self._about = about
        self._facts = facts
        self._tls = tls

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if not self._hosts.allow(request.headers.get("host", "")):
            response = error_response(ApiError(_MISDIRECTED, "Misdirected", "this Console is not known by that name"))
            response.headers |= guard.DATA_HEADERS
            return response
        try:
            response = await self._answer(request)
        except ApiError as error:
            response = error_response(error)
        if response.status == 101 or "content-security-policy" in response.headers:
            return response
        response.headers |= guard.DATA_HEADERS
        return response

    async def _answer(self, request: Request) -> Response:
        path = request.path
        data = path == PREFIX or path.startswith((f"{PREFIX}/", "/console/"))
        if not data:
            return self._pages.answer(request)
        self._check_origin(request)
        if path == SESSION:
            return await self._session(request)
        session = self._opened(request)
        if session is None:
            raise errors.unauthorized()
        if path == LIVE:
            return self._to_live(request, session)
        if path in self._facts and request.method == "GET":
            return json_response(200, {"items": list(self._facts[path])})
        if not path.startswith(f"{PREFIX}/"):
            raise errors.path_not_found()
        self._check_proof(request, session)
        return await self._proxy.pass_on(request, self._signing_in.token_of(session.token))

    def _check_origin(self, request: Request) -> None:
        """Raises ApiError 403 for what another page asks for, or what is asked for to be shown."""
        headers = request.headers
        if not guard.fetched_by_a_page(headers):
            raise ApiError(403, "Forbidden", "this path is for the Console's own pages")
        needs_origin = guard.changes_something(request.method) or is_upgrade(request)
        if (needs_origin or "origin" in headers) and not guard.same_origin(headers, tls=self._tls):
            raise ApiError(403, "Forbidden", "the request comes from another page: its Origin is not this Console")

    def _check_proof(self, request: Request, session: Session) -> None:
        if not guard.changes_something(request.method):
            return
        if not hmac.compare_digest(request.headers.get(guard.CSRF_HEADER, "").encode(), session.proof.encode()):
            raise ApiError(403, "Forbidden", f"the header {guard.CSRF_HEADER} must have the session's value")

    def _opened(self, request: Request) -> Session | None:
        name = self._cookie_name(request)
        sealed = guard.cookie(request.headers, name)
        session = self._seal.open(sealed, name, clock.wall()) if sealed else None
        return None if session is not None and self._live.is_signed_out(session) else session

    def _cookie_name(self, request: Request) -> str:
        return guard.cookie_name(request.headers.get("host", ""), tls=self._tls)

    def _to_live(self, request: Request, session: Session) -> Response:
        if not is_upgrade(request) or not websocket.asked(request):
            raise errors.bad_request("this path is a WebSocket")
        headers = websocket.accept(request, "")
        self._live.admit(session)

        async def converse(stream: Duplex) -> None:
            await self._live.serve(session, stream)

        return Response(101, b"", headers, upgrade=converse)

    # The session

    async def _session(self, request: Request) -> Response:
        session = self._opened(request)
        if request.method == "GET":
            if session is None:
                raise errors.unauthorized()
            return json_response(200, self._described(session))
        if request.method == "POST":
            return await self._sign_in(request)
        if request.method != "DELETE":
            raise errors.method_not_allowed()
        if session is not None:
            self._check_proof(request, session)
            self._live.sign_out(session)
        gone = guard.set_cookie(self._cookie_name(request), "", seconds=0, tls=self._tls)
        return Response(204, b"", {"set-cookie": gone})

    async def _sign_in(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise errors.unsupported_media_type("a sign-in is JSON")
        await request.take_body()
        try:
            body = orjson.loads(request.body) if len(request.body) <= _BODY_BYTES_MAX else None
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            raise errors.bad_request("a sign-in is a small JSON object")
        session = await self._signing_in.sign_in(body, request.remote)
        name = self._cookie_name(request)
        try:
            sealed = self._seal.close(session, name)
        except TooLong as error:
            raise errors.bad_request(f"{error}; use a shorter one, such as `kubectl create token` makes") from error
        seconds = max(1, int(session.expires - clock.wall()))
        headers = {"set-cookie": guard.set_cookie(name, sealed, seconds=seconds, tls=self._tls)}
        return json_response(200, self._described(session), headers)

    def _described(self, session: Session) -> Obj:
        return {"user": session.user, "expires": session.expires, "csrf": session.proof, **self._about()}
