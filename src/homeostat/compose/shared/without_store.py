"""What an API server answers while it still waits for its store: liveness is ok, everything else is 503.

Its members may lack their quorum for hours. A server that did not listen meanwhile would fail its startup probe and be
killed over and over, and its clients would see connections refused in place of a reason.
"""

from __future__ import annotations

from homeostat.api import errors
from homeostat.apiserver.path.health import ROOTS, Health
from homeostat.store.contract import Unavailable
from homeostat.wire.fields import error_response
from homeostat.wire.message import Handler, Request, Response


class Storeless:
    """The handler of a server whose store is not there yet; `server` answers everything once it is set."""

    def __init__(self) -> None:
        self.server: Handler | None = None
        self._health = Health({"etcd": _no_store}, {})

    async def handle(self, request: Request) -> Response:
        """Answer one request. Raises what the server raises."""
        if self.server is not None:
            return await self.server(request)
        try:
            if request.method in ("GET", "HEAD") and request.path.strip("/").partition("/")[0] in ROOTS:
                return await self._health.handle(request)
            raise errors.unavailable("the API server has just started and cannot reach its store yet; try again later")
        except errors.ApiError as error:
            return error_response(error)


async def _no_store() -> None:
    raise Unavailable("the store is not there yet")
