"""What follows a change of rules: stale datagram entries, and the answers of health check ports."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.node_plan import Entry, Health, Way
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.stale_connections import Stale, stale, unknown
from homeostat.network.kernel.conntrack import answers
from homeostat.network.kubeproxy.health_checks import HealthChecks, response

DNS = Front("10.96.0.10", 53, "UDP")


def entry(*addresses: str) -> Entry:
    pods = tuple(Backend(address, 5353) for address in addresses)
    return Entry("kube-system/dns", "dns", Way.CLUSTER, pods, pods)


def test_entries_to_a_backend_that_has_left_are_stale() -> None:
    assert stale({DNS: entry("10.244.1.2", "10.244.1.3")}, {DNS: entry("10.244.1.3")}) == [Stale(DNS, "10.244.1.2")]
    assert stale({DNS: entry("10.244.1.2")}, {}) == [Stale(DNS, "10.244.1.2")]


def test_entries_to_nobody_are_stale_when_the_first_backend_comes() -> None:
    assert stale({DNS: entry()}, {DNS: entry("10.244.1.2")}) == [Stale(DNS)]
    assert stale({}, {DNS: entry("10.244.1.2")}) == [Stale(DNS)]
    assert stale({DNS: entry("10.244.1.2")}, {DNS: entry("10.244.1.2", "10.244.1.3")}) == []


def test_connections_that_know_their_end_are_left_alone() -> None:
    web = Front("10.96.0.5", 80, "TCP")
    assert stale({web: entry("10.244.1.2")}, {web: entry()}) == []


def test_after_a_restart_whatever_no_backend_answers_is_stale() -> None:
    found = unknown(DNS, entry("10.244.1.2"), ["10.244.1.2", "10.244.1.9", "10.96.0.10"])
    assert found == [Stale(DNS, "10.244.1.9"), Stale(DNS, "10.96.0.10")]


def test_the_connection_table_shows_which_backend_answers_each_front() -> None:
    listed = """\
udp      17 29 src=10.244.1.9 dst=10.96.0.10 sport=45613 dport=53 [UNREPLIED] src=10.244.1.2 dst=10.244.1.9 sport=5353 dport=45613 mark=0 use=1
udp      17 29 src=10.244.1.8 dst=10.96.0.10 sport=32904 dport=53 src=10.96.0.10 dst=10.244.1.8 sport=53 dport=32904 mark=0 use=1
unknown  2 599 src=10.244.1.1 dst=224.0.0.22 [UNREPLIED] src=224.0.0.22 dst=10.244.1.1 mark=0 use=1
"""  # noqa: E501
    assert answers(listed) == {("10.96.0.10", 53): {"10.244.1.2", "10.96.0.10"}}
    assert answers("") == {}


@pytest.mark.parametrize(("local", "status"), [(2, "200 OK"), (0, "503 Service Unavailable")])
def test_a_health_check_says_how_many_endpoints_are_local(local: int, status: str) -> None:
    head, _, body = response(Health("default/web", 31000, local)).decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}\r\n")
    assert json.loads(body) == {
        "service": {"namespace": "default", "name": "web"},
        "localEndpoints": local,
        "serviceProxyHealthy": True,
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


def test_health_check_ports_open_change_and_close() -> None:
    async def story() -> None:
        port = free_port()
        checks = HealthChecks(("127.0.0.1",))
        await checks.serve({"default/web": Health("default/web", port, 1)})
        assert b" 200 " in await ask(port)
        await checks.serve({"default/web": Health("default/web", port, 0)})
        assert b" 503 " in await ask(port)
        await checks.close()
        with pytest.raises(ConnectionRefusedError):
            await ask(port)

    asyncio.run(story())


def test_a_port_in_use_does_not_keep_the_others_from_being_served() -> None:
    async def story() -> None:
        port = free_port()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            busy = taken.getsockname()[1]
            checks = HealthChecks(("127.0.0.1",))
            await checks.serve({"a/a": Health("a/a", busy, 1), "b/b": Health("b/b", port, 1)})
            assert b" 200 " in await ask(port)
        await checks.close()

    asyncio.run(story())
