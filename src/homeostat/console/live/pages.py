"""All pages: one user for each session, and what happens to the API servers told to all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from homeostat.api import errors
from homeostat.api.types import Obj
from homeostat.console.cache.pool import Pool
from homeostat.console.cache.users import User
from homeostat.console.live.journal import Journals
from homeostat.console.live.page import Page
from homeostat.console.sessions.sealed import Session
from homeostat.console.settings import ConsoleSettings
from homeostat.console.upstream.api_servers import ApiServers
from homeostat.console.upstream.reports import Answering, Failover, Report
from homeostat.kit import clock
from homeostat.wire.duplex import Duplex
from homeostat.wire.websocket import WebSocket

MESSAGE_BYTES_MAX = 64 * 1024
PAGES_OF_A_SESSION_MAX = 40
PAGES_MAX = 1_000
# Sessions that were ended before their time are remembered, as far as there is room.
_ENDED_MAX = 10_000


@dataclass(eq=False, slots=True)
class _Signed:
    """A session that has pages open."""

    user: User
    journals: Journals
    pages: set[Page] = field(default_factory=set)


class Pages:
    """`serve` is one page's life. `token_of` says what is sent for a session's token."""

    def __init__(
        self, servers: ApiServers, pool: Pool, token_of: Callable[[str], str], settings: ConsoleSettings
    ) -> None:
        self._servers = servers
        self._pool = pool
        self._token_of = token_of
        self._replica = settings.replica
        self._records_causes = settings.records_causes
        self._signed: dict[str, _Signed] = {}
        self._ended: dict[str, None] = {}
        servers.listen(self._report)

    def admit(self, session: Session) -> None:
        """Raises ApiError 429 when the session, or all of them, have too many pages open."""
        signed = self._signed.get(session.key)
        if signed is not None and len(signed.pages) >= PAGES_OF_A_SESSION_MAX:
            raise errors.too_many_requests(f"more than {PAGES_OF_A_SESSION_MAX} pages are open; close some")
        if sum(len(each.pages) for each in self._signed.values()) >= PAGES_MAX:
            raise errors.too_many_requests("too many pages are open")

    def is_signed_out(self, session: Session) -> bool:
        """Whether it was ended, by a person or because the cluster no longer accepts its token."""
        return session.key in self._ended

    async def serve(self, session: Session, stream: Duplex) -> None:
        """Serve a page until it leaves."""
        signed = self._signed.get(session.key) or self._sign(session)
        socket = WebSocket(stream, message_bytes_max=MESSAGE_BYTES_MAX)
        page = Page(socket, signed.user, self._pool, signed.journals, expires=session.expires)
        signed.pages.add(page)
        if self.is_signed_out(session):
            page.end()
        leave = self._servers.attend()
        try:
            await page.run(self._hello(session))
        finally:
            leave()
            signed.pages.discard(page)
            if not signed.pages:
                self._signed.pop(session.key, None)

    def sign_out(self, session: Session) -> None:
        """The session has ended: its pages are told so, and its cookie is worth nothing here any more."""
        if len(self._ended) >= _ENDED_MAX:
            self._ended.pop(next(iter(self._ended)))
        self._ended[session.key] = None
        signed = self._signed.get(session.key)
        for page in list(signed.pages) if signed is not None else ():
            page.end()

    def _sign(self, session: Session) -> _Signed:
        user = User(self._servers, session.user, lambda: self._token_of(session.token), lambda: self.sign_out(session))
        signed = self._signed[session.key] = _Signed(
            user, Journals(user, self._pool, records_causes=self._records_causes)
        )
        return signed

    def _hello(self, session: Session) -> Obj:
        now, name = clock.wall(), self._servers.current
        return {"type": "hello", "user": session.user, "now": now, "server": name, "replica": self._replica}

    def _report(self, report: Report) -> None:
        match report:
            case Answering():
                said: Obj = {"type": "server", "name": report.name, "at": report.at}
            case Failover():
                gap = round(report.gap_seconds * 1000)
                said = {"type": "failover", "from": report.old, "to": report.new, "gap_ms": gap, "at": report.at}
            case _:
                said = {"type": "outage", "since": report.since}
        for signed in self._signed.values():
            for page in signed.pages:
                page.note(said)
