"""ARP as bytes: asking who has an address, and saying that we have it (RFC 826, RFC 5227). Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from socket import inet_aton, inet_ntoa

ETHERTYPE = 0x0806
_BROADCAST = b"\xff" * 6
_NOBODY = bytes(6)
_FRAME = struct.Struct("!6s6sH HHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800
_REQUEST, _REPLY = 1, 2


@dataclass(frozen=True, slots=True)
class Packet:
    """One ARP packet: who sent it (hardware address as text, IPv4 address), and about whom."""

    hardware: str
    sender: str
    target: str
    is_reply: bool


def request(hardware: str, sender: str, target: str) -> bytes:
    """The frame that asks who has `target`, from the link with this hardware address."""
    return _frame(hardware, sender, _REQUEST, target)


def announcement(hardware: str, address: str) -> bytes:
    """The frame that announces on the link that `address` is here."""
    return _frame(hardware, address, _REQUEST, address)


def parse(frame: bytes) -> Packet | None:
    """What a frame says; None when it is not ARP for IPv4 over Ethernet."""
    if len(frame) < _FRAME.size:
        return None
    _, _, kind, hardware_kind, protocol, *_, operation, hardware, sender, _, target = _FRAME.unpack_from(frame)
    if (kind, hardware_kind, protocol) != (ETHERTYPE, _ETHERNET, _IPV4) or operation not in (_REQUEST, _REPLY):
        return None
    return Packet(hardware.hex(":"), inet_ntoa(sender), inet_ntoa(target), operation == _REPLY)


def _frame(hardware: str, sender: str, operation: int, target: str) -> bytes:
    own = bytes.fromhex(hardware.replace(":", ""))
    here, there = inet_aton(sender), inet_aton(target)
    head = (_BROADCAST, own, ETHERTYPE, _ETHERNET, _IPV4, 6, 4, operation)
    return _FRAME.pack(*head, own, here, _NOBODY, there)
