"""The two open loops that feel an outage, one of reads and one of writes, in a process of their own.

    python -m bench.torture.probing FOLDER NAMESPACE NAME

The clients that load the cluster are many, and all of them reconnect at once when it fails: beside them a loop that is
to ask every 50 ms is late by seconds, and measures that. Each request is a line on standard output, and so is each
time that this process itself was not scheduled; it ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from bench.torture.footing import own_group
from homeostat.api.kinds import CONFIGMAP
from homeostat.cluster.state_folder import Folder
from homeostat.drill.probe import Probe, Sample
from homeostat.operate.clients import admin_client

READS, WRITES, LATE, NOW = "reads", "writes", "late", "now"
_TICK_SECONDS = 0.02
# A loop that is later than this was not given a processor, or had too much to do at once.
_LATE_SECONDS = 0.1
_REPORT_SECONDS = 0.05
_STOP_SECONDS = 10.0
# A loop that waits for the ends of former requests before it sends another is not open; and one that has hundreds of
# them under way is busy with their ends when the cluster is back.
_CONNECTIONS_MAX = 256
_PATIENCE_SECONDS = 2.0
_FIRST_SECONDS = 60.0
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest time without an answer, in seconds; in `late` of them the prober itself waited for a processor."""

    seconds: float
    late: float = 0.0


def longest(answers: list[float], since: float, until: float, late: list[Span]) -> Gap:
    """The longest time without an answer between two moments. Pure."""
    moments = [since, *(moment for moment in sorted(answers) if since < moment < until), until]
    before, after = max(pairwise(moments), key=lambda pair: pair[1] - pair[0])
    return Gap(after - before, sum(max(0.0, min(after, to) - max(before, start)) for start, to in late))


@dataclass(slots=True)
class Probing:
    """The other process, and what it has said so far: samples by loop, and when it was not scheduled."""

    samples: dict[str, list[Sample]] = field(default_factory=lambda: {READS: [], WRITES: []})
    late: list[Span] = field(default_factory=list)
    # All that had happened by this moment has been read.
    read_until: float = 0.0
    _process: asyncio.subprocess.Process | None = None
    _reading: asyncio.Task[None] | None = None

    async def start(self, folder: Path, namespace: str, name: str) -> None:
        """Begin to read and to write this ConfigMap; returns when both have been answered. Raises TimeoutError."""
        root = str(Path(__file__).parents[2])
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.torture.probing", str(folder), namespace, name),
            env={**os.environ, "PYTHONPATH": root},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        async with asyncio.timeout(_FIRST_SECONDS):
            while not all(self.answers(loop, 0.0) for loop in self.samples):
                await asyncio.sleep(_REPORT_SECONDS)

    async def stop(self) -> None:
        """Send no more; wait for what is under way."""
        process, self._process = self._process, None
        if process is None or self._reading is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._reading), _STOP_SECONDS)
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()

    def answers(self, loop: str, since: float) -> list[float]:
        """When requests that were sent since then have been answered."""
        return [each.at + each.seconds for each in self.samples[loop] if not each.error and each.at >= since]

    async def read_past(self, moment: float) -> None:
        """Wait until everything up to a moment has been read: what is not known yet is no gap."""
        while self.read_until < moment and self._reading is not None and not self._reading.done():
            await asyncio.sleep(_REPORT_SECONDS)

    def gap(self, loop: str, since: float, until: float) -> Gap:
        """The longest time without an answer."""
        return longest(self.answers(loop, float("-inf")), since, until, self.late)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            what, at, seconds, error = orjson.loads(line)
            if what == NOW:
                self.read_until = at
            elif what == LATE:
                self.late.append((at, at + seconds))
            else:
                self.samples[what].append(Sample(at, seconds, error))


class _Asking:
    """Inside of that process."""

    def __init__(self, folder: Folder, namespace: str, name: str) -> None:
        self._client = admin_client(folder, connections_max=_CONNECTIONS_MAX)
        self._key = namespace, name
        self._probes = [
            Probe(READS, self._read, timeout_seconds=_PATIENCE_SECONDS),
            Probe(WRITES, self._write, timeout_seconds=_PATIENCE_SECONDS),
        ]
        self._reported = {READS: 0, WRITES: 0}

    async def _read(self) -> None:
        await self._client.get(CONFIGMAP, self._key[1], self._key[0])

    async def _write(self) -> None:
        patch = {"data": {"at": str(time.monotonic())}}
        await self._client.patch(CONFIGMAP, self._key[1], self._key[0], patch)

    async def run(self) -> None:
        """Until standard input ends."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 64) else ended.set())
        for probe in self._probes:
            probe.start()
        reporting = asyncio.create_task(self._report())
        ticking = asyncio.create_task(_tick())
        await ended.wait()
        loop.remove_reader(sys.stdin.fileno())
        for probe in self._probes:
            await probe.stop()
        reporting.cancel()
        ticking.cancel()
        self._report_new()
        await self._client.close()

    async def _report(self) -> None:
        while True:
            self._report_new()
            await asyncio.sleep(_REPORT_SECONDS)

    def _report_new(self) -> None:
        now = time.monotonic()
        for probe in self._probes:
            fresh = probe.samples[self._reported[probe.name] :]
            self._reported[probe.name] += len(fresh)
            for each in fresh:
                _say(probe.name, each.at, each.seconds, each.error)
        _say(NOW, now, 0.0, "")


async def _tick() -> None:
    while True:
        due = time.monotonic() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        if (late := time.monotonic() - due) > _LATE_SECONDS:
            _say(LATE, due, late, "")


def _say(*words: Any) -> None:
    os.write(sys.stdout.fileno(), orjson.dumps(words) + b"\n")


if __name__ == "__main__":

    async def _main() -> None:
        await _Asking(Folder(Path(sys.argv[1])), *sys.argv[2:4]).run()

    with own_group():
        asyncio.run(_main())
