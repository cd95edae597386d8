"""Pacing: loops that start last, and keys whose decisions are expensive."""

import pytest

from homeostat.kit import clock, virtual
from homeostat.loop import runner
from homeostat.loop.contract import Loop, Watch
from homeostat.loop.manager import Manager


def counting_loop(name, kind, seen, **options):
    def decide(key, world):
        seen.append((round(clock.monotonic(), 3), key, len(world.list(kind))))
        return []

    return Loop(name, (Watch(kind, keys=lambda old, new, world: ["all"]),), decide, **options)


def run(api, loops, story):
    async def main():
        manager = Manager(api.client(), loops, "test")
        await story(manager)
        await manager.stop()

    virtual.run(main, seed=1)


def test_a_patient_loop_and_its_watches_come_after_the_others(api, pod, replicaset):
    prompt, patient = [], []

    async def story(manager):
        api.put(pod, "web")
        api.put(replicaset, "web")
        await manager.start()
        await clock.sleep(1)
        assert [key for _, key, _ in prompt] == ["all"]
        assert not any("replicasets" in path for _, path in api.journal)
        assert not manager.idle
        await clock.sleep(2)
        assert len(patient) == 1 and patient[0][0] >= 2.0
        assert manager.idle

    loops = [
        counting_loop("patient", replicaset, patient, start_delay_seconds=2.0),
        counting_loop("prompt", pod, prompt),
    ]
    run(api, loops, story)


def test_a_manager_that_no_longer_leads_starts_no_patient_loop(api, replicaset):
    patient = []

    async def story(manager):
        await manager.start()
        await clock.sleep(1)
        await manager.stop_loops()
        api.put(replicaset, "web")
        await clock.sleep(5)
        assert patient == []
        await manager.start()
        await clock.sleep(3)
        assert len(patient) == 1

    run(api, [counting_loop("patient", replicaset, patient, start_delay_seconds=2.0)], story)


def test_after_a_long_decision_changes_gather_before_the_next(api, pod, monkeypatch):
    """As endpointUpdatesBatchPeriod does for Services with thousands of Pods; the first change is answered at once."""
    monkeypatch.setattr(runner, "rest_after", lambda decision_seconds: 0.2)
    seen = []

    async def story(manager):
        await manager.start()
        for number in range(10):
            api.put(pod, f"web-{number}")
            await clock.sleep(0.01)
        await clock.sleep(1)
        assert [count for _, _, count in seen] == [1, 10]
        assert seen[1][0] - seen[0][0] >= 0.2

    run(api, [counting_loop("dear", pod, seen)], story)


@pytest.mark.parametrize(("took", "rest"), [(0.001, 0.0), (0.03, 0.12), (5.0, 0.5)])
def test_the_rest_is_some_multiple_of_a_long_decision_and_bounded(took, rest):
    assert runner.rest_after(took) == pytest.approx(rest)
