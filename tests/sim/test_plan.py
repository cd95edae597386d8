"""Schedules are drawn from the seed and shrink to what is needed; transcripts are what they say."""

from __future__ import annotations

from collections.abc import Sequence

from click.testing import CliRunner

from homeostat.kit import clock, virtual
from homeostat.sim.__main__ import main
from homeostat.sim.record.transcript import Level, Transcript
from homeostat.sim.run import run_seed
from homeostat.sim.schedule import faults
from homeostat.sim.schedule.faults import Fault
from homeostat.sim.schedule.random_schedules import HARD, Bounds, random_schedule, shrink, sized


def schedule(seed: int) -> tuple[Fault, ...]:
    async def draw() -> tuple[Fault, ...]:
        return random_schedule(Bounds())

    return virtual.run(draw, seed=seed)


def test_a_schedule_belongs_to_its_seed() -> None:
    assert schedule(7) == schedule(7)
    assert schedule(7) != schedule(8)


def test_schedules_keep_their_bounds() -> None:
    bounds, seen = Bounds(), set()
    for seed in range(100):
        drawn = schedule(seed)
        assert bounds.faults_min <= len(drawn) <= bounds.faults_max
        moments = [fault.at_seconds for fault in drawn]
        assert moments == sorted(moments)
        assert all(0 <= moment <= bounds.seconds for moment in moments)
        assert all(getattr(fault, "seconds", 0) <= bounds.longest_seconds for fault in drawn)
        seen |= {type(fault).__name__ for fault in drawn}
    everything = {known.__name__ for known in Fault.__subclasses__()}
    assert seen == everything, "every fault there is happens in some seed"


def test_a_fault_says_what_it_is() -> None:
    fault = faults.LoseLeader(at_seconds=3, component="scheduler", way="kill", seconds=2.5)
    assert fault.text() == "lose-leader component=scheduler way=kill seconds=2.5"


def test_a_failing_schedule_shrinks_to_what_is_needed() -> None:
    whole = [faults.KillContainer(at_seconds=number, pick=number) for number in range(17)]
    guilty = {3, 4, 11}
    tries = []

    def fails(part: Sequence[Fault]) -> bool:
        tries.append(part)
        return guilty <= {int(fault.at_seconds) for fault in part}

    assert [fault.at_seconds for fault in shrink(whole, fails)] == [3, 4, 11]
    assert len(tries) < 80


def test_a_run_can_be_limited_to_some_of_its_faults() -> None:
    outcome = run_seed(1, choose=lambda known: known[:1])
    assert len(outcome.schedule) == 1
    assert outcome.passed
    assert outcome.settled_seconds < 60


def test_a_transcript_keeps_what_matters_and_its_digest_all() -> None:
    async def recorded(noise: str) -> Transcript:
        transcript = Transcript()
        transcript.say("fault", "cut worker-1")
        await clock.sleep(1.5)
        transcript.say("write", "Pod a", Level.WRITE)
        transcript.say("write", noise, Level.NOISE)
        return transcript

    first = virtual.run(lambda: recorded("Lease a"), seed=1)
    assert first.lines() == ["     0.000  fault   cut worker-1", "     1.500  write   Pod a"]
    assert first.text(Level.STORY) == "     0.000  fault   cut worker-1\n"
    assert first.digest() != virtual.run(lambda: recorded("Lease b"), seed=1).digest()


def test_the_command_replays_a_seed() -> None:
    result = CliRunner().invoke(main, ["--seed", "2", "--only", "0,1"])
    assert result.exit_code == 0, result.output
    assert "seed 2: 2 faults" in result.output
    assert "all is as it should be" in result.output


def test_the_command_wants_one_seed_or_many() -> None:
    assert CliRunner().invoke(main, []).exit_code == 2
    result = CliRunner().invoke(main, ["--seeds", "3..4"])
    assert "2 seeds in" in result.output
    assert "0 failed" in result.output


def test_seeds_together_have_every_size_there_is() -> None:
    async def draw() -> Bounds:
        return sized(Bounds())

    drawn = [virtual.run(draw, seed=seed) for seed in range(100)]
    assert {bounds.masters for bounds in drawn} == {1, 2, 3}
    assert {len(bounds.apps) for bounds in drawn} == {2, 3, 4}
    assert {app.key for bounds in drawn for app in bounds.apps} == {app.key for app in Bounds().apps}


def test_a_hard_seed_leaves_nothing_out() -> None:
    async def draw() -> Bounds:
        return sized(HARD)

    assert virtual.run(draw, seed=1) == HARD
