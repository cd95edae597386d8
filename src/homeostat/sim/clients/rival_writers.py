"""Clients that write to the same objects at once and name what they saw: what the API promises them is checked.

- Counters: each reads, adds one and writes with the resourceVersion it read; no increment may be lost.
- Replacers: what names the UID or the resourceVersion of a former object must not touch the one in its place.
- An evictor: it asks for all pods of an app at once; a budget's pods never become fewer than it allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, POD
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import chance, clock, tasks
from homeostat.sim.record.commit_ledger import Commit, Ledger

KINDS = ("counters", "replacers", "evictor")
_NAMESPACE = "default"
_COUNTER = "counter"
_COUNTERS = 3
# The longest pauses between what one client does and does again, and between what it reads and writes.
_COUNT_SECONDS_MAX = 4.0
_EDIT_SECONDS_MAX = 1.0
_REPLACE_SECONDS_MAX = 12.0
_REPLACERS = 1
# How long before a commit a pod may have ceased to be healthy, and the server that committed not know it yet.
_LATE_SECONDS = 5.0


class Rivals:
    """The clients, each with a way of its own to the API. `report` is called with what is wrong."""

    def __init__(self, ledger: Ledger, client: Callable[[str], Client], report: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._client = client
        self._report = report
        self._health = _Health(ledger)
        self._running: list[asyncio.Task[None]] = []
        ledger.checks.append(self._commit)

    def start(self, count: int, *, evict_seconds: tuple[float, float]) -> None:
        """Begin to write: `count` of `KINDS`, drawn; `evict_seconds` are the shortest and the longest pause between two
        rounds of evictions."""
        for kind in chance.some(KINDS, count):
            match kind:
                case "counters":
                    work = [self._count(self._client(f"counter-{number}")) for number in range(_COUNTERS)]
                case "replacers":
                    names = [f"replacer-{number}" for number in range(_REPLACERS)]
                    work = [self._replace(self._client(name), number) for number, name in enumerate(names)]
                case _:
                    work = [self._evict(self._client("evictor"), evict_seconds)]
            for number, each in enumerate(work):
                self._running.append(tasks.spawn(each, name=f"rival/{kind}/{number}"))

    async def stop(self) -> None:
        """End; what was sent may still be carried out."""
        await tasks.stop(*self._running)

    def _commit(self, commit: Commit) -> None:
        if commit.kind == "ConfigMap" and commit.key == f"{_NAMESPACE}/{_COUNTER}":
            for text in counter_faults(commit):
                self._report(text)
        elif commit.kind == "PodDisruptionBudget":
            for text in self._health.faults(commit, clock.monotonic()):
                self._report(text)
        elif commit.kind == "Pod":
            self._health.saw(commit, clock.monotonic())
            for text in eviction_faults(commit, self._ledger):
                self._report(text)

    # -- counters ------------------------------------------------------------------------------------------------

    async def _count(self, client: Client) -> None:
        while True:
            with suppress(ApiError):
                await self._count_once(client)
            await clock.sleep(chance.uniform(0, _COUNT_SECONDS_MAX))

    async def _count_once(self, client: Client) -> None:
        try:
            counter = await client.get(CONFIGMAP, _COUNTER, _NAMESPACE)
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            await client.create(CONFIGMAP, _map(_COUNTER, value="0", seen=""))
            return
        # Others write in between, and this write has to be refused then.
        await clock.sleep(chance.uniform(0, _EDIT_SECONDS_MAX))
        value, seen = int(counter["data"]["value"]), counter["metadata"]["resourceVersion"]
        await client.update(CONFIGMAP, {**counter, "data": {"value": str(value + 1), "seen": seen}})

    # -- replacers -----------------------------------------------------------------------------------------------

    async def _replace(self, client: Client, number: int) -> None:
        turn = 0
        while True:
            turn += 1
            with suppress(ApiError):
                await self._replace_once(client, f"replaced-{number}-{turn}")
            await clock.sleep(chance.uniform(0, _REPLACE_SECONDS_MAX))

    async def _replace_once(self, client: Client, name: str) -> None:
        former = await client.create(CONFIGMAP, _map(name, life="former"))
        await client.delete(CONFIGMAP, name, _NAMESPACE)
        newer = await client.create(CONFIGMAP, _map(name, life="newer"))
        stale = {"uid": meta.uid(former)}
        if await self._passes(client.delete(CONFIGMAP, name, _NAMESPACE, options={"preconditions": stale})):
            self._report(f"a delete that names the UID of a former ConfigMap {name} removed the one in its place")
            return
        sent = {**_map(name, life="wrong"), "metadata": {**newer["metadata"], **stale, "resourceVersion": ""}}
        if await self._passes(client.update(CONFIGMAP, sent)):
            self._report(f"an update that names the UID of a former ConfigMap {name} changed the one in its place")
        changed = await client.patch(CONFIGMAP, name, _NAMESPACE, {"data": {"life": "changed"}})
        old = {"resourceVersion": newer["metadata"]["resourceVersion"]}
        if meta.uid(changed) == meta.uid(newer) and await self._passes(
            client.delete(CONFIGMAP, name, _NAMESPACE, options={"preconditions": old})
        ):
            self._report(f"a delete that names a former resourceVersion removed ConfigMap {name}")
            return
        await client.delete(CONFIGMAP, name, _NAMESPACE, options={"preconditions": {"uid": meta.uid(newer)}})

    async def _passes(self, attempt: Awaitable[Obj]) -> bool:
        """Whether a write that must be refused is carried out. Raises ApiError when that cannot be known."""
        try:
            await attempt
        except ApiError as error:
            if error.reason == "Conflict":
                return False
            raise
        return True

    # -- evictions -----------------------------------------------------------------------------------------------

    async def _evict(self, client: Client, pause_seconds: tuple[float, float]) -> None:
        """All pods of a budget at once, each once, now and then."""
        while True:
            await clock.sleep(chance.uniform(*pause_seconds))
            for budget in self._ledger.all("PodDisruptionBudget"):
                pods = [pod for pod in self._ledger.all("Pod") if protects(budget, pod) and not meta.deleting(pod)]
                await asyncio.gather(*(self._evict_one(client, pod) for pod in pods))

    async def _evict_one(self, client: Client, pod: Obj) -> None:
        metadata = {"name": meta.name(pod), "namespace": meta.namespace(pod)}
        eviction: Obj = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        eviction["deleteOptions"] = {"preconditions": {"uid": meta.uid(pod)}}
        with suppress(ApiError):
            await client.create(POD, eviction, subresource="eviction")


class _Health:
    """When each pod was healthy last: ready and not on its way out."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._healthy_at: dict[str, float] = {}

    def saw(self, commit: Commit, now: float) -> None:
        """Take a commit of a pod."""
        if commit.old is not None and _healthy(commit.old):
            self._healthy_at[meta.uid(commit.old)] = now

    def faults(self, commit: Commit, now: float) -> Iterable[str]:
        """Whether an eviction that the budget has just granted leaves it fewer healthy pods than it wants."""
        budget = commit.new
        if budget is None:
            return
        going = (budget.get("status") or {}).get("disruptedPods") or {}
        before = ((commit.old or {}).get("status") or {}).get("disruptedPods") or {}
        if not going.keys() - before.keys():
            return
        left = [
            pod
            for pod in self._ledger.all("Pod")
            if protects(budget, pod) and meta.name(pod) not in going and self._was_healthy(pod, now)
        ]
        wanted = budget["spec"]["minAvailable"]
        if len(left) < wanted:
            granted = ", ".join(sorted(going.keys() - before.keys()))
            yield f"{commit.key} grants the eviction of {granted}: {len(left)} healthy pods are left, it wants {wanted}"

    def _was_healthy(self, pod: Obj, now: float) -> bool:
        return _healthy(pod) or now - self._healthy_at.get(meta.uid(pod), -_LATE_SECONDS) < _LATE_SECONDS


