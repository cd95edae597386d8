"""What every name of the cluster means: the tables, and the answer to one question. Pure: no I/O, no clock.

Rules: the Kubernetes DNS specification 1.1.0, with the names of Pods as CoreDNS has them. A name that is not the
cluster's has no answer here: it is forwarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from homeostat.network.dns import records
from homeostat.network.dns.entry import Entry
from homeostat.network.dns.records import (
    AAAA,
    CNAME,
    NS,
    NXDOMAIN,
    PTR,
    SOA,
    SRV,
    TXT,
    A,
    Answer,
    Authority,
    Labels,
    Record,
    Service,
)

SCHEMA_VERSION = "1.1.0"
# As CoreDNS: short, since the addresses of a name change; also for what is not there.
TTL_SECONDS = 5
# By which a DNS server finds out that a question it forwarded came back to its own cluster.
IDENTITY = ("cluster-id", "dns")
_ALIASES_MAX = 8
_PRIORITY, _WEIGHT_TOTAL = 0, 100


class Zone:
    """The names of one cluster. `version` grows with every change, so that answers may be kept until then.

    `address` is the DNS server's own, under which the zone names it. With `verify_pods` a Pod's name is known only
    while a Pod of that namespace has the address (`put_pod`); without, every address has a name in every namespace.
    """

    def __init__(self, domain: str, address: str, *, verify_pods: bool = False) -> None:
        self.domain = records.labels_of(domain)
        self.version = 1
        self.identity = ""
        self._address = address
        self._suffix = ".".join(self.domain)
        self._verify_pods = verify_pods
        self._entries: dict[tuple[str, str], Entry] = {}
        self._namespaces: set[str] = set()
        self._reverse: dict[str, dict[tuple[str, str], str]] = {}
        self._pods: dict[str, dict[str, int]] = {}

    # -- what is in it ---------------------------------------------------------------------------------------------

    def put(self, entry: Entry) -> None:
        """A Service is new or has changed."""
        key = (entry.namespace, entry.name)
        old = self._entries.get(key)
        if old == entry:
            return
        if old is not None:
            self.remove(*key)
        self._entries[key] = entry
        for address, label in entry.reverse.items():
            self._reverse.setdefault(address, {})[key] = label
        self.version += 1

    def remove(self, namespace: str, name: str) -> None:
        """A Service is gone."""
        old = self._entries.pop((namespace, name), None)
        if old is None:
            return
        for address in old.reverse:
            owners = self._reverse[address]
            owners.pop((namespace, name), None)
            if not owners:
                del self._reverse[address]
        self.version += 1

    def identify(self, identity: str) -> None:
        """Which cluster this is."""
        if identity != self.identity:
            self.identity = identity
            self.version += 1

    def put_namespace(self, name: str) -> None:
        """A namespace is there."""
        if name not in self._namespaces:
            self._namespaces.add(name)
            self.version += 1

    def remove_namespace(self, name: str) -> None:
        """A namespace is gone."""
        self._namespaces.discard(name)
        self.version += 1

    def put_pod(self, namespace: str, address: str) -> None:
        """A Pod has an address. Several may share one: those in a node's own network."""
        here = self._pods.setdefault(namespace, {})
        here[address] = here.get(address, 0) + 1
        self.version += 1

    def remove_pod(self, namespace: str, address: str) -> None:
        """A Pod no longer has that address."""
        here = self._pods.get(namespace, {})
        if here.get(address, 0) > 1:
            here[address] -= 1
        else:
            here.pop(address, None)
        self.version += 1

    # -- questions -------------------------------------------------------------------------------------------------

    def answer(self, labels: Labels, kind: int) -> Answer | None:
        """What is known of `labels`; None when they are none of the cluster's. Every answer is authoritative."""
        address = records.reversed_address(labels)
        if address:
            return self._pointers(labels, address, kind)
        rest = self._inside(labels)
        if rest is None:
            return None
        found: list[Record] = []
        for _ in range(_ALIASES_MAX):
            name = ".".join(labels)
            alias = self._alias(rest)
            if not alias:
                known = self._records(rest, name, kind)
                rcode = NXDOMAIN if known is None else records.NOERROR
                return self._complete(rcode, (*found, *(known or ())), kind)
            found.append(Record(name, CNAME, TTL_SECONDS, alias))
            if kind == CNAME:
                return Answer(records=tuple(found))
            labels = records.labels_of(alias)
            rest = self._inside(labels)
            if rest is None:
                return Answer(records=tuple(found), onward=alias)
        return Answer(records.SERVFAIL, tuple(found))

    def _inside(self, labels: Labels) -> Labels | None:
        """What precedes the cluster's domain; None when the name is not in it."""
        count = len(labels) - len(self.domain)
        return labels[:count] if count >= 0 and labels[count:] == self.domain else None

    def _alias(self, rest: Labels) -> str:
        if len(rest) == 3 and rest[2] == "svc" and (entry := self._entries.get((rest[1], rest[0]))):
            return entry.alias
        return ""

    def _records(self, rest: Labels, name: str, kind: int) -> Iterable[Record] | None:
        """The records of that kind of a name of the cluster, an alias not followed; None when there is no such name."""
        match rest:
            case ():
                return self._apex(name, kind)
            case ("dns-version",):
                return _texts(name, kind, SCHEMA_VERSION)
            case ("dns",) | ("svc",) | ("pod",):
                return ()
            case ("ns", "dns"):
                return _addresses(name, kind, (self._address,))
            case _ if rest == IDENTITY and self.identity:
                return _texts(name, kind, self.identity)
            case (*before, "svc"):
                return self._in_services(tuple(before), name, kind)
            case (*before, "pod"):
                return self._in_pods(tuple(before), name, kind)
        return None

    def _apex(self, name: str, kind: int) -> Iterable[Record]:
        if kind == SOA:
            return (self._authority(),)
        return (Record(name, NS, TTL_SECONDS, f"ns.dns.{self._suffix}"),) if kind == NS else ()

    def _in_services(self, before: Labels, name: str, kind: int) -> Iterable[Record] | None:
        if len(before) == 1:
            return () if before[0] in self._namespaces else None
        entry = self._entries.get((before[-1], before[-2]))
        if entry is None:
            return None
        match before[:-2]:
            case ():
                # "If there are no ready endpoints for the headless Service, the answer should be NXDOMAIN" (2.4.1).
                return _addresses(name, kind, entry.addresses) if entry.addresses else None
            case (label,) if label in entry.hosts:
                return _addresses(name, kind, entry.hosts[label])
            case (protocol,) if any(protocol == each for _, each in entry.ports):
                return ()
            case (port, protocol) if (port, protocol) in entry.ports:
                return self._ports(entry, (port, protocol), name) if kind == SRV else ()
        return None

    def _ports(self, entry: Entry, key: tuple[str, str], name: str) -> Iterator[Record]:
        targets = entry.ports[key]
        weight = max(_WEIGHT_TOTAL // len(targets), 1)
        for label, number in targets:
            target = self._name_of(entry.namespace, entry.name, label)
            yield Record(name, SRV, TTL_SECONDS, Service(_PRIORITY, weight, number, target))

    def _in_pods(self, before: Labels, name: str, kind: int) -> Iterable[Record] | None:
        if not before or before[-1] not in self._namespaces:
            return None
        if len(before) == 1:
            return ()
        address = records.undashed(before[0]) if len(before) == 2 else ""
        if not address or (self._verify_pods and address not in self._pods.get(before[1], ())):
            return None
        return _addresses(name, kind, (address,))

    def _pointers(self, labels: Labels, address: str, kind: int) -> Answer | None:
        owners = self._reverse.get(address)
        if owners is None:
            return None
        found: tuple[Record, ...] = ()
        if kind == PTR:
            names = [self._name_of(*key, label) for key, label in sorted(owners.items())]
            found = tuple(Record(".".join(labels), PTR, TTL_SECONDS, name) for name in names)
        return self._complete(records.NOERROR, found, kind)

    def _complete(self, rcode: int, found: tuple[Record, ...], kind: int) -> Answer:
        """With the zone's authority where there is nothing (RFC 2308), and the addresses of what SRV records name."""
        if rcode != records.NOERROR or not any(record.kind == kind for record in found):
            return Answer(rcode, found, (self._authority(),))
        targets = {record.data.target: None for record in found if isinstance(record.data, Service)}
        return Answer(rcode, found, (), tuple(self._of_targets(targets)))

    def _of_targets(self, names: Iterable[str]) -> Iterator[Record]:
        for name in names:
            rest = self._inside(records.labels_of(name))
            for kind in (A, AAAA):
                yield from self._records(rest or (), name, kind) or ()

    def _name_of(self, namespace: str, service: str, label: str) -> str:
        own = f"{service}.{namespace}.svc.{self._suffix}"
        return f"{label}.{own}" if label else own

    def _authority(self) -> Record:
        data = Authority(
            f"ns.dns.{self._suffix}", f"hostmaster.{self._suffix}", self.version, 7200, 1800, 86400, TTL_SECONDS
        )
        return Record(self._suffix, SOA, TTL_SECONDS, data)


def _addresses(name: str, kind: int, addresses: Iterable[str]) -> tuple[Record, ...]:
    return tuple(
        Record(name, kind, TTL_SECONDS, address) for address in addresses if records.address_kind(address) == kind
    )


def _texts(name: str, kind: int, text: str) -> tuple[Record, ...]:
    return (Record(name, TXT, TTL_SECONDS, text),) if kind == TXT else ()
