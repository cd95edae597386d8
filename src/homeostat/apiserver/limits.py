"""The outermost bounds of the request path: how many requests run at once, and for how long.

As kube-apiserver's --max-requests-inflight and --max-mutating-requests-inflight: what is over is refused with 429 and
Retry-After. Long-running requests (watches, logs, streams) are not counted and have no deadline.
"""

from __future__ import annotations

import asyncio

from homeostat.api import errors
from homeostat.apiserver.contract import RequestInfo
from homeostat.apiserver.routing import resolve
from homeostat.apiserver.settings import Settings
from homeostat.wire.message import Handler, Request, Response

_READS = ("get", "list", "watch", "head", "options")
_LONG_SUBRESOURCES = ("log", "exec", "attach", "portforward", "proxy")
_BUSY = "Too many requests, please try again later."


def long_running(info: RequestInfo) -> bool:
    """Whether the request may stay for as long as it likes."""
    return info.verb == "watch" or info.subresource in _LONG_SUBRESOURCES


class Limits:
    """Counts the requests under way; `stage` is its place in the pipeline."""

    def __init__(self, settings: Settings) -> None:
        self.reading = 0
        self.mutating = 0
        self._reading_max = settings.max_requests_inflight
        self._mutating_max = settings.max_mutating_requests_inflight
        self._seconds = settings.request_timeout_seconds

    async def stage(self, request: Request, following: Handler) -> Response:
        """Let the request through within the bounds. Raises 429 and 504."""
        info = resolve(request)
        if long_running(info):
            return await following(request)
        if info.verb in _READS:
            if self.reading >= self._reading_max:
                raise errors.too_many_requests(_BUSY)
            self.reading += 1
            try:
                return await self._timed(request, following)
            finally:
                self.reading -= 1
        if self.mutating >= self._mutating_max:
            raise errors.too_many_requests(_BUSY)
        self.mutating += 1
        try:
            return await self._timed(request, following)
        finally:
            self.mutating -= 1

    async def _timed(self, request: Request, following: Handler) -> Response:
        try:
            async with asyncio.timeout(self._seconds):
                return await following(request)
        except TimeoutError:
            raise errors.timeout(
                f"Timeout: request did not complete within the allotted timeout of {self._seconds:g}s"
            ) from None
