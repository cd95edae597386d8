"""Programs and netlink: what they say when something is wrong, and what is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from homeostat.network.kernel import links_and_routes
from homeostat.network.kernel.programs import ProgramError, present, run
from tests.support.netns import Space


def test_what_a_program_prints_and_is_given() -> None:
    assert asyncio.run(run("cat", text="one\ntwo\n")) == "one\ntwo\n"
    assert present("cat") and not present("no-such-program")


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(ProgramError, match="sh ended with 3: it is broken"):
        asyncio.run(run("sh", "-c", "echo it is broken >&2; exit 3"))


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ProgramError, match="no-such-program: No such file or directory"):
        asyncio.run(run("no-such-program"))


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(ProgramError, match=r"sleep did not end within 0\.1 s"):
        asyncio.run(run("sleep", "60", seconds=0.1))


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    made = Space("links")
    made.ip("link add up0 type bridge", "link set up0 up mtu 1400", "addr add 172.30.0.21/24 dev up0")
    yield made
    made.close()


def uplink(space: Space) -> links_and_routes.Uplink:
    return space.do(lambda: links_and_routes.uplink("172.30.0.21"))


@pytest.mark.real
def test_an_uplink_is_found_by_its_address(space: Space) -> None:
    found = uplink(space)
    assert (found.name, found.mtu) == ("up0", 1400)
    assert found.hardware in space.run("ip", "link", "show", "up0")


@pytest.mark.real
def test_addresses_of_ours_are_added_and_removed_once_and_known_again(space: Space) -> None:
    found = uplink(space)
    space.ip("addr add 172.30.0.99/32 dev up0")
    for _ in range(2):
        space.do(lambda: links_and_routes.add_address(found, "172.30.0.200"))
    assert space.do(lambda: links_and_routes.added_addresses(found)) == {"172.30.0.200"}
    for _ in range(2):
        space.do(lambda: links_and_routes.remove_address(found, "172.30.0.200"))
    assert space.do(lambda: links_and_routes.added_addresses(found)) == set()
    assert "172.30.0.99/32" in space.run("ip", "addr")
    gone = links_and_routes.Uplink(999, "gone0", 1500, "02:00:00:00:00:01")
    with pytest.raises(links_and_routes.LinkError, match="address add"):
        space.do(lambda: links_and_routes.add_address(gone, "172.30.0.201"))


@pytest.mark.real
def test_forwarding_is_switched_on(space: Space) -> None:
    space.sysctl(net__ipv4__ip_forward=0)
    assert space.do(links_and_routes.forward) == []
    assert space.run("cat", "/proc/sys/net/ipv4/ip_forward").strip() == "1"


@pytest.mark.real
def test_routes_that_a_link_has_lost_come_back(space: Space) -> None:
    wanted = {"10.244.2.0/24": "172.30.0.22"}
    assert space.do(lambda: links_and_routes.route(wanted)) == []
    space.ip("link set up0 down", "link set up0 up")
    assert "10.244.2.0/24" not in space.run("ip", "route")
    assert space.do(lambda: links_and_routes.route(wanted)) == []
    assert "10.244.2.0/24 via 172.30.0.22" in space.run("ip", "route")
