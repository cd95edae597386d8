"""Stories of watchers that push: what waits is sent without waking the stream, as long as it is taken."""

from __future__ import annotations

import asyncio

import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import POD
from homeostat.apiserver.cache import selection, stored_form
from homeostat.apiserver.cache.cached_objects import maker
from homeostat.apiserver.cache.watchers import Watcher, Watchers
from homeostat.apiserver.cache.window import Change
from homeostat.kit import tasks, virtual


class Client:
    """Takes what is pushed while it is `ready`."""

    def __init__(self) -> None:
        self.ready = True
        self.pushed: list[bytes] = []

    def push(self, chunk: bytes) -> bool:
        if self.ready:
            self.pushed.append(chunk)
        return self.ready


def watcher(**query: str) -> Watcher:
    return Watcher(
        selection.parse(Catalogue.builtin().resource(POD), "default", query), 0, events_max=100, bytes_max=10_000
    )


def change(revision: int) -> Change:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}
    value = stored_form.frame(b"{}", stored_form.encode(obj), 0.0)
    item = maker({})("default/p", value, revision)
    return Change(item, None, deleted=False)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def sleeping(watching: Watcher) -> tuple[list[bytes], asyncio.Task[None]]:
    """A stream that sleeps on the watcher, and what it took."""
    taken: list[bytes] = []

    async def stream() -> None:
        while not watching.closed:
            await watching.wait()
            taken.append(watching.take())

    task = tasks.spawn(stream(), name="stream")
    await turns()
    return taken, task


def run(scenario) -> None:
    virtual.run(scenario, seed=1)


def test_changes_are_pushed_together_and_the_stream_sleeps_on() -> None:
    async def scenario() -> None:
        crowd, client, watching = Watchers(), Client(), watcher()
        crowd.add(watching)
        watching.push_by(client.push)
        taken, task = await sleeping(watching)
        first, second, third = change(1), change(2), change(3)
        crowd.dispatch(first)
        crowd.dispatch(second)
        await turns()
        crowd.dispatch(third)
        await turns()
        assert client.pushed == [first.line() + second.line(), third.line()]
        assert taken == []
        await tasks.stop(task)

    run(scenario)


def test_what_is_not_taken_comes_through_the_stream_with_what_came_since() -> None:
    async def scenario() -> None:
        crowd, client, watching = Watchers(), Client(), watcher()
        crowd.add(watching)
        watching.push_by(client.push)
        taken, task = await sleeping(watching)
        client.ready = False
        changes = [change(revision) for revision in (1, 2, 3)]
        crowd.dispatch(changes[0])
        crowd.dispatch(changes[1])
        await asyncio.sleep(0)
        crowd.dispatch(changes[2])
        await turns()
        assert client.pushed == []
        assert b"".join(taken) == b"".join(change.line() for change in changes)
        client.ready = True
        crowd.dispatch(change(4))
        await turns()
        assert client.pushed == [change(4).line()]
        await tasks.stop(task)

    run(scenario)


def test_the_end_of_a_watch_comes_through_the_stream() -> None:
    async def scenario() -> None:
        crowd, client, watching = Watchers(), Client(), watcher()
        crowd.add(watching)
        watching.push_by(client.push)
        taken, task = await sleeping(watching)
        crowd.dispatch(change(1))
        watching.close()
        await task
        assert client.pushed == []
        assert taken == [change(1).line()]

    run(scenario)


def test_a_stream_that_is_cancelled_pushes_no_more() -> None:
    async def scenario() -> None:
        crowd, client, watching = Watchers(), Client(), watcher()
        crowd.add(watching)
        watching.push_by(client.push)
        _, task = await sleeping(watching)
        crowd.dispatch(change(1))
        task.cancel()
        await turns()
        assert client.pushed == []

    run(scenario)


@pytest.mark.parametrize("same", [True, False])
def test_watchers_share_a_chunk_only_of_the_same_lines(same: bool) -> None:
    async def scenario() -> None:
        crowd, clients = Watchers(), [Client(), Client()]
        streams = []
        for client, query in zip(clients, ({}, {} if same else {"fieldSelector": "spec.nodeName!=a"}), strict=True):
            watching = watcher(**query)
            watching.after = 0 if same or not query else 1
            crowd.add(watching)
            watching.push_by(client.push)
            streams.append((await sleeping(watching))[1])
        changes = [change(revision) for revision in (1, 2, 3)]
        for one in changes:
            crowd.dispatch(one)
        await turns()
        lines = [change.line() for change in changes]
        assert clients[0].pushed == [b"".join(lines)]
        assert clients[1].pushed == [b"".join(lines if same else lines[1:])]
        assert (clients[0].pushed[0] is clients[1].pushed[0]) is same
        await tasks.stop(*streams)

    run(scenario)
