"""The guide's clients see what they are to see: nothing that fails goes uncounted, and an outage shows in full."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.guide.witnesses import Account, Failure, Outside, accounts, report
from tests.support.patience import eventually

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes"


class Server:
    """Answers each connection with `answer`; None: says nothing, and holds it."""

    def __init__(self) -> None:
        self.answer: bytes | None = ANSWER
        self._held: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(5)
            if self.answer is None:
                self._held.append(connection)
                continue
            with connection:
                connection.recv(4096)
                connection.sendall(self.answer)

    def let_go(self) -> None:
        """Answer what is held."""
        for connection in self._held:
            with connection:
                connection.recv(4096)
                connection.sendall(ANSWER)
        self._held.clear()

    @property
    def held(self) -> int:
        return len(self._held)

    def close(self) -> None:
        with suppress(OSError):  # it is closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server()) as made:
        yield made


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Iterator[Outside]:
    made = Outside([f"one=127.0.0.1:{server.port}"], tmp_path / "log")
    yield made
    made.kill()


def reported(client: Outside) -> Account:
    """What it has said so far, in whole lines."""
    whole = client.log.read_text().rpartition("\n")[0]
    return accounts(whole.splitlines()).get("one", Account())


@pytest.mark.real
def test_answers_are_counted(client: Outside) -> None:
    eventually(lambda: reported(client).answered > 3, seconds=20)
    account = client.end()["one"]
    assert account.asked == account.answered and account.failures == [] and 0 < account.slowest < 5


@pytest.mark.real
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nno", "answered 503"),
        (b"", "the connection closed without an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "the answer has no body"),
    ],
)
def test_a_wrong_answer_is_a_failure(server: Server, client: Outside, answer: bytes, error: str) -> None:
    server.answer = answer
    eventually(lambda: [each for each in reported(client).failures if each.error == error], seconds=20)
    account = client.end()["one"]
    assert account.asked == account.answered + len(account.failures)


@pytest.mark.real
def test_a_server_that_is_gone_fails_each_request(server: Server, client: Outside) -> None:
    server.close()
    eventually(lambda: len(reported(client).failures) > 3, seconds=20)
    account = client.end()["one"]
    assert {failure.error.partition(":")[0] for failure in account.failures} <= {
        "ConnectionRefusedError",
        "ConnectionResetError",
    }


@pytest.mark.real
def test_it_goes_on_asking_while_nobody_answers(server: Server, client: Outside) -> None:
    """An open loop: a client that waited for its answer would send one request in an outage of any length."""
    server.answer = None
    eventually(lambda: server.held > 3, seconds=20)
    server.answer = ANSWER
    server.let_go()
    account = client.end()["one"]
    assert account.failures == [] and account.slowest > 0.3


def test_a_report_names_each_failed_request() -> None:
    lines = [
        json.dumps({"client": "pod", "at": 103.5, "seconds": 5.0, "error": "no answer within 5 s"}),
        json.dumps({"client": "pod", "asked": 40, "answered": 39, "slowest": 0.25}),
        json.dumps({"client": "outside", "asked": 41, "answered": 41, "slowest": 0.5}),
    ]
    found = accounts(lines)
    assert found["pod"].failures == [Failure("pod", 103.5, 5.0, "no answer within 5 s")]
    assert report(found, zero=100.0).splitlines() == [
        "outside: 41 requests, 41 answered, 0 failed; slowest answer 0.50 s",
        "pod: 40 requests, 39 answered, 1 failed; slowest answer 0.25 s",
        "  pod: sent +3.500 s, after 5.000 s: no answer within 5 s",
    ]
