"""The API server's figures: one server, SQLite, durable, over HTTP with TLS; 16 connections, 2,000 pods.

    python -m bench.api [--rounds 3] [--secs 2]

Server and load generator are processes of their own on one machine, and each round has a new server with a new store.
Beside the rate of a phase is what the server's CPU spent on one operation: on a machine that is shared, that moves
less than the rate does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Row
from bench.load import PHASES

# (phase of the load generator, the figure's name, target a second, what the Go kube-apiserver did).
_RATES = (
    ("create", "create", 1800, "890/s"),
    ("get", "get", 8000, "2,700/s"),
    ("list", "list, pages of 500 and by label", 400, "44/s"),
    ("listall", "list of all 2,000", 100, "11/s"),
    ("update", "get then update", 900, "390/s"),
    ("patch", "strategic merge patch", 1000, "455/s"),
    ("watch", "watch events delivered, 500 watchers", 80_000, "27,000/s"),
    ("delete", "delete", 1300, "610/s"),
)
_START_SECONDS_MAX = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one phase: operations a second, and the server's CPU for one of them."""

    rate: float
    cpu_microseconds: float


@dataclass(slots=True)
class Serving:
    """A server that answers. `start_seconds` is from the process's start."""

    process: subprocess.Popen[bytes]
    port: int
    token: str
    start_seconds: float

    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_megabytes(self) -> float:
        """Its resident memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def phase(self, name: str, seconds: float) -> Sample:
        """Run one phase of the load generator. Raises RuntimeError on a failed request."""
        command = [sys.executable, "-m", "bench.load", "--server", f"127.0.0.1:{self.port}", "--token", self.token]
        used = self.cpu_seconds()
        done = subprocess.run(
            [*command, "--secs", str(seconds), "--phases", name], stdout=subprocess.PIPE, text=True, check=True
        )
        used = self.cpu_seconds() - used
        line = json.loads(done.stdout)
        if line["errors"]:
            raise RuntimeError(f"phase {name} had failures: {line}")
        operations = line.get("ops") or line["events_got"]
        return Sample(line["per_s"], used / operations * 1e6)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving() -> Iterator[Serving]:
    """A new server on a new store, until the block ends."""
    port, token = _free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.server", folder, str(port), token], stdout=subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != b"ready":
                raise RuntimeError("the API server did not start")
            yield Serving(process, port, token, time.monotonic() - began)
        finally:
            process.terminate()
            process.wait(_START_SECONDS_MAX)


def rows(*, rounds: int = 3, seconds: float = 2.0) -> list[Row]:
    """All figures of one API server, medians over the rounds."""
    starts, idles, fulls = [], [], []
    samples: dict[str, list[Sample]] = defaultdict(list)
    for _ in range(rounds):
        with serving() as server:
            starts.append(server.start_seconds)
            time.sleep(1.0)
            idles.append(server.resident_megabytes())
            for phase in PHASES:
                samples[phase].append(server.phase(phase, seconds))
            fulls.append(server.resident_megabytes())
    found = [
        Row.below("start to ready", statistics.median(starts), 0.7, "s", go="3.3 s"),
        Row.below("resident memory, idle, store included", statistics.median(idles), 90, "MB", go="327 MB"),
        Row.below("resident memory after the run", statistics.median(fulls), 250, "MB", go="944 MB"),
    ]
    for phase, name, target, go in _RATES:
        runs = samples[phase]
        rate = statistics.median(run.rate for run in runs)
        cpu = statistics.median(run.cpu_microseconds for run in runs)
        best = max(run.rate for run in runs)
        note = f"best round {best:,.0f}/s; {cpu:,.0f} µs of the server's CPU each"
        found.append(Row.above(name, rate, target, "/s", go=go, note=note))
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=2.0, help="seconds of each read phase")
    options = parser.parse_args()
    for row in rows(rounds=options.rounds, seconds=options.secs):
        print(row.line())


if __name__ == "__main__":
    main()
