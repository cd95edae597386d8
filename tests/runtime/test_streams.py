"""exec, attach and port-forward of plain processes, as a SPDY client meets them (pkg/kubelet/cri/streaming)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvloop

from homeostat.client.direct import ask_at
from homeostat.runtime.contract import ContainerSpec, RuntimeFault, SandboxSpec, StreamOptions
from homeostat.runtime.process.process_runtime import ProcessRuntime
from homeostat.runtime.streaming import stream_server
from homeostat.runtime.streaming.spdy_session import STREAMS_MAX
from homeostat.wire import spdy
from homeostat.wire.duplex import pair
from homeostat.wire.message import Request
from tests.support.spdy_client import SpdyClient, upgrade_request
from tests.support.spdy_node import WebSocketClient

pytestmark = pytest.mark.real
PIPES = StreamOptions(stdin=True)
TERMINAL = StreamOptions(stdin=True, stderr=False, tty=True)
FORWARD = "portforward.k8s.io"


class Stage:
    """One Pod of plain processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        cidr = f"127.78.{os.getpid() % 250}.0/24"
        self.runtime = ProcessRuntime(root / "state", pod_cidr=cidr, node_address="127.0.0.1")

    async def start(self, script: str = "exec sleep 1000", **more: Any) -> None:
        self.box = await self.runtime.run_sandbox(SandboxSpec(pod_uid="uid", namespace="default", name="web"))
        log = str(self.root / "main.log")
        spec = ContainerSpec(name="main", image="none", argv=("/bin/sh", "-c", script), log_path=log, **more)
        self.id = (await self.runtime.create_container(self.box.id, spec)).id
        await self.runtime.start_container(self.id)

    async def run(self, script: str, options: StreamOptions = PIPES) -> SpdyClient:
        """A client of a command, with its streams open."""
        return await self.command(("/bin/sh", "-c", script), options)

    async def command(self, argv: tuple[str, ...], options: StreamOptions = PIPES) -> SpdyClient:
        client = await SpdyClient.at(await self.runtime.exec_url(self.id, argv, options))
        open_all(client, options)
        return client


def open_all(client: SpdyClient, options: StreamOptions) -> None:
    client.open("error")
    for name in ("stdin", "stdout", "stderr"):
        if getattr(options, name):
            client.open(name)
    if options.tty:
        client.open("resize")


def status(client: SpdyClient) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(client.received["error"])
    return found


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    def run(story: Callable[[Stage], Awaitable[None]], script: str = "exec sleep 1000", **more: Any) -> None:
        async def main() -> None:
            stage = Stage(tmp_path)
            await stage.runtime.start()
            try:
                async with asyncio.timeout(40):
                    await stage.start(script, **more)
                    await story(stage)
            finally:
                await stage.runtime.close(stop_containers=True)

        uvloop.run(main())

    return run


Play = Callable[..., None]


