"""Keeps the zone as the API says: watches Services, EndpointSlices and namespaces, and Pods where their names are to be
checked. Of each object only what DNS needs is kept."""

from __future__ import annotations

import asyncio

from homeostat.api import meta
from homeostat.api.kinds import ENDPOINTSLICE, NAMESPACE, POD, SERVICE
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.loop.informer import Informer
from homeostat.network.dns.entry import entry_of
from homeostat.network.dns.zone import Zone
from homeostat.network.watch.service_slices import ServiceSlices

# Whose uid says which cluster this is.
_IDENTITY_NAMESPACE = "kube-system"


class ZoneKeeper:
    """`synced` is set when the zone knows what the API knew at the start."""

    def __init__(self, client: Client, zone: Zone, *, verify_pods: bool = False) -> None:
        self._zone = zone
        self._services = Informer(client, SERVICE, transform=_service)
        self._slices = Informer(client, ENDPOINTSLICE, transform=_slice)
        self._namespaces = Informer(client, NAMESPACE, transform=_name_only)
        self._pods = Informer(client, POD, transform=_pod) if verify_pods else None
        self._slices_of = ServiceSlices()
        self._dirty: set[str] = set()
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.synced = asyncio.Event()

    def start(self) -> None:
        """Begin to watch."""
        self._services.listen(self._service_changed)
        self._slices.listen(self._slice_changed)
        self._namespaces.listen(self._namespace_changed)
        if self._pods:
            self._pods.listen(self._pod_changed)
        for informer in self._informers():
            self._tasks.append(tasks.spawn(informer.run(), name=f"dns/{informer.kind.plural}"))
        self._tasks.append(tasks.spawn(self._run(), name="dns/zone"))

    async def stop(self) -> None:
        """End the watches; the zone stays as it is."""
        await tasks.stop(*self._tasks)

    def _informers(self) -> list[Informer]:
        return [each for each in (self._namespaces, self._services, self._slices, self._pods) if each]

    async def _run(self) -> None:
        for informer in self._informers():
            await informer.synced.wait()
        while True:
            self._moved.clear()
            dirty, self._dirty = self._dirty, set()
            for key in dirty:
                self._renew(key)
            self.synced.set()
            await self._moved.wait()
            await clock.sleep(0)  # what the same read brought is looked at together

    def _renew(self, key: str) -> None:
        namespace, name = meta.split_key(key)
        service = self._services.objects.get(namespace, name)
        if service is None:
            self._zone.remove(namespace, name)
            return
        self._zone.put(entry_of(service, self._slices_of.of(key)))

    def _service_changed(self, old: Obj | None, new: Obj | None) -> None:
        self._touch(meta.key(new or old or {}))

    def _slice_changed(self, old: Obj | None, new: Obj | None) -> None:
        for key in self._slices_of.change(old, new):
            self._touch(key)

    def _namespace_changed(self, old: Obj | None, new: Obj | None) -> None:
        name = meta.name(new or old or {})
        if new is None:
            self._zone.remove_namespace(name)
            return
        self._zone.put_namespace(name)
        if name == _IDENTITY_NAMESPACE:
            self._zone.identify(meta.uid(new))

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        before, after = (_addresses(pod) if pod else () for pod in (old, new))
        if before == after:
            return
        namespace = meta.namespace(new or old or {})
        for address in after:
            self._zone.put_pod(namespace, address)
        for address in before:
            self._zone.remove_pod(namespace, address)

    def _touch(self, key: str) -> None:
        self._dirty.add(key)
        self._moved.set()


def _metadata(obj: Obj, *more: str) -> Obj:
    metadata = meta.metadata(obj)
    return {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion", *more) if key in metadata}


def _name_only(obj: Obj) -> Obj:
    return {"metadata": _metadata(obj)}


def _service(obj: Obj) -> Obj:
    spec = obj.get("spec") or {}
    wanted = ("type", "externalName", "clusterIP", "clusterIPs", "publishNotReadyAddresses", "ports")
    return {"metadata": _metadata(obj), "spec": {key: spec[key] for key in wanted if key in spec}}


def _slice(obj: Obj) -> Obj:
    endpoints = [
        {key: endpoint[key] for key in ("addresses", "conditions", "hostname") if key in endpoint}
        for endpoint in obj.get("endpoints") or ()
    ]
    kept = {key: obj[key] for key in ("addressType", "ports") if key in obj}
    return {"metadata": _metadata(obj, "labels"), **kept, "endpoints": endpoints}


def _pod(obj: Obj) -> Obj:
    return {"metadata": _metadata(obj), "addresses": _pod_addresses(obj)}


def _pod_addresses(pod: Obj) -> tuple[str, ...]:
    """A Pod's addresses; one that has ended has given them back."""
    if meta.pod_terminal(pod):
        return ()
    status = pod.get("status") or {}
    return tuple(dict.fromkeys(each["ip"] for each in status.get("podIPs") or () if each.get("ip")))


def _addresses(pod: Obj) -> tuple[str, ...]:
    return tuple(pod["addresses"])
