"""The journal: every write with its cause, summed up in words; bounded, and without noise."""

from __future__ import annotations

from homeostat.apiserver.settings import Settings
from homeostat.kit import clock
from homeostat.store.memory import MemoryState
from homeostat.wire.cause import HEADER, Seen, WriteCause
from homeostat.wire.message import User

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
JOURNAL = "/homeostat/journal"
NODE = User("system:node:n1", ("system:nodes",))


async def journal(api, **query):
    return (await api.get(JOURNAL, **query))["items"]


def test_a_pods_life_reads_as_a_chain(story):
    async def scenario(api):
        await api.pod("a")
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}
        why = WriteCause("kubelet/n1", "default/a", "container started", (Seen("Pod", "default", "a", 2),))
        status = {"status": {"phase": "Running", "conditions": [ready]}}
        merge = "application/merge-patch+json"
        admin, api.user = api.user, NODE
        await api.ask("PATCH", f"{PODS}/a/status", status, media=merge, headers={HEADER: why.encode().decode()})
        api.user = admin
        await api.merge(f"{PODS}/a", {"metadata": {"labels": {"x": "1"}}})
        await api.ask("DELETE", f"{PODS}/a")
        entries = await journal(api, kind="pod", name="a")
        assert [(entry["verb"], entry["summary"]) for entry in entries] == [
            ("ADDED", "created"),
            ("MODIFIED", "phase Pending -> Running; Ready none -> True"),
            ("MODIFIED", "metadata.labels changed"),
            ("DELETED", "deleted"),
        ]
        assert entries[0]["cause"] == {"loop": "user/admin", "note": "create"}
        assert entries[1]["cause"]["loop"] == "kubelet/n1"
        assert entries[1]["cause"]["seen"][0]["revision"] == 2
        assert [entry["revision"] for entry in entries] == sorted(entry["revision"] for entry in entries)

    story(scenario)


def test_every_server_has_the_whole_journal(story):
    async def scenario(one, other):
        await one.create(MAPS, {"metadata": {"name": "a"}})
        await other.merge(f"{MAPS}/a", {"data": {"x": "1"}})
        await one.settle()
        first, second = [await journal(api, kind="ConfigMap") for api in (one, other)]
        assert first == second
        assert [entry["cause"]["note"] for entry in first] == ["create", "patch"]

    story(scenario, servers=2)


def test_filters_and_limit_choose_the_newest(story):
    async def scenario(api):
        for name in ("a", "b", "c"):
            await api.create(MAPS, {"metadata": {"name": name}})
        await api.pod("a")
        assert [entry["name"] for entry in await journal(api, limit="2")] == ["c", "a"]
        assert [entry["name"] for entry in await journal(api, kind="cm", namespace="default")] == ["a", "b", "c"]
        since = (await journal(api, kind="cm", name="b"))[0]["revision"]
        assert [entry["name"] for entry in await journal(api, since=str(since))] == ["c", "a"]
        assert await journal(api, after="9999999999") == []
        assert (await api.ask("GET", JOURNAL, kind="unheard"))[0] == 400

    story(scenario)


def test_renewals_and_events_are_no_entries_but_a_new_holder_is(story):
    async def scenario(api):
        await api.create(LEASES, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}})
        for second in range(3):
            await api.merge(f"{LEASES}/l", {"spec": {"renewTime": f"2027-01-15T08:00:0{second}.000000Z"}})
        await api.merge(f"{LEASES}/l", {"spec": {"holderIdentity": "b"}})
        event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "namespace": "default", "name": "a"}}
        await api.create("/api/v1/namespaces/default/events", event)
        assert [entry["verb"] for entry in await journal(api, kind="Lease")] == ["ADDED", "MODIFIED"]
        assert await journal(api, kind="Event") == []

    story(scenario)


def test_the_ring_is_bounded_and_summaries_survive_their_objects(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        for number in range(20):
            await api.merge(f"{MAPS}/a", {"data": {"round": str(number)}})
        entries = await journal(api)
        assert len(entries) == 10
        # What comes faster than it can be summed up keeps a rough summary.
        assert {entry["summary"] for entry in entries} == {"data.round changed", "data changed"}
        for number in range(3):
            await api.merge(f"{MAPS}/a", {"data": {"calm": str(number)}})
            await clock.sleep(3)
        assert [entry["summary"] for entry in await journal(api, limit="2")] == ["data.calm changed"] * 2

    story(scenario, settings=Settings(journal_entries=10, journal_bytes=800))


def test_the_last_cause_of_an_object_outlives_a_restart(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        later = type(api)(state, Settings(), None)
        await later.start()
        (entry,) = await journal(later, kind="ConfigMap", namespace="default", name="a")
        assert (entry["cause"]["loop"], entry["time"]) == ("user/admin", 1_800_000_000.0)
        await later.stop()

    state = MemoryState()
    story(scenario, state=state)


def test_a_relaunched_server_knows_what_happened_before_it_began(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}, "data": {"k": "1"}})
        await clock.sleep(5)
        await api.merge(f"{MAPS}/a", {"data": {"k": "2"}})
        await api.ask("DELETE", f"{MAPS}/a")
        later = type(api)(state, Settings(), None)
        await later.start()
        await clock.sleep(1)
        answer = await journal(later, kind="ConfigMap")
        assert [(entry["verb"], entry["time"] - 1_800_000_000, entry["summary"]) for entry in answer] == [
            ("ADDED", 0.0, "created"),
            ("MODIFIED", 5.0, "data.k changed"),
            ("DELETED", 5.0, "deleted"),
        ]
        assert answer == await journal(api, kind="ConfigMap")
        await later.stop()

    state = MemoryState()
    story(scenario, state=state)


def test_nothing_is_summed_up_that_nobody_asks_for_while_there_is_room(story, monkeypatch):
    made = []

    def counted(old, new, *, deleted):
        made.append(new["metadata"]["name"])
        return "summed up"

    async def scenario(api):
        monkeypatch.setattr("homeostat.apiserver.journal.journal.summarize", counted)
        await api.create(MAPS, {"metadata": {"name": "a"}})
        await api.merge(f"{MAPS}/a", {"data": {"k": "1"}})
        await clock.sleep(10)
        later = type(api)(state, Settings(), None)
        await later.start()
        await clock.sleep(10)
        assert not made
        assert [entry["summary"] for entry in await journal(api, name="a")] == ["summed up"] * 2
        assert made == ["a", "a"]
        await later.stop()

    state = MemoryState()
    story(scenario, state=state)