def test_a_command_has_its_streams_and_ends_with_a_status(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.run("cat; echo err >&2; exit 3")
        client.say("stdin", b"in")
        client.say("stdin", b"put", last=True)
        await client.whole()
        assert client.received["stdout"] == b"input" and client.received["stderr"] == b"err\n"
        status_object = status(client)
        assert (status_object["status"], status_object["reason"]) == ("Failure", "NonZeroExitCode")
        assert status_object["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
        assert client.ended == {"error", "stdin", "stdout", "stderr"} and client.closed
        quiet = await stage.run("true", StreamOptions(stdin=False))
        await quiet.whole()
        assert status(quiet)["status"] == "Success"

    play(story)


def test_a_command_without_input_reads_an_end_and_words_arrive_as_they_are(play: Play) -> None:
    async def story(stage: Stage) -> None:
        argv = ("/bin/sh", "-c", 'cat; for word in "$@"; do echo "<$word>"; done', "sh", "a b", "", "é\n")
        client = await stage.command(argv, StreamOptions(stdin=False))
        await client.whole()
        assert client.received["stdout"].decode() == "<a b>\n<>\n<é\n>\n"

    play(story)


def test_what_cannot_be_run_is_reported(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.command(("no-such-program",))
        await client.whole()
        status_object = status(client)
        assert (status_object["reason"], status_object["code"]) == ("InternalError", 500)
        assert 'exec: "no-such-program": executable file not found in $PATH' in status_object["message"]
        with pytest.raises(RuntimeFault, match="a command is required"):
            await stage.runtime.exec_url(stage.id, (), PIPES)
        with pytest.raises(RuntimeFault, match="not found"):
            await stage.runtime.attach_url("none", PIPES)
        await stage.runtime.stop_container(stage.id, timeout_seconds=0)
        with pytest.raises(RuntimeFault, match="is not running"):
            await stage.runtime.exec_url(stage.id, ("true",), PIPES)
        await stage.runtime.stop_sandbox(stage.box.id)
        with pytest.raises(RuntimeFault, match="is not ready"):
            await stage.runtime.port_forward_url(stage.box.id)

    play(story)


def test_a_container_that_ends_takes_its_commands_with_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.run("echo here; exec sleep 1000")
        await client.until("stdout", b"here")
        await stage.runtime.stop_container(stage.id, timeout_seconds=0)
        await client.whole()
        assert status(client)["details"]["causes"][0]["message"] == "137"

    play(story)


def test_a_client_that_leaves_ends_its_command(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.run("echo $$; exec sleep 1000")
        await client.until("stdout", b"\n")
        pid = int(client.received["stdout"])
        await client.leave()
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            await asyncio.sleep(0.01)

    play(story)


def test_input_that_nobody_reads_keeps_no_status_back(play: Play) -> None:
    """`yes | kubectl exec -i ... head -1`."""

    async def story(stage: Stage) -> None:
        client = await stage.run("head -c 2; exit 4")

        async def flood() -> None:
            while True:
                client.say("stdin", b"y\n" * 30_000)
                await client.stream.drain()

        flooding = asyncio.create_task(flood())
        await client.whole()
        flooding.cancel()
        assert client.received["stdout"] == b"y\n"
        assert status(client)["details"]["causes"][0]["message"] == "4"

    play(story)


def test_what_a_command_leaves_behind_does_not_hold_its_end(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.run("sleep 1000 & echo done")
        await client.whole()
        assert (client.received["stdout"], status(client)["status"]) == (b"done\n", "Success")

    play(story)


def test_a_terminal_has_a_size_and_takes_signals_from_its_keys(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.run(
            "trap 'echo size $(stty size)' WINCH; trap 'echo broken; exit 9' INT; tty -s && echo is a tty; "
            "while :; do sleep 0.05; done",
            TERMINAL,
        )
        await client.until("stdout", b"is a tty")
        client.say("resize", b'{"Width":100,"Height":30}\n')
        await client.until("stdout", b"size 30 100")
        client.say("resize", b'{"Width":90,')
        client.say("resize", b'"Height":20}')
        await client.until("stdout", b"size 20 90")
        client.say("stdin", b"", last=True)
        client.say("resize", b"nonsense\n")
        assert "stderr" not in client.numbers
        await client.leave()
        client = await stage.run("trap 'echo broken; exit 9' INT; echo on; while :; do sleep 0.05; done", TERMINAL)
        await client.until("stdout", b"on")
        client.say("stdin", b"\x03")
        await client.whole()
        assert b"broken" in client.received["stdout"]
        assert status(client)["details"]["causes"][0]["message"] == "9"

    play(story)


def test_attach_shows_what_is_written_from_now_on_until_the_end(play: Play) -> None:
    async def story(stage: Stage) -> None:
        while b"before" not in (stage.root / "main.log").read_bytes():
            await asyncio.sleep(0.005)
        url = await stage.runtime.attach_url(stage.id, StreamOptions())
        client = await SpdyClient.at(url)
        open_all(client, StreamOptions())
        await client.until("stdout", b"tick\n")
        await client.until("stderr", b"tock\n")
        assert b"before" not in client.received["stdout"]
        await stage.runtime.stop_container(stage.id, timeout_seconds=0)
        await client.whole()
        assert status(client)["status"] == "Success"

    play(story, "echo before; while sleep 0.05; do echo tick; echo tock >&2; done")


async def attached(stage: Stage, options: StreamOptions) -> SpdyClient:
    client = await SpdyClient.at(await stage.runtime.attach_url(stage.id, options))
    open_all(client, options)
    return client


def test_attach_gives_the_container_input_and_leaves_it_running(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for word in (b"one", b"two"):
            client = await attached(stage, PIPES)
            client.say("stdin", word + b"\n", last=True)
            await client.until("stdout", b"<" + word + b">")
            await client.leave()
        assert (await stage.runtime.containers())[0].exit_code == 0 and stage.runtime._lives

    play(story, 'while read word; do echo "<$word>"; done; exit 3', stdin=True)


def test_input_of_once_ends_with_the_first_visitor(play: Play) -> None:
    async def story(stage: Stage) -> None:
        watcher = await attached(stage, StreamOptions(stdin=False))
        client = await attached(stage, PIPES)
        client.say("stdin", b"x" * 300_000)
        client.say("stdin", b"", last=True)
        await client.whole()
        assert client.received["stdout"] == b"300000\n"
        assert status(client)["status"] == "Success", "how a container ends is said by its Pod"
        await watcher.whole()
        assert watcher.received["stdout"] == b"300000\n", "all visitors see what it writes"

    play(story, "wc -c; exit 3", stdin=True, stdin_once=True)


def test_a_container_without_input_reads_an_end_whoever_is_attached(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await attached(stage, PIPES)
        client.say("stdin", b"unread")
        await client.until("stdout", b"tick")
        await client.leave()

    play(story, "cat; while :; do echo tick; sleep 0.05; done")


def test_a_containers_terminal_takes_keys_sizes_and_signals(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await attached(stage, TERMINAL)
        log = stage.root / "main.log"
        async with asyncio.timeout(20):
            while not log.exists() or b"ready" not in log.read_bytes():
                await asyncio.sleep(0.01)
        client.say("resize", b'{"Width":100,"Height":30}\n')
        await client.until("stdout", b"size 30 100")
        client.say("stdin", b"word\n")
        await client.until("stdout", b"<word>")
        client.say("stdin", b"\x03")
        await client.whole()
        assert b"broken" in client.received["stdout"]
        assert b"<word>" in log.read_bytes(), "a terminal is logged as one stream"

    script = "trap 'echo broken; exit 9' INT; trap 'echo size $(stty size)' WINCH; tty -s || exit 1; echo ready; "
    play(story, script + 'while :; do read word && echo "<$word>"; done', stdin=True, tty=True)


def test_a_visitor_who_reads_nothing_holds_only_its_container(play: Play) -> None:
    """What it has not taken is not lost, and the shim looks after others meanwhile."""

    async def story(stage: Stage) -> None:
        slow = await attached(stage, PIPES)
        slow.say("stdin", b"go\n")
        quick = await stage.runtime.exec_sync(stage.id, ("echo", "here"), timeout_seconds=10)
        assert quick.output == b"here\n"
        await slow.whole()
        assert slow.received["stdout"].count(b"y") == 2_000_000

    play(story, "read go; yes | head -2000000; exit 0", stdin=True)


def test_ports_are_forwarded_many_at_once_and_each_half_ends_on_its_own(play: Play) -> None:
    async def story(stage: Stage) -> None:
        async def reverse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            data = await reader.read()  # to the client's own end
            writer.write(data[::-1])
            writer.close()

        listener = await asyncio.start_server(reverse, stage.box.ip, 0)
        port = str(listener.sockets[0].getsockname()[1])
        client = await SpdyClient.at(await stage.runtime.port_forward_url(stage.box.id), FORWARD)
        for number in range(3):
            for kind in ("error", "data"):
                client.open(f"{kind}.{number}", port=port, requestid=str(number))
            client.say(f"data.{number}", b"%d-" % number + b"x" * 300_000)
        for number in range(3):
            client.say(f"data.{number}", b"end", last=True)
        async with asyncio.timeout(20):
            while len(client.ended) < 6:
                await client.listen()
        for number in range(3):
            assert client.received[f"data.{number}"] == b"dne" + b"x" * 300_000 + b"-%d" % number
            assert client.received[f"error.{number}"] == b""
        listener.close()
        await client.leave()

    play(story)


def test_a_port_without_a_listener_is_reported_on_its_error_stream_only(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await SpdyClient.at(await stage.runtime.port_forward_url(stage.box.id), FORWARD)
        for number, port in enumerate(("1", "nonsense", "99999")):
            client.open(f"error.{number}", port=port, requestid=str(number))
            client.open(f"data.{number}", port=port, requestid=str(number))
        async with asyncio.timeout(20):
            while len(client.ended) < 6:
                await client.listen()
        for number, port in enumerate(("1", "nonsense", "99999")):
            assert client.received[f"error.{number}"].startswith(f"error forwarding port {port} to pod: ".encode())
        assert not client.closed
        await client.leave()

    play(story)


def test_a_url_is_good_once_and_for_what_was_agreed(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        async def refusal(*protocols: str, upgrade: str = "SPDY/3.1") -> tuple[int, bytes]:
            if upgrade == "websocket":
                url = await stage.runtime.port_forward_url(stage.box.id)
            else:
                url = await stage.runtime.exec_url(stage.id, ("true",), PIPES)
            response = await ask_at(url, upgrade_request(*protocols, upgrade=upgrade))
            assert isinstance(response.body, bytes)
            return response.status, response.body

        url = await stage.runtime.exec_url(stage.id, ("true",), PIPES)
        first = await SpdyClient.at(url)
        assert (await ask_at(url, upgrade_request("v4.channel.k8s.io"))).status == 404
        await first.leave()
        assert (await refusal("v1.channel.k8s.io"))[0] == 403
        assert await refusal("v4.channel.k8s.io", upgrade="websocket") == (
            400,
            b"unable to upgrade: this stream speaks SPDY/3.1, not websocket",
        )
        monkeypatch.setattr(stream_server, "_GOOD_SECONDS", -1.0)
        assert (await refusal("v4.channel.k8s.io"))[0] == 404, "too late"

    play(story)


def websocket_request(*protocols: str) -> Request:
    asked = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    asked |= {"sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-protocol": ", ".join(protocols)}
    return Request("GET", "", {}, asked)


def test_an_older_websocket_has_channels_for_streams(play: Play) -> None:
    async def story(stage: Stage) -> None:
        url = await stage.runtime.exec_url(
            stage.id, ("/bin/sh", "-c", "read x; echo got $x; echo err >&2; exit 6"), PIPES
        )
        response = await ask_at(url, websocket_request("v5.channel.k8s.io", "v4.channel.k8s.io"))
        assert (response.status, response.headers["sec-websocket-protocol"]) == (101, "v4.channel.k8s.io")
        near, far = pair()
        carrier = asyncio.create_task(response.upgrade(far))  # type: ignore[arg-type,misc]
        client = WebSocketClient(near)
        for message in (b"\7no such channel", b"\0", b"\0hel", b"\0lo\n"):
            client.send(message)
        said = await client.all()
        assert {message for message in said if message[0] < 3} == {b"\1got hello\n", b"\2err\n"}
        assert said[-1][0] == 3 and orjson.loads(said[-1][1:])["details"]["causes"][0]["message"] == "6"
        await carrier
        url = await stage.runtime.exec_url(stage.id, ("true",), PIPES)
        assert (await ask_at(url, websocket_request("v5.channel.k8s.io"))).status == 403

    play(story)


def test_a_channel_that_nobody_asked_for_stays_silent(play: Play) -> None:
    async def story(stage: Stage) -> None:
        wanted = StreamOptions(stdin=False, stderr=False)
        url = await stage.runtime.exec_url(stage.id, ("/bin/sh", "-c", "echo out; echo err >&2"), wanted)
        response = await ask_at(url, websocket_request("v4.channel.k8s.io"))
        near, far = pair()
        carrier = asyncio.create_task(response.upgrade(far))  # type: ignore[arg-type,misc]
        assert [message[0] for message in await WebSocketClient(near).all()] == [1, 3]
        await carrier

    play(story)


def test_a_session_is_bounded_and_answers_pings(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await SpdyClient.at(await stage.runtime.port_forward_url(stage.box.id), FORWARD)
        client.stream.write(spdy.ping_frame(1) + spdy.ping_frame(2) + spdy.goaway_frame())
        for number in range(STREAMS_MAX + 1):
            client.open(f"data.{number}", requestid=str(number), port="1")
        refused = spdy.Reset(2 * STREAMS_MAX + 1, 3)
        async with asyncio.timeout(20):
            while refused not in client.frames:
                await client.listen()
        assert client.frames[0] == spdy.Ping(1) and spdy.Ping(2) not in client.frames
        client.stream.write(spdy.reset_frame(1) + spdy.data_frames(1, b"to nobody"))
        client.stream.write(b"\x80\x02 no SPDY 3")
        await client.whole()
        assert client.closed, "what cannot be read ends the connection"

    play(story)


def test_a_runtime_that_closes_ends_its_streams(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.run("echo here; exec sleep 1000")
        await client.until("stdout", b"here")
        closing = asyncio.create_task(stage.runtime.close())
        await client.whole()
        await closing
        await stage.runtime.start()

    play(story)


def test_a_command_is_ended_by_the_signal_that_ends_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        client = await stage.run("kill -TERM $$; sleep 10")
        await client.whole()
        assert status(client)["details"]["causes"][0]["message"] == str(128 + signal.SIGTERM)

    play(story)
