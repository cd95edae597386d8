"""A full disk under an API server: writes are refused with words, reads go on, nothing acknowledged is lost."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.patience import eventually
from tests.support.solo_server import Reply, SoloServer, can_mount, solo_server

pytestmark = [pytest.mark.real]

MAPS = "/api/v1/namespaces/default/configmaps"
_WRITES_MAX = 2_000


def test_a_full_file_system(tmp_path: Path) -> None:
    """The store is on a file system of its own, of which the server alone and /proc know."""
    if not can_mount():
        pytest.skip("this user may mount nothing, even in namespaces of its own")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = f'mount -t tmpfs -o size=24m none {folder} && exec "$@"'
    with solo_server(folder, prefix=("unshare", "-Urm", "sh", "-c", mount, "sh")) as server:
        inside = Path(f"/proc/{server.process.pid}/root") / folder.relative_to("/")
        filler = inside / "filler"
        _story(server, lambda: _fill(filler), filler.unlink)


def _fill(file: Path) -> None:
    """Write until nothing more fits."""
    subprocess.run(["dd", "if=/dev/zero", f"of={file}", "bs=4k"], capture_output=True)
    assert file.stat().st_size > 0


def test_a_full_quota(tmp_path: Path) -> None:
    """No file of the server may grow any more, which needs no rights to arrange."""
    folder = tmp_path / "quota"
    folder.mkdir()
    with solo_server(folder) as server:
        unlimited = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)

        def fill() -> None:
            largest = max(file.stat().st_size for file in folder.iterdir())
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest, unlimited[1]))

        def empty() -> None:
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)

        _story(server, fill, empty)


def _story(server: SoloServer, fill: Callable[[], None], empty: Callable[[], None]) -> None:
    acknowledged: dict[str, str] = {}

    def write(number: int) -> Reply:
        body = {"metadata": {"name": f"n{number}"}, "data": {"text": f"{number} " + "x" * 20_000}}
        reply = server.ask("POST", MAPS, body)
        if reply.status == 201:
            acknowledged[f"n{number}"] = reply.obj["metadata"]["resourceVersion"]
        return reply

    for number in range(20):
        assert write(number).status == 201
    fill()
    number, reply = 20, write(20)
    while reply.status == 201 and number < _WRITES_MAX:
        number += 1
        reply = write(number)

    assert reply.status in (503, 507), reply.raw
    status = reply.obj
    assert (status["kind"], status["status"]) == ("Status", "Failure")
    assert "full" in status["message"] and "make room" in status["message"], status["message"]
    assert str(server.folder) in status["message"], "the message names the file"

    def all_there() -> bool:
        seen = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed(server)}
        return {name: seen.get(name) for name in acknowledged} == acknowledged and set(seen) <= {*acknowledged}

    assert all_there(), "reads go on"
    assert server.ask("GET", f"{MAPS}/n7").obj["data"]["text"].startswith("7 ")
    assert server.ask("DELETE", f"{MAPS}/nobody").status == 404
    assert server.ask("GET", "/livez").status == 200, "a restart would not help"

    empty()
    eventually(lambda: write(number + 2).status == 201, seconds=20)
    assert all_there()
    assert server.ask("DELETE", f"{MAPS}/n7").status == 200
    del acknowledged["n7"]
    assert all_there()


def listed(server: SoloServer) -> list[dict]:
    return [item for item in server.ask("GET", MAPS).obj["items"] if item["metadata"]["name"].startswith("n")]
