"""Watches and lists against a filter over the full stream: many clients that resume anywhere, while others write.

`check` writes objects of several kinds in several namespaces and lets watchers begin, stop and resume at random
revisions, at random servers. Afterwards what each one got is compared with what a filter, written here and knowing
nothing of the server's, makes of the stream of everything. It runs on virtual time as well as over sockets.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from homeostat.kit import clock, tasks
from homeostat.wire.message import Handler, Request, User

Obj: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
ADMIN = User("admin", ("system:masters", "system:authenticated"))
# Names of namespaces and objects that begin with one another: a comparison by prefix would be wrong.
NAMESPACES = ("one", "one-2", "two")
NAMES = ("a", "a-b", "b", "c", "d")
NODES = ("n1", "n1-x", "n2")
APPS = ("web", "db", "cache")
PLURALS = ("pods", "secrets", "configmaps")
SECONDS_MAX = 60.0
STORE_TRIES_MAX = 100


@dataclass(frozen=True)
class Wanted:
    """What one watcher selects: the request's path and query, and the same as a function of an object."""

    plural: str
    namespace: str = ""
    name: str = ""
    labels: str = ""
    fields: str = ""
    meets: Callable[[Obj], bool] = lambda obj: True

    @property
    def path(self) -> str:
        within = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"/api/v1{within}/{self.plural}"

    @property
    def query(self) -> dict[str, str]:
        fields = ",".join(filter(None, (self.fields, f"metadata.name={self.name}" if self.name else "")))
        found = {"labelSelector": self.labels, "fieldSelector": fields}
        return {name: value for name, value in found.items() if value}

    def holds(self, obj: Obj) -> bool:
        metadata = obj["metadata"]
        if self.namespace and metadata["namespace"] != self.namespace:
            return False
        return (not self.name or metadata["name"] == self.name) and self.meets(obj)


def label(obj: Obj, name: str) -> str | None:
    return (obj["metadata"].get("labels") or {}).get(name)


def _selectors(plural: str) -> list[tuple[str, str, Callable[[Obj], bool]]]:
    """(label selector, field selector, what they mean)."""
    found: list[tuple[str, str, Callable[[Obj], bool]]] = [
        ("", "", lambda o: True),
        ("app=web", "", lambda o: label(o, "app") == "web"),
        ("app=web,tier=x", "", lambda o: label(o, "app") == "web" and label(o, "tier") == "x"),
        ("app in (web,db)", "", lambda o: label(o, "app") in ("web", "db")),
        ("app!=web", "", lambda o: label(o, "app") != "web"),
        ("!tier", "", lambda o: label(o, "tier") is None),
        ("app notin (web),tier", "", lambda o: label(o, "app") != "web" and label(o, "tier") is not None),
        ("", "metadata.namespace!=one", lambda o: o["metadata"]["namespace"] != "one"),
        ("", "metadata.name!=a", lambda o: o["metadata"]["name"] != "a"),
    ]
    if plural == "pods":
        node = lambda o: o["spec"].get("nodeName", "")  # noqa: E731
        found += [
            ("", "spec.nodeName=n1", lambda o: node(o) == "n1"),
            ("", "spec.nodeName=", lambda o: node(o) == ""),
            ("", "spec.nodeName!=n1", lambda o: node(o) != "n1"),
            ("app=web", "spec.nodeName=n2", lambda o: node(o) == "n2" and label(o, "app") == "web"),
            ("", "status.phase=Running", lambda o: o["status"].get("phase") == "Running"),
            ("", "status.phase!=Running,spec.nodeName=n1-x",
             lambda o: o["status"].get("phase") != "Running" and node(o) == "n1-x"),
        ]  # fmt: skip
    if plural == "secrets":
        found.append(("", "type=test/other", lambda o: o["type"] == "test/other"))
    return found


