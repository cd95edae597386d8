"""What the store alone can do: commits, reads, watch latency in one process and across two, idle cost.

Run: `python bench/store.py [--store sqlite|memory] [--path FOLDER] [--synchronous FULL] [--seconds 1]`. Medians over
rounds where a figure is a rate; latencies are quantiles over all samples. The watcher of the second process runs in a
child with a loop of its own, and writes what it saw to a pipe with the machine's monotonic clock, which both share.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from homeostat.store.contract import Store
from homeostat.store.memory import MemoryStore
from homeostat.store.sqlite import SqliteStore

VALUE = b"x" * 3_900
_ROUNDS = 3


def quantiles(samples: list[float]) -> str:
    """p50, p99 and the worst, in milliseconds."""
    ordered = sorted(samples)
    return " ".join(
        f"{name} {ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e3:.2f}"
        for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    )


async def commits(store: Store, writers: int, seconds: float) -> tuple[float, list[float]]:
    """Updates a second by `writers` that each wait for the last before the next, and their latencies in seconds."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def write(n: int) -> None:
        key = f"/registry/core/pods/default/bench-{writers}-{n}"
        entry = await store.get(key)
        revision = entry.revision if entry else 0
        while (begun := time.perf_counter()) < end:
            revision = await store.commit(key, revision, VALUE)
            latencies.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*[write(n) for n in range(writers)])
    return len(latencies) / (time.perf_counter() - begun), latencies


async def bench_commits(store: Store, seconds: float) -> None:
    """Prints rates and latencies for 1, 16 and 100 writers."""
    for writers in (1, 16, 100):
        rounds = [await commits(store, writers, seconds) for _ in range(_ROUNDS)]
        latencies = [latency for _, part in rounds for latency in part]
        rate = statistics.median(rate for rate, _ in rounds)
        print(f"commit, {writers} writers".ljust(34), f"{rate:,.0f}/s   ms: {quantiles(latencies)}")


async def bench_reads(store: Store) -> None:
    """Prints the time of a revision, a get, and listings of 2,000 values."""
    keys = [f"/registry/core/configmaps/default/list-{n:04}" for n in range(2_000)]
    await asyncio.gather(*[store.commit(key, 0, VALUE + b"100 more") for key in keys if not await store.get(key)])
    for name, call, times in (
        ("revision", store.revision, 20_000),
        ("get", lambda: store.get(keys[7]), 20_000),
        ("list of 2,000", lambda: store.list("/registry/core/configmaps/"), 30),
        ("list of 500 of 2,000", lambda: store.list("/registry/core/configmaps/", limit=500), 100),
    ):
        begun = time.perf_counter()
        for _ in range(times):
            await call()
        print(name.ljust(34), f"{(time.perf_counter() - begun) / times * 1e6:,.1f} us")
    busy, stop = 0, asyncio.Event()

    async def keep_writing() -> None:
        while not stop.is_set():
            await commits(store, 16, 0.05)

    writing = asyncio.gather(keep_writing())
    samples = []
    while busy < 500:
        begun = time.perf_counter()
        await store.revision()
        samples.append(time.perf_counter() - begun)
        await asyncio.sleep(0.001)
        busy += 1
    stop.set()
    await writing
    print("revision while 16 writers write".ljust(34), f"ms: {quantiles(samples)}")


async def bench_watch_here(store: Store, *, samples_wanted: int = 300) -> None:
    """Prints the time from the call of commit to the event in the same process."""
    samples: list[float] = []
    begun = 0.0

    async def watch(after: int) -> None:
        async for _ in store.watch("/watched/", after_revision=after):
            samples.append(time.perf_counter() - begun)
            if len(samples) == samples_wanted:
                return

    watcher = asyncio.gather(watch(await store.revision()))
    entry = await store.get("/watched/a")
    revision = entry.revision if entry else 0
    while not watcher.done():
        await asyncio.sleep(0.001)
        begun = time.perf_counter()
        revision = await store.commit("/watched/a", revision, VALUE)
    await watcher
    print("commit to event, one process".ljust(34), f"ms: {quantiles(samples)}")


def watch_in_child(path: str, pipe: Connection, count: int) -> None:
    """The second process: reports when it is ready, then the moment at which it saw each event."""

    async def main() -> None:
        store = SqliteStore(path)
        await store.start()
        pipe.send(0.0)
        moments: list[float] = []
        async for batch in store.watch("/watched/", after_revision=await store.revision()):
            moments += [time.monotonic()] * len(batch)
            if len(moments) >= count:
                break
        pipe.send(moments)
        await store.close()

    uvloop.run(main())


async def bench_watch_across(store: Store, path: str, *, count: int = 300) -> None:
    """Prints the time from the acknowledged commit here to the event in another process."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=watch_in_child, args=(path, theirs, count))
    child.start()
    await asyncio.to_thread(ours.recv)
    entry = await store.get("/watched/a")
    revision = entry.revision if entry else 0
    begun, acknowledged = [], []
    for _ in range(count):
        await asyncio.sleep(0.002)
        begun.append(time.monotonic())
        revision = await store.commit("/watched/a", revision, VALUE)
        acknowledged.append(time.monotonic())
    seen = await asyncio.to_thread(ours.recv)
    child.join()
    print(
        "commit to event, two processes".ljust(34),
        f"ms: {quantiles([s - b for s, b in zip(seen, begun, strict=True)])}",
    )
    print(
        "acknowledged to event, two".ljust(34),
        f"ms: {quantiles([s - a for s, a in zip(seen, acknowledged, strict=True)])}",
    )


def idle_in_child(path: str, pipe: Connection, seconds: float) -> None:
    """An open store that does nothing: sends the share of a core it used."""

    async def main() -> None:
        store = SqliteStore(path)
        await store.start()
        await asyncio.sleep(0.5)
        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.sleep(seconds)
        after = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds)
        await store.close()

    uvloop.run(main())


async def bench_idle(path: str) -> None:
    """Prints the idle cost of one process."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=idle_in_child, args=(path, theirs, 4.0))
    child.start()
    share = await asyncio.to_thread(ours.recv)
    child.join()
    print("idle, one process".ljust(34), f"{share * 100:.3f} % of a core")


async def main(options: argparse.Namespace, folder: str) -> None:
    """All phases, one after the other."""
    path = str(Path(folder) / "bench.db")
    store: Store = MemoryStore() if options.store == "memory" else SqliteStore(path, synchronous=options.synchronous)
    await store.start()
    await bench_commits(store, options.seconds)
    await bench_reads(store)
    await bench_watch_here(store)
    if options.store == "sqlite":
        await bench_watch_across(store, path)
        sizes = {name: os.stat(path + name).st_size >> 20 for name in ("", "-wal")}
        print("file, log".ljust(34), f"{sizes['']} MiB, {sizes['-wal']} MiB")
    await store.close()
    if options.store == "sqlite":
        await bench_idle(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--path", default=None, help="a folder on the disk to measure")
    parser.add_argument("--synchronous", default="FULL")
    parser.add_argument("--seconds", type=float, default=1.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.path) as scratch:
        uvloop.run(main(chosen, scratch))
