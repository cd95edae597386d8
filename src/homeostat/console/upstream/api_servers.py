"""The API servers of the cluster: requests go to the one that answers, and to the next one when it fails.

It stays with one server. A cheap health check asks it four times a second while pages are open; one that is slow is
given a moment more, while the others are asked as well, so that a busy machine does not look like a dead server. The
first that answers is used from then on. Whoever holds a stream to the old one is told (`on_lost`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from homeostat.api.errors import ApiError
from homeostat.client.contract import Unreachable
from homeostat.client.transport import Fence, try_next
from homeostat.console.upstream.reports import Answering, Failover, Outage, Report
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.wire.fields import is_stream
from homeostat.wire.message import Request, Response

# How often the server that answers is asked while somebody looks at a page.
CHECK_SECONDS = 0.25
# After so long without an answer the others are asked too; and so long after one of them answered it still may.
PATIENCE_SECONDS, GRACE_SECONDS = 0.12, 0.08
# How long a round of checks takes at most: then there is an outage.
ROUND_SECONDS = 1.0
_OUTAGE = Backoff(first_seconds=0.1, ceiling_seconds=0.4)
_HEALTHY_BELOW = 500

_log = logger("console")


class Carrier(Protocol):
    """Carries requests to one API server; `client.http.HttpTransport` is one."""

    async def stream(self, request: Request, *, repeatable: bool = False) -> Response:
        """The answer, its body in pieces. Raises Unreachable."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(eq=False, slots=True)
class _Server:
    name: str
    carrier: Carrier
    # The last answer, on the monotonic clock and the wall clock.
    answered: float = 0.0
    answered_at: float = 0.0
    # Requests that wait for the head of an answer.
    waiting: set[asyncio.Task[Response | ApiError]] = field(default_factory=set)

    def note(self) -> None:
        self.answered, self.answered_at = clock.monotonic(), clock.wall()


class ApiServers:
    """`run` checks them while `attend`ed. `current` is who answers, empty during an outage and before the first answer;
    `since` is when the last answer came."""

    def __init__(self, servers: Sequence[tuple[str, Carrier]]) -> None:
        if not servers:
            raise ValueError("at least one API server is needed")
        self._servers = [_Server(name, carrier) for name, carrier in servers]
        self._current: _Server | None = None
        self._preferred = self._servers[0]
        self._attending = 0
        self._attended = asyncio.Event()
        self._doubted = asyncio.Event()
        self._listeners: list[Callable[[Report], None]] = []
        self._lost: set[Callable[[], None]] = set()
        self._out = False

    @property
    def current(self) -> str:
        """The name of the server that answers."""
        return self._current.name if self._current is not None else ""

    @property
    def out(self) -> bool:
        """Whether there is an outage: no server answers."""
        return self._out

    @property
    def since(self) -> float:
        """When the last answer came, in seconds since the epoch; 0 before the first one."""
        return max(server.answered_at for server in self._servers)

    def listen(self, report: Callable[[Report], None]) -> Callable[[], None]:
        """Call `report` with what happens; it must be quick. Returns what ends it."""
        self._listeners = [*self._listeners, report]

        def end() -> None:
            self._listeners = [other for other in self._listeners if other is not report]

        return end

    def on_lost(self, lost: Callable[[], None]) -> Callable[[], None]:
        """Call `lost` when the server that answered until now no longer does. Returns what ends it."""
        self._lost.add(lost)
        return lambda: self._lost.discard(lost)

    def attend(self) -> Callable[[], None]:
        """Somebody looks: the servers are checked until what is returned is called."""
        self._attending += 1
        self._attended.set()

        def leave() -> None:
            self._attending -= 1
            if not self._attending:
                self._attended.clear()

        return leave

    async def ask(self, request: Request, *, repeatable: bool) -> tuple[Response, str]:
        """The answer, its body in pieces, and the name of the server that gave it. Raises Unreachable."""
        refusal: tuple[Response, str] | None = None
        troubles = []
        failed: list[_Server] = []
        sent = False
        for server in self._order():
            answer = await self._send(server, request, repeatable=repeatable)
            if isinstance(answer, ApiError):
                self._doubted.set()
                failed.append(server)
                troubles.append(f"{server.name}: {getattr(answer, 'why', answer)}")
                sent = sent or not isinstance(answer, Unreachable) or answer.sent
                if sent and not repeatable:
                    break
                continue
            if try_next(answer, repeatable=repeatable):
                refusal = (answer, server.name)
                failed.append(server)
                self._doubted.set()
                continue
            server.note()
            if self._current is None or self._current in failed:
                self._use(server)  # else another one was found meanwhile
            return answer, server.name
        if refusal is not None:
            return refusal
        raise Unreachable(f"no API server answers: {'; '.join(troubles)}", sent=sent)

    async def run(self) -> None:
        """Check until cancelled."""
        failures = 0
        while True:
            await self._attended.wait()
            self._doubted.clear()
            if await self._check():
                failures = 0
                await self._rest(CHECK_SECONDS)
            else:
                await clock.sleep(_OUTAGE.delay(failures))
                failures += 1

    async def close(self) -> None:
        """Close all connections."""
        for server in self._servers:
            await server.carrier.close()

    # Inside.

    def _order(self) -> list[_Server]:
        first = self._current or self._preferred
        at = self._servers.index(first)
        return self._servers[at:] + self._servers[:at]

    async def _send(self, server: _Server, request: Request, *, repeatable: bool) -> Response | ApiError:
        task = tasks.spawn(_attempt(server.carrier, request, repeatable=repeatable), name="api request")
        server.waiting.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
            return Unreachable(f"{server.name} does not answer any more", sent=True)
        finally:
            server.waiting.discard(task)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._doubted.wait()
        except TimeoutError:
            return

    async def _check(self) -> bool:
        """Ask who answers; False when nobody does."""
        began = clock.monotonic()
        first = self._current or self._preferred
        checks = {tasks.spawn(self._answers(first), name="health check"): first}
        try:
            await asyncio.wait(checks, timeout=PATIENCE_SECONDS)
            own = next(iter(checks))
            if own.done() and own.result():
                self._use(first)
                return True
            for server in self._order()[1:]:
                checks[tasks.spawn(self._answers(server), name="health check")] = server
            winner = await _first_true(checks, ROUND_SECONDS)
            if winner is None and self._current is not None and self._current.answered > began:
                return True  # a request was answered meanwhile
            if winner is None:
                self._lose()
                return False
            # Who is used already, by now, is preferred to one that is only quicker.
            favourite = next(task for task, server in checks.items() if server is (self._current or first))
            if not favourite.done():
                await asyncio.wait([favourite], timeout=GRACE_SECONDS)
            self._use(checks[favourite if favourite.done() and favourite.result() else winner])
            return True
        finally:
            await tasks.stop(*checks)

    async def _answers(self, server: _Server) -> bool:
        answer = await _attempt(server.carrier, Request("GET", "/readyz", {}, {"accept": "*/*"}), repeatable=True)
        if isinstance(answer, ApiError):
            return False
        if not isinstance(answer.body, bytes):
            try:
                async for _ in answer.body:
                    pass
            except ConnectionError:
                return False
        if answer.status >= _HEALTHY_BELOW:
            return False
        server.note()
        return True

    def _use(self, server: _Server) -> None:
        """This server answers."""
        before = self._current
        if before is server:
            return
        old = self._preferred
        self._current = self._preferred = server
        if self._out or before is None:
            self._out = False
            self._report(Answering(server.name, clock.wall()))
            for other in self._servers:
                if other is not server:
                    self._drop(other)
            return
        gap = max(0.0, clock.monotonic() - old.answered)
        _log.info("now talking to %s: %s no longer answers (%.0f ms)", server.name, old.name, gap * 1000)
        self._report(Failover(old.name, server.name, gap, clock.wall()))
        self._drop(old)

    def _lose(self) -> None:
        if self._out:
            return
        self._out, self._current = True, None
        _log.warning("no API server answers")
        self._report(Outage(self.since or clock.wall()))
        for server in self._servers:
            self._drop(server)

    def _drop(self, server: _Server) -> None:
        for task in list(server.waiting):
            task.cancel()
        for lost in list(self._lost):
            lost()

    def _report(self, report: Report) -> None:
        for listener in self._listeners:
            listener(report)


