"""The load generator: drives one API server through the phases that the project's figures are about.

    python -m bench.load --server 127.0.0.1:6443 --token TOKEN [-c 16] [-n 2000] [--phases create,get,...]

Prints one JSON line a phase: operations per second, errors, megabytes per second, p50 and p99 in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvloop

from bench.connection import Body, Connection

NAMESPACE = "kubeload"
BASE = f"/api/v1/namespaces/{NAMESPACE}/pods"
PHASES = ("create", "get", "list", "listall", "update", "patch", "watch", "delete")


def pod(index: int) -> bytes:
    """The pod that is created: 2.2 KB as stored, and 3.8 KB in kube-apiserver, which adds managedFields."""
    probes = {
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
    }
    main = {
        "name": "main",
        "image": "registry.example/app:1.0",
        "command": ["/bin/app", "--port=8080"],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "ports": [{"containerPort": 8080, "name": "http"}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"cpu": "200m", "memory": "128Mi"},
        },
        **probes,
    }
    spec = {
        "nodeName": "",
        "schedulerName": "nobody",
        "serviceAccountName": "default",
        "automountServiceAccountToken": False,
        "containers": [main, {"name": "side", "image": "registry.example/side:1.0"}],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
    }
    metadata = {
        "name": f"obj-{index:06d}",
        "labels": {"app": "load", "shard": f"s{index % 10}"},
        "annotations": {"note": "n" * 300},
    }
    return orjson.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


@dataclass(slots=True)
class Tally:
    """What one phase measured."""

    phase: str
    seconds: float = 0.0
    good: int = 0
    bad: int = 0
    bytes: int = 0
    latencies: list[float] = field(default_factory=list)
    first_error: str = ""

    def line(self) -> dict[str, Any]:
        """As the generator prints it."""
        ranked = sorted(self.latencies) or [0.0]
        return {
            "phase": self.phase,
            "ops": self.good,
            "errors": self.bad,
            "per_s": round(self.good / self.seconds, 1),
            "MB_per_s": round(self.bytes / self.seconds / 1e6, 1),
            "p50_ms": round(1000 * statistics.median(ranked), 2),
            "p99_ms": round(1000 * ranked[int(0.99 * (len(ranked) - 1))], 2),
            **({"first_error": self.first_error} if self.first_error else {}),
        }


class Load:
    """The phases, over `connections` kept-alive connections."""

    def __init__(self, options: argparse.Namespace) -> None:
        host, _, port = options.server.rpartition(":")
        self._host, self._port = host, int(port)
        self._token = options.token
        self._count = options.n
        self._connections = options.c
        self._seconds = options.secs
        self._watchers = options.watchers
        self._events = options.events
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    def bytes_of(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """A request as it goes over the wire."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self._token}\r\n"
        head += "Accept: application/json\r\n"
        if body:
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body

    async def open(self) -> Connection:
        """A new connection."""
        return await Connection.open(self._host, self._port, self._tls)

    async def prepare(self) -> None:
        """Make the namespace and wait for its service account's loop, or make that too."""
        connection = await self.open()
        body = orjson.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        await connection.request(self.bytes_of("POST", "/api/v1/namespaces", body))
        account = orjson.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
        await connection.request(self.bytes_of("POST", path, account))
        connection.close()

    async def run(self, phase: str) -> dict[str, Any]:
        """One phase; its line."""
        if phase == "watch":
            return await self._watch()
        jobs: dict[str, tuple[Callable[[Connection, int, Tally], Awaitable[bool]], int]] = {
            "create": (self._create, self._count),
            "get": (self._get, 0),
            "list": (self._list, 0),
            "listall": (self._listall, 0),
            "update": (self._update, self._count),
            "patch": (self._patch, self._count),
            "delete": (self._delete, self._count),
        }
        job, total = jobs[phase]
        tally = Tally(phase)
        connections = [await self.open() for _ in range(self._connections)]
        numbers = iter(range(total)) if total else iter(range(10**9))
        began = time.perf_counter()
        await asyncio.gather(*(self._worker(c, numbers, job, tally, began, total) for c in connections))
        tally.seconds = time.perf_counter() - began
        for connection in connections:
            connection.close()
        return tally.line()

    async def _worker(
        self, connection: Connection, numbers: Any, job: Any, tally: Tally, began: float, total: int
    ) -> None:
        for number in numbers:
            started = time.perf_counter()
            if not total and started - began > self._seconds:
                return
            good = await job(connection, number, tally)
            tally.latencies.append(time.perf_counter() - started)
            if good:
                tally.good += 1
            else:
                tally.bad += 1

    async def _ask(self, connection: Connection, tally: Tally, request: bytes, *want: int) -> Body | None:
        status, body = await connection.request(request)
        tally.bytes += len(body)
        if status in want:
            return body
        tally.first_error = tally.first_error or f"{status} {bytes(body)[:300].decode(errors='replace')}"
        return None

    def _path(self, number: int) -> str:
        return f"{BASE}/obj-{number % self._count:06d}"

    async def _create(self, connection: Connection, number: int, tally: Tally) -> bool:
        return await self._ask(connection, tally, self.bytes_of("POST", BASE, pod(number)), 201) is not None

    async def _get(self, connection: Connection, number: int, tally: Tally) -> bool:
        return await self._ask(connection, tally, self.bytes_of("GET", self._path(number)), 200) is not None

    async def _list(self, connection: Connection, number: int, tally: Tally) -> bool:
        query = "?labelSelector=shard%3Ds3&resourceVersion=0" if number % 2 else "?limit=500"
        return await self._ask(connection, tally, self.bytes_of("GET", BASE + query), 200) is not None

    async def _listall(self, connection: Connection, number: int, tally: Tally) -> bool:
        return await self._ask(connection, tally, self.bytes_of("GET", BASE + "?resourceVersion=0"), 200) is not None

    async def _update(self, connection: Connection, number: int, tally: Tally) -> bool:
        body = await self._ask(connection, tally, self.bytes_of("GET", self._path(number)), 200)
        if body is None:
            return False
        obj = orjson.loads(bytes(body))
        obj["metadata"]["labels"]["touched"] = "yes"
        put = self.bytes_of("PUT", self._path(number), orjson.dumps(obj))
        return await self._ask(connection, tally, put, 200) is not None

    async def _patch(self, connection: Connection, number: int, tally: Tally) -> bool:
        patch = orjson.dumps({"metadata": {"annotations": {"p": str(time.time_ns())}}})
        kind = "application/strategic-merge-patch+json"
        return (
            await self._ask(connection, tally, self.bytes_of("PATCH", self._path(number), patch, kind), 200) is not None
        )

    async def _delete(self, connection: Connection, number: int, tally: Tally) -> bool:
        request = self.bytes_of("DELETE", self._path(number) + "?gracePeriodSeconds=0")
        return await self._ask(connection, tally, request, 200, 202) is not None

    async def _watch(self) -> dict[str, Any]:
        writer = await self.open()
        _, body = await writer.request(self.bytes_of("GET", BASE + "?limit=1&resourceVersion=0"))
        version = orjson.loads(bytes(body))["metadata"]["resourceVersion"]
        request = self.bytes_of("GET", f"{BASE}?watch=1&resourceVersion={version}")
        watchers = []
        for _ in range(self._watchers):
            watcher = await self.open()
            watcher.stream(request)
            watchers.append(watcher)
        await asyncio.sleep(1.0)
        for watcher in watchers:
            watcher.lines = watcher.bytes = 0
        began = time.perf_counter()
        for number in range(self._events):
            patch = orjson.dumps({"metadata": {"annotations": {"w": str(time.time_ns())}}})
            kind = "application/merge-patch+json"
            await writer.request(self.bytes_of("PATCH", self._path(number), patch, kind))
        want = self._watchers * self._events
        while (got := sum(w.lines for w in watchers)) < want and time.perf_counter() - began < 120:
            await asyncio.sleep(0.002)
        seconds = time.perf_counter() - began
        moved = sum(w.bytes for w in watchers)
        for watcher in watchers:
            watcher.close()
        line = {"phase": "watch", "watchers": self._watchers, "events_wanted": want, "events_got": got}
        return {
            **line,
            "per_s": round(got / seconds),
            "MB_per_s": round(moved / seconds / 1e6, 1),
            "errors": want - got,
        }


def arguments() -> argparse.ArgumentParser:
    """The generator's options; the defaults are those of the project's figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--server", default="127.0.0.1:6443", help="HOST:PORT of one API server")
    parser.add_argument("--token", default="", help="a bearer token of a cluster administrator")
    parser.add_argument("-c", type=int, default=16, help="connections")
    parser.add_argument("-n", type=int, default=2000, help="objects")
    parser.add_argument("--secs", type=float, default=5.0, help="seconds of each read phase")
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--phases", default=",".join(PHASES))
    return parser


async def drive(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run the phases in order; their lines."""
    load = Load(options)
    await load.prepare()
    lines = []
    for phase in options.phases.split(","):
        lines.append(await load.run(phase))
        print(json.dumps(lines[-1]), flush=True)
    return lines


def main() -> None:
    """The command."""
    options = arguments().parse_args()
    uvloop.run(drive(options))


if __name__ == "__main__":
    main()
