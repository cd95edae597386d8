"""The command: `python -m bench.fuzz --requests 20000 --seed N`. It ends with 1 when something was found."""

from __future__ import annotations

import argparse
import sys

from bench.fuzz.run import run


def main() -> int:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first request")
    parser.add_argument("--log", action="store_true", help="print what the server logged")
    options = parser.parse_args()
    report = run(seed=options.seed, requests=options.requests, first=options.first)
    if options.log:
        print(report.log)
    print("\n".join(report.lines()))
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
