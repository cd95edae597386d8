"""What happens to a key after each outcome of its round (controller-runtime's reconcileHandler)."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from homeostat.api import errors
from homeostat.client.contract import Unreachable
from homeostat.kit import clock, virtual
from homeostat.loop import runner
from homeostat.loop.contract import Create, Later, Loop, Remember, remembering
from homeostat.loop.perform import Outcome
from homeostat.loop.recorder import EventRecorder
from homeostat.loop.runner import Counters, LoopRunner

KEY = "default/web"
NOT_NOW = errors.ApiError(503, "ServiceUnavailable", "the store does not answer")
CONFLICT = errors.conflict("pods", "", "web", "the object has been modified")
REFUSED = errors.forbidden("pods", "", "web", "exceeded quota")
MISTAKE = KeyError("spec")
DOUBLING = [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56]
WITHIN_A_SECOND = [*DOUBLING[:8], 1.0, 1.0]


class Script:
    """Replaces the performer: each round ends as the next of `outcomes` says, and then well."""

    def __init__(self, outcomes):
        self.outcomes = list(outcomes)
        self.seen = []

    async def perform(self, key, actions, seen):
        self.seen.append(seen)
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome()
        if isinstance(outcome.error, KeyError):
            raise outcome.error
        return outcome


def played(api, outcomes, *, seconds=60.0, decide=None, again_at=()):
    """When the key was decided about, the failures that the decisions saw, and the runner."""
    moments, failures = [], []

    def noted(key, world):
        moments.append(round(clock.monotonic() - begun[0], 4))
        failures.append(world.failure)
        return decide(key, world) if decide else []

    begun = [0.0]

    async def main():
        client = api.client()
        loop = Loop("one", (), noted, start_keys=(KEY,))
        leader = LoopRunner(loop, client, informers={}, recorder=EventRecorder(client, "test"), component="test")
        leader.performer = Script(outcomes)
        begun[0] = clock.monotonic()
        await leader.start()
        for at in again_at:
            await clock.sleep(begun[0] + at - clock.monotonic())
            leader.queue.add(KEY)
        await clock.sleep(begun[0] + seconds - clock.monotonic())
        assert leader.idle
        await leader.stop()
        return leader

    return moments, failures, virtual.run(main, seed=1)


def gaps(moments):
    return [round(after - before, 3) for before, after in pairwise(moments)]


@pytest.mark.parametrize(
    ("error", "pauses", "counted", "failure"),
    [
        pytest.param(None, [], Counters(decisions=1), None, id="done: forgotten"),
        pytest.param(
            CONFLICT, DOUBLING, Counters(11, conflicts=10), CONFLICT.message, id="stale cache: backs off, counted apart"
        ),
        pytest.param(REFUSED, DOUBLING, Counters(11, errors=10), REFUSED.message, id="refused: backs off"),
        pytest.param(errors.internal("no"), DOUBLING, Counters(11, errors=10), None, id="server's fault: backs off"),
        pytest.param(NOT_NOW, WITHIN_A_SECOND, Counters(11, unreachable=10), NOT_NOW.message, id="cannot now"),
        pytest.param(Unreachable("nobody"), WITHIN_A_SECOND, Counters(11, unreachable=10), "nobody", id="unreachable"),
        pytest.param(errors.ApiError(429, "TooManyRequests", "x"), WITHIN_A_SECOND, None, "x", id="too many requests"),
        pytest.param(errors.ApiError(504, "Timeout", "x"), WITHIN_A_SECOND, None, "x", id="timed out"),
        pytest.param(MISTAKE, DOUBLING, Counters(11, mistakes=10), "KeyError: 'spec'", id="mistake: backs off"),
    ],
)
def test_how_soon_a_key_comes_again(api, caplog, error, pauses, counted, failure):
    with caplog.at_level(logging.CRITICAL):
        moments, failures, one = played(api, [Outcome(error=error) for _ in pauses])
    assert gaps(moments) == pauses
    assert counted is None or one.counters == counted
    assert failure is None or set(failures[1:]) <= {failure}
    assert failures[0] == ""


@pytest.mark.parametrize("error", [None, REFUSED], ids=["done", "refused"])
def test_what_was_to_be_looked_at_later_is_whatever_became_of_the_rest(api, error):
    moments, _, _ = played(api, [Outcome(later_seconds=7.0, error=error)])
    assert moments == ([0, 7] if error is None else [0, 0.005])


def test_a_round_that_went_well_forgets_the_failures_before_it(api):
    refused = Outcome(error=REFUSED)
    moments, failures, _ = played(api, [refused, refused, Outcome(), refused], again_at=(1,))
    assert gaps(moments) == [0.005, 0.01, round(1 - 0.015, 3), 0.005]
    assert failures == ["", REFUSED.message, REFUSED.message, "", REFUSED.message]


def test_an_api_that_was_away_does_not_lengthen_the_pause_after_a_refusal(api):
    """Cut short by the second that an unreachable API is given, pauses count no further."""
    away = [Outcome(error=NOT_NOW)] * 20
    moments, _, _ = played(api, [*away, Outcome(error=REFUSED)])
    assert gaps(moments)[-1] == 1.28


def test_a_key_that_is_added_while_it_rests_waits_for_the_end_of_its_rest(api, monkeypatch):
    monkeypatch.setattr(runner, "rest_after", lambda decision_seconds: 0.5)
    moments, _, _ = played(api, [], again_at=(0.1, 0.2))
    assert moments == [0, 0.5]


def counting(key, world, memory):
    if memory == (1, 2):
        return [], ()
    return [Later(1.0)], (*memory, len(memory) + 1)


def test_a_decision_gets_the_memory_that_its_last_one_handed_back(api):
    known = []

    def decide(key, world):
        known.append(world.memory)
        return remembering(counting, ())(key, world)

    _, _, one = played(api, [Outcome(later_seconds=1.0), Outcome(later_seconds=1.0)], decide=decide)
    assert known == [None, (1,), (1, 2)]
    assert one._memories == {}, "an empty memory is not kept"


def test_a_memory_is_kept_though_the_actions_fail(api):
    known = []

    def decide(key, world):
        known.append(world.memory)
        return [Create(None, {}), Remember("seen")]

    played(api, [Outcome(error=REFUSED)], decide=decide)
    assert known == [None, "seen"]


def test_a_decision_that_fails_changes_no_memory(api, caplog):
    known = []

    def decide(key, world):
        known.append(world.memory)
        if len(known) == 2:
            raise MISTAKE
        return [Remember(len(known)), Later(1.0)]

    with caplog.at_level(logging.CRITICAL):
        played(api, [Outcome(later_seconds=1.0)], decide=decide)
    assert known == [None, 1, 1]


def test_a_new_term_begins_without_the_memory_and_the_rests_of_the_former(api, monkeypatch):
    monkeypatch.setattr(runner, "rest_after", lambda decision_seconds: 90.0)
    known = []

    def decide(key, world):
        known.append(world.memory)
        return [Remember("of this term")]

    async def main():
        client = api.client()
        loop = Loop("one", (), decide, start_keys=(KEY,))
        leader = LoopRunner(loop, client, informers={}, recorder=EventRecorder(client, "test"), component="test")
        for _ in range(2):
            await leader.start()
            await clock.sleep(1)
            assert not leader.idle
            await leader.stop()
        await clock.sleep(100)
        assert leader.idle

    virtual.run(main, seed=1)
    assert known == [None, None]
