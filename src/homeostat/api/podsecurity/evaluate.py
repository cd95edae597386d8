"""Judges a Pod by a level and a version: every control that counts there, in Kubernetes' order.

Pure. Rule: k8s.io/pod-security-admission/policy (registry).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from homeostat.api.podsecurity import host, privileges, profiles, volumes
from homeostat.api.podsecurity.check import Check, Judge, Revision, Violation
from homeostat.api.podsecurity.levels import BASELINE, PRIVILEGED, LevelVersion
from homeostat.api.types import Obj

# Baseline checks first, each level's by their identifiers: the order in which violations are listed.
CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (*host.CHECKS, *privileges.CHECKS, *profiles.CHECKS, *volumes.CHECKS),
        key=lambda check: (check.level != BASELINE, check.id),
    )
)


def evaluate(policy: LevelVersion, pod: Obj) -> list[Violation]:
    """What the policy has against a Pod or a template; empty when it is allowed."""
    if policy.level == PRIVILEGED:
        return []
    return [found for judge in _judges(policy) if (found := judge(pod)) is not None]


def reasons(violations: Sequence[Violation]) -> str:
    """What is wrong, without the names of this Pod's parts: the same text for all replicas."""
    return ", ".join(violation.reason for violation in violations)


def details(violations: Sequence[Violation]) -> str:
    """What is wrong, and where."""
    return ", ".join(map(str, violations))


@lru_cache(maxsize=256)
def _judges(policy: LevelVersion) -> tuple[Judge, ...]:
    counting: dict[str, Revision] = {}
    for check in CHECKS:
        if check.level != BASELINE and policy.level == BASELINE:
            continue
        # A version newer than all rules has the newest.
        known = [each for each in check.revisions if policy.minor is None or each.since <= policy.minor]
        if known:
            counting[check.id] = known[-1]
    overridden = {revision.overrides for revision in counting.values()}
    return tuple(revision.judge for name, revision in counting.items() if name not in overridden)
