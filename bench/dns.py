"""How many questions one cluster DNS server answers: 500 Services of 3 endpoints, over UDP on loopback.

    python -m bench.dns

Server and load generator are processes of their own. The generator keeps 32 questions under way. Three mixes: names
that have been asked for before; such names beside ones that are not there, as resolvers with search lists ask; and
names that were never asked for, which nobody has an answer in store for. The figure is what a core of its own does: a
second by the server's processor time for one answer. The rate beside it is what was left over on this machine.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from bench.figures import Row
from homeostat.network.dns import dns_message
from homeostat.network.dns.dns_server import serve
from homeostat.network.dns.entry import entry_of
from homeostat.network.dns.forwarder import Forwarder
from homeostat.network.dns.records import A, labels_of
from homeostat.network.dns.responder import Responder
from homeostat.network.dns.tally import Tally
from homeostat.network.dns.upstream_exchange import exchange
from homeostat.network.dns.zone import Zone

_SERVICES, _ENDPOINTS, _UNDER_WAY, _SECONDS, _ROUNDS = 500, 3, 32, 1.5, 3
_TARGET = 3000
_TICKS = os.sysconf("SC_CLK_TCK")
_SILENCE_SECONDS = 2.0


def zone() -> Zone:
    """Half of the Services have a cluster IP, half are headless."""
    found = Zone("cluster.local", "10.96.0.10")
    found.put_namespace("default")
    for number in range(_SERVICES):
        address = f"10.96.{number // 250 + 1}.{number % 250 + 1}" if number % 2 else "None"
        ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
        service = {
            "metadata": {"name": f"s{number}", "namespace": "default"},
            "spec": {"clusterIP": address, "ports": ports},
        }
        endpoints = [{"addresses": [f"10.244.{other}.{number % 250 + 2}"]} for other in range(_ENDPOINTS)]
        found.put(entry_of(service, [{"endpoints": endpoints, "ports": ports}]))
    return found


async def run_server() -> None:
    """Say the port, then answer for ever."""
    server = await serve(Responder(zone(), Forwarder([], exchange), Tally()), host="127.0.0.1", port=0)
    print(server.port, flush=True)
    await asyncio.Event().wait()


@contextmanager
def a_server() -> Iterator[tuple[int, int]]:
    """A server's process: its ID, and its port."""
    with subprocess.Popen([sys.executable, "-m", "bench.dns", "--serve"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def _question(name: str) -> bytes:
    return dns_message.ask(0, [label.encode() for label in labels_of(name)], A)[2:]


def known() -> Iterator[bytes]:
    """The same names over and over."""
    return itertools.cycle([_question(f"s{number}.default.svc.cluster.local") for number in range(_SERVICES)])


def searched() -> Iterator[bytes]:
    """What a resolver asks for `www.example.com` with ndots:5, beside names that are there."""
    missing = [f"www.example.com.{suffix}" for suffix in ("default.svc.cluster.local", "svc.cluster.local")]
    return itertools.cycle([*itertools.islice(known(), 100), *(map(_question, missing * 50))])


def fresh() -> Iterator[bytes]:
    """Names of Pods, each once."""
    for number in itertools.count():
        yield _question(f"10-{number >> 16 & 255}-{number >> 8 & 255}-{number & 255}.default.pod.cluster.local")


def _busy(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def load(pid: int, port: int, questions: Iterator[bytes]) -> tuple[float, float]:
    """Answers a second, and microseconds of the server's processor time for each. Raises RuntimeError on silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        for ident, question in zip(range(_UNDER_WAY), questions, strict=False):
            sock.send(ident.to_bytes(2, "big") + question)
        answered, busy, began = 0, _busy(pid), time.perf_counter()
        while (now := time.perf_counter()) - began < _SECONDS:
            if not select.select([sock], [], [], _SILENCE_SECONDS)[0]:
                raise RuntimeError("the DNS server does not answer")
            reply = sock.recv(4096)
            answered += 1
            sock.send(reply[:2] + next(questions))
        return answered / (now - began), (_busy(pid) - busy) / answered * 1e6


def rows() -> list[Row]:
    """The figures."""
    mixes = (
        ("names asked for before", known),
        ("half of them missing", searched),
        ("names never asked for", fresh),
    )
    found = []
    with a_server() as (pid, port):
        for name, questions in mixes:
            seen = [load(pid, port, questions()) for _ in range(_ROUNDS)]
            rate, cost = (statistics.median(values) for values in zip(*seen, strict=True))
            note = f"{cost:.0f} us of processor time each; {rate:,.0f}/s beside all else that ran here"
            found.append(Row.above(f"cluster DNS, one core: {name}", 1e6 / cost, _TARGET, "/s", note=note))
    return found


if __name__ == "__main__":
    if "--serve" in sys.argv:
        uvloop.run(run_server())
    else:
        for row in rows():
            print(row.line())
