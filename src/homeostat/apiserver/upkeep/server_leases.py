"""Which API servers are up: each renews a Lease, and those with a current one are the endpoints of Service
default/kubernetes.

A server that died stops renewing and leaves the endpoints when its Lease has run out, 15 to 20 seconds later. Rules:
kube-apiserver's identity leases (KEP-1965) and its endpoint reconciler "lease".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial

from homeostat.api import kinds, meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.apiserver.allocation.service_addresses import SERVER
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.contract import Reader, Writer
from homeostat.apiserver.upkeep import cluster_objects_data
from homeostat.apiserver.upkeep.cluster_objects import Bootstrap
from homeostat.kit import chance, clock
from homeostat.kit.log import logger

_log = logger("apiserver.presence")
_NAMESPACE = "kube-system"
_ENDPOINT = "homeostat.dev/endpoint"
LEASE_SECONDS = 15
RENEW_SECONDS = 5.0
# How long a server waits to see its own renewal, and how often it looks.
_SEE_SECONDS_MAX = 2.0
_SEE_PAUSE_SECONDS = 0.01


class Presence:
    """One server's Lease, and the shared endpoints. `host` and `port` are where the others reach it."""

    def __init__(
        self, reader: Reader, writer: Writer, bootstrap: Bootstrap, *, host: str, port: int, cluster_ip: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._bootstrap = bootstrap
        self._address = (host, port)
        self._cluster_ip = cluster_ip
        self._identity = f"{host}:{port}_{chance.uuid4()}"
        self.lease_name = "apiserver-" + hashlib.sha256(f"{host}:{port}".encode()).hexdigest()[:26]

    async def run(self) -> None:
        """Renew and reconcile for ever, once the namespaces exist."""
        await self._bootstrap.done.wait()
        while True:
            try:
                await self._see(await self.renew())
                await self.reconcile()
            except ApiError as error:
                _log.warning("the lease of this API server could not be renewed: %s", error)
            await clock.sleep(RENEW_SECONDS)

    async def renew(self) -> Obj:
        """Recreate the Lease; returns it. Raises ApiError."""
        now = clock.now_rfc3339_micro()
        host, port = self._address
        spec = {"holderIdentity": self._identity, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        metadata = {
            "name": self.lease_name,
            "namespace": _NAMESPACE,
            "labels": {wellknown.LABEL_SERVER_IDENTITY: "kube-apiserver", wellknown.LABEL_HOSTNAME: host},
            "annotations": {_ENDPOINT: f"{host}:{port}"},
        }

        def take(current: Obj) -> Obj:
            own = (current.get("spec") or {}).get("holderIdentity") == self._identity
            acquired = (current.get("spec") or {}).get("acquireTime") if own else now
            return {**current, "metadata": {**current["metadata"], **metadata, "resourceVersion": ""},
                    "spec": {**spec, "acquireTime": acquired}}  # fmt: skip

        try:
            return stored_form.decode(
                await self._writer.change(kinds.LEASE, _NAMESPACE, self.lease_name, take, user=SERVER)
            )
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            head: Obj = {"apiVersion": kinds.LEASE.api_version, "kind": "Lease", "metadata": metadata}
            lease = {**head, "spec": {**spec, "acquireTime": now}}
            return await self._writer.create(kinds.LEASE, lease, user=SERVER)

    async def _see(self, lease: Obj) -> None:
        """Wait until this server's own view holds its renewal, and with it those that came before: else it would remove
        servers that have just come back from the endpoints, itself first."""
        written, end = meta.resource_version(lease), clock.monotonic() + _SEE_SECONDS_MAX
        while clock.monotonic() < end:
            seen = self._reader.get(kinds.LEASE, _NAMESPACE, self.lease_name)
            if seen is not None and meta.resource_version(seen) >= written:
                return
            await clock.sleep(_SEE_PAUSE_SECONDS)

    async def reconcile(self) -> None:
        """Set the endpoints of the Service to the servers that are up. Raises ApiError."""
        service = cluster_objects_data.api_service(self._cluster_ip, self._address[1])
        await self._ensure(service, lambda: service, fields=())
        endpoints = cluster_objects_data.api_endpoints(self._living())
        await self._ensure(endpoints, lambda: cluster_objects_data.api_endpoints(self._living()), fields=("subsets",))
        slices = cluster_objects_data.api_endpoint_slices(self._living())
        for wanted in slices:
            await self._ensure(wanted, partial(self._slice, wanted), fields=("endpoints", "ports"))
        await self._remove_slices(keep={meta.name(wanted) for wanted in slices})

    def _slice(self, known: Obj) -> Obj:
        """What the slice has to be by now; as it was when its port has no server any more."""
        slices = cluster_objects_data.api_endpoint_slices(self._living())
        return next((piece for piece in slices if meta.name(piece) == meta.name(known)), known)

    def _living(self) -> list[tuple[str, int]]:
        now = clock.wall()
        found: list[tuple[str, int]] = []
        for lease in self._reader.list(kinds.LEASE, _NAMESPACE):
            if meta.labels(lease).get(wellknown.LABEL_SERVER_IDENTITY) != "kube-apiserver":
                continue
            host, _, port = meta.annotations(lease).get(_ENDPOINT, "").rpartition(":")
            renewed = meta.time_of((lease.get("spec") or {}).get("renewTime"))
            if host and port.isdecimal() and renewed + LEASE_SECONDS > now:
                found.append((host, int(port)))
        return found

    async def _ensure(self, wanted: Obj, newest: Callable[[], Obj], *, fields: Iterable[str]) -> None:
        """Create `wanted`, or make `fields` of the stored one what they are in `newest()`: servers that start together
        must not overwrite each other with stale data."""
        kind = _kind_of(wanted)
        namespace, name = meta.namespace(wanted), meta.name(wanted)
        stored = self._reader.get(kind, namespace, name)
        if stored is not None and all((stored.get(field) or []) == wanted[field] for field in fields):
            return

        def put(current: Obj) -> Obj:
            now = newest()
            changed = {**current, **{field: now[field] for field in fields}}
            return {**changed, "metadata": {**current["metadata"], "resourceVersion": ""}}

        try:
            if stored is None:
                await self._writer.create(kind, wanted, user=SERVER)
            else:
                await self._writer.change(kind, namespace, name, put, user=SERVER)
        except ApiError as error:
            # Another server was quicker; the next round looks again.
            if error.reason not in ("AlreadyExists", "NotFound"):
                raise

    async def _remove_slices(self, *, keep: set[str]) -> None:
        namespace = cluster_objects_data.SERVICE_NAMESPACE
        for found in self._reader.list(kinds.ENDPOINTSLICE, namespace):
            owned = meta.labels(found).get(wellknown.LABEL_SERVICE_NAME) == cluster_objects_data.SERVICE_NAME
            if owned and meta.name(found) not in keep:
                await self._writer.delete(kinds.ENDPOINTSLICE, namespace, meta.name(found), user=SERVER)


def _kind_of(obj: Obj) -> Kind:
    kind = Catalogue.builtin().by_kind(obj["kind"], obj["apiVersion"])
    assert kind is not None  # our own data names kinds that exist
    return kind
