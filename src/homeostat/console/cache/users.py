"""A signed-in user: the token, and what the cluster says it may see, asked again every 15 seconds."""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.console.cache.places import Place
from homeostat.console.cache.rights import RIGHTS_SECONDS, refusal
from homeostat.console.upstream.api_servers import ApiServers, Speaker
from homeostat.kit import clock


class User:
    """One session, shared by its pages. `ended` is called when the cluster no longer accepts the token."""

    def __init__(self, servers: ApiServers, name: str, token: Callable[[], str], ended: Callable[[], None]) -> None:
        self.name = name
        self.token = token
        self.speaker = Speaker(servers, token)
        self._ended = ended
        # When the cluster last allowed a place, on the monotonic clock.
        self._allowed: dict[Place, float] = {}
        self._doubted: set[Place] = set()
        self.doubtful: Callable[[], None] = lambda: None

    async def admit(self, place: Place) -> None:
        """Raises ApiError when the user may not see the place, or it cannot be found out now."""
        allowed = self._allowed.get(place)
        if allowed is not None and place not in self._doubted and clock.monotonic() - allowed < RIGHTS_SECONDS:
            return
        await self.ask(place)

    async def ask(self, place: Place) -> None:
        """As `admit`, but the cluster is asked in any case."""
        try:
            refused = await refusal(self.speaker, self.name, place)
        except ApiError as error:
            if error.code == 401:
                self._allowed.clear()
                self._ended()
                raise errors.unauthorized() from error
            raise
        self._doubted.discard(place)
        if refused is not None:
            self._allowed.pop(place, None)
            raise refused
        self._allowed[place] = clock.monotonic()

    def refused(self, place: Place) -> None:
        """An API server refused a watch: the cluster is asked at once whether the place may still be seen."""
        self._doubted.add(place)
        self.doubtful()
