"""Decisions become writes once, in order, with retries, and never on a cache that lacks the key's own writes."""

from collections import Counter
from itertools import pairwise

import orjson
import pytest

from homeostat.api import errors
from homeostat.kit import clock, virtual
from homeostat.loop.contract import (
    Absent,
    Confirm,
    Create,
    Delete,
    DeleteCollection,
    Later,
    Loop,
    Patch,
    Record,
    Update,
    Watch,
)
from homeostat.loop.manager import Manager
from homeostat.loop.perform import Performer, runs
from homeostat.loop.recorder import EventRecorder


def owner_keys(old, new, world):
    obj = new or old
    return [f"{obj['metadata']['namespace']}/{ref['name']}" for ref in obj["metadata"].get("ownerReferences", ())]


def replicas_loop(pod, replicaset):
    """The heart of a ReplicaSet: as many pods as asked."""

    def decide(key, world):
        namespace, _, name = key.partition("/")
        owner = world.get(replicaset, namespace, name)
        if owner is None:
            return []
        pods = [pod for pod in world.owned(pod, owner["metadata"]["uid"]) if "deletionTimestamp" not in pod["metadata"]]
        missing = owner["spec"]["replicas"] - len(pods)
        reference = {"kind": "ReplicaSet", "name": name, "uid": owner["metadata"]["uid"], "controller": True}
        metadata = {"generateName": f"{name}-", "namespace": namespace, "ownerReferences": [reference]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        if missing >= 0:
            return [Create(pod, body, note="too few")] * missing
        return [
            Delete(pod, namespace, obj["metadata"]["name"], uid=obj["metadata"]["uid"], note="too many")
            for obj in pods[:-missing]
        ]

    return Loop("replicas", (Watch(replicaset), Watch(pod, keys=owner_keys)), decide)


def run_loops(api, loops, story):
    async def main():
        manager = Manager(api.client(), loops, "test")
        await manager.start()
        await story(manager)
        await manager.stop()

    virtual.run(main, seed=1)


def test_it_makes_what_is_missing_and_removes_what_is_too_much(api, pod, replicaset):
    async def story(manager):
        api.put(replicaset, "web", spec={"replicas": 20})
        await clock.sleep(2)
        assert len(api.names(pod)) == 20
        assert all(name.startswith("web-") for name in api.names(pod))
        api.put(replicaset, "web", spec={"replicas": 3})
        await clock.sleep(2)
        assert len(api.names(pod)) == 3
        assert manager.idle

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def test_a_slow_watch_never_makes_it_create_twice(api, pod, replicaset):
    """The reason for holding keys: a decision on a cache without the own writes would double them."""
    api.watch_delay = 0.3

    async def story(manager):
        api.put(replicaset, "web", spec={"replicas": 5})
        await clock.sleep(1)
        api.put(replicaset, "web", spec={"replicas": 5, "touched": True})  # a reason to decide again meanwhile
        await clock.sleep(20)
        assert api.created == 5
        assert manager.runners[0].catchup.expired == 0

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def test_a_create_whose_answer_was_lost_is_not_doubled(api, pod, replicaset):
    async def main():
        client = api.client([api.handle, api.handle])
        manager = Manager(client, [replicas_loop(pod, replicaset)], "test")
        await manager.start()
        api.lose_answers = ["POST", "POST"]
        api.put(replicaset, "web", spec={"replicas": 3})
        await clock.sleep(5)
        assert len(api.names(pod)) == 3
        await manager.stop()

    virtual.run(main, seed=1)


def test_creates_start_slowly_and_stop_at_the_first_failure(api, pod, replicaset):
    """Kubernetes' slowStartBatch: 1, 2, 4, ... so that a quota or a dead server costs one request, not hundreds."""
    create = Create(pod, {})
    delete = Delete(pod, "", "x")
    sizes = [len(run) for run in runs([create] * 10 + [delete] * 3 + [Later(1)] * 2 + [create])]
    assert sizes == [10, 3, 1, 1, 1]

    async def story(manager):
        api.fail_next = [("POST", errors.forbidden("pods", "", "", "exceeded quota"))]
        api.put(replicaset, "web", spec={"replicas": 50})
        await clock.sleep(0.004)
        assert api.created == 0
        await clock.sleep(1)
        assert api.created == 50

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def _creates(pod, number):
    return [Create(pod, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{at}"}}) for at in range(number)]


class _Slow:
    """A client whose creates take a given time, and which notes how many were sent by when."""

    def __init__(self, seconds=lambda name: 1.0, failing=()):
        self.sent, self.under_way, self.under_way_max = [], 0, 0
        self._seconds, self._failing = seconds, failing

    async def create(self, kind, obj, *, cause=None):
        name = obj["metadata"]["name"]
        self.sent.append((clock.monotonic(), name))
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        await clock.sleep(self._seconds(name))
        self.under_way -= 1
        if name in self._failing:
            raise errors.forbidden("pods", "", name, "exceeded quota")
        return obj

    def counts(self):
        """How many were sent in each second."""
        began = self.sent[0][0]
        return [number for _, number in sorted(Counter(int(moment - began + 0.5) for moment, _ in self.sent).items())]


def _performer(client):
    return Performer(client, "test/x", recorder=EventRecorder(client, "x"), informers={})


def test_each_success_lets_one_more_be_under_way(pod):
    async def main():
        client = _Slow()
        assert (await _performer(client).perform("default/web", _creates(pod, 100), ())).error is None
        assert client.counts() == [1, 2, 4, 8, 16, 32, 32, 5]
        assert client.under_way_max == 32
        assert [name for _, name in client.sent] == [f"p{at}" for at in range(100)], "in their order"

    virtual.run(main, seed=1)


def test_one_slow_write_holds_up_no_other(pod):
    async def main():
        client = _Slow(lambda name: 50.0 if name == "p1" else 1.0)
        began = clock.monotonic()
        await _performer(client).perform("default/web", _creates(pod, 60), ())
        assert clock.monotonic() - began == pytest.approx(51.0)
        assert client.sent[-1][0] - began < 10.0

    virtual.run(main, seed=1)


@pytest.mark.parametrize(("failing", "sent_max"), [(0, 1), (1, 3), (6, 15), (20, 43)])
def test_after_k_successes_at_most_2k_and_1_were_sent(pod, failing, sent_max):
    """As many as Kubernetes' batches of 1, 2, 4, ... cost at most."""

    async def main():
        client = _Slow(failing={f"p{at}" for at in range(failing, 200)})
        outcome = await _performer(client).perform("default/web", _creates(pod, 200), ())
        assert outcome.error is not None
        assert len(client.sent) <= sent_max
        assert client.under_way == 0, "what was under way has ended"

    virtual.run(main, seed=1)


def test_a_mistake_ends_the_round_for_all(pod):
    async def main():
        client = _Slow()
        broken = Create(pod, {"metadata": None})
        with pytest.raises(AttributeError):
            await _performer(client).perform("default/web", [*_creates(pod, 3), broken, *_creates(pod, 100)], ())
        assert client.under_way == 0
        assert len(client.sent) <= 7

    virtual.run(main, seed=1)


def test_a_key_whose_last_round_went_well_begins_with_more_at_once_and_a_failure_makes_it_slow_again(api, pod):
    """To begin with one each time would cost a set of thousands many round trips."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "web-", "namespace": "default"}}
    creates = [Create(pod, body)] * 200

    async def main():
        performer = _performer(api.client())

        async def round_trips(key="default/web"):
            began = clock.monotonic()
            await performer.perform(key, creates, ())
            return round((clock.monotonic() - began) / 0.001)

        assert [await round_trips(), await round_trips(), await round_trips("default/other")] == [11, 7, 11]
        api.fail_next = [("POST", errors.forbidden("pods", "", "", "exceeded quota"))]
        assert [await round_trips(), await round_trips(), await round_trips()] == [1, 11, 7]

    virtual.run(main, seed=1)


def test_other_errors_back_off_from_5_ms_doubling(api, pod, replicaset):
    tries = []

    def decide(key, world):
        tries.append(round(world.now - 1_800_000_000, 4))
        return [Create(pod, {"metadata": {"name": "p", "namespace": "default"}})] if world.list(replicaset) else []

    async def story(manager):
        api.fail_next = [("POST", errors.internal("no"))] * 5
        api.put(replicaset, "web")
        await clock.sleep(5)
        gaps = [round(after - before, 3) for before, after in pairwise(tries)]
        assert gaps == [0.006, 0.011, 0.021, 0.041, 0.081]  # each with a request of 1 ms

    run_loops(api, [Loop("one", (Watch(replicaset),), decide)], story)


def test_an_unreachable_api_is_tried_again_within_a_second_however_long_it_was_away(api, pod, replicaset):
    async def story(manager):
        api.put(replicaset, "web", spec={"replicas": 0})
        await clock.sleep(1)
        api.put(replicaset, "web", spec={"replicas": 2})
        api.fail_next = [("POST", ConnectionResetError("x"))] * 30
        await clock.sleep(32)
        assert len(api.names(pod)) == 2
        assert manager.runners[0].counters.unreachable == 30

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def test_a_conflict_waits_for_the_cache_and_decides_again(api, replicaset):
    def decide(key, world):
        obj = world.get(replicaset, "default", "web")
        if obj is None or obj.get("status") == {"seen": obj["spec"]["n"]}:
            return []
        return [Update(replicaset, obj | {"status": {"seen": obj["spec"]["n"]}}, subresource="status")]

    async def story(manager):
        api.watch_delay = 0.2
        api.put(replicaset, "web", spec={"n": 1})
        await clock.sleep(0.2)
        api.put(replicaset, "web", spec={"n": 2})  # in the API, but not in the cache when the first decision writes
        await clock.sleep(10)
        runner = manager.runners[0]
        assert runner.counters.conflicts == 1
        assert api.objects[("replicasets", "default", "web")]["status"] == {"seen": 2}

    run_loops(api, [Loop("status", (Watch(replicaset),), decide)], story)


def test_deleting_or_patching_what_is_gone_is_done(api, pod, replicaset):
    def decide(key, world):
        return [Delete(pod, "default", "nobody"), Patch(pod, "default", "nobody", {"x": 1}), Create(pod, body)]

    body = {"metadata": {"name": "p", "namespace": "default"}}

    async def story(manager):
        api.put(replicaset, "web")
        await clock.sleep(1)
        assert api.names(pod) == ["p"]
        assert manager.runners[0].counters.errors == 0

    run_loops(api, [Loop("one", (Watch(replicaset), Watch(pod, keys=lambda *_: ())), decide)], story)


def test_graceful_deletion_counts_as_seen_when_it_is_marked(api, pod, replicaset):
    api.graceful = True

    async def story(manager):
        api.put(replicaset, "web", spec={"replicas": 2})
        await clock.sleep(1)
        api.put(replicaset, "web", spec={"replicas": 1})
        await clock.sleep(1)
        deletes = [path for method, path in api.journal if method == "DELETE"]
        assert len(deletes) == 1
        assert manager.idle

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def test_a_key_whose_event_never_comes_is_let_go_after_ten_seconds(api, pod, replicaset):
    decided = []

    def decide(key, world):
        decided.append(round(world.now - 1_800_000_000))
        return [Create(pod, {"metadata": {"name": "p", "namespace": "default"}})] if len(decided) == 1 else []

    async def story(manager):
        api.muted = {"pods"}
        api.put(replicaset, "web")
        await clock.sleep(1)
        api.put(replicaset, "web")
        await clock.sleep(30)
        assert decided == [0, 10]
        assert manager.runners[0].catchup.expired == 1

    run_loops(api, [Loop("one", (Watch(replicaset), Watch(pod, keys=lambda *_: ())), decide)], story)


def test_every_write_says_why(api, pod, replicaset):
    async def story(manager):
        api.put(replicaset, "web", spec={"replicas": 1})
        await clock.sleep(1)
        api.remove(pod, api.names(pod)[0])
        await clock.sleep(1)
        first, second = [orjson.loads(cause) for cause in api.causes]
        assert first["loop"] == "test/replicas"
        assert first["key"] == "default/web"
        assert first["note"] == "too few"
        assert first["seen"] == [{"kind": "ReplicaSet", "namespace": "default", "name": "web", "revision": 1}]
        assert second["seen"][0]["kind"] == "Pod"
        assert second["seen"][0]["revision"] == 3

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def test_later_decides_again_without_any_change(api, replicaset):
    moments = []

    def decide(key, world):
        moments.append(round(world.now - 1_800_000_000))
        return [Later(10.0)] if len(moments) < 3 else []

    async def story(manager):
        await clock.sleep(100)
        assert moments == [0, 10, 20]

    run_loops(api, [Loop("clock", (Watch(replicaset),), decide, start_keys=("all",))], story)


def test_a_mistake_in_a_decision_or_a_mapping_harms_no_other_key(api, pod, replicaset):
    failures = []

    def decide(key, world):
        if key == "default/bad":
            failures.append(world.failure)
            raise KeyError("spec")
        return [Create(pod, {"metadata": {"name": "p", "namespace": "default"}}, ignore_exists=True)]

    def bad_keys(old, new, world):
        raise ValueError

    async def story(manager):
        api.put(replicaset, "bad")
        api.put(replicaset, "good")
        await clock.sleep(0.5)
        assert api.names(pod) == ["p"]
        assert failures[:2] == ["", "KeyError: 'spec'"]
        assert manager.runners[0].counters.mistakes >= 3

    run_loops(api, [Loop("one", (Watch(replicaset), Watch(pod, keys=bad_keys)), decide, parallel=1)], story)


def test_confirm_asks_the_api_and_not_the_cache(api, pod, replicaset):
    def decide(key, world):
        absent = Absent(replicaset, "default", "owner", uid="uid-1")
        return [Confirm((absent,), (Delete(pod, "default", "p"),)), Confirm((Absent(pod, "empty"),), (marker,))]

    marker = Create(pod, {"metadata": {"name": "marker", "namespace": "default"}}, ignore_exists=True)

    async def story(manager):
        api.put(replicaset, "owner")
        api.put(pod, "p")
        await clock.sleep(1)
        assert api.names(pod) == ["marker", "p"]
        api.remove(replicaset, "owner")
        await clock.sleep(1)
        assert api.names(pod) == ["marker"]

    run_loops(api, [Loop("gc", (Watch(replicaset),), decide)], story)


def test_events_report_outcomes(api, pod, replicaset):
    def decide(key, world):
        owner = world.get(replicaset, "default", "web")
        body = {"metadata": {"name": "p", "namespace": "default"}}
        done = Record(owner, "SuccessfulCreate", "Created pod: {name}")
        failed = Record(owner, "FailedCreate", "Error creating: {error}", "Warning")
        return [Create(pod, body, done=done, failed=failed)] if not world.get(pod, "default", "p") else []

    async def story(manager):
        api.fail_next = [("POST", errors.forbidden("pods", "", "p", "no quota"))]
        api.put(replicaset, "web")
        await clock.sleep(1)
        events = [obj for (plural, _, _), obj in api.objects.items() if plural == "events"]
        assert [(event["reason"], event["message"]) for event in events] == [
            ("FailedCreate", 'Error creating: pods "p" is forbidden: no quota'),
            ("SuccessfulCreate", "Created pod: p"),
        ]

    run_loops(api, [Loop("one", (Watch(replicaset), Watch(pod, keys=lambda *_: ())), decide)], story)


def test_a_collection_is_deleted_in_one_request(api, pod, replicaset):
    async def story(manager):
        api.put(replicaset, "web")
        await clock.sleep(0.1)
        assert ("DELETE", "/api/v1/namespaces/gone/pods") in api.journal

    run_loops(api, [Loop("ns", (Watch(replicaset),), lambda key, world: [DeleteCollection(pod, "gone")])], story)


def test_stopped_loops_write_nothing_and_start_again_from_warm_caches(api, pod, replicaset):
    async def story(manager):
        await manager.stop_loops()
        api.put(replicaset, "web", spec={"replicas": 1})
        await clock.sleep(20)
        assert api.names(pod) == []
        lists = sum(1 for method, path in api.journal if path.endswith("replicasets"))
        await manager.start()
        await clock.sleep(1)
        assert len(api.names(pod)) == 1
        assert sum(1 for method, path in api.journal if path.endswith("replicasets")) == lists

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def test_loops_stopped_in_the_midst_of_a_key_work_on_it_when_they_start_again(api, pod, replicaset):
    """A leader that lost its lease and takes it again. Found by the simulation."""

    async def story(manager):
        api.watch_delay = 2.0
        api.put(replicaset, "web", spec={"replicas": 1})
        await clock.sleep(3)
        assert len(api.names(pod)) == 1  # written, and held until the cache has it
        await manager.stop_loops()
        await clock.sleep(5)
        api.put(replicaset, "web", spec={"replicas": 3})
        await manager.start()
        await clock.sleep(10)
        assert len(api.names(pod)) == 3

    run_loops(api, [replicas_loop(pod, replicaset)], story)


def test_shared_caches_trim_only_when_all_watchers_agree(api, pod):
    def trim(obj):
        return {"metadata": obj["metadata"]}

    def kept(*trims):
        loops = [Loop("l", (Watch(pod, trim=trim),), lambda key, world: []) for trim in trims]
        fields = []

        async def story(manager):
            fields.extend(manager.informers[("", "Pod")].objects.list()[0])

        run_loops(api, loops, story)
        return fields

    api.put(pod, "p", spec={})
    assert kept(trim, trim) == ["metadata"]
    assert "spec" in kept(trim, None)


def test_a_decision_knows_of_the_last_deletions_when_its_loop_asks_for_them(api, pod, replicaset):
    seen = {}

    def deciding(name):
        def decide(key, world):
            seen[name] = [world.was_deleted(uid) for uid in uids]
            return []

        return decide

    async def story(manager):
        uids.extend(api.put(pod, name)["metadata"]["uid"] for name in ("a", "b", "c"))
        await clock.sleep(1)
        for name in ("a", "b", "c"):
            api.remove(pod, name)
        await clock.sleep(1)

    uids: list[str] = []
    loops = [
        Loop("knows", (Watch(pod),), deciding("knows"), deletions_max=2),
        Loop("does-not", (Watch(pod),), deciding("does-not")),
    ]
    run_loops(api, loops, story)
    assert seen == {"knows": [False, True, True], "does-not": [False, False, False]}
