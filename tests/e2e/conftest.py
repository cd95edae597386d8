"""A real lab for the tests of this folder: one master and two workers, each process a real one, driven by kubectl."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.support.patience import eventually
from tests.support.ports import own_port
from tests.support.real_lab import Lab, labs

SMALL = ("--control-planes", "1", "--workers", "2")


@pytest.fixture(scope="session")
def new_lab() -> Iterator[Callable[[], Lab]]:
    """Makes labs that are not up yet."""
    with labs() as make:
        yield make


@pytest.fixture(scope="session")
def cluster(new_lab: Callable[[], Lab]) -> Lab:
    """One master and two workers, shared by all tests of this process."""
    lab = new_lab()
    lab.homeostat("up", *SMALL, *own_port())
    eventually(lambda: "default" in lab.out("get", "serviceaccounts", "-o", "name"), seconds=20)
    return lab


_rooms = itertools.count(1)


@pytest.fixture
def lab(cluster: Lab) -> Iterator[Lab]:
    """The shared lab, seen from a namespace that is this test's own."""
    room = cluster.at(f"room-{next(_rooms)}")
    room.kubectl("create", "namespace", room.namespace)
    eventually(lambda: "default" in room.out("get", "serviceaccounts", "-o", "name"), seconds=20)
    yield room
    room.stop_following()
    room.kubectl("delete", "namespace", room.namespace, "--wait=false")
