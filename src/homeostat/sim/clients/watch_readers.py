"""Clients that list and watch a part of the cluster, stop, resume somewhere, and compare all they get with the ledger.

Each looks at one kind, in one namespace or all, with label and field selectors. What it should get is filtered here out
of the ledger's commits, by code of its own: nothing of the API server decides what the API server must send.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, cast

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, ENDPOINTSLICE, POD, Kind
from homeostat.api.types import Obj
from homeostat.client.contract import Client, WatchEvent
from homeostat.kit import chance, clock, tasks
from homeostat.sim.record.commit_ledger import Commit, Ledger

# How long one watch is followed, at most, and the pause before the next.
_FOLLOW_SECONDS_MAX = 15.0
_PAUSE_SECONDS_MAX = 1.0
# How far behind what it has seen a client may resume.
_BACK_REVISIONS_MAX = 150


@dataclass(frozen=True, slots=True)
class Look:
    """What a client selects. Terms are (label or path, value, whether it must be that value)."""

    kind: Kind
    namespace: str = ""
    labels: tuple[tuple[str, str, bool], ...] = ()
    fields: tuple[tuple[str, str, bool], ...] = ()

    def holds(self, obj: Obj) -> bool:
        """Whether the object is selected."""
        if self.namespace and meta.namespace(obj) != self.namespace:
            return False
        labels = meta.labels(obj)
        if any((labels.get(key) == value) is not wanted for key, value, wanted in self.labels):
            return False
        return all((_at(obj, path) == value) is wanted for path, value, wanted in self.fields)

    def __str__(self) -> str:
        where = self.namespace or "all namespaces"
        terms = ",".join(filter(None, (_text(self.labels), _text(self.fields))))
        return f"{self.kind.kind} in {where}" + (f" with {terms}" if terms else "")


LOOKS = (
    Look(POD, "default"),
    Look(POD, "team"),
    Look(POD, labels=(("app", "web", True),)),
    Look(POD, labels=(("app", "web", False),), fields=(("spec.nodeName", "worker-2", False),)),
    Look(POD, "default", fields=(("spec.nodeName", "worker-1", True),)),
    Look(POD, fields=(("status.phase", "Running", True),)),
    Look(CONFIGMAP, "team"),
    Look(CONFIGMAP, "default", fields=(("metadata.name", "counter", True),)),
    Look(ENDPOINTSLICE, "team"),
)


class Readers:
    """The clients, each with a way of its own to the API. `report` is called with what is wrong."""

    def __init__(self, ledger: Ledger, client: Callable[[str], Client], report: Callable[[str], None]) -> None:
        self._past = _Past(ledger)
        self._client = client
        self._report = report
        self._readers: list[_Reader] = []
        self._running: list[asyncio.Task[None]] = []

    def start(self, count: int) -> None:
        """Begin to read: `count` of `LOOKS`, drawn."""
        for number, look in enumerate(chance.some(LOOKS, count)):
            reader = _Reader(look, self._client(f"reader-{number}"), self._past, self._report)
            self._readers.append(reader)
            self._running.append(tasks.spawn(reader.run(), name=f"reader/{number}"))

    async def stop(self) -> None:
        """End."""
        await tasks.stop(*self._running)

    def behind(self) -> list[str]:
        """What the watches under way have not brought: to be asked when nothing has changed for a while."""
        return [text for reader in self._readers if (text := reader.behind())]


class _Past:
    """The commits of the kinds that are looked at, in order; and the state at each of their revisions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.commits: dict[str, list[Commit]] = {look.kind.kind: [] for look in LOOKS}
        self._revisions: dict[str, list[int]] = {kind: [] for kind in self.commits}
        ledger.checks.append(self._commit)

    def _commit(self, commit: Commit) -> None:
        if commit.kind in self.commits:
            self.commits[commit.kind].append(commit)
            self._revisions[commit.kind].append(commit.revision)

    def place(self, kind: str, revision: int) -> int:
        """Where the commits above a revision begin."""
        return bisect_right(self._revisions[kind], revision)

    def state(self, look: Look, revision: int) -> list[Obj]:
        """What is selected of the state at a revision, in the order of keys."""
        kind = look.kind.kind
        found: dict[str, Obj | None] = dict(self._ledger.objects.get(kind, {}))
        for commit in reversed(self.commits[kind][self.place(kind, revision) :]):
            found[commit.key] = commit.old
        return [obj for _, obj in sorted(found.items()) if obj is not None and look.holds(obj)]


