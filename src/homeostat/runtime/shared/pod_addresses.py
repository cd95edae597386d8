"""The pod addresses of one node: taken in turn from its pod CIDR, and not used again at once."""

from __future__ import annotations

import ipaddress


class AddressPool:
    """Addresses of one CIDR. The one given back longest ago is the next to be taken again."""

    def __init__(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr)
        self._first = int(network.network_address) + 1
        self._count = max(0, network.num_addresses - 2)
        self._next = 0
        self._held: set[int] = set()

    def take(self) -> str | None:
        """A free address, or None when all are in use."""
        for step in range(self._count):
            place = (self._next + step) % self._count
            if place not in self._held:
                self._held.add(place)
                self._next = place + 1
                return str(ipaddress.ip_address(self._first + place))
        return None

    def hold(self, address: str) -> None:
        """Count an address as taken (found in kept state); later ones come after it. Others than the pool's do not
        matter."""
        place = self._place(address)
        if place is not None:
            self._held.add(place)
            self._next = place + 1

    def release(self, address: str) -> None:
        """Give an address back."""
        place = self._place(address)
        if place is not None:
            self._held.discard(place)

    def _place(self, address: str) -> int | None:
        place = int(ipaddress.ip_address(address)) - self._first
        return place if 0 <= place < self._count else None