def choose(chance: random.Random, count: int) -> list[Wanted]:
    """What `count` watchers select: everything once for each kind, then mixed."""
    found = [Wanted(plural) for plural in PLURALS]
    while len(found) < count:
        plural = chance.choice(PLURALS)
        labels, fields, meets = chance.choice(_selectors(plural))
        namespace = chance.choice((*NAMESPACES, *NAMESPACES, ""))
        name = chance.choice(("", "", "", *NAMES[:2]))
        found.append(Wanted(plural, namespace, name, labels, fields, meets))
    return found


class Site:
    """The servers under test, each a handler; more can be added while watches run."""

    def __init__(self) -> None:
        self.servers: list[Handler] = []

    async def ask(self, server: Handler, method: str, path: str, body: Obj | None = None, **query: str) -> Obj:
        """The answer. While the store does not answer (a busy machine) it asks again: then the first time may count."""
        form = "application/merge-patch+json" if method == "PATCH" else "application/json"
        raw = orjson.dumps(body) if body is not None else b""
        request = Request(method, path, query, {"content-type": form}, raw, ADMIN)
        response = await server(request)
        for _ in range(STORE_TRIES_MAX):
            if response.status != 503:
                break
            await clock.sleep(0.1)
            response = await server(request)
            if (method, response.status) == ("POST", 409) and body and "metadata" in body:
                return await self.ask(server, "GET", f"{path}/{body['metadata']['name']}")
            if (method, response.status) in (("POST", 409), ("DELETE", 404)):
                return {}
        assert isinstance(response.body, bytes)
        answer: Obj = orjson.loads(response.body)
        assert response.status in (200, 201), f"{method} {path}: {answer}"
        return answer


