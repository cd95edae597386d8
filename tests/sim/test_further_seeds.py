"""A second hundred of random fault schedules; see `test_seeds`."""

from __future__ import annotations

import pytest

from homeostat.sim.__main__ import explain
from homeostat.sim.run import run_seed

FIRST, LAST = 101, 200
CHUNK = 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FIRST, LAST + 1, CHUNK))
def test_further_random_faults_end_with_actual_as_desired(first: int) -> None:
    failed = [outcome for seed in range(first, first + CHUNK) if not (outcome := run_seed(seed)).passed]
    assert not failed, "\n\n".join(explain(outcome) for outcome in failed)