def counter_faults(commit: Commit) -> Iterable[str]:
    """A counter grows by one with each write, and each write saw the one before it."""
    old, new = commit.old, commit.new
    if old is None or new is None:
        return
    before, after = int(old["data"]["value"]), int(new["data"]["value"])
    if after != before + 1:
        yield f"an update is lost: the counter went from {before} to {after} (r{commit.revision})"
    if new["data"]["seen"] != old["metadata"]["resourceVersion"]:
        seen, there = new["data"]["seen"], old["metadata"]["resourceVersion"]
        yield f"the counter was written by who saw it at {seen}, but it was at {there}"


def eviction_faults(commit: Commit, ledger: Ledger) -> Iterable[str]:
    """A healthy pod that is being evicted is in the account of the budget that protects it."""
    old, new = commit.old, commit.new
    if old is None or new is None or _evicted(old) or not _evicted(new) or not _healthy(old):
        return
    ready = meta.condition(old, "Ready") or {}
    if clock.wall() - meta.time_of(ready.get("lastTransitionTime")) < _LATE_SECONDS:
        return
    for budget in ledger.all("PodDisruptionBudget"):
        made = meta.time_of(budget["metadata"].get("creationTimestamp"))
        if not protects(budget, old) or clock.wall() - made < _LATE_SECONDS:
            continue
        if meta.name(old) not in ((budget.get("status") or {}).get("disruptedPods") or {}):
            yield f"pod {commit.key} is evicted without the budget {meta.key(budget)}"


def protects(budget: Obj, pod: Obj) -> bool:
    """Whether the pod is one of the budget's."""
    labels = budget["spec"]["selector"]["matchLabels"].items()
    return meta.namespace(budget) == meta.namespace(pod) and bool(labels <= meta.labels(pod).items())


def _healthy(pod: Obj) -> bool:
    return meta.pod_ready(pod) and not meta.deleting(pod) and not meta.pod_terminal(pod)


def _evicted(pod: Obj) -> bool:
    found = meta.condition(pod, "DisruptionTarget") or {}
    return found.get("reason") == "EvictionByEvictionAPI"


def _map(name: str, **data: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": _NAMESPACE},
        "data": data,
    }
