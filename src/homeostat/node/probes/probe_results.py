"""Counting probe results to a verdict, and reading a probe's spec: pure."""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class ProbeRule:
    """A probe's numbers, with the API's defaults. Times in seconds."""

    initial_delay: float
    period: float
    timeout: float
    successes: int
    failures: int
    grace: float | None = None

    @staticmethod
    def of(probe: Obj) -> ProbeRule:
        """The numbers of a Probe object."""
        grace = probe.get("terminationGracePeriodSeconds")
        return ProbeRule(
            initial_delay=float(probe.get("initialDelaySeconds") or 0),
            period=float(probe.get("periodSeconds") or 10),
            timeout=float(probe.get("timeoutSeconds") or 1),
            successes=int(probe.get("successThreshold") or 1),
            failures=int(probe.get("failureThreshold") or 3),
            grace=float(grace) if grace is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """How often in a row the last result came, and the current verdict (None before the first)."""

    last: bool | None = None
    run: int = 0
    verdict: bool | None = None

    def add(self, rule: ProbeRule, *, result: bool) -> Tally:
        """The tally after one more result: a verdict changes when its threshold is reached."""
        run = self.run + 1 if result == self.last else 1
        needed = rule.successes if result else rule.failures
        return Tally(result, run, result if run >= needed else self.verdict)
