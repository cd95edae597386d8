"""DNS records as data, and the few numbers of the protocol that are needed. Pure.

Numbers: RFC 1035, RFC 2782 (SRV), RFC 3596 (AAAA), RFC 6891 (EDNS).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, IXFR, AXFR, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 251, 252, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16

# A name as its labels in lower case, the root's left out.
Labels: TypeAlias = tuple[str, ...]


class Service(NamedTuple):
    """The data of an SRV record."""

    priority: int
    weight: int
    port: int
    target: str


class Authority(NamedTuple):
    """The data of a SOA record; times are seconds."""

    server: str
    mailbox: str
    serial: int
    refresh: int
    retry: int
    expire: int
    negative: int


class Record(NamedTuple):
    """One record; `name` has no dot at its end. The data of A, AAAA, CNAME, NS, PTR and TXT is text."""

    name: str
    kind: int
    ttl: int
    data: str | Service | Authority


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a question. `onward` is a name outside the cluster whose records are to be added: an alias
    led there."""

    rcode: int = NOERROR
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    onward: str = ""


def address_kind(address: str) -> int:
    """Whether an address belongs into an A or an AAAA record."""
    return AAAA if ":" in address else A


def labels_of(name: str) -> Labels:
    """The labels of a name, with or without a dot at its end."""
    return tuple(name.lower().rstrip(".").split(".")) if name.strip(".") else ()


def reversed_address(labels: Labels) -> str:
    """The address of a name below in-addr.arpa or ip6.arpa; empty when it is not a whole one."""
    if labels[-2:] == ("in-addr", "arpa") and len(labels) == 6:
        text = ".".join(reversed(labels[:4]))
    elif labels[-2:] == ("ip6", "arpa") and len(labels) == 34 and all(len(label) == 1 for label in labels[:32]):
        nibbles = "".join(reversed(labels[:32]))
        text = ":".join(nibbles[at : at + 4] for at in range(0, 32, 4))
    else:
        return ""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def dashed(address: str) -> str:
    """An address as one label."""
    return address.replace(".", "-").replace(":", "-")


def undashed(label: str) -> str:
    """The address of a label made by `dashed`; empty when it is none."""
    parts = label.split("-")
    text = ".".join(parts) if len(parts) == 4 and "" not in parts else ":".join(parts)
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
