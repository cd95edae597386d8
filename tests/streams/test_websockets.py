"""Older WebSocket clients, such as Kubernetes' Python client: their protocols reach the runtime as they are."""

from __future__ import annotations

import base64
import ssl
import struct

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.tls_websocket import TlsWebSocket

from .conftest import Site
from .world import READER, TOKEN

pytestmark = pytest.mark.real
EXEC = "/api/v1/namespaces/default/pods/web/exec?container=main&stdin=true&stdout=true&stderr=true"
FORWARD = "/api/v1/namespaces/default/pods/web/portforward?ports=8080"


def open_at(site: Site, path: str, protocol: str, token: str = TOKEN) -> TlsWebSocket:
    tls = ssl.create_default_context(cafile=str(site.folder / "ca.crt"))
    headers = {"Authorization": f"Bearer {token}"}
    return TlsWebSocket(f"wss://127.0.0.1:{site.port}{path}", tls, headers, [protocol])


def read_until_status(socket: TlsWebSocket) -> tuple[bytes, bytes, dict[str, object]]:
    """Standard output, standard error and the Status of the end."""
    received = dict.fromkeys(range(4), b"")
    for message in socket:
        assert isinstance(message, bytes)
        received[message[0]] += message[1:]
        if message[0] == 3 and len(message) > 1:
            break
    return received[1], received[2], orjson.loads(received[3])


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
def test_channels_of_an_exec(site: Site, protocol: str) -> None:
    """v4 is spliced to the runtime, v5 translated on the way: a client sees no difference but the CLOSE signal."""

    def scenario() -> None:
        command = (
            "&command=sh&command=-c&command=" + "read%20x%3B%20echo%20got%20%24x%3B%20echo%20e%20%3E%262%3B%20exit%205"
        )
        with open_at(site, EXEC + command, protocol) as socket:
            assert socket.subprotocol == protocol
            socket.send(b"\0hello\n")
            out, err, status = read_until_status(socket)
            assert (out, err) == (b"got hello\n", b"e\n")
            assert status["reason"] == "NonZeroExitCode"
            assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "5"}]}

    site.within(scenario)


def test_the_close_signal_ends_standard_input_alone(site: Site) -> None:
    def scenario() -> None:
        with open_at(site, EXEC + "&command=sort", "v5.channel.k8s.io") as socket:
            for line in (b"b\n", b"a\n"):
                socket.send(b"\0" + line)
            socket.send(b"\xff\0")
            out, _, status = read_until_status(socket)
            assert (out, status["status"]) == (b"a\nb\n", "Success")
            assert list(socket) == [], "the server says goodbye first"

    site.within(scenario)


def test_channels_of_a_port_forward(site: Site) -> None:
    """Each port named in the URL has two channels, data and errors; both begin with the port, in two bytes."""

    def scenario() -> None:
        with open_at(site, FORWARD, "v4.channel.k8s.io") as socket:
            begun = {socket.recv(timeout=10), socket.recv(timeout=10)}
            assert begun == {b"\0" + struct.pack("<H", 8080), b"\1" + struct.pack("<H", 8080)}
            socket.send(b"\0GET /index.html HTTP/1.0\r\n\r\n")
            received = b""
            while b"page\n" not in received:
                message = socket.recv(timeout=10)
                assert isinstance(message, bytes) and message[0] == 0
                received += message[1:]

    site.within(scenario)


def test_a_port_that_nobody_listens_on_is_said_on_the_channel_of_errors(plain: Site) -> None:
    def scenario() -> None:
        with open_at(plain, FORWARD.replace("8080", "8081"), "v4.channel.k8s.io") as socket:
            received = [message for message in socket if isinstance(message, bytes)]
        assert [message[0] for message in received] == [0, 1, 1], "and then the server says goodbye"
        assert received[2][1:].startswith(b"error forwarding port 8081 to pod")

    plain.within(scenario)


def test_a_websocket_that_no_runtime_speaks_is_refused_in_words(site: Site) -> None:
    """The runtime's refusal passes the kubelet and the API server as an answer of one length."""

    def scenario() -> None:
        with pytest.raises(InvalidStatus) as refused:
            open_at(site, FORWARD, "v9.channel.k8s.io")
        assert refused.value.response.status_code in (400, 403)

    site.within(scenario)


def test_a_websocket_needs_the_right_to_create(contained: Site) -> None:
    """kube-apiserver asks for `create` too since 1.35: a WebSocket begins with a GET, and a shell is no reading."""
    made = contained.run("create", "clusterrole", "peek", "--verb=get", "--resource=pods/exec")
    made = contained.run("create", "clusterrolebinding", "peek", "--clusterrole=peek", "--user=reader")
    assert made.returncode == 0, made.stderr

    def scenario() -> None:
        with pytest.raises(InvalidStatus) as refused:
            open_at(contained, EXEC + "&command=id", "v5.channel.k8s.io", READER)
        assert refused.value.response.status_code == 403
        reported = orjson.loads(bytes(refused.value.response.body))["message"]
        assert 'cannot create resource "pods/exec"' in reported

    contained.within(scenario)


@pytest.mark.parametrize("protocol", ["binary.k8s.io", "base64.binary.k8s.io"])
def test_a_log_is_followed_over_a_websocket(site: Site, protocol: str) -> None:
    def scenario() -> None:
        path = "/api/v1/namespaces/default/pods/web/log?container=ticker&follow=true"
        with open_at(site, path, protocol) as socket:
            assert not socket.recv(timeout=10), "an empty message comes first"
            received = b""
            while received.count(b"tick\n") < 5:
                message = socket.recv(timeout=10)
                assert isinstance(message, str) is protocol.startswith("base64")
                received += base64.b64decode(message) if isinstance(message, str) else message
            assert set(received.split()) == {b"tick"}

    site.within(scenario)
