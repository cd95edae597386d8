"""Warnings about a namespace's existing Pods that violate a stricter Pod Security level, bounded in number and time.

Rule: k8s.io/pod-security-admission/admission (EvaluatePodsInNamespace).
"""

from __future__ import annotations

from collections.abc import Collection

from homeostat.api import kinds, meta
from homeostat.api.podsecurity.evaluate import evaluate, reasons
from homeostat.api.podsecurity.levels import LevelVersion
from homeostat.api.rules import ownership
from homeostat.api.types import Obj
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.contract import Reader
from homeostat.kit import clock

PODS_MAX = 3000
SECONDS_MAX = 1.0
# How many Pods are decoded before yielding to other requests.
_TURN = 50


class ExistingPods:
    """See the module. Pods of the runtime classes `exempt` are passed over."""

    def __init__(self, reader: Reader, exempt: Collection[str]) -> None:
        self._reader = reader
        self._exempt = exempt

    async def warnings(self, namespace: str, policy: LevelVersion) -> list[str]:
        """The warnings for `policy` in `namespace`: Pods that violate it, grouped by why."""
        found = [item for item in self._reader.items(kinds.POD) if item.namespace == namespace]
        look = _Look(policy, self._exempt, total=len(found))
        replicas = await look.through(found)
        # One Pod of each controller says what all of them will; the others are looked at last, for their number.
        await look.through(replicas, firsts_only=False)
        return look.warnings(namespace)


class _Look:
    """One walk over Pods: counts what it saw, and stops at the bounds."""

    def __init__(self, policy: LevelVersion, exempt: Collection[str], *, total: int) -> None:
        self._policy = policy
        self._exempt = exempt
        self._total = total
        self._checked = 0
        self._deadline = clock.monotonic() + SECONDS_MAX
        # The controllers of the Pods that were judged.
        self._owners: set[str] = set()
        # Why, and the names of the Pods: the first one, and how many there are.
        self._wrong: dict[str, tuple[str, int]] = {}

    async def through(self, items: list[Item], *, firsts_only: bool = True) -> list[Item]:
        """Judge the Pods; with `firsts_only` one of each controller, and the others are returned."""
        later: list[Item] = []
        for number, item in enumerate(items, 1):
            if self._checked >= PODS_MAX or clock.monotonic() >= self._deadline:
                break
            pod = stored_form.decode(item.data)
            if firsts_only and (pod.get("spec") or {}).get("runtimeClassName") in self._exempt:
                self._total -= 1
            elif firsts_only and ownership.controller_uid(pod) in self._owners:
                later.append(item)
            else:
                self._judge(pod)
            if number % _TURN == 0:
                await clock.sleep(0)
        return later

    def _judge(self, pod: Obj) -> None:
        self._checked += 1
        if owner := ownership.controller_uid(pod):
            self._owners.add(owner)
        violations = evaluate(self._policy, pod)
        if violations:
            why = reasons(violations)
            first, count = self._wrong.get(why, (meta.name(pod), 0))
            self._wrong[why] = (min(first, meta.name(pod)), count + 1)

    def warnings(self, namespace: str) -> list[str]:
        """What is to be said: whether all were looked at, and who violates the policy."""
        said: list[str] = []
        if self._checked < self._total:
            seen = f"the first {self._checked} of {self._total} existing pods"
            said.append(f"new PodSecurity enforce level only checked against {seen}")
        if self._wrong:
            violate = f'violate the new PodSecurity enforce level "{self._policy}"'
            said.append(f'existing pods in namespace "{namespace}" {violate}')
        return said + sorted(f"{_named(first, count)}: {why}" for why, (first, count) in self._wrong.items())


def _named(first: str, count: int) -> str:
    if count == 1:
        return first
    return f"{first} (and {count - 1} other {'pod' if count == 2 else 'pods'})"
