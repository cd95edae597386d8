"""No client ends a server by the way it leaves: anonymous, over real sockets, against a fork of the shim."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from homeostat.runtime.shim import shim_process
from homeostat.wire.fields import text_response
from homeostat.wire.http_server import serve
from homeostat.wire.message import Request, Response

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 20.0
PIPELINED = 1500
ONE = b"GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n"


async def answer(request: Request) -> Response:
    return text_response(200, "." * 4096)


def server(argv: list[str]) -> int:
    """The container's command: an HTTP server, which writes down its port."""

    async def run() -> None:
        running = await serve(answer)
        Path(argv[1]).write_text(str(running.port))  # noqa: ASYNC240 - the loop has nothing else to do
        await asyncio.sleep(SECONDS_MAX * 2)

    uvloop.run(run())
    return 0


def container(folder: Path, *argv: str) -> Path:
    place = folder / "container"
    place.mkdir()
    log = {"log_path": str(folder / "log"), "log_bytes_max": 1 << 20, "log_files_max": 2}
    stop = {"stop_signal": "SIGKILL", "orphan_grace_seconds": 0.2}
    spec = {"argv": argv, "env": {"PATH": os.environ["PATH"]}, "cwd": str(folder), **log, **stop}
    (place / "spec.json").write_text(json.dumps(spec))
    return place


def in_shim(place: Path) -> subprocess.Popen[bytes]:
    """A shim with one container, in a process of one thread, as the supervisor is."""
    return subprocess.Popen([sys.executable, "-m", "tests.security.test_clients_that_leave", place], cwd=ROOT)


def until_there(file: Path) -> str:
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        if file.exists() and (text := file.read_text()):
            return text
        time.sleep(0.005)
    raise AssertionError(f"there is no {file}")


def leave(port: int, *, reset: bool) -> None:
    """Send requests ahead, say that no more come, and close with the answers unread."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            client.sendall(ONE * PIPELINED)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it had enough
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_server_outlives_clients_that_close_with_answers_unread(tmp_path: Path) -> None:
    place = container(tmp_path, "server", str(tmp_path / "port"))
    process = in_shim(place)
    try:
        port = int(until_there(tmp_path / "port"))
        for number in range(20):
            leave(port, reset=bool(number % 2))
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as client:
            client.sendall(ONE)
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert not (place / "exit.json").exists()
    finally:
        process.kill()
        process.wait()


def test_programs_begin_with_the_default_action_for_a_broken_pipe(tmp_path: Path) -> None:
    """What a shell gives them: `yes | head` ends quietly."""
    status = container(tmp_path, "sh", "-c", "grep SigIgn /proc/self/status")
    in_shim(status).wait(timeout=SECONDS_MAX)
    ignored = int((tmp_path / "log").read_text().split()[-1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


if __name__ == "__main__":
    shim_process.run(Path(sys.argv[1]), server, names={"server"})