class _Reader:
    """One client. `_next` is the place of the next commit that its watch must bring, None while it does not watch."""

    def __init__(self, look: Look, client: Client, past: _Past, report: Callable[[str], None]) -> None:
        self._look = look
        self._client = client
        self._past = past
        self._report = report
        self._revision = 0
        self._next: int | None = None

    async def run(self) -> None:
        """List, watch, stop, resume, for ever."""
        while True:
            try:
                if not self._revision or chance.below(4) == 0:
                    await self._list()
                # Half of the time it continues where it was, else from further back.
                back = chance.choice((0, 0, chance.below(_BACK_REVISIONS_MAX)))
                await self._follow(max(1, self._revision - back))
            except ApiError as error:
                if error.reason == "Expired":
                    self._revision = 0
            await clock.sleep(chance.uniform(0, _PAUSE_SECONDS_MAX))

    async def _list(self) -> None:
        look = self._look
        version = chance.choice(("", "", "0"))
        found = await self._client.list(
            look.kind, look.namespace, labels=_text(look.labels), fields=_text(look.fields), resource_version=version
        )
        self._revision = int(found.resource_version)
        expected = self._past.state(look, self._revision)
        if found.items != expected:
            names, others = (", ".join(map(_name, some)) for some in (found.items, expected))
            self._report(f"a list of {look} at revision {self._revision} has {names}, not {others}")

    async def _follow(self, revision: int) -> None:
        look = self._look
        self._next = self._past.place(look.kind.kind, revision)
        watch = self._client.watch(
            look.kind,
            look.namespace,
            resource_version=str(revision),
            labels=_text(look.labels),
            fields=_text(look.fields),
        )
        generator = cast("AsyncGenerator[WatchEvent, None]", watch)
        try:
            with suppress(TimeoutError):
                async with (
                    asyncio.timeout(chance.uniform(0, _FOLLOW_SECONDS_MAX)),
                    aclosing(generator) as events,
                ):
                    async for event in events:
                        if not self._take(event, revision):
                            return
        finally:
            self._next = None

    def _take(self, event: WatchEvent, began: int) -> bool:
        """Compare an event with what is to come next; False when it is another."""
        revision = meta.resource_version(event.obj)
        if event.type == "BOOKMARK":
            missed = self._expected(revision)
            if missed is not None:
                self._report(
                    f"a watch of {self._look} after {began} is at {revision} and has left out {_said(*missed)}"
                )
            self._revision = max(self._revision, revision)
            return missed is None
        expected = self._expected(None)
        got = (event.type, event.obj)
        if expected is None or not _same(got, expected):
            wanted = _said(*expected) if expected is not None else "nothing"
            self._report(f"a watch of {self._look} after {began} brought {_said(*got)}, not {wanted}")
            return False
        assert self._next is not None
        self._next += 1
        self._revision = max(self._revision, revision)
        return True

    def _expected(self, until: int | None) -> tuple[str, Obj] | None:
        """The next event that is to come, up to a revision; passes over what is not selected."""
        assert self._next is not None
        commits = self._past.commits[self._look.kind.kind]
        while self._next < len(commits):
            commit = commits[self._next]
            if until is not None and commit.revision > until:
                return None
            seen = _seen(self._look, commit)
            if seen is not None:
                return seen
            self._next += 1
        return None

    def behind(self) -> str:
        """What the watch has not brought, empty when it has all or does not run."""
        missed = self._expected(None) if self._next is not None else None
        return f"a watch of {self._look} has not brought {_said(*missed)}" if missed is not None else ""


def _seen(look: Look, commit: Commit) -> tuple[str, Obj] | None:
    """The event that a commit is to a client that selects so."""
    before = commit.old is not None and look.holds(commit.old)
    if commit.new is not None and look.holds(commit.new):
        return "MODIFIED" if before else "ADDED", commit.new
    if not before:
        return None
    assert commit.old is not None
    return "DELETED", {**commit.old, "metadata": {**commit.old["metadata"], "resourceVersion": str(commit.revision)}}


def _same(got: tuple[str, Obj], expected: tuple[str, Obj]) -> bool:
    """Whether two events are the same; of an object that is gone the last form may be newer than the one before."""
    if got[0] != expected[0] or _name(got[1]) != _name(expected[1]):
        return False
    return got[0] == "DELETED" or got[1] == expected[1]


def _said(event_type: str, obj: Obj) -> str:
    return f"{event_type} {_name(obj)}"


def _name(obj: Obj) -> str:
    return f"{meta.key(obj)}@{obj['metadata'].get('resourceVersion')}"


def _at(obj: Mapping[str, Any], path: str) -> str:
    found: Any = obj
    for part in path.split("."):
        found = (found or {}).get(part)
    return str(found or "")


def _text(terms: tuple[tuple[str, str, bool], ...]) -> str:
    return ",".join(f"{name}{'=' if wanted else '!='}{value}" for name, value, wanted in terms)
