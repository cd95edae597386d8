"""Orders to the processes of a lab, as lines of JSON."""

from __future__ import annotations

import json

import pytest

from homeostat.cluster.lab_orders import BadOrder, Order, read_order


@pytest.mark.parametrize(
    ("order", "line"),
    [
        (Order("status"), {"do": "status"}),
        (Order("stop-node", node="w1", power=True), {"do": "stop-node", "node": "w1", "power": True}),
        (Order("cut", node="w1", seconds=2.5), {"do": "cut", "node": "w1", "seconds": 2.5}),
        (Order("kill", unit="kubelet", signal=9), {"do": "kill", "unit": "kubelet", "signal": 9}),
    ],
)
def test_an_order_is_a_line_of_the_fields_that_it_uses(order: Order, line: object) -> None:
    assert order.line().endswith(b"\n")
    assert json.loads(order.line()) == line
    assert read_order(order.line()) == order


def test_whole_seconds_and_unknown_fields_are_taken() -> None:
    assert read_order(b'{"do": "cut", "node": "w1", "seconds": 60, "later": 1}') == Order("cut", node="w1", seconds=60)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"cut w1", "JSON object in one line"),
        (b"\xff", "JSON object in one line"),
        (b"[]", "a field `do`"),
        (b'{"node": "w1"}', "a field `do`"),
        (b'{"do": 1}', "a field `do`"),
        (b'{"do": "cut", "seconds": "long"}', "field `seconds` is a float, not 'long'"),
        (b'{"do": "cut", "seconds": true}', "field `seconds` is a float, not True"),
        (b'{"do": "stop-node", "power": 1}', "field `power` is a bool, not 1"),
    ],
)
def test_what_is_no_order_is_refused_with_the_reason(line: bytes, text: str) -> None:
    with pytest.raises(BadOrder, match=text):
        read_order(line)
