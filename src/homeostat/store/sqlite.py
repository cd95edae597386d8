"""The store in one SQLite file, which several processes may have open at once: the embedded default.

This module is the loop's side and the only one to import. It hands writes to the writer thread (`sqlite_writer`),
reads by a connection of its own (`sqlite_reader`), and has the log followed for its watchers (`sqlite_follow`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.store.contract import Batch, Compacted, Entry, Page, Stale, StoreError, Unavailable
from homeostat.store.sqlite_checkpoint import Checkpointer
from homeostat.store.sqlite_follow import Follower
from homeostat.store.sqlite_group import Write
from homeostat.store.sqlite_lock import WriteLock
from homeostat.store.sqlite_peers import Peers
from homeostat.store.sqlite_reader import Reader
from homeostat.store.sqlite_writer import Compaction, Report, Writer

# How long a write may wait for another process that holds the lock (it may be stopped) before it fails.
TURN_SECONDS_MAX = 10.0

_log = logger("store")


class SqliteStore:
    """See `contract.Store`. `synchronous` is SQLite's: with FULL an acknowledged commit survives a power cut, with
    NORMAL or OFF only the death of the process."""

    def __init__(self, path: str | Path, *, synchronous: str = "FULL") -> None:
        if synchronous not in ("FULL", "NORMAL", "OFF"):
            raise ValueError(f"synchronous={synchronous!r}: one of FULL, NORMAL, OFF")
        self._path = Path(path)
        self._synchronous = synchronous
        self._parts: _Parts | None = None

    async def start(self) -> None:
        """Open the file, made where it is not there. Raises Unavailable with what to do."""
        if self._parts is None:
            parts = _Parts(self._path, synchronous=self._synchronous)
            await parts.start()
            self._parts = parts

    async def close(self) -> None:
        """See the contract."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.close()

    async def revision(self) -> int:
        """See the contract."""
        return self._open().revision()

    async def get(self, key: str) -> Entry | None:
        """See the contract."""
        return self._open().reader.get(key)

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, after: str = "") -> Page:
        """See the contract."""
        while True:
            try:
                return await self._list(prefix, revision, limit, after)
            except Compacted:
                # "Now" may be compacted while a long listing of it is under way: start it over.
                if revision:
                    raise

    async def _list(self, prefix: str, revision: int, limit: int, after: str) -> Page:
        page = self._open().reader.page(prefix, revision, limit, after)
        entries = page.entries
        while page.remaining < 0:
            await clock.sleep(0)  # The loop's turn between the parts of a long listing.
            rest = limit - len(entries) if limit else 0
            page = self._open().reader.page(prefix, page.revision, rest, entries[-1].key)
            entries += page.entries
        return Page(entries, page.revision, page.remaining)

    async def commit(self, key: str, expected_revision: int, value: bytes, *, delete: bool = False) -> int:
        """See the contract."""
        key.encode()  # Raises here: a key that is no text must not fail the group it would be in.
        return await self._open().commit(key, expected_revision, value, delete=delete)

    def watch(self, prefix: str, *, after_revision: int) -> AsyncIterator[Batch]:
        """See the contract."""
        return self._open().follower.feed.follow(prefix, after_revision)

    def silence(self) -> str:
        """See the contract."""
        return "this server did not catch up with its file in time"

    async def compact(self, revision: int) -> None:
        """See the contract; returns when the rows are deleted. Raises FutureRevision."""
        await self._open().compact(revision)

    def _open(self) -> _Parts:
        if self._parts is None:
            raise Unavailable(f"store {self._path}: not open")
        return self._parts


