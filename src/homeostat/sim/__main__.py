"""`python -m homeostat.sim`: replay one seed with its transcript, or run many."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from homeostat.kit import clock
from homeostat.sim.record.transcript import Level
from homeostat.sim.run import Outcome, run_seed
from homeostat.sim.schedule.faults import Fault
from homeostat.sim.schedule.random_schedules import HARD, Bounds, shrink

_TAIL_LINES = 40


@click.command()
@click.option("--seed", type=int, help="Run this seed and print its transcript.")
@click.option("--seeds", metavar="A..B", help="Run the seeds from A to B.")
@click.option("--only", metavar="N,N,...", help="Of the seed's faults, only those of these numbers.")
@click.option("--shrink", "shrinking", is_flag=True, help="Look for the fewest faults with which the seed fails.")
@click.option("--hard", is_flag=True, help="More and worse faults than the tests have: for a hunt.")
@click.option("--verbose", is_flag=True, help="Print heartbeats, leases and events too; of many seeds, their digests.")
@click.option("--story", is_flag=True, help="Print the faults only, not the writes.")
def main(  # one option a parameter, as click has it
    *, seed: int | None, seeds: str | None, only: str | None, shrinking: bool, hard: bool, verbose: bool, story: bool
) -> None:
    """Run the simulated cluster under random faults; exit code 1 when a seed fails."""
    if (seed is None) == (seeds is None):
        raise click.UsageError("either --seed or --seeds is needed")
    bounds = HARD if hard else Bounds()
    if seeds is not None:
        first, _, last = seeds.partition("..")
        sys.exit(_run_many(range(int(first), int(last or first) + 1), bounds, verbose=verbose))
    assert seed is not None
    if shrinking:
        sys.exit(_shrink(seed, bounds))
    numbers = [int(text) for text in only.split(",") if text] if only is not None else None
    level = Level.NOISE if verbose else Level.STORY if story else Level.WRITE
    keep = max(level, Level.WRITE)
    outcome = run_seed(seed, bounds=bounds, choose=lambda known: _only(known, numbers), keep=keep)
    click.echo(outcome.transcript.text(level), nl=False)
    _summary(outcome)
    sys.exit(0 if outcome.passed else 1)


def _only(schedule: Sequence[Fault], numbers: Sequence[int] | None) -> Sequence[Fault]:
    return schedule if numbers is None else [schedule[number] for number in numbers]


def _run_many(seeds: Sequence[int], bounds: Bounds, *, verbose: bool) -> int:
    began, failed = clock.monotonic(), []
    for seed in seeds:
        outcome = run_seed(seed, bounds=bounds)
        if verbose:
            click.echo(f"seed {seed}: {len(outcome.schedule)} faults, digest {outcome.transcript.digest()}")
        if not outcome.passed:
            failed.append(seed)
            click.echo(explain(outcome, bounds))
    took = clock.monotonic() - began
    click.echo(f"{len(seeds)} seeds in {took:.1f} s, {len(failed)} failed" + (f": {failed}" if failed else ""))
    return 1 if failed else 0


def _shrink(seed: int, bounds: Bounds) -> int:
    whole = run_seed(seed, bounds=bounds)
    if whole.passed:
        click.echo(f"seed {seed} passes")
        return 0
    numbers = {id(fault): number for number, fault in enumerate(whole.schedule)}

    def fails(part: Sequence[Fault]) -> bool:
        chosen = [numbers[id(fault)] for fault in part]
        return not run_seed(seed, bounds=bounds, choose=lambda known: [known[number] for number in chosen]).passed

    fewest = shrink(whole.schedule, fails)
    chosen = ",".join(str(numbers[id(fault)]) for fault in fewest)
    click.echo(f"seed {seed} fails with {len(fewest)} of {len(whole.schedule)} faults:")
    for fault in fewest:
        click.echo(f"  {fault.at_seconds:6.1f} s  {fault.text()}")
    click.echo(f"replay: python -m homeostat.sim --seed {seed}{_flag(bounds)} --only {chosen}")
    return 1


def _summary(outcome: Outcome) -> None:
    click.echo(f"seed {outcome.seed}: {len(outcome.schedule)} faults, requests {outcome.requests}")
    click.echo(f"settled {outcome.settled_seconds:.1f} s after the last fault, {outcome.virtual_seconds:.0f} s in all")
    click.echo(f"digest {outcome.transcript.digest()}")
    for text in outcome.failures:
        click.echo(f"FAILED {text}")


def explain(outcome: Outcome, bounds: Bounds | None = None) -> str:
    """Why a seed failed, in what story, and how to see it again."""
    lines = [f"seed {outcome.seed} failed:", *(f"  {text}" for text in outcome.failures), "faults:"]
    lines += [
        f"  {number:2}  {fault.at_seconds:6.1f} s  {fault.text()}" for number, fault in enumerate(outcome.schedule)
    ]
    lines += ["the last of its transcript:", *outcome.transcript.lines(Level.WRITE)[-_TAIL_LINES:]]
    lines.append(f"replay: python -m homeostat.sim --seed {outcome.seed}{_flag(bounds)} [--verbose] [--shrink]")
    return "\n".join(lines)


def _flag(bounds: Bounds | None) -> str:
    return " --hard" if bounds == HARD else ""


if __name__ == "__main__":
    main()
