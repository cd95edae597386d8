"""Every store against a model that keeps the whole history in a list: any sequence of calls gives the same answers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from homeostat.store.contract import Compacted, Entry, Event, FutureRevision, Stale, Store
from homeostat.store.etcd.members import PATIENT_CALL_SECONDS_MAX
from homeostat.store.etcd.store import EtcdStore
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.store.sqlite import SqliteStore
from tests.support.etcd import EtcdCluster, empty_root

T = TypeVar("T")

NAMES = st.sampled_from(["/a/", "/a/1", "/a/2", "/a/2/x", "/ab", "/b/1", "/b/2", "/c"])
PREFIXES = st.sampled_from(["", "/", "/a", "/a/", "/a/2", "/b/", "/z"])


class Model(RuleBasedStateMachine):
    """The store under test through two handles on one state, as two API servers would have it."""

    kind = "memory"
    # Whether a commit's answer was lost in etcd.
    disturbed = False
    etcd: EtcdCluster | None = None

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.mkdtemp()
        if self.kind == "memory":
            state = MemoryState()
            self.stores: list[Store] = [MemoryStore(state), MemoryStore(state)]
        elif self.kind == "etcd":
            assert self.etcd is not None
            root = self.run(empty_root(self.etcd.endpoints))
            self.stores = [
                EtcdStore(self.etcd.endpoints, root=root, call_seconds=PATIENT_CALL_SECONDS_MAX) for _ in range(2)
            ]
        else:
            self.stores = [SqliteStore(Path(self.folder) / "store.db", synchronous="OFF") for _ in range(2)]
        for store in self.stores:
            self.run(store.start())
        self.log: list[Event] = []
        self.compacted = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(asyncio.wait_for(work, 20))

    def teardown(self) -> None:
        for store in self.stores:
            if isinstance(store, EtcdStore) and store._commits._epoch:
                type(self).disturbed = True
            self.run(store.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def at(self, revision: int) -> dict[str, Entry]:
        live: dict[str, Entry] = {}
        for event in self.log[:revision]:
            if event.deleted:
                del live[event.key]
            else:
                live[event.key] = Entry(event.key, event.value, event.revision)
        return live

    @rule(key=NAMES, off=st.sampled_from([0, 0, 0, 1, -1]), value=st.binary(max_size=8), delete=st.booleans())
    def commit(self, key: str, off: int, value: bytes, delete: bool) -> None:
        current = self.at(len(self.log)).get(key)
        expected = max(0, (current.revision if current else 0) + off)
        fits = (current.revision if current else 0) == expected and not (delete and not current)
        store = self.stores[len(self.log) % 2]
        if fits:
            assert self.run(store.commit(key, expected, value, delete=delete)) == len(self.log) + 1
            self.log.append(Event(key, value, len(self.log) + 1, delete))
        else:
            with pytest.raises(Stale) as caught:
                self.run(store.commit(key, expected, value, delete=delete))
            assert caught.value.current == current

    @rule(keys=st.lists(NAMES, min_size=2, max_size=12), delete=st.booleans())
    def commit_together(self, keys: list[str], delete: bool) -> None:
        live = self.at(len(self.log))

        async def together() -> list[int | BaseException]:
            # In the order in which they are begun, each against what was there before any of them.
            writes = [
                self.stores[0].commit(
                    key, live[key].revision if key in live else 0, b"t", delete=delete and key in live
                )
                for key in keys
            ]
            return await asyncio.gather(*writes, return_exceptions=True)

        answers = self.run(together())
        # Of those for one key, one wins: only a creation after a removal could fit too, and none of these is one.
        won = [(key, answer) for key, answer in zip(keys, answers, strict=True) if not isinstance(answer, Stale)]
        assert sorted({key for key, _ in won}) == sorted(set(keys)) and len(won) == len(set(keys))
        if self.kind == "etcd":
            # Its members take what comes at once in any order.
            won.sort(key=itemgetter(1))  # type: ignore[arg-type]
        else:
            assert [key for key, _ in won] == list(dict.fromkeys(keys))
        for key, answer in won:
            assert answer == len(self.log) + 1
            self.log.append(Event(key, b"t", len(self.log) + 1, delete and key in live))

    @rule(prefix=PREFIXES, back=st.integers(-1, 30), limit=st.integers(0, 4), after=st.one_of(st.just(""), NAMES))
    def listing(self, prefix: str, back: int, limit: int, after: str) -> None:
        revision = max(0, len(self.log) - back)
        store = self.stores[limit % 2]
        at = revision or len(self.log)
        if at > len(self.log) or at < self.compacted:
            with pytest.raises(FutureRevision if at > len(self.log) else Compacted):
                self.run(store.list(prefix, revision=revision, limit=limit, after=after))
            return
        page = self.run(store.list(prefix, revision=revision, limit=limit, after=after))
        live = self.at(at)
        expected = [live[key] for key in sorted(live) if key.startswith(prefix) and (key > after or not after)]
        shown = expected[:limit] if limit else expected
        assert (page.entries, page.revision, page.remaining) == (shown, at, len(expected) - len(shown))

    @rule(prefix=PREFIXES, back=st.integers(0, 30))
    def watch(self, prefix: str, back: int) -> None:
        after = max(0, len(self.log) - back)
        store = self.stores[back % 2]
        expected = [event for event in self.log[after:] if event.key.startswith(prefix)]

        async def read() -> list[Event]:
            seen: list[Event] = []
            watch = store.watch(prefix, after_revision=after)
            while len(seen) < len(expected):
                seen += await anext(watch)
            return seen

        if after < self.compacted:
            with pytest.raises(Compacted) as caught:
                self.run(_first(store, prefix, after))
            assert caught.value.oldest == self.compacted
        else:
            assert self.run(read()) == expected

    @rule(back=st.integers(0, 20))
    def compact(self, back: int) -> None:
        revision = max(0, len(self.log) - back)
        self.run(self.stores[back % 2].compact(revision))
        self.compacted = max(self.compacted, revision)

    @invariant()
    def agree(self) -> None:
        live = self.at(len(self.log))
        for store in self.stores:
            assert self.run(store.revision()) == len(self.log)
            for key in ("/a/1", "/b/2"):
                assert self.run(store.get(key)) == live.get(key)


async def _first(store: Store, prefix: str, after: int) -> list[Event]:
    return await anext(store.watch(prefix, after_revision=after))


class SqliteModel(Model):
    kind = "sqlite"


class EtcdModel(Model):
    kind = "etcd"


@pytest.mark.parametrize(("machine", "examples"), [(Model, 20), (SqliteModel, 8), (EtcdModel, 8)])
def test_a_store_behaves_as_the_model_does(machine: type[Model], examples: int, etcd: EtcdCluster) -> None:
    machine.etcd = etcd
    for last in (False, False, True):
        machine.disturbed = False
        try:
            run_state_machine_as_test(  # type: ignore[no-untyped-call]
                machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=30,
                    deadline=None,
                    derandomize=True,
                    suppress_health_check=list(HealthCheck),
                ),
            )
            return
        except Exception:
            # An answer of etcd was lost, as in an election: finding out what happened takes a revision of its own,
            # which the model does not know.
            if last or not machine.disturbed:
                raise