class Speaker:
    """A `client.transport.Transport`: sends requests as one user, by the bearer token that `token` returns; without one
    (empty) as whom the connection's certificate says."""

    def __init__(self, servers: ApiServers, token: Callable[[], str]) -> None:
        self._servers = servers
        self._token = token

    async def send(self, request: Request, *, repeatable: bool, fence: Fence | None = None) -> Response:
        """See the contract."""
        if fence is not None:
            fence()
        response, _ = await self._servers.ask(self.signed(request), repeatable=repeatable)
        if not is_stream(request):
            response.body = await whole(response)
        return response

    def signed(self, request: Request) -> Request:
        """The request as the user's."""
        token = self._token()
        if not token:
            return request
        return replace(request, headers={**request.headers, "authorization": f"Bearer {token}"})

    async def close(self) -> None:
        """Nothing: the connections are shared."""


async def _attempt(carrier: Carrier, request: Request, *, repeatable: bool) -> Response | ApiError:
    """The answer, or why there is none: so that the task it runs in does not fail."""
    try:
        return await carrier.stream(request, repeatable=repeatable)
    except ApiError as error:
        return error


async def _first_true(checks: dict[asyncio.Task[bool], _Server], seconds: float) -> asyncio.Task[bool] | None:
    """The first of the tasks that returns True, within `seconds`."""
    waiting = set(checks)
    deadline = clock.monotonic() + seconds
    while waiting and (left := deadline - clock.monotonic()) > 0:
        done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.result():
                return task
    return None


async def whole(response: Response) -> bytes:
    """The body of an answer. Raises Unreachable when the connection breaks."""
    if isinstance(response.body, bytes):
        return response.body
    try:
        return b"".join([chunk async for chunk in response.body])
    except ConnectionError as error:
        raise Unreachable(f"the connection broke: {error}") from error
    finally:
        if isinstance(response.body, AsyncGenerator):
            await response.body.aclose()
