"""A small API server in memory, for stories about loops: revisions, watches, conflicts, graceful deletion, faults."""

import asyncio
import contextlib

import orjson
import pytest

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.wire.message import Request, Response, User

POD = Kind("", "v1", "Pod", "pods", "pod", namespaced=True)
SET = Kind("apps", "v1", "ReplicaSet", "replicasets", "replicaset", namespaced=True)
KINDS = {"pods": POD, "replicasets": SET}


class FakeApi:
    """Serves any kind at its usual paths. `journal` has (method, path) of every request that got through."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict] = {}
        self.revision = 0
        self.events: list[tuple[int, str, str, str, dict]] = []
        self.oldest = 0
        self.journal: list[tuple[str, str]] = []
        self.causes: list[str] = []
        self.graceful = False
        self.down = False
        self.watch_delay = 0.0
        self.watch_generation = 0
        self.muted: set[str] = set()
        self.fail_next: list[tuple[str, Exception]] = []
        self.lose_answers: list[str] = []
        self.created = 0
        self._moved = asyncio.Event()

    def client(self, handlers=None) -> ApiClient:
        return ApiClient(InProcessTransport(handlers or [self.handle], User("test")))

    # What the story's author does, without a request.
    def put(self, kind: Kind, name: str, namespace: str = "default", **fields) -> dict:
        before = self.objects.get((kind.plural, namespace, name))
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, **fields}
        uid = before["metadata"]["uid"] if before else f"uid-{self.revision + 1}"
        obj["metadata"] = {"name": name, "namespace": namespace, "uid": uid, **fields.get("metadata", {})}
        return self._commit("MODIFIED" if before else "ADDED", kind.plural, obj)

    def remove(self, kind: Kind, name: str, namespace: str = "default") -> None:
        obj = self.objects[(kind.plural, namespace, name)]
        self._commit("DELETED", kind.plural, orjson.loads(orjson.dumps(obj)))

    def compact(self) -> None:
        self.oldest = self.revision

    def drop_watches(self) -> None:
        self._moved.set()
        self._moved, self.watch_generation = asyncio.Event(), self.watch_generation + 1

    def names(self, kind: Kind) -> list[str]:
        return sorted(name for plural, _, name in self.objects if plural == kind.plural)

    def _commit(self, type_: str, plural: str, obj: dict) -> dict:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        key = (plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if type_ == "DELETED":
            self.objects.pop(key, None)
        else:
            self.objects[key] = obj
        self.events.append((self.revision, type_, plural, key[1], orjson.loads(orjson.dumps(obj))))
        self._moved.set()
        self._moved = asyncio.Event()
        return obj

    async def handle(self, request: Request) -> Response:
        await asyncio.sleep(0.001)
        if self.down:
            raise ConnectionRefusedError("down")
        for at, (method, error) in enumerate(self.fail_next):
            if method == request.method:
                del self.fail_next[at]
                if isinstance(error, ApiError):
                    return Response(error.code, orjson.dumps(error.status()))
                raise error
        self.journal.append((request.method, request.path))
        if request.method != "GET":
            self.causes.append(request.headers.get("homeostat-cause", ""))
        try:
            response = self._serve(request)
        except ApiError as error:
            return Response(error.code, orjson.dumps(error.status()))
        if request.method in self.lose_answers:
            self.lose_answers.remove(request.method)
            raise ConnectionResetError("lost")
        return response

    def _serve(self, request: Request) -> Response:
        parts = [part for part in request.path.split("/") if part]
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        plural, name = parts[0], parts[1] if len(parts) > 1 else ""
        if request.method == "GET" and request.query.get("watch"):
            return self._watch(plural, namespace, int(request.query["resourceVersion"]), request)
        if request.method == "GET" and not name:
            items = [
                obj for (other, ns, _), obj in sorted(self.objects.items()) if other == plural and namespace in ("", ns)
            ]
            listing = {"kind": "List", "metadata": {"resourceVersion": str(self.revision)}, "items": items}
            return Response(200, orjson.dumps(listing))
        body = orjson.loads(request.body) if request.body else {}
        return Response(200, orjson.dumps(self._verb(request.method, plural, namespace, name, body)))

    def _verb(self, method: str, plural: str, namespace: str, name: str, body: dict) -> dict:
        if method == "POST":
            metadata = body["metadata"]
            self.created += 1
            metadata.setdefault("name", metadata.get("generateName", "") + f"g{self.created}")
            metadata.setdefault("namespace", namespace)
            if (plural, namespace, metadata["name"]) in self.objects:
                raise errors.already_exists(plural, "", metadata["name"])
            metadata["uid"] = f"uid-{self.revision + 1}"
            return self._commit("ADDED", plural, body)
        current = self.objects.get((plural, namespace, name))
        if current is None:
            raise errors.not_found(plural, "", name)
        if method == "GET":
            return current
        if method == "PUT":
            if body["metadata"].get("resourceVersion") not in (None, current["metadata"]["resourceVersion"]):
                raise errors.conflict(plural, "", name)
            return self._commit("MODIFIED", plural, body)
        copy = orjson.loads(orjson.dumps(current))
        if method == "PATCH":
            return self._commit("MODIFIED", plural, _merge(copy, body))
        wanted = (body.get("preconditions") or {}).get("uid")
        if wanted and wanted != current["metadata"]["uid"]:
            raise errors.conflict(plural, "", name, "uid mismatch")
        if self.graceful and body.get("gracePeriodSeconds") != 0:
            copy["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
            return self._commit("MODIFIED", plural, copy)
        self._commit("DELETED", plural, copy)
        return {"kind": "Status", "status": "Success"}

    def _watch(self, plural: str, namespace: str, after: int, request: Request) -> Response:
        if after < self.oldest:
            raise errors.expired("too old")
        generation = self.watch_generation

        at = next((at for at, event in enumerate(self.events) if event[0] > after), len(self.events))

        async def stream(at=at):
            while generation == self.watch_generation:
                if self.down:
                    raise ConnectionResetError("down")
                moved = self._moved
                while at < len(self.events):
                    _, type_, other, ns, obj = self.events[at]
                    at += 1
                    if other == plural and namespace in ("", ns) and plural not in self.muted:
                        await asyncio.sleep(self.watch_delay)
                        yield orjson.dumps({"type": type_, "object": obj}) + b"\n"
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(60):
                        await moved.wait()
                        continue
                bookmark = {"kind": "x", "metadata": {"resourceVersion": str(self.revision)}}
                yield orjson.dumps({"type": "BOOKMARK", "object": bookmark}) + b"\n"

        return Response(200, stream())


def _merge(target: dict, patch: dict) -> dict:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = _merge(target.get(key) or {}, value)
        else:
            target[key] = value
    return target


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def pod() -> Kind:
    return POD


@pytest.fixture
def replicaset() -> Kind:
    return SET
