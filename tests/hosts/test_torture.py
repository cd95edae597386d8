"""A minute of torture: three masters are broken one after another under clients that remember everything.

The program is `python -m bench.torture`; how long outages lasted is a figure that it prints, and decides nothing here.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from bench.torture.conduct import Result, Run
from bench.torture.stage import Stage
from homeostat.operate.clients import admin_client
from tests.hosts.conftest import Hosts
from tests.support.ports import own_port

pytestmark = [pytest.mark.real, pytest.mark.slow]
_SECONDS = 45.0
_SEED = 3


async def tortured(hosts: Hosts) -> Result:
    def stage(client: object, chance: random.Random) -> Stage:
        return Stage(hosts.folder, client, chance)  # type: ignore[arg-type]

    run = Run(stage, lambda: admin_client(hosts.folder), _SEED)
    return await run.go(_SECONDS, names=(), say=print)


def test_a_minute_of_faults_loses_doubles_and_reorders_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = Hosts(tmp_path_factory.mktemp("torture"), "torture-test")
    try:
        made.run(
            "up", "--runtime", "container", "--store", "etcd", "--control-planes", "3", "--workers", "0", *own_port()
        )
        result = asyncio.run(tortured(made))
        print(result.counts())
        assert result.faults == []
        assert result.judged > 50 and len(result.felt) >= 2, result.counts()
    finally:
        made.run("down", "--purge", ok=False)
