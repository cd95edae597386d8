"""What a check of the Pod Security Standards is, and the words that all of them share.

A judge is a function of a Pod (or a template: both have `metadata` and `spec`) that gives None when it has nothing
against it, and else a `Violation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a Pod is forbidden: `reason` is the same for all Pods, `detail` names what in this one (may be empty)."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Judge: TypeAlias = Callable[[Obj], Violation | None]


@dataclass(frozen=True, slots=True)
class Revision:
    """A judge, and the first policy version v1.`since` that has it. `overrides` names a baseline check that it
    replaces at level restricted."""

    since: int
    judge: Judge
    overrides: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One control. Baseline checks count at level restricted too. `revisions` go from the oldest to the newest."""

    id: str
    level: str
    revisions: tuple[Revision, ...]


def spec_of(pod: Obj) -> Obj:
    """The Pod's spec."""
    spec: Obj = pod.get("spec") or {}
    return spec


def containers(pod: Obj) -> list[Obj]:
    """All containers in the order in which they are named: init containers, containers, ephemeral containers."""
    spec = spec_of(pod)
    return [
        *(spec.get("initContainers") or ()),
        *(spec.get("containers") or ()),
        *(spec.get("ephemeralContainers") or ()),
    ]


def context_of(holder: Obj) -> Obj:
    """The security context of a container or of a Pod's spec."""
    context: Obj = holder.get("securityContext") or {}
    return context


def names(found: Iterable[Obj]) -> list[str]:
    """The names of containers or volumes."""
    return [each.get("name") or "" for each in found]


def quoted(items: Iterable[str]) -> str:
    """`"a", "b"`"""
    return ", ".join(f'"{item}"' for item in items)


def counted(word: str, items: Iterable[Any]) -> str:
    """`word`, or its plural unless there is exactly one item."""
    return word if len(list(items)) == 1 else f"{word}s"


def listed(word: str, items: list[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{counted(word, items)} {quoted(items)}"


def setters(bad_containers: list[str], *, pod: bool) -> str:
    """`pod and container "a"`: who sets what is forbidden (`pod`: its own context does); empty when nobody does."""
    said = ["pod"] if pod else []
    if bad_containers:
        said.append(listed("container", bad_containers))
    return " and ".join(said)


def is_windows(pod: Obj) -> bool:
    """Whether the Pod says that it is for Windows, where fields of Linux cannot be set."""
    return (spec_of(pod).get("os") or {}).get("name") == "windows"


def in_user_namespace(pod: Obj) -> bool:
    """Whether the Pod has users of its own: root in it is nobody on the node."""
    return spec_of(pod).get("hostUsers") is False


def unless(exempt: Callable[[Obj], bool], judge: Judge) -> Judge:
    """`judge`, but nothing against Pods that are `exempt`."""
    return lambda pod: None if exempt(pod) else judge(pod)
