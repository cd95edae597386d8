"""What the API server's path costs in this process, without HTTP: microseconds a request, one at a time and many.

Run: `python -m bench.apiserver_inprocess [--store memory|sqlite] [--edge] [--count 2000] [--profile PHASE]`. It prints
one line a phase: the operations a second, and the microseconds of CPU an operation takes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.load import pod
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import EdgeConfig, build_edge
from homeostat.kit import collector
from homeostat.store.contract import Store
from homeostat.store.memory import MemoryStore
from homeostat.wire.message import Request, User

ADMIN = User("admin", ("system:masters",))
PODS = "/api/v1/namespaces/default/pods"
AT_ONCE = 16
_MERGE = "application/strategic-merge-patch+json"


class Bench:
    """One server and the phases."""

    def __init__(self, server: ApiServer, count: int, profile: str) -> None:
        self._server = server
        self._count = count
        self._profile = profile

    async def send(
        self, method: str, path: str, body: object = None, media: str = "application/json", **query: str
    ) -> bytes:
        """One request; its body. Fails on an error."""
        raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        response = await self._server.handle(Request(method, path, query, {"content-type": media}, raw, ADMIN))
        if response.status >= 400 or not isinstance(response.body, bytes):
            raise RuntimeError(f"{method} {path}: {response.status} {response.body!r}")
        return response.body

    async def phase(self, name: str, count: int, work: Callable[[int], Awaitable[object]]) -> None:
        """Do `work` for 0 to count - 1, `AT_ONCE` at a time, and print what it took."""
        numbers = iter(range(count))

        async def lane() -> None:
            for number in numbers:
                await work(number)

        profiler = cProfile.Profile() if name == self._profile else None
        wall, cpu = time.perf_counter(), time.process_time()
        if profiler:
            profiler.enable()
        await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
        if profiler:
            profiler.disable()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{name:<24}{count / wall:>10,.0f}/s {cpu / count * 1e6:>10.1f} us of CPU each", flush=True)
        if profiler:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)

    async def run(self) -> None:
        """All phases."""
        count = self._count
        await asyncio.sleep(0.5)  # The edge makes its first objects.
        query = Request("POST", "/api/v1/namespaces", {}, {}, b'{"metadata":{"name":"default"}}', ADMIN)
        await self._server.handle(query)
        await self.send("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        bodies = [pod(number) for number in range(count)]
        await self.phase("create", count, lambda n: self.send("POST", PODS, bodies[n]))
        print(f"  an object is {len(await self.send('GET', f'{PODS}/obj-000000')):,} bytes")
        await self.phase("get", 5 * count, lambda n: self.send("GET", f"{PODS}/obj-{n % count:06d}"))
        await self.phase("list page of 500", 200, lambda n: self.send("GET", PODS, limit="500"))
        await self.phase("list by label", 400, lambda n: self.send("GET", PODS, labelSelector=f"shard=s{n % 10}"))
        await self.phase("list all", 60, lambda n: self.send("GET", PODS))
        await self.phase("get then update", count, self._update)
        patch = orjson.dumps({"metadata": {"annotations": {"patched": "yes"}}})
        await self.phase("strategic patch", count, lambda n: self.send("PATCH", f"{PODS}/obj-{n:06d}", patch, _MERGE))
        await self._watchers()
        await self.phase("delete", count, lambda n: self.send("DELETE", f"{PODS}/obj-{n:06d}"))

    async def _update(self, number: int) -> None:
        obj = orjson.loads(await self.send("GET", f"{PODS}/obj-{number:06d}"))
        obj["metadata"]["labels"]["round"] = "2"
        await self.send("PUT", f"{PODS}/obj-{number:06d}", orjson.dumps(obj))

    async def _watchers(self) -> None:
        watchers, events = 500, 100
        seen = 0
        done = asyncio.Event()

        async def follow(stream: AsyncIterator[bytes]) -> None:
            nonlocal seen
            async for chunk in stream:
                seen += chunk.count(b"\n")
                if seen >= watchers * events:
                    done.set()
                    return

        newest = orjson.loads(await self.send("GET", PODS, limit="1"))["metadata"]["resourceVersion"]
        tasks = []
        for _ in range(watchers):
            query = {"watch": "1", "resourceVersion": newest}
            response = await self._server.handle(Request("GET", PODS, query, {}, b"", ADMIN))
            assert not isinstance(response.body, bytes)
            tasks.append(asyncio.ensure_future(follow(response.body)))
        await asyncio.sleep(0)
        wall, cpu = time.perf_counter(), time.process_time()
        for number in range(events):
            patch = {"metadata": {"annotations": {"event": str(number)}}}
            await self.send("PATCH", f"{PODS}/obj-{number % self._count:06d}", patch, _MERGE)
            if number % 10 == 9:
                await asyncio.sleep(0)
        await done.wait()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        total = watchers * events
        print(f"{'watch events':<24}{total / wall:>10,.0f}/s {cpu / total * 1e6:>10.2f} us of CPU each", flush=True)
        for task in tasks:
            task.cancel()


def _key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


async def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=("memory", "sqlite"), default="memory")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--profile", default="", help="print the profile of one phase, by its name")
    parser.add_argument("--edge", action="store_true", help="with RBAC, admission and output forms")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store: Store = MemoryStore()
        if arguments.store == "sqlite":
            from homeostat.store.sqlite import SqliteStore

            store = SqliteStore(Path(folder) / "state.db")
        await store.start()
        started = time.perf_counter()
        parts = build_edge(EdgeConfig(service_account_key=_key())) if arguments.edge else None
        server = ApiServer(store, parts=parts)
        await server.start()
        collector.settle()
        print(f"ready after {(time.perf_counter() - started) * 1e3:.1f} ms")
        await Bench(server, arguments.count, arguments.profile).run()
        await server.stop()
        await store.close()


if __name__ == "__main__":
    asyncio.run(main())