class _Parts:
    """What an open store holds. On the loop's thread, but for what its name says is on the writer's."""

    reader: Reader
    follower: Follower
    _peers: Peers

    def __init__(self, path: Path, *, synchronous: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._folder = Path(f"{path}.peers")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = WriteLock(self._folder)
        except OSError as error:
            raise self._cannot_open(error) from error
        self._checkpointer = Checkpointer(path, self._folder)
        self._writer = Writer(path, lock, synchronous=synchronous, report=self._reported_on_writer)
        # Writes of this tick of the loop, handed over together at its end; and all that are not answered yet.
        self._tick: list[Write] = []
        self._unanswered: set[Write] = set()
        # The newest revision, when it was asked for in this tick.
        self._newest: int | None = None
        self._writer_ended: asyncio.Future[None] = self._loop.create_future()
        self._checkpointer_ended: asyncio.Future[None] = self._loop.create_future()
        self._opened = AsyncExitStack()

    def _cannot_open(self, error: OSError) -> Unavailable:
        return Unavailable(f"cannot open the store {self._path}: {self._folder}: {error.strerror}")

    async def start(self) -> None:
        """Open the file; everything is open afterwards, or nothing. Raises Unavailable."""
        opened: asyncio.Future[Unavailable | None] = self._loop.create_future()
        self._writer.start(
            lambda error: self._from_thread(lambda: opened.set_result(error)),
            lambda: self._from_thread(self._writer_has_ended),
        )
        if (error := await opened) is not None:
            await self._writer_ended
            raise error
        self._checkpointer.start(lambda: self._from_thread(lambda: self._checkpointer_ended.set_result(None)))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop_threads)
            self.reader = Reader(self._path)
            stack.callback(self.reader.close)
            self.follower = Follower(self.reader, self._expire)
            stack.push_async_callback(self.follower.stop)
            try:
                self._peers = Peers(self._folder, self.follower.catch_up)
            except OSError as problem:
                raise self._cannot_open(problem) from problem
            stack.callback(self._peers.close)
            # What was committed before the peers knew of this process.
            self.follower.catch_up()
            self._opened = stack.pop_all()

    async def close(self) -> None:
        """Finish the writes under way, then end the watchers and give everything back."""
        self._hand_over()
        await self._stop_threads()
        await self._opened.aclose()

    async def _stop_threads(self) -> None:
        self._writer.stop()
        self._checkpointer.stop()
        ends = [self._writer_ended, self._checkpointer_ended]
        _, running = await asyncio.wait(ends, timeout=2 * TURN_SECONDS_MAX)
        if running:
            _log.warning("store %s: closed while another process holds its lock", self._path)

    def commit(self, key: str, expected: int, value: bytes, *, delete: bool) -> asyncio.Future[int]:
        """Queue a write; those of one tick of the loop reach the writer together. The answer is its revision."""
        if self._writer_ended.done():
            raise Unavailable(f"store {self._path}: its writer has ended; restart")
        write = Write(key, expected, value, delete, self._loop.create_future())
        self._unanswered.add(write)
        self._tick.append(write)
        if len(self._tick) == 1:
            self._loop.call_soon(self._hand_over)
        return write.done

    def _hand_over(self) -> None:
        if self._tick:
            self._writer.put(self._tick)
            self._tick = []

    def revision(self) -> int:
        """See the contract. The file is asked once in a tick, for all who ask in it: a question costs system calls for
        locks, a third of what a read of one object costs in all. Whoever asks later in the tick was woken by what
        happened before the first did, so the answer is not too old for them; the forgetting is in the loop's
        queue before anything that happens from now on."""
        if self._newest is None:
            self._newest = self.follower.newest()
            self._loop.call_soon(self._forget_newest)
        return max(self._newest, self.follower.feed.position)

    def _forget_newest(self) -> None:
        self._newest = None

    async def compact(self, revision: int) -> None:
        """See `SqliteStore.compact`."""
        done: asyncio.Future[StoreError | None] = self._loop.create_future()

        def answer(error: StoreError | None) -> None:
            if not done.done():
                done.set_result(error)

        self._writer.compact(Compaction(revision, lambda error: self._from_thread(lambda: answer(error))))
        if (error := await done) is not None:
            raise error

    def _reported_on_writer(self, report: Report) -> None:
        self._from_thread(lambda: self._answer(report))
        if report.error is not None:
            self._checkpointer.hurry()
        elif report.group.events:
            self._peers.notify()
            self._checkpointer.wrote(sum([len(event.value) for event in report.group.events]))

    def _from_thread(self, work: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            # The loop was closed without closing the store: there is nothing to notify.
            _log.debug("store %s: the event loop is closed", self._path)

    def _answer(self, report: Report) -> None:
        self._unanswered.difference_update(report.writes)
        if report.error is not None:
            _fail([write.done for write in report.writes], report.error)
            return
        group = report.group
        if group.events:
            # Watchers first: who knows of a commit can wait for its event.
            self.follower.own(group.events)
        for write, event in zip(group.accepted, group.events, strict=True):
            if not write.done.done():
                write.done.set_result(event.revision)
        for write, current in report.refused.items():
            if not write.done.done():
                write.done.set_exception(Stale(write.key, current))

    def _expire(self) -> None:
        late = self._writer.expire(seconds_max=TURN_SECONDS_MAX)
        if late:
            self._unanswered.difference_update(late)
            _fail(
                [write.done for write in late],
                Unavailable(f"store {self._path}: another process has held its lock for too long"),
            )

    def _writer_has_ended(self) -> None:
        self._writer_ended.set_result(None)
        _fail([write.done for write in self._unanswered], Unavailable(f"store {self._path}: its writer has ended"))
        self._unanswered.clear()


def _fail(answers: list[asyncio.Future[int]], error: Unavailable) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(Unavailable(*error.args))
            # A caller that was cancelled is no error.
            answer.exception()
