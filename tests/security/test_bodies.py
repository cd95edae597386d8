"""The body of an unauthorized request is not read: by identity, over real sockets, with the server's memory
measured."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from tests.support.api_site import Caller, Site, story
from tests.support.patience import eventually
from tests.support.solo_server import SoloServer, solo_server

MAPS = "/api/v1/namespaces/default/configmaps"
MB = 1 << 20
BODY = 3 * MB - 1000
# Buffers of the connections under way, and some air.
GROWTH_BYTES_MAX = 80 * MB


async def begin(site: Site, *headers: str) -> Caller:
    """A create whose body does not come."""
    caller = Caller(*await asyncio.open_connection("127.0.0.1", site.port))
    lines = [f"POST {MAPS} HTTP/1.1", "Host: api", f"Content-Length: {BODY}", *headers, "", ""]
    caller.writer.write("\r\n".join(lines).encode())
    return caller


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
@pytest.mark.parametrize(
    ("credentials", "code"),
    [((), 403), (("Authorization: Bearer forged",), 401), (("Authorization: Bearer eve",), 403)],
)
def test_a_forbidden_write_is_refused_before_the_body_is_read(
    credentials: tuple[str, ...], code: int, expect: tuple[str, ...]
) -> None:
    async def scenario(site: Site) -> None:
        caller = await begin(site, *credentials, *expect)
        status, headers, _ = await caller.answer()
        assert (status, headers["connection"]) == (code, "close")

    story(scenario)


def test_who_may_write_is_let_continue() -> None:
    async def scenario(site: Site) -> None:
        caller = await begin(site, "Authorization: Bearer admin", "Expect: 100-continue")
        assert (await caller.head())[0] == 100

    story(scenario)


def flood(server: SoloServer, count: int, head: bytes) -> list[socket.socket]:
    """Connections that have sent as much of a body as the server takes within a moment, or all of it but one byte."""
    held = []
    for _ in range(count):
        connection = server.connect(seconds=1.0)
        held.append(connection)
        with contextlib.suppress(OSError):
            connection.sendall(head + b"x" * (BODY - 1))
    return held


def test_bodies_cost_a_server_no_more_than_their_room_and_it_gives_the_memory_back(tmp_path: Path) -> None:
    (tmp_path / "solo").mkdir()
    with solo_server(tmp_path / "solo") as server:
        length = f"Content-Length: {BODY}\r\n\r\n"
        anonymous = f"POST {MAPS} HTTP/1.1\r\nHost: solo\r\n{length}".encode()
        before = server.memory_bytes()
        held = flood(server, 60, anonymous)
        assert server.memory_bytes() - before < GROWTH_BYTES_MAX, "180 MB were sent"
        for connection in held:
            connection.close()
        held = flood(server, 40, server.head("POST", MAPS, length.strip()) + b"\r\n")
        assert server.memory_bytes() - before < GROWTH_BYTES_MAX + 64 * MB
        for connection in held:
            connection.close()
        assert server.ask("GET", MAPS).status == 200
        eventually(lambda: server.memory_bytes() - before < GROWTH_BYTES_MAX / 2)
        assert server.ask("POST", MAPS, {"metadata": {"name": "after"}, "data": {"x": "y" * 900_000}}).status == 201
