"""The EndpointSlices of each Service, as the events of a watch bring them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeostat.api.rules.endpoints import service_of_slice
from homeostat.network.watch.service_slices import ServiceSlices

Obj = dict[str, Any]


def piece(name: str, service: str = "web", address: str = "10.0.0.1") -> Obj:
    labels = {"kubernetes.io/service-name": service} if service else {}
    return {
        "metadata": {"name": name, "namespace": "d", "labels": labels},
        "endpoints": [{"addresses": [address]}],
    }


def test_an_event_names_the_services_whose_slices_have_changed() -> None:
    slices = ServiceSlices()
    first, second = piece("w1"), piece("w2")
    assert slices.change(None, second) == ["d/web"]
    assert slices.change(None, first) == ["d/web"]
    assert slices.of("d/web") == [first, second]
    newer = piece("w1", address="10.0.0.9")
    assert slices.change(first, newer) == ["d/web"]
    assert slices.of("d/web") == [newer, second]
    assert slices.change(second, None) == ["d/web"]
    assert slices.of("d/web") == [newer]


def test_a_slice_that_moves_to_another_service_concerns_both() -> None:
    slices = ServiceSlices()
    old, new = piece("w1"), piece("w1", "api")
    slices.change(None, old)
    assert slices.change(old, new) == ["d/web", "d/api"]
    assert (slices.of("d/web"), slices.of("d/api")) == ([], [new])


def test_a_slice_without_a_service_concerns_none() -> None:
    slices = ServiceSlices()
    assert slices.change(None, piece("w1", "")) == []
    assert slices.change(piece("w1", ""), None) == []
    assert slices.of("d/web") == []


def test_a_service_without_slices_takes_no_memory() -> None:
    slices = ServiceSlices()
    for number in range(10):
        each = piece(f"w{number}", f"s{number}")
        slices.change(None, each)
        slices.change(each, None)
    assert not slices._slices


events = st.lists(
    st.tuples(st.sampled_from(["w1", "w2", "w3"]), st.sampled_from(["web", "api", "", None])), max_size=20
)


@given(events)
def test_whatever_happens_the_slices_are_those_that_there_are(history: list[tuple[str, str | None]]) -> None:
    slices, there = ServiceSlices(), dict[str, Obj]()
    for name, service in history:
        old = there.pop(name, None)
        new = None if service is None else piece(name, service)
        if new is not None:
            there[name] = new
        if old is not None or new is not None:
            slices.change(old, new)
    for key in ("d/web", "d/api"):
        assert slices.of(key) == [there[name] for name in sorted(there) if service_of_slice(there[name]) == key]
