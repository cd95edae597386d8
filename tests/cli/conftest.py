"""The command as a user calls it, in process: its lines, its exit code, and never a traceback."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from homeostat.cli.main import main
from homeostat.client.contract import Listing
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.operate import clients
from homeostat.wire.message import Request, Response

Obj = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        return self.out + self.err

    @property
    def complaint(self) -> str:
        """The error, without the line about --help that may follow. All errors begin with the program's name."""
        assert "Traceback" not in self.words
        assert self.code != 0, self.out
        lines = [line for line in self.err.splitlines() if not line.endswith("--help` says more")]
        assert len(lines) == 1 and lines[0].startswith("homeostat: "), self.err
        return lines[0]


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder, and no settings from outside."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("HOMEOSTAT_NAME", raising=False)
    return tmp_path / "homeostat"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["homeostat", *words])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        assert isinstance(code, int), code
        return Said(code, printed.out, printed.err)

    return run


@pytest.fixture
def saved() -> Callable[..., Folder]:
    """Saves a cluster's plan, as an `up` leaves it; nothing of it runs."""

    def save(name: str = "homeostat", **more: Any) -> Folder:
        folder = Folder.of(name)
        folder.save(Cluster(name=name, index=0, **more))
        return folder

    return save


@dataclass
class Api:
    """An API server's answers: its journal, its objects by kind, and the events of a watch."""

    journal: list[Obj] = field(default_factory=list)
    objects: dict[str, list[Obj]] = field(default_factory=dict)
    changes: list[Any] = field(default_factory=list)
    error: Exception | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    closed: int = 0

    async def raw(self, request: Request) -> Response:
        query = dict(request.query)
        self.asked.append(query)
        if self.error:
            raise self.error
        found = [
            entry
            for entry in self.journal
            if all(
                entry[name].lower() == query[name].lower() for name in ("kind", "namespace", "name") if name in query
            )
        ]
        limit = int(query.get("limit", "0")) or len(found)
        return Response(200, body=orjson.dumps({"items": found[-limit:]}))

    async def list(self, kind: Any, namespace: str = "", **_: Any) -> Listing:
        if self.error:
            raise self.error
        found = self.objects.get(kind.kind, [])
        items = [item for item in found if not namespace or item["metadata"].get("namespace") == namespace]
        return Listing(items, "7")

    async def watch(self, kind: Any, namespace: str = "", **_: Any) -> AsyncIterator[Any]:
        for change in self.changes:
            yield change
        raise KeyboardInterrupt

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, saved: Callable[..., Folder]) -> Api:
    """A saved cluster whose API answers."""
    saved()
    made = Api()
    monkeypatch.setattr(clients, "admin_client", lambda _: made)
    return made
