"""Services and EndpointSlices in few words, and zones made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import dnslib

from homeostat.network.dns.entry import entry_of
from homeostat.network.dns.zone import Zone

Obj = dict[str, Any]
DNS_ADDRESS = "10.96.0.10"


def service(key: str, cluster_ip: str = "None", *ports: tuple[str, int], **spec: Any) -> Obj:
    """`key` is NAMESPACE/NAME; a port is its name and number, with "/UDP" behind the name where it is not TCP."""
    namespace, _, name = key.partition("/")
    listed = []
    for label, number in ports:
        label, _, protocol = label.partition("/")
        listed.append({"name": label, "port": number, "protocol": protocol or "TCP"})
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"clusterIP": cluster_ip, "ports": listed, **spec},
    }


def endpoint(address: str, hostname: str = "", **conditions: bool) -> Obj:
    found: Obj = {"addresses": [address], "conditions": conditions or {"ready": True}}
    return {**found, "hostname": hostname} if hostname else found


def piece(key: str, *endpoints: Obj, ports: Iterable[tuple[str, int]] = (), number: int = 0) -> Obj:
    """An EndpointSlice of the Service `key`."""
    namespace, _, name = key.partition("/")
    labels = {"kubernetes.io/service-name": name}
    listed = [{"name": label, "port": port, "protocol": "TCP"} for label, port in ports]
    return {
        "metadata": {"namespace": namespace, "name": f"{name}-{number}", "labels": labels},
        "addressType": "IPv6" if any(":" in each["addresses"][0] for each in endpoints) else "IPv4",
        "endpoints": list(endpoints),
        "ports": listed,
    }


def zone_of(*objects: Obj, namespaces: Iterable[str] = ("default", "kube-system"), **options: Any) -> Zone:
    """A zone cluster.local of Services and their slices, in any order."""
    zone = Zone("cluster.local", DNS_ADDRESS, **options)
    for namespace in namespaces:
        zone.put_namespace(namespace)
    slices: dict[tuple[str, str], list[Obj]] = defaultdict(list)
    for obj in objects:
        if "endpoints" in obj:
            metadata = obj["metadata"]
            slices[metadata["namespace"], metadata["labels"]["kubernetes.io/service-name"]].append(obj)
    for obj in objects:
        if "spec" in obj:
            zone.put(entry_of(obj, slices[obj["metadata"]["namespace"], obj["metadata"]["name"]]))
    return zone


def question(name: str, kind: str = "A", *, size: int = 0, ident: int = 7, recursion: bool = True) -> bytes:
    """A message that asks; with `size` it has an EDNS record."""
    record = dnslib.DNSRecord.question(name, kind)
    record.header.id, record.header.rd = ident, int(recursion)
    if size:
        record.add_ar(dnslib.EDNS0(udp_len=size))
    return bytes(record.pack())


def answers_of(reply: bytes) -> list[str]:
    """The answers of a message as `dig +short` would print them."""
    return [str(rr.rdata) for rr in dnslib.DNSRecord.parse(reply).rr]


def rcode(reply: bytes) -> str:
    return str(dnslib.RCODE[dnslib.DNSRecord.parse(reply).header.rcode])
