"""A signed-in user: the token, and what the cluster says it may see, asked again every 15 seconds."""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.console.cache.places import Place
from homeostat.console.cache.rights import RIGHTS_SECONDS, refusal
from homeostat.console.upstream.api_servers import ApiServers, Speaker
from homeostat.kit import clock

# A refusal counts for less, since somebody may be waiting for the right.
REFUSAL_SECONDS = 2.0
_ANSWERS_MAX = 4_000


class User:
    """One session, shared by its pages. `ended` is called when the cluster no longer accepts the token."""

    def __init__(self, servers: ApiServers, name: str, token: Callable[[], str], ended: Callable[[], None]) -> None:
        self.name = name
        self.token = token
        self.speaker = Speaker(servers, token)
        self._ended = ended
        # What the cluster last said of a place, and when (on the monotonic clock).
        self._answers: dict[Place, tuple[float, ApiError | None]] = {}
        self._doubted: set[Place] = set()
        self.doubtful: Callable[[], None] = lambda: None

    async def admit(self, place: Place) -> None:
        """Raises ApiError when the user may not see the place, or it cannot be found out now."""
        asked, refused = self._answers.get(place, (-RIGHTS_SECONDS, None))
        counts = REFUSAL_SECONDS if refused is not None else RIGHTS_SECONDS
        if place in self._doubted or clock.monotonic() - asked >= counts:
            await self.ask(place)
        elif refused is not None:
            raise refused

    async def ask(self, place: Place) -> None:
        """As `admit`, but the cluster is asked in any case."""
        try:
            refused = await refusal(self.speaker, self.name, place)
        except ApiError as error:
            if error.code == 401:
                self._answers.clear()
                self._ended()
                raise errors.unauthorized() from error
            raise
        self._doubted.discard(place)
        if len(self._answers) >= _ANSWERS_MAX:
            self._answers.clear()
        self._answers[place] = (clock.monotonic(), refused)
        if refused is not None:
            raise refused

    def refused(self, place: Place) -> None:
        """An API server refused a watch: the cluster is asked at once whether the place may still be seen."""
        self._doubted.add(place)
        self.doubtful()
