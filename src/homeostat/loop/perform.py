"""Performs the actions of one decision: the only place where a loop's actions become requests.

Actions run in their order; consecutive creates (and consecutive deletes) run together, one at first and one more at
once with each that succeeds, so that a failing API is not flooded: after k successes at most 2k + 1 have been sent,
as in Kubernetes' slow start by batches of 1, 2, 4, ..., but none waits for the slowest of a batch. A key whose last
round went well begins with more. The first failure ends the performance. What was written is
reported as waits: the runner does not decide for the key again before the caches have seen them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from homeostat.api.errors import ApiError
from homeostat.api.kinds import SUBJECTACCESSREVIEW, Kind
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import chance
from homeostat.loop.cache import GroupKind
from homeostat.loop.catchup import Gone, Moved, Reached, Wait
from homeostat.loop.contract import (
    Absent,
    Action,
    Confirm,
    Create,
    Delete,
    DeleteCollection,
    IfAllowed,
    Key,
    Later,
    Patch,
    Record,
    Remember,
    Update,
)
from homeostat.loop.informer import Informer
from homeostat.loop.objects import revision_of
from homeostat.loop.recorder import EventRecorder
from homeostat.wire.cause import Seen, WriteCause

_NOT_FOUND = 404
# As many as the client has under way at once.
_UNDER_WAY_MAX = 32
# How many writes of one round, all of them well, let the key's next round begin with `_UNDER_WAY_MAX` at once.
_PROVEN = 128
_PROVEN_KEYS_MAX = 1024
_Write: TypeAlias = Create | Update | Patch | Delete | DeleteCollection
# apimachinery, names.SimpleNameGenerator: the base is cut so that the name fits a label.
_GENERATED_BASE_MAX = 58


@dataclass(slots=True)
class Outcome:
    """The result of a decision: the waits of its writes, the delay it requested, and the error that ended it: an
    ApiError, or whatever a mistake in the loop has raised. A key whose decision took long rests for `rest_seconds`."""

    waits: list[Wait] = field(default_factory=list)
    later_seconds: float | None = None
    error: Exception | None = None
    rest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Round:
    """The decision that is being performed: for which key, caused by what, and what has come of it so far."""

    key: Key
    seen: tuple[Seen, ...]
    outcome: Outcome
    # How many creates or deletes are sent at once at first.
    first: int = 1


class Performer:
    """Performs actions as `name` (`component/loop`); `performed` counts them by type."""

    def __init__(
        self, client: Client, name: str, *, recorder: EventRecorder, informers: dict[GroupKind, Informer]
    ) -> None:
        self.performed: Counter[str] = Counter()
        self._client = client
        self._name = name
        self._recorder = recorder
        # What `kubectl describe` shows as an event's source, in Kubernetes' manner.
        self._reporter = f"{name.rpartition('/')[2]}-controller"
        self._informers = informers
        # Keys whose last round had `_PROVEN` writes and no failure.
        self._proven: set[Key] = set()

    async def perform(self, key: Key, actions: Sequence[Action], seen: tuple[Seen, ...]) -> Outcome:
        """Do all of it, or up to the first error."""
        outcome = Outcome()
        first = _UNDER_WAY_MAX if key in self._proven else 1
        self._proven.discard(key)
        await self._perform(actions, _Round(key, seen, outcome, first))
        if outcome.error is None and len(outcome.waits) >= _PROVEN and len(self._proven) < _PROVEN_KEYS_MAX:
            self._proven.add(key)
        return outcome

    async def _perform(self, actions: Sequence[Action], round_: _Round) -> None:
        for run in runs(actions):
            if len(run) == 1:
                await self._act(run[0], round_)
            else:
                await self._act_on_all(run, round_)
            if round_.outcome.error is not None:
                return

    async def _act_on_all(self, run: Sequence[Action], round_: _Round) -> None:
        """Perform creates, or deletes, with more and more of them under way (see the module)."""
        left = iter(run)
        window = asyncio.Semaphore(round_.first)
        mistaken = False

        async def work() -> None:
            nonlocal mistaken
            await window.acquire()
            well = False
            try:
                while not mistaken and round_.outcome.error is None and (action := next(left, None)) is not None:
                    await self._act(action, round_)
                    window.release()
                well = True
            finally:
                mistaken = mistaken or not well
                # Those that still wait find that there is nothing left to do.
                window.release()

        workers = [work() for _ in range(min(len(run), _UNDER_WAY_MAX))]
        for result in await asyncio.gather(*workers, return_exceptions=True):
            if result is not None:
                raise result

    async def _act(self, action: Action, round_: _Round) -> None:
        outcome = round_.outcome
        match action:
            case Record():
                self._record(action)
                return
            case Remember():
                return  # The runner keeps it, before anything that may fail.
            case Later(seconds=seconds):
                before = outcome.later_seconds
                outcome.later_seconds = seconds if before is None else min(before, seconds)
                return
            case _:
                pass
        try:
            if isinstance(action, Confirm):
                if await self._all_absent(action.absent):
                    await self._perform(action.then, round_)
                return
            if isinstance(action, IfAllowed):
                allowed = await self._is_allowed(action.review)
                await self._perform(action.then if allowed else action.otherwise, round_)
                return
            self.performed[type(action).__name__] += 1
            cause = WriteCause(self._name, round_.key, action.note, round_.seen)
            outcome.waits.extend(await self._write(action, cause))
        except ApiError as error:
            outcome.error = outcome.error or error
            if error.reason == "Conflict":
                outcome.waits.extend(_moved(action))
            if isinstance(action, (Create, Delete)) and action.failed is not None:
                self._record(action.failed, "{error}", error.message)

    async def _write(self, action: _Write, cause: WriteCause) -> list[Wait]:
        client = self._client
        match action:
            case Create():
                return await self._create(action, cause)
            case Delete():
                return await self._delete(action, cause)
            case DeleteCollection(kind=kind, namespace=namespace):
                await client.delete_collection(kind, namespace, cause=cause)
                return []
            case Update(kind=kind, obj=obj, subresource=subresource):
                obj = action.complete(obj) if action.complete is not None else obj
                written = await absent_is_done(client.update(kind, obj, subresource=subresource, cause=cause))
                return _reached(kind, written)
            case Patch(kind=kind, name=name, namespace=namespace, patch=patch):
                how = {"content_type": action.content_type, "subresource": action.subresource}
                written = await absent_is_done(client.patch(kind, name, namespace, patch, cause=cause, **how))
                return _reached(kind, written)

    async def _create(self, action: Create, cause: WriteCause) -> list[Wait]:
        obj, generated = with_fixed_name(action.obj)
        try:
            written: Obj | None = await self._client.create(action.kind, obj, cause=cause)
        except ApiError as error:
            if error.reason != "AlreadyExists" or not (generated or action.ignore_exists):
                raise
            if not generated:
                return []
            # The name is our own random one, so an earlier attempt whose answer was lost had succeeded.
            metadata = obj["metadata"]
            found = self._client.get(action.kind, metadata["name"], metadata.get("namespace", ""))
            written = await absent_is_done(found)
        if action.done is not None:
            self._record(action.done, "{name}", obj["metadata"]["name"])
        return _reached(action.kind, written)

    async def _delete(self, action: Delete, cause: WriteCause) -> list[Wait]:
        options: Obj = {}
        if action.uid:
            options["preconditions"] = {"uid": action.uid}
        if action.propagation:
            options["propagationPolicy"] = action.propagation
        if action.grace_seconds is not None:
            options["gracePeriodSeconds"] = action.grace_seconds
        kind = group_kind(action.kind)
        uid = action.uid
        if not uid and (informer := self._informers.get(kind)) is not None:
            cached = informer.objects.get(action.namespace, action.name)
            uid = cached["metadata"].get("uid", "") if cached is not None else ""
        answer = await absent_is_done(
            self._client.delete(action.kind, action.name, action.namespace, options=options, cause=cause)
        )
        if action.done is not None:
            self._record(action.done, "{name}", action.name)
        if answer is not None and "deletionTimestamp" in (answer.get("metadata") or {}):
            return [Reached(kind, revision_of(answer))]
        return [Gone(kind, uid)] if uid else []

    async def _all_absent(self, absent: Sequence[Absent]) -> bool:
        """Whether live reads find none of these."""
        for claim in absent:
            if claim.name:
                found = await absent_is_done(self._client.get(claim.kind, claim.name, claim.namespace))
                if found is not None and claim.uid in ("", found["metadata"].get("uid")):
                    return False
            elif (await self._client.list(claim.kind, claim.namespace, limit=1)).items:
                return False
        return True

    async def _is_allowed(self, review: Obj) -> bool:
        """What a SubjectAccessReview says."""
        answer = await self._client.create(SUBJECTACCESSREVIEW, {"spec": review})
        return bool((answer.get("status") or {}).get("allowed"))

    def _record(self, record: Record, placeholder: str = "", value: str = "") -> None:
        message = record.message.replace(placeholder, value) if placeholder else record.message
        self._recorder.record(record.about, record.reason, message, record.event_type, component=self._reporter)


async def absent_is_done(request: Coroutine[Any, Any, Obj]) -> Obj | None:
    """The answer, or None where the object is no longer there."""
    try:
        return await request
    except ApiError as error:
        if error.code == _NOT_FOUND:
            return None
        raise


def runs(actions: Sequence[Action]) -> Iterator[Sequence[Action]]:
    """The actions in order, in groups: consecutive creates or deletes together, others alone."""
    at = 0
    while at < len(actions):
        kind = type(actions[at])
        end = at + 1
        if kind in (Create, Delete):
            while end < len(actions) and type(actions[end]) is kind:
                end += 1
        yield actions[at:end]
        at = end


def with_fixed_name(obj: Obj) -> tuple[Obj, bool]:
    """The object with a name made from its generateName, and whether one was made.

    A create of a fixed name can be sent again when its answer was lost; one that the server names would double.
    """
    metadata = obj["metadata"]
    base = metadata.get("generateName")
    if metadata.get("name") or not base:
        return obj, False
    name = base[:_GENERATED_BASE_MAX] + chance.name_suffix()
    return obj | {"metadata": metadata | {"name": name}}, True


def group_kind(kind: Kind) -> GroupKind:
    """The key of a kind's cache."""
    return kind.group, kind.kind


def _reached(kind: Kind, written: Obj | None) -> list[Wait]:
    return [Reached(group_kind(kind), revision_of(written))] if written is not None else []


def _moved(action: Action) -> list[Wait]:
    """After a conflict: wait until the cache shows another revision than the one the action was decided on."""
    match action:
        case Update(kind=kind, obj=obj):
            metadata = obj["metadata"]
            return [Moved(group_kind(kind), metadata.get("namespace", ""), metadata["name"], revision_of(obj))]
        case Patch(kind=kind, patch=patch) if (patch.get("metadata") or {}).get("resourceVersion"):
            return [Moved(group_kind(kind), action.namespace, action.name, revision_of(patch))]
        case Delete(kind=kind, uid=uid) if uid:
            return [Gone(group_kind(kind), uid)]
        case _:
            return []
