"""Which addresses a proxy may connect to: one rule for whatever form an address is written in. Pure.

As apimachinery's IsProxyableIP: global unicast addresses alone. An IPv6 address that has an IPv4 one inside (mapped,
compatible, NAT64, 6to4, Teredo) is judged by both, since the machine or a gateway takes it for that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
# Addresses of IPv4 in their last 32 bits: IPv4-compatible, NAT64 (RFC 6052, RFC 8215) and SIIT (RFC 2765).
_CARRIERS = tuple(IPv6Network(text) for text in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96"))
_THIS_NETWORK = ip_network("0.0.0.0/8")
_BROADCAST = IPv4Address("255.255.255.255")


def address_of(text: str) -> Address | None:
    """The address written in `text`; None for a name, and for forms that only some programs read (octal, decimal)."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_loopback(address: Address) -> bool:
    """Whether the address leads to the machine itself, in whatever form."""
    return any(each.is_loopback or each.is_unspecified for each in _meant(address))


def is_global(address: Address, *, loopback: bool = False) -> bool:
    """Whether the address is one machine's on a network. With `loopback` those of 127.0.0.0/8 written so count, but
    for 127.0.0.1: nodes and Pods that are plain processes have them."""
    if loopback and isinstance(address, IPv4Address) and address.is_loopback:
        return str(address) != "127.0.0.1"
    return not any(_is_special(each) for each in _meant(address))


def _meant(address: Address) -> Iterator[Address]:
    """The address, and those of IPv4 inside it."""
    yield address
    if isinstance(address, IPv4Address):
        return
    for inside in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if inside is not None:
            yield inside
    if any(address in carrier for carrier in _CARRIERS):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _is_special(address: Address) -> bool:
    if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local:
        return True
    return isinstance(address, IPv4Address) and (address in _THIS_NETWORK or address == _BROADCAST)
