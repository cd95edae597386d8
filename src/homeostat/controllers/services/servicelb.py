"""The service-lb loop: Services of type LoadBalancer get an address out of a pool, and publish it in their status.

It takes the place of a cloud's load balancer: the node proxies serve the address, and one healthy node answers for it
on the nodes' network (`network.kubeproxy.announcer`). Rules: the Service API; events are those of the service
controller in k8s.io/cloud-provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from homeostat.api import meta
from homeostat.api.kinds import SERVICE
from homeostat.api.types import Obj
from homeostat.loop.contract import Action, Key, Loop, Patch, Record, Watch, World

ALL = "all"
# What loadBalancerClass may say so that this loop acts; without a class it acts too.
CLASS = "homeostat.dev/address-pool"
_BALANCED = "LoadBalancer"


def loop(pool: tuple[str, str]) -> Loop:
    """The loop `service-lb` over the addresses from the first to the last of `pool`."""
    first, last = (int(IPv4Address(text)) for text in pool)

    def decide(key: Key, world: World) -> list[Action]:
        return assign(world.list(SERVICE), range(first, last + 1))

    return Loop("service-lb", (Watch(SERVICE, _keys),), decide, parallel=1, start_keys=(ALL,))


def _keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    return (ALL,) if any(obj is not None and (_ours(obj) or _given(obj)) for obj in (old, new)) else ()


def assign(services: Iterable[Obj], pool: range) -> list[Action]:
    """An address for every Service that wants one; of two that have the same, the older keeps it."""
    known = sorted(services, key=lambda service: (meta.created_at(service), meta.key(service)))
    wanting = [service for service in known if _ours(service)]
    holders: dict[str, str] = {}
    for service in wanting:
        for address in _given(service):
            if _in(address, pool) and address not in holders and _asked(service) in ("", address):
                holders[address] = meta.key(service)
                break
    served = set(holders.values())
    free = (text for number in pool if (text := str(IPv4Address(number))) not in holders)
    actions: list[Action] = []
    for service in wanting:
        if meta.key(service) not in served:
            actions += _give(service, pool, holders, free)
    for service in known:
        if not _ours(service) and any(_in(address, pool) for address in _given(service)):
            actions.append(_publish(service, [], "the Service is no load balancer of ours any more"))
    return actions


def _give(service: Obj, pool: range, holders: dict[str, str], free: Iterator[str]) -> list[Action]:
    """The actions that give a Service its address, or say why there is none."""
    address = _asked(service) or next((text for text in free if text not in holders), "")
    trouble = ""
    if not address:
        trouble = "every address of the pool is in use"
    elif not _in(address, pool):
        trouble = f"{address} is not in the pool"
    elif address in holders:
        trouble = f"{address} belongs to the Service {holders[address]}"
    if trouble:
        failed = Record(service, "SyncLoadBalancerFailed", f"Error syncing load balancer: {trouble}", "Warning")
        return [failed, _publish(service, [], trouble)] if _given(service) else [failed]
    holders[address] = meta.key(service)
    done = Record(service, "EnsuredLoadBalancer", "Ensured load balancer")
    return [_publish(service, [{"ip": address, "ipMode": "VIP"}], f"load balancer address {address}"), done]


def _publish(service: Obj, ingress: list[Obj], note: str) -> Patch:
    body = {"metadata": {"uid": meta.uid(service)}, "status": {"loadBalancer": {"ingress": ingress or None}}}
    space, name = meta.namespace(service), meta.name(service)
    return Patch(SERVICE, space, name, body, subresource="status", note=note)


def _ours(service: Obj) -> bool:
    spec = service.get("spec") or {}
    return (
        spec.get("type") == _BALANCED and spec.get("loadBalancerClass") in (None, CLASS) and not meta.deleting(service)
    )


def _asked(service: Obj) -> str:
    return str((service.get("spec") or {}).get("loadBalancerIP") or "")


def _given(service: Obj) -> list[str]:
    published = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [str(item["ip"]) for item in published if item.get("ip")]


def _in(address: str, pool: range) -> bool:
    try:
        return int(IPv4Address(address)) in pool
    except ValueError:
        return False