class Stream:
    """A watch under way: what it brought so far."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self.events: list[Obj] = []
        self._body = body
        self._task = tasks.spawn(self._read(), name="check-stream")

    async def _read(self) -> None:
        left = b""
        async for chunk in self._body:
            *lines, left = (left + chunk).split(b"\n")
            self.events += [orjson.loads(line) for line in lines]

    async def stop(self) -> None:
        await tasks.stop(self._task)
        close = getattr(self._body, "aclose", None)
        if close is not None:
            await close()


async def open_stream(server: Handler, wanted: Wanted, query: dict[str, str]) -> Stream:
    request = Request("GET", wanted.path, {**wanted.query, **query, "watch": "true"}, {}, b"", ADMIN)
    response = await server(request)
    for _ in range(STORE_TRIES_MAX):
        if response.status != 503:
            break
        await clock.sleep(0.1)
        response = await server(request)
    assert response.status == 200, response.body
    assert not isinstance(response.body, bytes)
    return Stream(response.body)


@dataclass
class Segment:
    """One watch of a watcher: after which revision it resumed (None: it began with the state), what it brought."""

    wanted: Wanted
    how: str
    after: int | None
    events: list[Obj]
    to_the_end: bool = False


@dataclass
class History:
    """Everything that happened, of each kind: the stream of everything."""

    events: dict[str, list[Obj]] = field(default_factory=dict)

    def expected(self, wanted: Wanted, after: int) -> list[Obj]:
        """The events that a watch after a revision gets."""
        state: dict[Key, Obj] = {}
        found = []
        for event in self.events[wanted.plural]:
            obj = event["object"]
            key, revision = key_of(obj), revision_of(obj)
            old = state.pop(key, None)
            if event["type"] != "DELETED":
                state[key] = obj
            before = old is not None and wanted.holds(old)
            now = event["type"] != "DELETED" and wanted.holds(obj)
            if revision <= after or not (before or now):
                continue
            if now:
                found.append({"type": "MODIFIED" if before else "ADDED", "object": obj})
            elif event["type"] == "DELETED":
                found.append(event)
            else:
                gone = copy.deepcopy(old)
                assert gone is not None
                gone["metadata"]["resourceVersion"] = str(revision)
                found.append({"type": "DELETED", "object": gone})
        return found

    def state(self, wanted: Wanted, at: int) -> list[Obj]:
        """What is selected of the state at a revision, in the order of keys."""
        state: dict[Key, Obj] = {}
        for event in self.events[wanted.plural]:
            if revision_of(event["object"]) > at:
                break
            if event["type"] == "DELETED":
                state.pop(key_of(event["object"]), None)
            else:
                state[key_of(event["object"])] = event["object"]
        return [state[key] for key in sorted(state, key="/".join) if wanted.holds(state[key])]

    def revisions(self, plural: str) -> list[int]:
        return [revision_of(event["object"]) for event in self.events[plural]]


def changes_of(events: list[Obj]) -> list[Obj]:
    return [event for event in events if event["type"] != "BOOKMARK"]


def outcome(changes: list[Obj]) -> dict[Key, int]:
    """The state that a client has after these events: the revision of each object."""
    state: dict[Key, int] = {}
    for event in changes:
        state[key_of(event["object"])] = revision_of(event["object"])
        if event["type"] == "DELETED":
            del state[key_of(event["object"])]
    return state


def key_of(obj: Obj) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def revision_of(obj: Obj) -> int:
    return int(obj["metadata"]["resourceVersion"])


class Load:
    """Writes that create, relabel, bind, run and delete objects; remembers the revisions that were acknowledged."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self._site = site
        self._chance = chance
        self._state: dict[tuple[str, Key], Obj] = {}
        self.acknowledged: dict[str, list[int]] = {plural: [] for plural in PLURALS}
        self.newest = 0

    async def write(self) -> None:
        """One write at a random server."""
        chance = self._chance
        plural, namespace, name = chance.choice(PLURALS), chance.choice(NAMESPACES), chance.choice(NAMES)
        place = (plural, (namespace, name))
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        server = chance.choice(self._site.servers)
        obj = self._state.get(place)
        if obj is None:
            self._state[place] = self._note(plural, await self._site.ask(server, "POST", path, self._new(plural, name)))
        elif chance.random() < 0.2:
            await self._site.ask(server, "DELETE", f"{path}/{name}", {"gracePeriodSeconds": 0})
            del self._state[place]
        else:
            self._state[place] = self._note(plural, await self._change(server, plural, f"{path}/{name}", obj))

    async def _change(self, server: Handler, plural: str, path: str, obj: Obj) -> Obj:
        chance = self._chance
        if plural == "pods" and chance.random() < 0.4:
            if not obj["spec"].get("nodeName"):
                node = {"apiVersion": "v1", "kind": "Node", "name": chance.choice(NODES)}
                await self._site.ask(server, "POST", f"{path}/binding", {"target": node})
                return await self._site.ask(server, "GET", path)
            phase = chance.choice(("Pending", "Running"))
            return await self._site.ask(server, "PATCH", f"{path}/status", {"status": {"phase": phase}})
        return await self._site.ask(server, "PATCH", path, {"metadata": {"labels": self._labels()}})

    def _labels(self) -> dict[str, str | None]:
        return {"app": self._chance.choice((*APPS, None)), "tier": self._chance.choice(("x", "y", None))}

    def _new(self, plural: str, name: str) -> Obj:
        labels = {key: value for key, value in self._labels().items() if value}
        obj: Obj = {"metadata": {"name": name, "labels": labels}}
        if plural == "pods":
            spec: Obj = {"containers": [{"name": "app", "image": "none"}], "terminationGracePeriodSeconds": 0}
            return {**obj, "spec": spec}
        if plural == "secrets":
            return {**obj, "type": self._chance.choice(("Opaque", "test/other")), "stringData": {"k": name}}
        return {**obj, "data": {"k": name}}

    def _note(self, plural: str, obj: Obj) -> Obj:
        self.acknowledged[plural].append(revision_of(obj))
        self.newest = max(self.newest, revision_of(obj))
        return obj


