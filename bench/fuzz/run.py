"""Sends the requests of a seed one after the other, and collects what is wrong with the answers."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.fuzz import cases
from bench.fuzz.judge import ALLOWED, problem
from bench.fuzz.target import Target, target

# What a server may keep: its windows of events, its journal and caches are bounded; a leak is not.
GROWTH_BYTES_MAX = 200 * 1024 * 1024
# As many examples of one problem are shown.
_EXAMPLES_MAX = 2


@dataclass(slots=True)
class Report:
    """What was seen. `findings` are problems with the numbers of the requests that show them."""

    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    findings: dict[str, list[int]] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)
    growth_bytes: int = 0
    log: str = ""

    def lines(self) -> list[str]:
        """For people; each finding with a command that sends its request again."""
        report_lines = [
            f"seed {self.seed}: " + ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        ]
        took, number = self.slowest
        report_lines.append(
            f"slowest: request {number}, {took:.2f} s; memory grew by {self.growth_bytes / 2**20:.0f} MiB"
        )
        allowed = [f"  {status} {why}" for status, _, why in ALLOWED if self.statuses[status]]
        report_lines += ["answers of 5xx that Kubernetes gives too, where they came:", *allowed] if allowed else []
        for what, numbers in sorted(self.findings.items(), key=lambda found: -len(found[1])):
            report_lines.append(f"FINDING ({len(numbers)}): {what}")
            for number in numbers[:_EXAMPLES_MAX]:
                case = cases.make(self.seed, number)
                report_lines.append(
                    f"  python -m bench.fuzz --seed {self.seed} --first {number} --requests 1   # {case.identity}"
                )
                report_lines.append(f"    {case.raw[:1500]!r}")
        return report_lines


def run(*, seed: int, requests: int, first: int = 0) -> Report:
    """Send requests `first` to `first + requests` of `seed` to a fresh server."""
    with tempfile.TemporaryDirectory(prefix="homeostat-fuzz-") as name, target(Path(name)) as server:
        report = _sent(server, seed, range(first, first + requests))
        report.log = (Path(name) / "server.log").read_text()
    return report


def _sent(server: Target, seed: int, numbers: Iterable[int]) -> Report:
    report = Report(seed)
    before = server.memory_bytes()
    for number in numbers:
        case = cases.make(seed, number)
        answer = server.send(case)
        report.statuses[answer.status] += 1
        report.slowest = max(report.slowest, (answer.seconds, number))
        if what := problem(case, answer):
            report.findings.setdefault(what, []).append(number)
        if server.process.poll() is not None:
            report.findings["the server ended"] = [number]
            return report
    report.growth_bytes = server.memory_bytes() - before
    if report.growth_bytes > GROWTH_BYTES_MAX:
        report.findings[f"memory grew by {report.growth_bytes / 2**20:.0f} MiB"] = []
    return report
