"""A log over a WebSocket (wsstream.NewDefaultReaderProtocols): what the client sees; its leaving is noticed."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from homeostat.api.errors import ApiError
from homeostat.apiserver.subresources.logsocket import over_websocket
from homeostat.kit import clock, tasks, virtual
from homeostat.wire.duplex import pair
from homeostat.wire.message import Request, Response
from tests.support.spdy_node import WebSocketClient


def asking(*protocols: str) -> Request:
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    headers["sec-websocket-key"] = base64.b64encode(b"0123456789abcdef").decode()
    if protocols:
        headers["sec-websocket-protocol"] = ", ".join(protocols)
    return Request("GET", "/", headers=headers)


def scenario(answer: Response, story: Callable[[WebSocketClient], Awaitable[None]]) -> None:
    async def main() -> None:
        near, far = pair()
        assert answer.status == 101 and answer.upgrade is not None
        serving = tasks.spawn(answer.upgrade(far), name="log")  # type: ignore[arg-type]
        await story(WebSocketClient(near))
        near.close()
        await serving

    virtual.run(main, seed=1)


async def lines() -> AsyncIterator[bytes]:
    for number in range(3):
        await clock.sleep(1)
        yield b"line %d\n" % number


@pytest.mark.parametrize(
    ("protocols", "chosen"),
    [((), None), (("binary.k8s.io",), "binary.k8s.io"), (("other", "binary.k8s.io"), "binary.k8s.io")],
)
def test_a_log_comes_as_binary_messages_after_an_empty_one(protocols: tuple[str, ...], chosen: str | None) -> None:
    answer = over_websocket(asking(*protocols), lines())
    assert answer.headers.get("sec-websocket-protocol") == chosen

    async def story(client: WebSocketClient) -> None:
        assert await client.all() == [b"", b"line 0\n", b"line 1\n", b"line 2\n"]
        assert client.protocol.close_rcvd is not None

    scenario(answer, story)


def test_a_log_comes_in_base64_for_those_who_ask() -> None:
    async def story(client: WebSocketClient) -> None:
        assert [base64.b64decode(message) for message in await client.all()] == [b"", b"all\xff\n"]

    scenario(over_websocket(asking("base64.binary.k8s.io"), b"all\xff\n"), story)


def test_other_protocols_are_refused() -> None:
    with pytest.raises(ApiError) as refused:
        over_websocket(asking("v5.channel.k8s.io"), b"")
    assert refused.value.code == 403
    text = "requested protocol(s) are not supported: [v5.channel.k8s.io]; supports [binary.k8s.io base64.binary.k8s.io]"
    assert refused.value.message == text


def test_a_client_that_leaves_ends_the_reading_of_the_log() -> None:
    ended = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick\n"
                await clock.sleep(10)
        finally:
            ended.append(True)

    async def story(client: WebSocketClient) -> None:
        client.send(b"what a client says is thrown away")
        assert await client.message() == b"" and await client.message() == b"tick\n"

    scenario(over_websocket(asking(), endless()), story)
    assert ended == [True]