class Check:
    """One run. `watch` is what each watcher does until `over` is set."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.site = site
        self.chance = chance
        self.load = Load(site, chance)
        self.first = 0
        self.over = asyncio.Event()
        self.segments: list[Segment] = []
        self.lists: list[tuple[Wanted, int, list[Obj]]] = []
        # Known when the writes are over.
        self.history = History()

    async def watch(self, wanted: Wanted, *, pause: float) -> None:
        """Begin, read for a while, stop, resume somewhere, list in between; at last read up to the end."""
        chance = self.chance
        newest = self.first
        while True:
            how, query, after = self._start(newest)
            stream = await open_stream(chance.choice(self.site.servers), wanted, query)
            segment = Segment(wanted, how, after, stream.events)
            self.segments.append(segment)
            if chance.random() < 0.5:
                await self._list(wanted)
            await clock.sleep(pause * chance.uniform(0.2, 3))
            if self.over.is_set():
                segment.to_the_end = True
                await self._end(stream, segment)
                return
            assert all(event["type"] != "ERROR" for event in stream.events), (wanted, how, after, stream.events[-1])
            newest = max([newest, *(revision_of(event["object"]) for event in stream.events)])
            await stream.stop()

    def _start(self, newest: int) -> tuple[str, dict[str, str], int | None]:
        """How a watch begins: its name, its query, and the revision that it resumes after."""
        how = self.chance.choice(("resume", "resume", "anywhere", "anywhere", "bookmarks", "first", "state", "stream"))
        if how == "state":
            return how, self.chance.choice(({}, {"resourceVersion": "0"})), None
        if how == "stream":
            return how, {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan",
                         "allowWatchBookmarks": "true"}, None  # fmt: skip
        after = newest
        if how in ("anywhere", "bookmarks"):
            after = self.chance.randint(self.first, max(self.load.newest, self.first))
        elif how == "first":
            after = self.first
        query = {"resourceVersion": str(after)}
        if how == "bookmarks":
            query["allowWatchBookmarks"] = "true"
        return how, query, after

    async def _list(self, wanted: Wanted) -> None:
        query = dict(wanted.query)
        if self.chance.random() < 0.5:
            revision = self.chance.randint(self.first, max(self.load.newest, self.first))
            query |= {"resourceVersion": str(revision), "resourceVersionMatch": "Exact"}
        found = await self.site.ask(self.chance.choice(self.site.servers), "GET", wanted.path, **query)
        self.lists.append((wanted, int(found["metadata"]["resourceVersion"]), found["items"]))

    async def _end(self, stream: Stream, segment: Segment) -> None:
        """Read until what is to come has come, and a little longer in case that more comes."""
        complete = self._completeness(segment)
        while not complete():
            await clock.sleep(0.02)
        await clock.sleep(0.05)
        await stream.stop()

    def _completeness(self, segment: Segment) -> Callable[[], bool]:
        """A function that says whether the last watch of a watcher has all that is to come."""
        wanted, events = segment.wanted, segment.events
        if segment.after is not None:
            count = len(self.history.expected(wanted, segment.after))
            return lambda: len(changes_of(events)) >= count
        expected = {key_of(obj): revision_of(obj) for obj in self.history.state(wanted, self.load.newest)}
        return lambda: outcome(changes_of(events)) == expected


async def ready(site: Site) -> bool:
    """Whether the first objects of a cluster are there."""
    found = await site.servers[0](Request("GET", "/api/v1/namespaces/kube-system", {}, {}, b"", ADMIN))
    return found.status == 200


async def check(
    site: Site,
    *,
    seed: int,
    grow: Callable[[], Awaitable[Handler]],
    watchers: int = 50,
    writes: int = 400,
    pause: float = 0.01,
) -> Check:
    """Run against `site`; a server that `grow` makes joins after a third of the writes. Raises AssertionError."""
    chance = random.Random(seed)
    run = Check(site, chance)
    server = site.servers[0]
    for namespace in NAMESPACES:
        await site.ask(server, "POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        await site.ask(server, "POST", path, {"metadata": {"name": "default"}})
    listed = await site.ask(server, "GET", "/api/v1/configmaps")
    run.first = int(listed["metadata"]["resourceVersion"])
    everything = [await open_stream(server, Wanted(plural), {"resourceVersion": str(run.first)}) for plural in PLURALS]
    following = [
        tasks.spawn(run.watch(wanted, pause=pause * writes / 20), name="check-watcher")
        for wanted in choose(chance, watchers)
    ]
    for number in range(writes):
        if number == writes // 3:
            site.servers.append(await grow())
        await run.load.write()
        await clock.sleep(pause * chance.random())
    newest = int((await site.ask(server, "GET", "/api/v1/configmaps"))["metadata"]["resourceVersion"])
    run.load.newest = newest
    run.history = await _everything(run, everything, newest)
    run.over.set()
    async with asyncio.timeout(SECONDS_MAX):
        for task in following:
            await task
    compare(run)
    return run


async def _everything(run: Check, streams: list[Stream], newest: int) -> History:
    """The streams of everything once they have all that was acknowledged."""
    async with asyncio.timeout(SECONDS_MAX):
        for plural, stream in zip(PLURALS, streams, strict=True):
            listed = await run.site.ask(run.site.servers[0], "GET", f"/api/v1/{plural}")
            while not _complete(stream, run.load.acknowledged[plural], listed["items"]):
                await clock.sleep(0.01)
    history = History(
        {plural: list(changes_of(stream.events)) for plural, stream in zip(PLURALS, streams, strict=True)}
    )
    for stream in streams:
        await stream.stop()
    for plural, acknowledged in run.load.acknowledged.items():
        revisions = history.revisions(plural)
        assert revisions == sorted(set(revisions)), "a stream of everything is in order, without repetition"
        assert set(acknowledged) <= set(revisions), "every acknowledged write is in the stream of everything"
        assert all(revision <= newest for revision in revisions)
    return history


def _complete(stream: Stream, acknowledged: list[int], items: list[Obj]) -> bool:
    changes = changes_of(stream.events)
    seen = {revision_of(event["object"]) for event in changes}
    return set(acknowledged) <= seen and outcome(changes) == {key_of(item): revision_of(item) for item in items}


def compare(run: Check) -> None:
    """What every watcher and every list got is what the filter makes of the stream of everything."""
    for segment in run.segments:
        _compare_one(run.history, segment)
    for wanted, revision, items in run.lists:
        _same(wanted, "list", items, _whole(run.history.state(wanted, revision), items))


def _compare_one(history: History, segment: Segment) -> None:
    wanted, events = segment.wanted, segment.events
    changes = changes_of(events)
    if segment.after is not None:
        return _continues(history, segment, changes, segment.after)
    candidates = [0, *history.revisions(wanted.plural)]
    if segment.how == "stream":
        ends = [place for place, event in enumerate(events) if "annotations" in event["object"]["metadata"]
                and event["type"] == "BOOKMARK"]  # fmt: skip
        if not ends:
            assert not segment.to_the_end, f"{wanted}: the initial events have no end"
            return None
        candidates = [revision_of(events[ends[0]]["object"])]
    problems = []
    for at in candidates:
        state = history.state(wanted, at)
        try:
            got = changes[: len(state)]
            assert all(event["type"] == "ADDED" for event in got)
            if len(got) == len(state):
                _same(wanted, "state", [event["object"] for event in got], state)
                _continues(history, segment, changes[len(state) :], at)
            return None
        except AssertionError as problem:
            problems.append(problem)
    raise AssertionError(f"{wanted} {segment.how}: the events fit no state that was") from problems[-1]


def _continues(history: History, segment: Segment, changes: list[Obj], after: int) -> None:
    """The changes are the first ones after a revision; all of them when the watch was read to the end."""
    expected = history.expected(segment.wanted, after)
    if not segment.to_the_end:
        expected = expected[: len(changes)]
    _same(segment.wanted, f"{segment.how} after {after}", changes, expected)


def _whole(objects: list[Obj], items: list[Obj]) -> list[Obj]:
    """Objects as lists of one kind have them: without kind and apiVersion where the list has none."""
    if items and "kind" not in items[0]:
        return [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in objects]
    return objects


def _same(wanted: Wanted, what: str, got: list[Obj], expected: list[Obj]) -> None:
    for place, (one, other) in enumerate(zip(got, expected, strict=False)):
        assert one == other, f"{wanted} {what}: number {place} is {one}, not {other}"
    assert len(got) == len(expected), f"{wanted} {what}: {len(got)} in place of {len(expected)}"
