"""How soon a node's service rules are in force: 500 Services of 3 endpoints by nftables, in a network namespace.

    python -m bench.network

Times are of whole syncs, from the plan to the end of the `nft` program: the planning is not in them, and takes a few
milliseconds for all Services together.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from bench.figures import Row
from homeostat.network.decide.endpoint_selection import Here
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.decide.node_plan import Entry, plan_node
from homeostat.network.kernel.nft import NftRules

_SERVICES, _ENDPOINTS, _NODES, _ROUNDS = 500, 3, 5, 15
_RANGES = Ranges(("10.244.0.0/16",), ("10.96.0.0/16",), ("172.30.0.21",))
_HERE = Here("node-1")
_TARGET_MS = 50.0


def service(number: int) -> dict[str, Any]:
    """A Service as most are: one port on a cluster address."""
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    address = f"10.96.{number // 250 + 1}.{number % 250 + 1}"
    return {"metadata": {"name": f"s{number}", "namespace": "default"}, "spec": {"clusterIP": address, "ports": ports}}


def piece(number: int, count: int) -> dict[str, Any]:
    """Its endpoints, spread over the nodes."""
    endpoints = [
        {
            "addresses": [f"10.244.{other % _NODES}.{(number * _ENDPOINTS + other) % 250 + 2}"],
            "conditions": {"ready": True},
            "nodeName": f"node-{(number + other) % _NODES}",
        }
        for other in range(count)
    ]
    return {"endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}


def plan(changed: int = -1) -> dict[Any, Entry]:
    """All entries; the Service number `changed` has one endpoint less."""
    entries: dict[Any, Entry] = {}
    for number in range(_SERVICES):
        count = _ENDPOINTS - (number == changed)
        entries.update(plan_node(service(number), [piece(number, count)], _HERE))
    return entries


async def measure() -> dict[str, float]:
    """Medians in milliseconds, in the namespace that this process is in."""
    found: dict[str, list[float]] = {"first": [], "restart": [], "change": []}

    async def timed(kind: str, rules: NftRules, entries: dict[Any, Entry]) -> None:
        began = time.perf_counter()
        await rules.apply(entries)
        found[kind].append((time.perf_counter() - began) * 1000)

    whole = plan()
    for number in range(_ROUNDS):
        rules = NftRules(_HERE.name, _RANGES)
        await timed("first", rules, whole)
        await timed("change", rules, plan(changed=number))
        await timed("restart", again := NftRules(_HERE.name, _RANGES), whole)
        await again.remove()
    return {kind: statistics.median(times) for kind, times in found.items()} | {"cpu": await _cpu_ms(whole)}


async def _cpu_ms(whole: dict[Any, Entry]) -> float:
    """The processor time of one whole sync, in this process and in nft, over several."""
    before = sum(os.times()[:4])
    for _ in range(_ROUNDS):
        await NftRules(_HERE.name, _RANGES).apply(whole)
    return (sum(os.times()[:4]) - before) / _ROUNDS * 1000


def rows() -> list[Row]:
    """The figures, measured in a namespace of their own."""
    enter = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    done = subprocess.run(
        [*enter, sys.executable, "-m", "bench.network", "--here"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen = json.loads(done.stdout)
    name = f"rules of {_SERVICES} Services of {_ENDPOINTS} endpoints"
    return [
        Row.below(f"{name}: all, into an empty kernel", seen["first"], _TARGET_MS, "ms"),
        Row.below(
            f"{name}: all, over what is there",
            seen["restart"],
            _TARGET_MS,
            "ms",
            note=f"{seen['cpu']:.0f} ms of processor time",
        ),
        Row.below(f"{name}: one endpoint leaves", seen["change"], _TARGET_MS, "ms"),
    ]


if __name__ == "__main__":
    if "--here" in sys.argv:
        print(json.dumps(asyncio.run(measure())))
    else:
        for row in rows():
            print(row.line())
