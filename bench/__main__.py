"""Every figure of the project: measured, printed, and written to docs/performance.md.

    python -m bench [--only api,scheduling,lab] [--rounds 3]

Parts: `api` (one API server), `scheduling` (with controller manager and scheduler), `lab` (a cluster of plain
processes), `hosts` (one whose nodes are hosts), `network` (the service rules of a node), `dns` (cluster DNS), `console`
(its pages in a browser). With `--only` the page is left alone. It ends with 1 when a part could not be measured; a
missed figure is no failure.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import api, console, dns, hosts, lab, network, scheduling
from bench.figures import Row, markdown

_PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_INTRODUCTION = """# Performance

Written by `make bench`. The figures of the Go kube-apiserver (v1.36.2 with etcd 3.4) come from a 2-core machine under
the same load: server, store and load generator on one machine, 16 connections, 2,000 pods. Ours are one API server with
SQLite, durable, over HTTP with TLS (`bench/api.py`, `bench/load.py`); the scheduling benchmark adds a controller
manager and a scheduler (`bench/scheduling.py`), the lab is a cluster of plain processes (`bench/lab.py`), and the hosts
are one of real nodes (`bench/hosts.py`; there the second column is the Go kubelet with containerd). All are medians of
several rounds. On a machine that is shared a rate is what the others left over; the CPU that the server spends on
one operation moves less, and says what one core of its own could do. The Go figures were measured once: one commit of
ours has given twice the rates on one such machine than on another, so compare rates of one machine alone. What each
fault costs is in [outages](outages.md).
"""


def machine() -> str:
    """What was measured on, in one line."""
    load = os.getloadavg()[0]
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, load average {load:.1f}"


def missed(rows: list[Row]) -> str:
    """What is missed, by how much, and what was seen."""
    lines = [f"- {row.name}: {row.measured} instead of {row.target}" + (f" ({row.note})" if row.note else "")
             for row in rows if row.met is False]  # fmt: skip
    return "\n## Missed\n" + "\n".join(lines) + "\n" if lines else ""


def page(rows: list[Row], before: str, after: str) -> str:
    """The whole page."""
    return f"{_INTRODUCTION}\nMachine at the start: {before}; at the end: {after}.\n\n{markdown(rows)}{missed(rows)}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default="", help="parts to run, with commas")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    parts: dict[str, Callable[[], list[Row]]] = {
        "api": lambda: api.rows(rounds=options.rounds),
        "scheduling": lambda: scheduling.rows(rounds=options.rounds),
        "lab": lab.rows,
        "hosts": hosts.rows,
        "network": network.rows,
        "dns": dns.rows,
        "console": console.rows,
    }
    chosen = options.only.split(",") if options.only else list(parts)
    if unknown := set(chosen) - set(parts):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    found: list[Row] = []
    failed = False
    before, began = machine(), time.monotonic()
    print(before, flush=True)
    for name in chosen:
        try:
            measured = parts[name]()
        except (RuntimeError, OSError, ValueError, LookupError, AssertionError) as error:
            print(f"{name}: not measured: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        for row in measured:
            print(row.line(), flush=True)
        found += measured
    print(f"{machine()}; took {time.monotonic() - began:.0f} s", flush=True)
    if not options.only and not failed:
        _PAGE.write_text(page(found, before, machine()))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
