"""Torture a cluster of real nodes for some minutes, and check everything that its clients saw.

    python -m bench.torture --minutes 5 --seed N [--faults NAME,...] [--name CLUSTER] [--trace FILE]

Without --name it boots three masters under a state folder of its own and purges them. It ends with 1 when anything was
lost, doubled, stale, reordered or foreign, or when the cluster does not heal; figures above the project's bars are
printed and decide nothing. A trace has every request of the two measuring loops and every fault, with the time of day
that logs have: it shows what a gap consists of. The faults and what clients do are drawn from the seed; the machine's
timing is not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson

from bench.hosts import state_home
from bench.lab import lab
from bench.torture.conduct import Result, Run
from bench.torture.faults import FAULTS
from bench.torture.stage import Stage
from homeostat.api.errors import ApiError
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.operate.clients import admin_client

_SHOWN_MAX = 20


def torture(folder: Folder, seconds: float, seed: int, names: list[str]) -> Result:
    """Torture a running cluster. Raises LabError or ApiError."""

    async def go() -> Result:
        run = Run(lambda client, chance: Stage(folder, client, chance), lambda: admin_client(folder), seed)
        return await run.go(seconds, names=names, say=lambda text: print(text, flush=True))

    return asyncio.run(go())


def report(result: Result) -> str:
    """What was found."""
    lines = [result.counts()]
    lines += result.faults[:_SHOWN_MAX]
    if len(result.faults) > _SHOWN_MAX:
        lines.append(f"and {len(result.faults) - _SHOWN_MAX} more")
    lines.append(f"{len(result.faults)} violations" if result.faults else "nothing lost, doubled, stale or reordered")
    return "\n".join(lines)


def trace(result: Result) -> bytes:
    """Faults and samples as JSON, a line each."""
    offset = time.time() - time.monotonic()

    def day(moment: float) -> str:
        return datetime.fromtimestamp(moment + offset, UTC).strftime("%H:%M:%S.%f")[:-3]

    lines: list[dict[str, object]] = [
        {"fault": felt.fault.name, "nodes": felt.nodes, "at": day(felt.began), "undone": day(felt.undone)}
        | {"reads": felt.reads.seconds, "writes": felt.writes.seconds, "healed_after": felt.healed_after}
        for felt in result.felt
    ]
    for loop, samples in result.samples.items():
        lines += [
            {"loop": loop, "at": day(each.at), "seconds": round(each.seconds, 3), "error": each.error}
            for each in samples
        ]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    parser.add_argument("--faults", default="", help="only these, with commas: " + ", ".join(f.name for f in FAULTS))
    parser.add_argument("--name", default="", help="a cluster that runs, instead of one of its own")
    parser.add_argument("--trace", type=Path, help="a file for everything that the measuring loops sent")
    options = parser.parse_args()
    names = [name for name in options.faults.split(",") if name]
    if unknown := set(names) - {fault.name for fault in FAULTS}:
        parser.error(f"unknown fault {', '.join(sorted(unknown))}; there are {', '.join(f.name for f in FAULTS)}")
    print(f"seed {options.seed}, {options.minutes:g} minutes, load average {os.getloadavg()[0]:.1f}", flush=True)
    try:
        if options.name:
            result = torture(Folder.of(options.name), options.minutes * 60, options.seed, names)
        else:
            with lab() as made, state_home(made.home):
                made.run("up", "--runtime", "container", "--store", "etcd", "--control-planes", "3", "--workers", "0")
                result = torture(Folder.of("homeostat"), options.minutes * 60, options.seed, names)
    except (LabError, ApiError) as error:
        print(f"torture: {error}", file=sys.stderr)
        return 1
    print(report(result))
    if options.trace:
        options.trace.write_bytes(trace(result))
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
