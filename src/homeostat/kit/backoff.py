"""Exponential backoff as a pure table of attempts: Kubernetes' item rate limiters and crash backoff."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first * factor ** attempt`, never above `ceiling`; all in seconds."""

    first_seconds: float
    ceiling_seconds: float
    factor: float = 2.0

    def delay(self, attempt: int) -> float:
        """The pause before retry number `attempt` (0 is the first retry)."""
        # Beyond 64 doublings every table here is at its ceiling; the bound keeps the power finite.
        return min(self.first_seconds * self.factor ** min(attempt, 64), self.ceiling_seconds)
