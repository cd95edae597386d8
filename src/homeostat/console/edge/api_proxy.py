"""`/k8s/...`: any request of the Kubernetes API, sent on with the user's own token; WebSockets too.

Path and query are sent byte for byte, answers come in pieces as the API server sends them, and nothing is cached.
"""

from __future__ import annotations

from homeostat.api import errors
from homeostat.client.contract import Unreachable
from homeostat.console.edge import guard
from homeostat.console.upstream.api_servers import ApiServers, Speaker
from homeostat.wire import websocket
from homeostat.wire.fields import is_upgrade, origin_form
from homeostat.wire.message import Request, Response

PREFIX = "/k8s"


class ApiProxy:
    """Hands requests on."""

    def __init__(self, servers: ApiServers) -> None:
        self._servers = servers

    async def pass_on(self, request: Request, token: str) -> Response:
        """The API server's answer. Raises ApiError: 400 on a path that is none, 503 when no API server answers."""
        upgrading = is_upgrade(request)
        if upgrading and not websocket.asked(request):
            raise errors.bad_request("only WebSockets are passed on")
        await request.take_body()
        onward = Request(
            request.method,
            request.path.removeprefix(PREFIX) or "/",
            request.query,
            guard.request_headers(request.headers, upgrading=upgrading),
            request.body,
            target=_target(request),
        )
        repeatable = request.method in ("GET", "HEAD") and not upgrading
        try:
            signed = Speaker(self._servers, lambda: token).signed(onward)
            answer, server = await self._servers.ask(signed, repeatable=repeatable)
        except Unreachable as error:
            if not error.sent or repeatable:
                raise
            message = "the API server stopped answering: nobody knows whether this request was carried out; look first"
            raise Unreachable(message) from error
        switching = answer.upgrade is not None
        headers = guard.response_headers(answer.headers, server, switching=switching)
        return Response(answer.status, answer.body, headers, upgrade=answer.upgrade)


def _target(request: Request) -> bytes:
    """The request target below the prefix, as it came. Raises ApiError 400."""
    target = origin_form(request.target) if request.target else request.path.encode()
    rest = target.removeprefix(PREFIX.encode())
    if not target.startswith(PREFIX.encode()) or not rest.startswith(b"/"):
        raise errors.bad_request("the path must begin with /k8s/")
    return rest
