"""One question to another server, over UDP, or over TCP when the answer is longer."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeAlias

from homeostat.kit import chance
from homeostat.network.dns import dns_message
from homeostat.network.dns.dns_message import Reply

# (host, port)
Address: TypeAlias = tuple[str, int]


class Exchange(Protocol):
    """Asks one server for the records of one kind. Raises OSError, TimeoutError among them."""

    async def __call__(self, server: Address, labels: tuple[bytes, ...], kind: int, *, dnssec: bool = False) -> Reply:
        """The reply; with signatures when `dnssec`."""
        ...


SECONDS_MAX = 2.0


async def exchange(server: Address, labels: tuple[bytes, ...], kind: int, *, dnssec: bool = False) -> Reply:
    """The server's reply within two seconds. Raises OSError, also TimeoutError.

    Each question has a number and a port of its own, so that answers cannot be guessed (RFC 5452).
    """
    question = dns_message.ask(chance.below(1 << 16), labels, kind, dnssec=dnssec)
    async with asyncio.timeout(SECONDS_MAX):
        reply = await _over_udp(server, question)
        return await _over_tcp(server, question) if reply.truncated else reply


class _Asker(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers; others are ignored."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take it when it answers the question."""
        try:
            reply = dns_message.read_reply(self._question, data)
        except ValueError:
            return
        if not self.reply.done():
            self.reply.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        """The port is closed there."""
        if not self.reply.done():
            self.reply.set_exception(exc if isinstance(exc, OSError) else OSError(str(exc)))


async def _over_udp(server: Address, question: bytes) -> Reply:
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(lambda: _Asker(question), remote_addr=server)
    try:
        transport.sendto(question)
        return await asker.reply
    finally:
        transport.close()


async def _over_tcp(server: Address, question: bytes) -> Reply:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(question).to_bytes(2, "big") + question)
        length = int.from_bytes(await reader.readexactly(2), "big")
        return dns_message.read_reply(question, await reader.readexactly(length))
    except (ValueError, asyncio.IncompleteReadError) as error:
        raise OSError(f"no answer over TCP: {error}") from error
    finally:
        writer.close()
