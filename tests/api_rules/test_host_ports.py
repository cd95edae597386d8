"""Host ports: which a Pod uses, and which Pods conflict; one table for the scheduler and the kubelet.

Kubernetes: pkg/scheduler/framework/types.go (HostPortInfo), pkg/scheduler/util (GetHostPorts).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeostat.api.rules.hostports import HostPort, clash, host_ports
from homeostat.node.decide.admission import refusal
from homeostat.scheduler.cycle import place
from tests.support import scheduling

TABLE = [
    # wanted, held, whether they clash
    ({"hostPort": 80}, {"hostPort": 80}, True),
    ({"hostPort": 80}, {"hostPort": 81}, False),
    ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, False),
    ({"hostPort": 80, "protocol": "TCP"}, {"hostPort": 80}, True),
    ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, False),
    ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.1"}, True),
    ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.1", "protocol": "SCTP"}, False),
    ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, True),
    ({"hostPort": 80, "hostIP": "0.0.0.0"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, True),
    ({"containerPort": 80}, {"containerPort": 80}, False),
]


@pytest.mark.parametrize(("wanted", "held", "clashes"), TABLE)
def test_scheduler_and_kubelet_have_one_rule_for_host_ports(wanted, held, clashes):
    first = scheduling.pod("first", ports=[held], nodeName="one")
    second = scheduling.pod("second", ports=[wanted])
    for one, other in ((first, second), (second, first)):
        assert clash(host_ports(one["spec"]), host_ports(other["spec"])) is clashes
    cluster = scheduling.snapshot(scheduling.node("one"))
    cluster.add_pod(scheduling.pod_info(first), "one")
    placed = place(cluster, scheduling.pod_info(second), 0).node
    assert bool(placed) is not clashes
    trouble = refusal(second, [first], "one", {}, {"pods": "10"})
    assert (trouble.reason if trouble else "") == ("NodePorts" if clashes else "")


def test_ports_of_sidecars_are_held_and_those_of_other_init_containers_are_not():
    spec = {
        "initContainers": [
            {"name": "early", "ports": [{"hostPort": 1}]},
            {"name": "beside", "restartPolicy": "Always", "ports": [{"hostPort": 2}]},
        ],
        "containers": [{"name": "main", "ports": [{"containerPort": 9}, {"hostPort": 3, "hostIP": "10.0.0.1"}]}],
    }
    assert host_ports(spec) == {("TCP", "0.0.0.0", 2), ("TCP", "10.0.0.1", 3)}


def test_ports_of_one_number_on_thousands_of_addresses_are_each_looked_at_once():
    """A Pod may hold as many as its body has room for: comparing each with each held the scheduler up for hours."""
    walks = 0

    class Counted(frozenset[HostPort]):
        def __iter__(self) -> Iterator[HostPort]:
            nonlocal walks
            walks += 1
            return super().__iter__()

    wanted = Counted(HostPort("TCP", f"10.0.0.{number}", 80) for number in range(200))
    held = Counted(HostPort("TCP", f"10.0.1.{number}", 80) for number in range(200))
    walks = 0
    assert not clash(wanted, held)
    assert walks <= 2
