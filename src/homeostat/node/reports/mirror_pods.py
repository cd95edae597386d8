"""Mirror pods: the objects by which the API shows static pods. Deciding what to do about them, and doing it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import NODE, POD
from homeostat.api.rules import ownership, wellknown
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.wire.cause import WriteCause

_log = logger("kubelet.mirror")
_RETRY = Backoff(first_seconds=0.2, ceiling_seconds=5.0)
_REQUEST_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """Static pods whose mirror is to be made, and mirrors that are to go."""

    create: tuple[Obj, ...]
    delete: tuple[Obj, ...]


def plan_mirrors(static: Iterable[Obj], mirrors: Mapping[tuple[str, str], Obj]) -> MirrorPlan:
    """Each static pod has one mirror with its hash; a mirror that is deleted, outdated or without a pod is removed
    first."""
    create, delete, wanted = [], [], set()
    for pod in static:
        place = meta.namespace(pod), meta.name(pod)
        wanted.add(place)
        mirror = mirrors.get(place)
        if mirror is None:
            create.append(pod)
        elif meta.deleting(mirror) or meta.annotations(mirror).get(wellknown.ANNOTATION_MIRROR) != meta.uid(pod):
            delete.append(mirror)
    delete += [mirror for place, mirror in mirrors.items() if place not in wanted]
    return MirrorPlan(tuple(create), tuple(delete))


def mirror_of(pod: Obj, node: Obj) -> Obj:
    """The object that shows a static pod; the Node owns it."""
    metadata = {key: value for key, value in pod["metadata"].items() if key != "uid"}
    metadata["annotations"] = {**metadata["annotations"], wellknown.ANNOTATION_MIRROR: meta.uid(pod)}
    metadata["ownerReferences"] = [{**ownership.owner_reference(NODE, node), "controller": True}]
    return {**pod, "metadata": metadata}


class Mirrors:
    """Keeps the mirrors right. `static` gives the static pods, `mirrors` the mirror pods of this node as cached (None
    before they are known), `node` the Node."""

    def __init__(
        self,
        client: Client,
        node_name: str,
        *,
        static: Callable[[], Iterable[Obj]],
        mirrors: Callable[[], Mapping[tuple[str, str], Obj] | None],
        node: Callable[[], Obj | None],
    ) -> None:
        self._client = client
        self._name = node_name
        self._static = static
        self._mirrors = mirrors
        self._node = node
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = tasks.spawn(self._run(), name=f"{self._name}/mirrors")

    async def stop(self) -> None:
        """End; mirrors stay."""
        await tasks.stop(self._task)

    def look(self) -> None:
        """Something has changed."""
        self._look.set()

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._look.wait()
            self._look.clear()
            mirrors, node = self._mirrors(), self._node()
            if mirrors is None or node is None:
                continue
            try:
                async with asyncio.timeout(_REQUEST_SECONDS_MAX):
                    await self._perform(plan_mirrors(self._static(), mirrors), node)
                failures = 0
            except (ApiError, TimeoutError) as error:
                _log.debug("%s: mirror pods: %s", self._name, error)
                await clock.sleep(_RETRY.delay(failures))
                failures += 1
                self._look.set()

    async def _perform(self, plan: MirrorPlan, node: Obj) -> None:
        for mirror in plan.delete:
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta.uid(mirror)}}
            cause = WriteCause(f"kubelet/{self._name}", meta.key(mirror), "mirror pod is outdated")
            try:
                await self._client.delete(POD, meta.name(mirror), meta.namespace(mirror), options=options, cause=cause)
            except ApiError as error:
                if error.code not in (404, 409):
                    raise
        for pod in plan.create:
            cause = WriteCause(f"kubelet/{self._name}", meta.key(pod), "static pod has no mirror")
            try:
                await self._client.create(POD, mirror_of(pod, node), cause=cause)
            except ApiError as error:
                if error.code != 409:
                    raise
