"""Which kinds the API serves, as its discovery says: a catalogue that is kept current.

Asking costs a request that is answered with 304 as long as nothing has changed. `Follower` asks seldom, and often for a
while after `expect`, which whoever watches definitions calls when one of them changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson

from homeostat.api.catalogue import Catalogue
from homeostat.api.catalogue.discovered import ACCEPT, described
from homeostat.api.errors import ApiError
from homeostat.client.contract import Client
from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.wire.message import Request

# The polling interval without a sign of a change, and the interval and duration after one.
_PERIOD_SECONDS = 30.0
_EAGER_PERIOD_SECONDS = 0.25
_EAGER_SECONDS = 10.0

_log = logger("discovery")


class Discovery:
    """`catalogue` is what the last answer said; before the first one, the built-in kinds."""

    def __init__(self, client: Client) -> None:
        self.catalogue = Catalogue.builtin()
        self._client = client
        self._tag = ""

    async def look(self) -> Catalogue:
        """Ask; the same catalogue where nothing has changed. Raises ApiError."""
        headers = {"accept": ACCEPT, **({"if-none-match": self._tag} if self._tag else {})}
        response = await self._client.raw(Request("GET", "/apis", {}, headers))
        body = response.body if isinstance(response.body, bytes) else b"".join([part async for part in response.body])
        if response.status == 304:
            return self.catalogue
        if response.status != 200:
            raise ApiError(response.status, "", f"discovery answered with status {response.status}")
        try:
            self.catalogue = described(orjson.loads(body), self.catalogue)
        except (LookupError, TypeError, ValueError) as error:
            raise ApiError(500, "", f"discovery answered with something else than a list of kinds: {error}") from error
        self._tag = response.headers.get("etag", "")
        return self.catalogue


class Follower:
    """Calls `answered` with each answer while `run` runs."""

    def __init__(self, discovery: Discovery, answered: Callable[[Catalogue], None]) -> None:
        self._discovery = discovery
        self._answered = answered
        self._expected = asyncio.Event()

    def expect(self) -> None:
        """The kinds may change now: poll discovery at once, and often for a while."""
        self._expected.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        eager_until = 0.0
        while True:
            try:
                self._answered(await self._discovery.look())
            except ApiError as error:
                _log.debug("discovery failed: %s", error)
            if clock.monotonic() < eager_until:
                await clock.sleep(_EAGER_PERIOD_SECONDS)
            else:
                await self._rest()
            if self._expected.is_set():
                self._expected.clear()
                eager_until = clock.monotonic() + _EAGER_SECONDS

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_PERIOD_SECONDS):
                await self._expected.wait()
        except TimeoutError:
            return
