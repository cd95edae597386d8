"""How a fault gets to its node, and that it ends there whatever becomes of the program."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any, cast

import pytest

from bench.torture.conduct import Run
from bench.torture.faults import ONE_MASTER, Fault
from bench.torture.stage import Stage
from homeostat.api.errors import ApiError
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.lab.hosts import enter

pytestmark = pytest.mark.real


def test_ctrl_c_on_the_terminal_does_not_reach_the_script_that_undoes_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(enter, "words", lambda _folder, _node, argv: list(argv))
    folder = Folder.of("demo")
    folder.save(Cluster("demo", 0))
    fault = Fault("session", ONE_MASTER, 0.0, begin=f"cut -d' ' -f6 /proc/self/stat >{tmp_path}/session", end="true")

    async def story() -> None:
        stage = Stage(folder, cast(Any, None), random.Random(1))
        async with stage.broken(fault, ["master-1"]):
            pass

    asyncio.run(asyncio.wait_for(story(), 30))
    assert int((tmp_path / "session").read_text()) != os.getsid(0)


class _Used:
    """A client of a cluster that a run has used before."""

    async def create(self, *_: object) -> None:
        raise ApiError(409, "AlreadyExists", 'namespaces "torture-a" already exists')

    async def close(self) -> None:
        pass


def test_what_an_earlier_run_left_is_named_with_the_way_out() -> None:
    run = Run(lambda *_: cast(Any, None), lambda: cast(Any, _Used()), 1)
    with pytest.raises(LabError, match="`kubectl delete namespace torture-a torture-b torture-c`"):
        asyncio.run(run.go(1.0, names=[], say=print))
