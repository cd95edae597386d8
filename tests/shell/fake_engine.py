"""A container engine that lives in a test: what it is asked for is kept, what it answers is set."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from homeostat.kit import machine_clock
from homeostat.shell.engine.container_engine import PAUSED, Refused

SECOND = 10**9
RUNNING, EXITED, CREATED, UNKNOWN = 1, 2, 0, 3


class FakeEngine:
    """In place of `engine.Engine`. Times are seconds before now."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.pods_known: list[Any] = []
        self.containers_known: list[Any] = []
        self.images_known: list[Any] = []
        self.statuses: dict[str, Any] = {}
        self.frozen: set[str] = set()
        self.deaf: set[str] = set()  # do not end when they are killed
        self.refuses: dict[str, str] = {}  # by ID, why
        self.now = machine_clock.wall_nanoseconds()

    # -- what a test sets ------------------------------------------------------------------------------------------

    def pod(self, name: str, *, ago: float = 60, ready: bool = True, **info: Any) -> str:
        meta = SimpleNamespace(name=name, uid=f"u-{name}", namespace="default", attempt=0)
        at, identifier = self.now - int(ago * SECOND), f"pod{name}".ljust(64, "0")
        self.pods_known.append(
            SimpleNamespace(id=identifier, metadata=meta, state=int(not ready), created_at=at, labels={})
        )
        status = SimpleNamespace(network=SimpleNamespace(ip="10.244.1.7"))
        self.statuses[identifier] = SimpleNamespace(status=status, info={"info": json.dumps({"pid": 11, **info})})
        return identifier

    def container(self, name: str, pod: str, *, ago: float = 30, state: int = RUNNING, **more: Any) -> str:
        at, identifier = self.now - int(ago * SECOND), f"c{name}".ljust(64, "1")
        image = SimpleNamespace(image=more.pop("image", "registry/app:1"))
        meta = SimpleNamespace(name=name, attempt=more.pop("attempt", 0))
        shown = SimpleNamespace(
            id=identifier, pod_sandbox_id=pod, metadata=meta, image=image, image_ref="sha256:" + "a" * 64, state=state
        )
        shown.created_at, shown.labels = at, {}
        self.containers_known.append(shown)
        info = {"pid": 12, "runtimeSpec": more.pop("spec", {"process": {"args": ["app", "--flag"]}})}
        given = {"exit_code": 0, "finished_at": 0, "reason": "", "message": "", "mounts": [], "log_path": "", **more}
        status = SimpleNamespace(started_at=at, **given)
        self.statuses[identifier] = SimpleNamespace(status=status, info={"info": json.dumps(info)})
        return identifier

    def image(self, *tags: str, digests: tuple[str, ...] = (), size: int = 1234567, letter: str = "a") -> None:
        self.images_known.append(
            SimpleNamespace(id="sha256:" + letter * 64, repo_tags=tags, repo_digests=digests, size=size)
        )

    def end(self, identifier: str) -> None:
        for one in self.containers_known:
            if one.id == identifier:
                one.state = EXITED
        for one in self.pods_known:
            if one.id == identifier:
                one.state = 1

    # -- what the tools ask ----------------------------------------------------------------------------------------

    def pods(self) -> list[Any]:
        return list(self.pods_known)

    def containers(self) -> list[Any]:
        return list(self.containers_known)

    def images(self) -> list[Any]:
        return self.images_known

    def tasks(self) -> list[Any]:
        return [SimpleNamespace(container_id="", id=one, status=PAUSED) for one in self.frozen]

    def stats(self) -> list[Any]:
        return []

    def pids(self, container: str) -> list[int]:
        self._record("pids", container)
        return [12, 13]

    def pod_status(self, pod: str) -> Any:
        return self._status(pod)

    def container_status(self, container: str) -> Any:
        return self._status(container)

    def _status(self, identifier: str) -> Any:
        if identifier not in self.statuses:
            raise Refused("an error occurred when try to find it: not found", missing=True)
        return self.statuses[identifier]

    def image_status(self, image: str) -> Any:
        return SimpleNamespace(info={})

    def version(self) -> Any:
        return SimpleNamespace(runtime_name="fake", runtime_version="v9", runtime_api_version="v1")

    def kill(self, container: str, number: int, *, exec_id: str = "") -> None:
        self._record("kill", container, number)
        if container not in self.deaf and (number == 9 or container not in self.frozen):
            self.end(container)

    def wait(self, container: str, *, exec_id: str = "", seconds: float | None = None) -> int | None:
        self._record("wait", container, seconds)
        ended = {one.id for one in self.containers_known if one.state == EXITED}
        ended |= {one.id for one in self.pods_known if one.state}
        return 0 if container in ended else None

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Every other call is recorded, and done."""

        def call(identifier: str, **more: Any) -> None:
            self._record(name, identifier, *more.values())
            if name == "unpause":
                self.frozen.discard(identifier)
            elif name == "pause":
                self.frozen.add(identifier)
            elif name in ("stop_container", "stop_pod"):
                self.end(identifier)

        return call

    def _record(self, *what: Any) -> None:
        self.asked.append(what)
        if why := self.refuses.get(what[1]):
            raise Refused(why, missing=False)
