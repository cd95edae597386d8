"""A client that asks at fixed moments, however long answers take, as many users do: what an outage costs them.

Each request goes over a connection of its own, as each command of kubectl does. One that fails is repeated after a
moment, as a person or client-go would (its reads and updates may be repeated); `Cost` says what that added up to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType

from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP
from homeostat.client.api_client import ApiClient
from homeostat.client.http import HttpTransport
from homeostat.cluster import certificates
from homeostat.cluster.state_folder import Folder
from homeostat.kit import clock

_EVERY_SECONDS, _AGAIN_SECONDS, _GIVE_UP_SECONDS = 0.1, 0.1, 60.0


@dataclass
class Cost:
    """When answers came (monotonic seconds), the longest wait for one, retries included, and what was said instead."""

    answers: list[float] = field(default_factory=list)
    longest_seconds: float = 0.0
    words: list[str] = field(default_factory=list)
    lost: int = 0

    def gap(self, since: float) -> float:
        """The longest time without an answer after `since`."""
        moments = [since, *(moment for moment in self.answers if moment > since)]
        return max((after - before for before, after in pairwise(moments)), default=0.0)


class OpenLoop:
    """Reads and writes through a cluster's relay for as long as the block lasts. Writes count up in ConfigMaps of their
    own, so that what was acknowledged can be determined afterwards."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="open loop")
        self.reads, self.writes = Cost(), Cost()
        self.acknowledged: set[str] = set()

    def __enter__(self) -> OpenLoop:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        tls = certificates.client_context(self._folder.pki, certificates.ADMIN)
        url = f"https://127.0.0.1:{self._folder.load().api_port}"
        under_way: set[asyncio.Task[None]] = set()
        number = 0

        async def once(work: Callable[[ApiClient], Awaitable[object]]) -> None:
            client = ApiClient(HttpTransport([url], tls=tls), user_agent="kubectl")
            try:
                await work(client)
            finally:
                await client.close()

        async def write(name: str) -> None:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}

            async def create(client: ApiClient) -> None:
                try:
                    await client.create(CONFIGMAP, body)
                except ApiError as error:
                    # The answer to a former try was lost on its way.
                    if error.reason != "AlreadyExists":
                        raise

            await self._ask(self.writes, lambda: once(create))
            self.acknowledged.add(name)

        while not self._stop.is_set():
            number += 1
            read = self._ask(
                self.reads, lambda: once(lambda client: client.get(CONFIGMAP, "kube-root-ca.crt", "default"))
            )
            for work in (read, write(f"open-loop-{number}")):
                task = asyncio.ensure_future(work)
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await clock.sleep(_EVERY_SECONDS)
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _ask(self, cost: Cost, send: Callable[[], Awaitable[None]]) -> None:
        began = clock.monotonic()
        while True:
            try:
                await send()
                break
            except ApiError as error:
                cost.words.append(error.message)
                if clock.monotonic() - began > _GIVE_UP_SECONDS:
                    cost.lost += 1
                    raise
                await clock.sleep(_AGAIN_SECONDS)
        cost.answers.append(clock.monotonic())
        cost.longest_seconds = max(cost.longest_seconds, clock.monotonic() - began)
