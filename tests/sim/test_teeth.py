"""The simulation finds what it is for: each of these mistakes, put in on purpose, fails some seed and is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from homeostat.api.errors import ApiError
from homeostat.controllers.services import endpointslice
from homeostat.loop.catchup import Catchup, Wait
from homeostat.loop.contract import Action, Key, Loop, World
from homeostat.loop.informer import Informer
from homeostat.network.userspace.service_proxy import ServiceProxy
from homeostat.node.agent import NodeAgent
from homeostat.sim.clients.workload import App
from homeostat.sim.run import Outcome, run_seed
from homeostat.sim.schedule.random_schedules import HARD
from homeostat.sim.schedule.simulated_user import User

from .planted import PLANTS

_SEEDS = range(1, 13)
_HARD_SEEDS = range(1, 9)
_FOUND_MIN = 6


def first_failure(seeds: Iterable[int] = _SEEDS) -> Outcome:
    for seed in seeds:
        outcome = run_seed(seed)
        if not outcome.passed:
            return outcome
    raise AssertionError("no seed found it")


def test_a_runner_that_does_not_wait_for_its_own_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    hold = Catchup.hold

    def hold_for_nothing(self: Catchup, key: Key, waits: Iterable[Wait], *, rest_seconds: float = 0.0) -> None:
        hold(self, key, (), rest_seconds=rest_seconds)

    monkeypatch.setattr(Catchup, "hold", hold_for_nothing)
    text = "\n".join(first_failure().failures)
    assert "pods, and wants" in text or "pods for worker" in text


def test_a_cache_that_takes_repeated_events_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = Informer._apply

    def forgetful(self: Informer, event: object) -> None:
        self.revision = 0
        apply(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(Informer, "_apply", forgetful)
    assert "at revision" in "\n".join(first_failure().failures)


def test_an_agent_that_leaves_orphans(monkeypatch: pytest.MonkeyPatch) -> None:
    async def end_orphans(self: NodeAgent) -> bool:
        return True

    monkeypatch.setattr(NodeAgent, "_end_orphans", end_orphans)
    assert "keeps a sandbox of pod" in "\n".join(first_failure().failures)


def test_a_proxy_that_misses_changes_of_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ServiceProxy, "_slice_changed", lambda self, old, new: None)
    assert "rules of" in "\n".join(first_failure().failures)


def test_a_watch_that_skips_what_happened_while_it_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a break, an informer that continues from now instead of from what it has seen."""
    watch = Informer._watch

    async def careless(self: Informer) -> None:
        self.revision += 5
        await watch(self)

    monkeypatch.setattr(Informer, "_watch", careless)
    assert first_failure().failures


def test_a_loop_that_raises_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    original = endpointslice.loop

    def broken(key: Key, view: World) -> list[Action]:
        raise ZeroDivisionError("a mistake")

    def loop(*, endpoints_per_slice_max: int, parallel: int) -> Loop:
        whole = original(endpoints_per_slice_max=endpoints_per_slice_max, parallel=parallel)
        return replace(whole, decide=broken)

    monkeypatch.setattr(endpointslice, "loop", loop)
    assert any(text.startswith("log: ") and "a mistake" in text for text in first_failure([1]).failures)


def test_a_user_who_cannot_get_what_it_asked_fails_the_seed_instead_of_waiting_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(self: User, app: App) -> None:
        raise ApiError(429, "TooManyRequests", "a mistake")

    monkeypatch.setattr(User, "change_app", refused)
    # Not every seed changes an app while it is there.
    assert any("the run ended by ApiError: a mistake" in text for text in first_failure().failures)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTS)
def test_a_broken_promise_of_the_api_is_found_by_nearly_every_hard_seed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, texts = PLANTS[name]
    plant(monkeypatch)
    found = 0
    for number, seed in enumerate(_HARD_SEEDS):
        outcome = run_seed(seed, bounds=HARD, until_unsafe=True)
        found += any(text in failure for failure in outcome.failures for text in texts)
        if found == _FOUND_MIN or number - found == len(_HARD_SEEDS) - _FOUND_MIN:
            break
    assert found == _FOUND_MIN, f"{found} of {number + 1} seeds found it"
