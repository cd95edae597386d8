"""A Deployment of 3,000 on 1,000 nodes, to all bound: API server, controller manager and scheduler as real processes.

    python -m bench.scheduling [--pods 3000] [--nodes 1000]

The API server (SQLite, durable) speaks HTTP over TLS; the other two reach it as they do in a cluster. Node objects
represent the nodes: binding needs no more. The clock runs from just before the Deployment is created until a watch has
delivered the last binding. Each part prints the CPU seconds it took meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import secrets
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.connection import Connection
from bench.figures import Row
from homeostat.api.flags.flag_settings import Settings
from homeostat.client.api_client import ApiClient
from homeostat.client.http import HttpTransport
from homeostat.controllers.registry import all_loops
from homeostat.loop.manager import Manager
from homeostat.scheduler.scheduler import Scheduler

NAMESPACE = "default"
NAME = "crowd"
_PATIENCE_SECONDS = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


def deployment(pods: int) -> dict[str, Any]:
    """The Deployment: small requests, so that all Pods fit."""
    container = {"name": "main", "image": "none", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": {"containers": [container]}},
        },
    }


def node(number: int) -> dict[str, Any]:
    """A node that is ready and has room for 110 Pods."""
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    name = f"node-{number:04d}"
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number % 3}"}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    ready |= {"lastHeartbeatTime": now, "lastTransitionTime": now}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
    }


def unverified() -> ssl.SSLContext:
    """TLS with a server of which nothing is known beforehand."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def part(role: str, url: str, token: str) -> None:
    """Run the controller manager or the scheduler until SIGTERM."""
    client = ApiClient(HttpTransport([url], tls=unverified(), token=token), user_agent=role)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings()
    # As the lab's warm parent does for all of its children.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    work = Manager(client, all_loops(settings), role) if role == "controller-manager" else Scheduler(client, settings)
    await work.start()
    print("ready", flush=True)
    await stop.wait()
    await work.stop()
    await client.close()


class Bench:
    """The processes, and a connection to look from outside."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.token = secrets.token_hex(16)
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, *arguments: str) -> None:
        """Start one process and wait until it says that it is ready."""
        process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True)
        self.processes[name] = process
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{name} did not start")

    def start_server(self) -> None:
        """The API server."""
        self.start("apiserver", "bench.server", str(self._folder), str(self.port), self.token)

    def start_part(self, role: str) -> None:
        """The controller manager or the scheduler."""
        self.start(role, "bench.scheduling", "--part", role, f"https://127.0.0.1:{self.port}", self.token)

    def cpu_seconds(self) -> dict[str, float]:
        """The CPU time of each process so far."""
        used = {}
        for name, process in self.processes.items():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            used[name] = (int(fields[11]) + int(fields[12])) / _TICKS
        return used

    def end(self) -> None:
        """End all processes."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            process.wait(10)

    async def open(self) -> Connection:
        """A connection to the API server."""
        return await Connection.open("127.0.0.1", self.port, unverified())

    def bytes_of(self, method: str, path: str, body: object = None) -> bytes:
        """A request as it goes over the wire."""
        payload = orjson.dumps(body) if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n"
        head += f"Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        return head.encode() + payload


class Bindings(asyncio.Protocol):
    """Reads a watch of the Pods that have a node, and notes when the wanted number has come."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.seen = 0
        self.done = asyncio.get_running_loop().create_future()
        self.moments: list[float] = []

    def data_received(self, data: bytes) -> None:
        """Count the Pods that come into view."""
        number = data.count(b'{"type":"ADDED"')
        if number:
            self.seen += number
            self.moments.append(time.perf_counter())
        if self.seen >= self.wanted and not self.done.done():
            self.done.set_result(time.perf_counter())


async def measure(bench: Bench, pods: int, nodes: int) -> dict[str, Any]:
    """Make the nodes, then the Deployment; the line of figures."""
    connection = await bench.open()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await connection.request(bench.bytes_of("POST", "/api/v1/namespaces", namespace))
    for number in range(nodes):
        status, body = await connection.request(bench.bytes_of("POST", "/api/v1/nodes", node(number)))
        if status != 201:
            raise RuntimeError(f"node: {status} {bytes(body)[:300]!r}")
    bench.start_part("controller-manager")
    bench.start_part("scheduler")
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
    while (await connection.request(bench.bytes_of("GET", account)))[0] != 200:
        await asyncio.sleep(0.05)
    await asyncio.sleep(3.0)
    loop = asyncio.get_running_loop()
    transport, watching = await loop.create_connection(
        lambda: Bindings(pods), "127.0.0.1", bench.port, ssl=unverified()
    )
    selector = "watch=1&fieldSelector=spec.nodeName!%3D"
    transport.write(bench.bytes_of("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?{selector}&resourceVersion=0"))
    before, began = bench.cpu_seconds(), time.perf_counter()
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    status, body = await connection.request(bench.bytes_of("POST", path, deployment(pods)))
    if status != 201:
        raise RuntimeError(f"deployment: {status} {bytes(body)[:300]!r}")
    ended = await asyncio.wait_for(watching.done, _PATIENCE_SECONDS)
    after = bench.cpu_seconds()
    transport.abort()
    connection.close()
    seconds = ended - began
    return {
        "pods": pods,
        "nodes": nodes,
        "seconds": round(seconds, 2),
        "pods_per_s": round(pods / seconds),
        "first_bound_s": round(watching.moments[0] - began, 3),
        "cpu_s": {name: round(after[name] - before[name], 2) for name in after},
    }


def run(pods: int = 3000, nodes: int = 1000) -> dict[str, Any]:
    """One measurement with fresh processes."""
    with tempfile.TemporaryDirectory(prefix="bench-scheduling-") as folder:
        bench = Bench(Path(folder))
        try:
            bench.start_server()
            return uvloop.run(measure(bench, pods, nodes))
        finally:
            bench.end()


def rows(*, rounds: int = 3) -> list[Row]:
    """The figure, the median of several rounds."""
    measured = statistics.median(run()["pods_per_s"] for _ in range(rounds))
    return [Row.above("Deployment of 3,000 on 1,000 nodes, to all bound", measured, 1000, "pods/s", go="107 pods/s")]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.scheduling", description=__doc__)
    parser.add_argument("--pods", type=int, default=3000)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--part", nargs=3, metavar=("ROLE", "URL", "TOKEN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        uvloop.run(part(*options.part))
        return
    print(json.dumps(run(options.pods, options.nodes)))


if __name__ == "__main__":
    main()
