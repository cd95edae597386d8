"""Creates the objects that every cluster has, and restores what was removed from them.

Several servers may do it at once: what exists already is fine. Rules: kube-apiserver's system namespaces controller,
its RBAC post-start hook and the scheduling one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from homeostat.api import errors, kinds, meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.allocation.service_addresses import SERVER
from homeostat.apiserver.authz import bootstrap_policy, rbac_policy
from homeostat.apiserver.contract import Reader, Writer
from homeostat.apiserver.upkeep import cluster_objects_data
from homeostat.kit import clock
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger

_log = logger("apiserver.bootstrap")
_RETRY = Backoff(first_seconds=0.1, ceiling_seconds=5.0)

# Those of them that were deleted are created again.
_UPKEEP_SECONDS = 60.0


class Bootstrap:
    """`run` creates everything, then recreates what must not be missing."""

    def __init__(self, reader: Reader, writer: Writer, *, service_range: str) -> None:
        self._reader = reader
        self._writer = writer
        self._service_cidr = cluster_objects_data.service_cidr(service_range)
        self.done = asyncio.Event()

    async def run(self) -> None:
        """Create everything, retrying until it works; then recreate for ever what must not be missing."""
        attempt = 0
        while not self.done.is_set():
            try:
                await self.make()
                self.done.set()
            except ApiError as error:
                _log.warning("the bootstrap objects could not be written, retrying: %s", error)
                await clock.sleep(_RETRY.delay(attempt))
                attempt += 1
        while True:
            await clock.sleep(_UPKEEP_SECONDS)
            try:
                await self._create_all(cluster_objects_data.namespaces())
                await self._keep_service_cidr()
            except ApiError as error:
                _log.warning("system namespaces and the range of Services could not be checked: %s", error)

    async def check(self) -> None:
        """Raises 503 until everything was created once: before that, administrators have no permissions."""
        if not self.done.is_set():
            raise errors.unavailable("the bootstrap objects are not written yet")

    async def make(self) -> None:
        """Everything once. Raises ApiError when a write fails."""
        roles = [*rbac_policy.cluster_roles(), *bootstrap_policy.cluster_roles()]
        bindings = [*rbac_policy.cluster_role_bindings(), *bootstrap_policy.cluster_role_bindings()]
        await self._create_all([*cluster_objects_data.namespaces(), *roles, *bindings])
        await self._create_all([*cluster_objects_data.priority_classes(), *bootstrap_policy.public_info()])
        await self._keep_service_cidr()
        for wanted in (*roles, *bindings):
            await self._reconcile(wanted)

    async def _keep_service_cidr(self) -> None:
        """The range that Services have their addresses of, and that it is ready."""
        name = meta.name(self._service_cidr)
        await self._create(self._service_cidr)
        stored = self._reader.get(kinds.SERVICECIDR, "", name)
        if stored is not None and meta.condition_true(stored, "Ready"):
            return

        def ready(current: Obj) -> Obj:
            changed = cluster_objects_data.service_cidr_ready(current, clock.now_rfc3339())
            return {**changed, "metadata": {**changed["metadata"], "resourceVersion": ""}}

        await self._writer.change(kinds.SERVICECIDR, "", name, ready, user=SERVER, subresource="status")

    async def _create_all(self, objects: Sequence[Obj]) -> None:
        """All at once, so that they share the store's group commits."""
        await asyncio.gather(*(self._create(obj) for obj in objects))

    async def _create(self, obj: Obj) -> None:
        kind = _kind_of(obj)
        if self._reader.get(kind, meta.namespace(obj), meta.name(obj)) is not None:
            return
        try:
            await self._writer.create(kind, obj, user=SERVER)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _reconcile(self, wanted: Obj) -> None:
        """Give a bootstrap role or binding back what it lost."""
        kind, name = _kind_of(wanted), meta.name(wanted)
        stored = self._reader.get(kind, "", name)
        if stored is None or rbac_policy.reconciled(stored, wanted) is None:
            return

        def restore(current: Obj) -> Obj:
            changed = rbac_policy.reconciled(current, wanted) or current
            return {**changed, "metadata": {**changed["metadata"], "resourceVersion": ""}}

        await self._writer.change(kind, "", name, restore, user=SERVER)


def _kind_of(obj: Obj) -> Kind:
    kind = Catalogue.builtin().by_kind(obj["kind"], obj["apiVersion"])
    assert kind is not None  # our own data names kinds that exist
    return kind
