"""One real API server with SQLite in a process of its own, and raw ways to talk to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.patience import eventually

ROOT = Path(__file__).parents[2]
_TOKEN = "solo"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def obj(self) -> Any:
        return json.loads(self.raw)

    @property
    def outcome(self) -> tuple[int, str]:
        """Code and reason of the Status, which agrees with the HTTP status."""
        status = self.obj
        assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", self.status), status
        return self.status, status["reason"]


@dataclass
class SoloServer:
    """Where the server is. `process` is the server's own."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    kept: http.client.HTTPSConnection | None = None

    def connect(self, *, tls: bool = True, seconds: float = 20.0) -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        return _tls().wrap_socket(raw) if tls else raw

    def ask(self, method: str, path: str, body: Any = None, *, form: str = "application/json") -> Reply:
        """One request on a connection that is kept. A body that is neither bytes nor text is sent as JSON."""
        data = body if isinstance(body, bytes | str | None) else json.dumps(body)
        if self.kept is None:
            self.kept = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=_tls())
        try:
            self.kept.request(method, path, data, {"Authorization": f"Bearer {_TOKEN}", "Content-Type": form})
            reply = self.kept.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        except (OSError, http.client.HTTPException):
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """The next request gets a new connection."""
        if self.kept is not None:
            self.kept.close()
            self.kept = None

    def head(self, method: str, path: str, *more: str) -> bytes:
        """The text of a request's first lines, its end left open."""
        lines = [f"{method} {path} HTTP/1.1", "Host: solo", f"Authorization: Bearer {_TOKEN}", *more]
        return "\r\n".join(lines).encode() + b"\r\n"

    def memory_bytes(self) -> int:
        """The resident memory of the server."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def solo_server(folder: Path, *, prefix: tuple[str, ...] = ()) -> Iterator[SoloServer]:
    """A running server; it is gone when this ends. `prefix` is put before its command line, and must exec it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [*prefix, sys.executable, "-m", "bench.server", str(folder), str(port), _TOKEN]
    log = (folder.parent / f"{folder.name}.log").open("w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    server = SoloServer(process, port, folder)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready == "ready\n", Path(log.name).read_text()
        eventually(lambda: server.ask("GET", "/api/v1/namespaces/default").status == 200)
        yield server
        assert process.poll() is None, f"the server ended: {Path(log.name).read_text()[-2000:]}"
    finally:
        server.hang_up()
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        process.kill()
        process.wait()
        process.stdout.close()
        log.close()


def can_mount() -> bool:
    """Whether this user may mount a file system in namespaces of its own."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    return tried.returncode == 0
