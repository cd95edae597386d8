"""A hundred random fault schedules end with actual = desired, and stay there; the same seed is the same run.

`test_further_seeds` has as many again: a file runs on one worker, and so two have them.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from homeostat.sim.__main__ import explain
from homeostat.sim.record.transcript import Level
from homeostat.sim.run import run_seed

SEEDS = 100
CHUNK = 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_random_faults_end_with_actual_as_desired(first: int) -> None:
    failed = [outcome for seed in range(first, first + CHUNK) if not (outcome := run_seed(seed)).passed]
    assert not failed, "\n\n".join(explain(outcome) for outcome in failed)


def test_the_same_seed_is_the_same_run() -> None:
    first, second = run_seed(3, keep=Level.NOISE), run_seed(3, keep=Level.NOISE)
    assert first.transcript.text() == second.transcript.text()
    assert first.transcript.digest() == second.transcript.digest()
    assert first.transcript.digest() != run_seed(4).transcript.digest()


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    """Neither the order of sets nor the addresses of objects may change a run."""
    outputs = set()
    for hash_seed in ("0", "12345"):
        command = [sys.executable, "-m", "homeostat.sim", "--seed", "5", "--verbose"]
        env = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
    text = outputs.pop()
    assert "all is as it should be" in text
    assert len(text.splitlines()) > 500
