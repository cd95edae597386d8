"""Levels and versions of the Pod Security Standards, and the policy that a namespace's labels ask for.

Pure. Rule: k8s.io/pod-security-admission/api.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from homeostat.api.errors import Cause
from homeostat.api.fields import invalid

PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
LATEST = "latest"
PREFIX = "pod-security.kubernetes.io/"
MODES = ("enforce", "audit", "warn")

LEVEL_PROBLEM = f"must be one of {', '.join(LEVELS)}"
VERSION_PROBLEM = 'must be "latest" or "v1.x"'
_version = re.compile(r"v1\.(0|[1-9][0-9]*)\Z", re.ASCII).match
# Kubernetes reads the minor into an int64.
_MINOR_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LevelVersion:
    """A level at a version (`latest` or `v1.N`)."""

    level: str = PRIVILEGED
    version: str = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> int | None:
        """N of `v1.N`; None for the latest."""
        return None if self.version == LATEST else int(self.version.removeprefix("v1."))

    def equivalent(self, other: LevelVersion) -> bool:
        """Whether both allow the same Pods: versions of `privileged` do not differ."""
        return self == other or self.level == other.level == PRIVILEGED


@dataclass(frozen=True, slots=True)
class Policy:
    """What a namespace enforces, audits and warns about."""

    enforce: LevelVersion = LevelVersion()
    audit: LevelVersion = LevelVersion()
    warn: LevelVersion = LevelVersion()

    @property
    def fully_privileged(self) -> bool:
        """Whether every Pod is allowed without a warning."""
        return self.enforce.level == self.audit.level == self.warn.level == PRIVILEGED

    def equivalent(self, other: Policy) -> bool:
        """Whether all three modes are."""
        return all(getattr(self, mode).equivalent(getattr(other, mode)) for mode in MODES)


def is_level(text: str) -> bool:
    """Whether `text` names a level."""
    return text in LEVELS


def is_version(text: str) -> bool:
    """Whether `text` is `latest` or `v1.N`."""
    found = _version(text)
    return text == LATEST or (found is not None and len(found[1]) <= 19 and int(found[1]) <= _MINOR_MAX)


def stricter(one: str, other: str) -> bool:
    """Whether level `one` is stricter than level `other`."""
    return LEVELS.index(one) > LEVELS.index(other)


def policy_of(labels: Mapping[str, str], defaults: Policy) -> tuple[Policy, list[Cause]]:
    """The policy of a namespace with `labels`, and what is wrong with them.

    There is always a policy: a bad level is `restricted` when enforced and `privileged` elsewhere, a bad version is the
    latest. A namespace that enforces a level warns of it too, unless its labels say what to warn about.
    """
    asked: dict[str, LevelVersion] = {}
    problems: list[Cause] = []
    for mode in MODES:
        chosen: LevelVersion = getattr(defaults, mode)
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None:
            if not is_level(level):
                problems.append(_problem(mode, level, LEVEL_PROBLEM))
                level = RESTRICTED if mode == "enforce" else PRIVILEGED
            chosen = replace(chosen, level=level)
        if version is not None:
            if not is_version(version):
                problems.append(_problem(f"{mode}-version", version, VERSION_PROBLEM))
                version = LATEST
            chosen = replace(chosen, version=version)
        asked[mode] = chosen
    policy = Policy(**asked)
    enforce, warn = policy.enforce, policy.warn
    is_asked = is_level(labels.get(f"{PREFIX}enforce", "")) and f"{PREFIX}warn" not in labels
    if is_asked and stricter(enforce.level, warn.level):
        version = warn.version if f"{PREFIX}warn-version" in labels else enforce.version
        policy = replace(policy, warn=LevelVersion(enforce.level, version))
    return policy, problems


def _problem(name: str, value: str, why: str) -> Cause:
    return invalid(f"metadata.labels[{PREFIX}{name}]", value, why)
