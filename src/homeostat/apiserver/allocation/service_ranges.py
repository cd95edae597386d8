"""The ranges that Services draw from: which cluster addresses and node ports there are, which one to try. Pure.

The lower band of each range is left to addresses and ports that users ask for by number, as in Kubernetes (KEP-3070,
KEP-3668): random draws come from the upper band first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers `first` to `last`; below `dynamic` is the static band."""

    first: int
    last: int
    dynamic: int

    def candidates(self, taken: Callable[[int], bool], below: Callable[[int], int]) -> Iterator[int]:
        """Free numbers, each once: from a random place in the upper band on, then the static band."""
        upper = self.last - self.dynamic + 1
        if upper > 0:
            start = below(upper)
            for step in range(upper):
                number = self.dynamic + (start + step) % upper
                if not taken(number):
                    yield number
        for number in range(self.first, self.dynamic):
            if not taken(number):
                yield number

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last


def address_range(cidr: str) -> Range:
    """The usable addresses of `--service-cluster-ip-range` as integers; the first is the API's own Service.

    Raises ValueError.
    """
    network = ipaddress.IPv4Network(cidr)
    if network.num_addresses < 8:
        raise ValueError(f"service-cluster-ip-range {cidr} is too small")
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
    band = min(max(16, network.num_addresses // 16), 256)
    return Range(first, last, min(first + band, last + 1))


def port_range(text: str) -> Range:
    """`--service-node-port-range`, as `30000-32767`. Raises ValueError."""
    low, _, high = text.partition("-")
    first, last = int(low), int(high)
    if not 0 < first <= last < 65536:
        raise ValueError(f"service-node-port-range {text} is not a range of ports")
    size = last - first + 1
    band = 0 if size < 16 else min(max(16, size // 32), 128)
    return Range(first, last, first + band)


def text_of(address: int) -> str:
    """The address in dotted form."""
    return str(ipaddress.IPv4Address(address))


def number_of(address: str) -> int | None:
    """The address as an integer; None when it is no IPv4 address in canonical form."""
    try:
        found = ipaddress.IPv4Address(address)
    except ValueError:
        return None
    return int(found)
