"""A WebSocket of v5.channel.k8s.io before a node that speaks SPDY (apiserver's StreamTranslatorHandler), on virtual
time: what each side receives, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from homeostat.api import errors
from homeostat.apiserver.subresources.translate import Wanted, translate
from homeostat.kit import clock, tasks, virtual
from homeostat.wire import spdy
from homeostat.wire.duplex import BUFFER_BYTES, pair
from homeostat.wire.message import Response
from homeostat.wire.websocket import WebSocket
from tests.support.spdy_node import Play, Runtime, SpdyNode, WebSocketClient

ALL = Wanted(stdin=True, stdout=True, stderr=True, tty=False)
TERMINAL = Wanted(stdin=True, stdout=True, stderr=True, tty=True)
Story = Callable[[WebSocketClient], Awaitable[None]]


def run_story(story: Story, play: Play | Response | errors.ApiError, wanted: Wanted = ALL) -> None:
    """`story(client)` before a node that `play`s, or refuses."""

    async def dial() -> Response:
        if isinstance(play, errors.ApiError):
            raise play
        if isinstance(play, Response):
            return play
        return await Runtime(play)(None)  # type: ignore[arg-type]

    async def main() -> None:
        near, far = pair()
        socket = WebSocket(far)

        async def serve() -> None:
            await translate(socket, dial, wanted)
            far.close()

        serving = tasks.spawn(serve(), name="translation")
        async with asyncio.timeout(1000):
            await story(WebSocketClient(near))
            near.close()
            await serving

    virtual.run(main, seed=1)


def status(message: bytes | None) -> dict[str, Any]:
    assert message is not None and message[0] == 3
    found: dict[str, Any] = orjson.loads(message[1:])
    return found


def test_channels_become_streams_and_back():
    async def play(node: SpdyNode) -> None:
        await node.open(4)
        assert list(node.opened.items()) == [("error", 1), ("stdin", 3), ("stdout", 5), ("stderr", 7)]
        assert await node.data("stdin") == (b"question", False)
        node.say("stdout", b"answer")
        node.say("stderr", b"doubt")
        node.end(b'{"status":"Failure","reason":"NonZeroExitCode"}')

    async def story(client: WebSocketClient) -> None:
        client.send(b"\0question")
        assert await client.message() == b"\1answer"
        assert await client.message() == b"\2doubt"
        assert status(await client.message())["reason"] == "NonZeroExitCode", "the runtime's own words"
        assert await client.message() is None
        assert client.protocol.close_rcvd.code == 1000  # type: ignore[union-attr]

    run_story(story, play)


def test_only_the_streams_that_are_asked_for_are_opened_and_a_terminal_can_be_resized():
    async def play(node: SpdyNode) -> None:
        await node.open(4)
        assert list(node.opened) == ["error", "stdin", "stdout", "resize"], "a terminal has one output"
        assert await node.data("resize") == (b'{"Width":80,"Height":25}\n', False)
        node.end()

    async def story(client: WebSocketClient) -> None:
        client.send(b'\4{"Width":80,"Height":25}\n')
        assert status(await client.message())["status"] == "Success"

    run_story(story, play, TERMINAL)

    async def only_output(node: SpdyNode) -> None:
        await node.open(2)
        assert list(node.opened) == ["error", "stdout"]
        node.end()

    async def listen(client: WebSocketClient) -> None:
        client.send(b"\0nobody asked")
        client.send(b"\7nor of this channel")
        client.send(b"\xff")
        assert status(await client.message())["status"] == "Success"

    run_story(listen, only_output, Wanted(stdin=False, stdout=True, stderr=False, tty=False))


def test_the_close_signal_ends_standard_input_while_output_goes_on():
    """KEP-4006: a message of channel 255 closes the channel that it names."""

    async def play(node: SpdyNode) -> None:
        await node.open(4)
        assert await node.data("stdin") == (b"all", False)
        assert await node.data("stdin") == (b"", True)
        await clock.sleep(100)
        node.say("stdout", b"later")
        node.end()

    async def story(client: WebSocketClient) -> None:
        for message in (b"\0all", b"\xff\0", b"\xff\0", b"\0too late"):
            client.send(message)
        assert await client.message() == b"\1later"
        assert status(await client.message())["status"] == "Success"

    run_story(story, play)


def test_input_waits_until_the_node_has_taken_the_streams():
    """spdystream throws away what comes on a stream before its SYN_REPLY has left."""

    async def play(node: SpdyNode) -> None:
        await node.open(4, reply=False)
        await clock.sleep(5)
        assert node._frames == node._frames.__class__()
        for number in node.opened.values():
            node.stream.write(node._writer.syn_reply(number))
        assert await node.data("stdin") == (b"early", False)
        node.end()

    async def story(client: WebSocketClient) -> None:
        client.send(b"\0early")
        assert status(await client.message())["status"] == "Success"

    run_story(story, play)


def test_a_message_in_fragments_is_one_and_pings_are_answered():
    async def play(node: SpdyNode) -> None:
        await node.open(4)
        got = b""
        while len(got) < 9:
            got += (await node.data("stdin"))[0]
        assert got == b"onetwosix"
        node.stream.write(spdy.ping_frame(2) + spdy.ping_frame(1))
        assert await node.frame() == spdy.Ping(2), "even numbers are the server's: answered; odd ones are our own"
        node.end()

    async def story(client: WebSocketClient) -> None:
        client.protocol.send_binary(b"\0one", fin=False)
        client.protocol.send_ping(b"there?")
        client.protocol.send_continuation(b"two", fin=False)
        client.protocol.send_continuation(b"six", fin=True)
        client.flush()
        assert status(await client.message())["status"] == "Success"
        assert client.pongs == 1

    run_story(story, play)


def test_a_client_that_does_not_read_slows_the_command_down():
    wrote = 0

    async def play(node: SpdyNode) -> None:
        nonlocal wrote
        await node.open(4)
        for _ in range(100):
            node.say("stdout", b"x" * 65536)
            await node.stream.drain()
            wrote += 65536
        node.end()

    async def story(client: WebSocketClient) -> None:
        await clock.sleep(10)
        assert wrote < 8 * BUFFER_BYTES
        messages = await client.all()
        assert sum(len(message) - 1 for message in messages if message[0] == 1) == 100 * 65536
        assert status(messages[-1])["status"] == "Success"

    run_story(story, play)


def test_a_command_that_does_not_read_slows_the_client_down():
    async def play(node: SpdyNode) -> None:
        await node.open(4)
        await clock.sleep(20)
        got = 0
        while True:
            data, last = await node.data("stdin")
            got += len(data)
            if last:
                break
        node.say("stdout", str(got).encode())
        node.end()

    async def story(client: WebSocketClient) -> None:
        begun = clock.monotonic()
        for _ in range(60):
            client.send(b"\0" + b"x" * 65536)
            await client.stream.drain()
        client.send(b"\xff\0")
        assert clock.monotonic() - begun >= 20
        assert await client.message() == b"\1%d" % (60 * 65536)

    run_story(story, play)


def test_a_client_whose_pings_cannot_be_read_gets_pongs_all_the_same():
    """kubectl hangs up 61 s after the last pong, however good the reason for the silence."""

    async def play(node: SpdyNode) -> None:
        await node.open(4)
        await clock.sleep(200)
        node.end()

    async def story(client: WebSocketClient) -> None:
        for _ in range(30):
            client.send(b"\0" + b"x" * 65536)
        reply = tasks.spawn(client.message(), name="listening")
        await clock.sleep(100)
        assert 5 <= client.pongs <= 7
        assert status(await reply)["status"] == "Success"

    run_story(story, play)


def test_a_client_that_leaves_takes_the_stream_with_it():
    ended = asyncio.Event()

    async def play(node: SpdyNode) -> None:
        await node.open(4)
        assert await node.frame() is None
        ended.set()

    async def story(client: WebSocketClient) -> None:
        await clock.sleep(1)
        client.protocol.send_close(1000)
        client.flush()
        await ended.wait()

    run_story(story, play)


def test_a_client_that_keeps_sending_still_gets_the_result():
    """`yes | kubectl exec -i ... head -1`: what is left of the input is read and thrown away."""

    async def play(node: SpdyNode) -> None:
        await node.open(4)
        await node.data("stdin")
        node.end(b'{"status":"Failure","reason":"NonZeroExitCode"}')

    async def story(client: WebSocketClient) -> None:
        for _ in range(40):
            client.send(b"\0" + b"y\n" * 32768)
            await client.stream.drain()
        assert status(await client.message())["reason"] == "NonZeroExitCode"

    run_story(story, play)


def test_failures_are_reported_on_the_error_channel():
    """So kubectl prints it; a failed handshake would have it try again over SPDY."""

    async def hangs_up(node: SpdyNode) -> None:
        await node.open(4)
        node.stream.close()

    async def never_replies(node: SpdyNode) -> None:
        await node.open(4, reply=False)
        await clock.sleep(500)

    async def speaks_otherwise(node: SpdyNode) -> None:
        node.stream.write(b"\x80\x09HTTP/1.1 200 OK\r\n\r\n")

    refusal = Response(500, b'container not found ("main")\n')
    for play, words in (
        (refusal, 'unable to upgrade connection: container not found ("main")'),
        (errors.internal("error dialing backend: no route"), "error dialing backend: no route"),
        (hangs_up, "the node ended the stream without a status"),
        (never_replies, "timed out waiting for the node to open the streams"),
        (speaks_otherwise, "the node does not speak SPDY"),
    ):

        async def story(client: WebSocketClient, words: str = words) -> None:
            answer = status(await client.message())
            assert (answer["status"], answer["reason"]) == ("Failure", "InternalError")
            assert answer["message"].startswith(f"Internal error occurred: {words}")
            assert await client.message() is None, "and goodbye"

        run_story(story, play)


def test_an_orderly_end_without_a_word_is_a_good_one():
    """As before v4, when an error stream had text in it or nothing."""

    async def play(node: SpdyNode) -> None:
        await node.open(4)
        for name in ("stdout", "stderr", "error"):
            node.say(name, b"", last=True)

    async def story(client: WebSocketClient) -> None:
        assert status(await client.message())["status"] == "Success"

    run_story(story, play)


def test_a_client_that_breaks_the_protocol_is_let_go():
    async def play(node: SpdyNode) -> None:
        await node.open(4)
        assert await node.frame() is None

    async def story(client: WebSocketClient) -> None:
        await clock.sleep(1)
        client.stream.write(b"\x82\x05hello")  # a client must mask
        assert await client.message() is None
        assert client.protocol.close_rcvd.code == 1002  # type: ignore[union-attr]

    run_story(story, play)
