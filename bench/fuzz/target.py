"""The server that is asked: one API server in a process of its own, and a plain connection to it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.fuzz.cases import TOKEN, Case
from bench.fuzz.objects import NAMES, NAMESPACES, SPECIMENS
from bench.server import OTHERS
from homeostat.api.catalogue import Catalogue

# A request that takes longer hangs.
SECONDS_MAX = 30.0
# What a watch is read for.
_STREAM_SECONDS = 0.2
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status is 0 where the connection was closed without one, -1 where nothing came in time."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Target:
    """A running server, and the connection that is kept to it."""

    def __init__(self, process: subprocess.Popen[str], port: int, token: str) -> None:
        self.process = process
        self._port = port
        self._token = token
        self._kept: ssl.SSLSocket | None = None
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    def memory_bytes(self) -> int:
        """The resident memory of the server."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def token(self, identity: str) -> bytes:
        """The token of an identity of `cases.IDENTITIES`."""
        return (f"{self._token}-{identity}" if identity in OTHERS else self._token).encode()

    def send(self, case: Case) -> Answer:
        """Ask, and read what comes; a kept connection that the server has closed meanwhile is replaced."""
        raw = case.raw.replace(TOKEN, self.token(case.identity))
        if self._kept is not None:
            answer = self._exchange(self._kept, raw, case)
            if answer.status:
                return answer
            self.hang_up()
        return self._exchange(self._connected(), raw, case)

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """A request of the administrator's."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: fuzz\r\nAuthorization: Bearer {self._token}\r\n"
        raw = f"{head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        return self.send(Case(-1, "admin", method, path, raw))

    def hang_up(self) -> None:
        """The next request gets a new connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connected(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS_MAX)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._kept = self._tls.wrap_socket(raw)
        return self._kept

    def _exchange(self, connection: ssl.SSLSocket, raw: bytes, case: Case) -> Answer:
        started = time.monotonic()
        status, body = 0, b""
        headers: dict[str, str] = {}
        try:
            connection.sendall(raw)
            with connection.makefile("rb") as stream:
                status, headers = _head(stream)
                connection.settimeout(_STREAM_SECONDS if case.ends else SECONDS_MAX)
                body = _body(stream, case.method, status, headers)
                connection.settimeout(SECONDS_MAX)
        except TimeoutError:
            if not (status and case.ends):
                status = -1
        except (OSError, ValueError):
            pass
        if case.ends or status <= 0 or headers.get("connection", "").lower() == "close":
            self.hang_up()
        return Answer(status, headers, body, time.monotonic() - started)


def _head(stream: object) -> tuple[int, dict[str, str]]:
    line = stream.readline(65_536)  # type: ignore[attr-defined]
    if not line:
        return 0, {}
    status = int(line.split()[1])
    headers: dict[str, str] = {}
    while (line := stream.readline(65_536)) not in (b"\r\n", b""):  # type: ignore[attr-defined]
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return status, headers


def _body(stream: object, method: str, status: int, headers: dict[str, str]) -> bytes:
    read = stream.read  # type: ignore[attr-defined]
    if method == "HEAD" or status in (101, 204, 304):
        return b""
    if "chunked" not in headers.get("transfer-encoding", ""):
        return bytes(read(int(headers.get("content-length", "0"))))
    body = b""
    while size := int(stream.readline(), 16):  # type: ignore[attr-defined]
        body += read(size)
        read(2)
    read(2)
    return body


@contextlib.contextmanager
def target(folder: Path) -> Iterator[Target]:
    """A running server with the namespaces and rights that the cases speak of; it is gone when this ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    store = folder / "store"
    store.mkdir()
    command = [sys.executable, "-m", "bench.server", str(store), str(port), "fuzz"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=_ROOT)
        found = Target(process, port, "fuzz")
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"the server does not start: {(folder / 'server.log').read_text()[-2000:]}")
            _prepare(found)
            yield found
        finally:
            found.hang_up()
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]


def _prepare(found: Target) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while found.ask("GET", "/api/v1/namespaces/default").status != 200:
        if time.monotonic() > deadline:
            raise RuntimeError("the server's first objects do not come")
        time.sleep(0.05)
    binding = {
        "metadata": {"name": "owner"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "User", "name": "owner", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    for namespace in NAMESPACES:
        found.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        place = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        found.ask("POST", place, {"metadata": {"name": "default"}})
        found.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", binding)
    for kind in Catalogue.builtin().kinds:
        if kind.kind in SPECIMENS and "update" in kind.verbs and kind.kind != "Namespace":
            for place in NAMESPACES[:2] if kind.namespaced else ("",):
                for name in NAMES[:2]:
                    obj = {**SPECIMENS[kind.kind], "metadata": {"name": name, "labels": {"app": "a"}}}
                    found.ask("POST", kind.path(place), obj)
