"""The outermost bounds of the request path: how many requests run at once, and for how long.

As kube-apiserver's --max-requests-inflight and --max-mutating-requests-inflight: what is over is refused with 429 and
Retry-After. Long-running requests (watches, logs, streams) are not counted and have no deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any

from homeostat.api import errors
from homeostat.apiserver.contract import RequestInfo, info_of
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
        self._deadlines = _Deadlines(settings.request_timeout_seconds)

    async def stage(self, request: Request, following: Handler) -> Response:
        """Let the request through within the bounds. Raises 429 and 504."""
        info = info_of(request)
        if long_running(info):
            return await following(request)
        task = asyncio.current_task()
        assert task is not None
        reads = info.verb in _READS
        if reads:
            if self.reading >= self._reading_max:
                raise errors.too_many_requests(_BUSY)
            self.reading += 1
        else:
            if self.mutating >= self._mutating_max:
                raise errors.too_many_requests(_BUSY)
            self.mutating += 1
        outermost = self._deadlines.begin(task)
        try:
            return await following(request)
        except asyncio.CancelledError:
            if outermost:
                self._deadlines.explain(task)
            raise
        finally:
            if reads:
                self.reading -= 1
            else:
                self.mutating -= 1
            if outermost:
                self._deadlines.end(task)


class _Deadlines:
    """One time limit for all requests, with one timer: arming one a request would cost a fifth of a get.

    `_running` is in the order of arrival, which is that of the deadlines.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[Any]) -> bool:
        """From now on `task` has the time. False: it works on a request inside another one, whose deadline it has."""
        if task in self._running:
            return False
        loop = task.get_loop()
        self._running[task] = deadline = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._look, loop)
        return True

    def explain(self, task: asyncio.Task[Any]) -> None:
        """Raises 504 when the task was cancelled because its time was over."""
        if task in self._expired:
            task.uncancel()
            text = f"Timeout: request did not complete within the allotted timeout of {self._seconds:g}s"
            raise errors.timeout(text) from None

    def end(self, task: asyncio.Task[Any]) -> None:
        """The task's request is answered."""
        del self._running[task]
        self._expired.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel requests that are over their time limit, and schedule the next check."""
        self._timer = None
        now = loop.time()
        for task, deadline in self._running.items():
            if deadline > now:
                self._timer = loop.call_at(deadline, self._look, loop)
                return
            if task not in self._expired:
                self._expired.add(task)
                task.cancel()
