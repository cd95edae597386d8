"""Access to time, chance and tasks: forms of times, names, pauses, and tasks whose failures are always logged."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.kit import chance, clock, tasks, virtual
from homeostat.kit.backoff import Backoff

MOMENT = 1_767_323_045.25  # 2026-01-02T03:04:05.25Z


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (clock.rfc3339, "2026-01-02T03:04:05Z"),
        (clock.rfc3339_micro, "2026-01-02T03:04:05.250000Z"),
        (clock.rfc3339_nano, "2026-01-02T03:04:05.250000000Z"),
    ],
)
def test_times_are_written_as_kubernetes_writes_them(write, expected):
    assert write(MOMENT) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02T03:04:05Z", 1_767_323_045.0),
        ("2026-01-02T03:04:05.25Z", MOMENT),
        ("2026-01-02T04:04:05+01:00", 1_767_323_045.0),
        ("2026-01-01T22:04:05-05:00", 1_767_323_045.0),
        ("2026-01-02T03:04:05.250000000Z", MOMENT),
        ("1970-01-01T00:00:00Z", 0.0),
    ],
)
def test_times_are_read_in_every_form_of_rfc_3339(text, seconds):
    assert clock.parse_rfc3339(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00:00Z", "12:00:00Z"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):
        clock.parse_rfc3339(text)


@given(st.integers(0, 4_000_000_000))
def test_a_time_that_is_written_and_read_is_the_same(seconds):
    assert clock.parse_rfc3339(clock.rfc3339(seconds)) == seconds


@given(st.floats(0, 4_000_000_000))
def test_micro_times_keep_their_order(seconds):
    assert clock.rfc3339_micro(seconds) <= clock.rfc3339_micro(seconds + 0.001)


@given(st.floats(0.001, 60), st.floats(60, 3600), st.integers(0, 10_000))
def test_pauses_grow_to_their_ceiling_and_never_beyond(first, ceiling, attempt):
    backoff = Backoff(first_seconds=first, ceiling_seconds=ceiling)
    assert first <= backoff.delay(attempt) <= ceiling
    assert backoff.delay(attempt) <= backoff.delay(attempt + 1)


@pytest.mark.parametrize(("factor", "pauses"), [(2.0, [1, 2, 4, 5, 5]), (1.0, [1, 1, 1, 1, 1]), (3.0, [1, 3, 5, 5, 5])])
def test_the_factor_of_a_pause(factor, pauses):
    backoff = Backoff(first_seconds=1, ceiling_seconds=5, factor=factor)
    assert [backoff.delay(attempt) for attempt in range(5)] == pauses


def drawn(seed):
    async def main():
        return (
            chance.below(10**9),
            chance.uniform(0, 1),
            chance.choice("abcdef"),
            chance.uuid4(),
            chance.name_suffix(),
            chance.token_hex(16),
        )

    return virtual.run(main, seed=seed)


def test_a_seed_gives_the_same_draws_again_and_another_seed_others():
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@given(st.integers(0, 1000), st.integers(1, 12))
def test_suffixes_of_names_have_no_vowels_and_their_length(seed, length):
    async def main():
        return chance.name_suffix(length)

    suffix = virtual.run(main, seed=seed)
    assert len(suffix) == length
    assert set(suffix) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_uuids_are_of_version_4():
    identity = drawn(3)[3]
    assert (len(identity), identity[14]) == (36, "4")
    assert identity[19] in "89ab"


def test_a_task_that_fails_is_logged_by_its_name(caplog):
    async def main():
        async def breaks():
            raise RuntimeError("broken inside")

        task = tasks.spawn(breaks(), name="the-broken-one")
        await asyncio.wait([task])
        await clock.sleep(0)

    with caplog.at_level(logging.ERROR):
        virtual.run(main, seed=1)
    assert "the-broken-one" in caplog.text
    assert "broken inside" in caplog.text


def test_stopping_waits_until_tasks_have_cleaned_up_and_bears_none():
    async def main():
        cleaned = []

        async def works():
            try:
                await asyncio.Event().wait()
            finally:
                await clock.sleep(1)
                cleaned.append(clock.monotonic())

        running = tasks.spawn(works(), name="works")
        await clock.sleep(0.1)
        begun = clock.monotonic()
        await tasks.stop(running, None)
        assert cleaned == [begun + 1]
        await tasks.stop(running)

    virtual.run(main, seed=1)


def test_virtual_time_passes_only_when_somebody_waits():
    async def main():
        begun = clock.monotonic(), clock.wall()
        for _ in range(1000):
            await clock.sleep(0)
        assert (clock.monotonic(), clock.wall()) == begun
        await clock.sleep(86_400)
        assert clock.monotonic() - begun[0] == pytest.approx(86_400)
        assert clock.wall() - begun[1] == pytest.approx(86_400)

    virtual.run(main, seed=1)
