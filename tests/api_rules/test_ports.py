"""Ports by their names: of Services in Pods, of probes in containers, of Services in EndpointSlices.

Kubernetes: Service (Port definitions); Configure Liveness, Readiness and Startup Probes; EndpointSlices (Ports).
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api.rules.ports import container_port, port_name, protocol_of, slice_port, target_port

Obj = dict[str, Any]

SPEC: Obj = {
    "initContainers": [
        {"name": "early", "ports": [{"name": "setup", "containerPort": 1}]},
        {"name": "beside", "restartPolicy": "Always", "ports": [{"name": "metrics", "containerPort": 9090}]},
    ],
    "containers": [
        {"name": "a", "ports": [{"name": "http", "containerPort": 8080}, {"name": "dns", "containerPort": 53}]},
        {"name": "b", "ports": [{"name": "dns", "containerPort": 5353, "protocol": "UDP"}, {"containerPort": 7}]},
    ],
}


@pytest.mark.parametrize(
    ("port", "number"),
    [
        ({"port": 80}, 80),
        ({"port": 80, "targetPort": 8080}, 8080),
        ({"port": 80, "targetPort": 0}, 80),
        ({"port": 80, "targetPort": ""}, 80),
        ({"port": 80, "targetPort": "http"}, 8080),
        ({"port": 80, "targetPort": "none"}, None),
        # The protocol is part of the name.
        ({"port": 53, "targetPort": "dns"}, 53),
        ({"port": 53, "targetPort": "dns", "protocol": "UDP"}, 5353),
        ({"port": 80, "targetPort": "http", "protocol": "UDP"}, None),
        # Sidecars serve, init containers that end do not.
        ({"port": 80, "targetPort": "metrics"}, 9090),
        ({"port": 80, "targetPort": "setup"}, None),
        # A name of digits is a name.
        ({"port": 80, "targetPort": "8080"}, None),
    ],
)
def test_the_port_of_a_service_in_a_pod(port: Obj, number: int | None) -> None:
    assert target_port(port, SPEC) == number


@pytest.mark.parametrize(
    ("port", "number"), [(80, 80), ("80", 80), ("http", 8080), ("none", None), ("", None), ("８０", None), ("-1", None)]
)
def test_the_port_of_a_probe_in_its_container(port: int | str, number: int | None) -> None:
    assert container_port({"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}, port) == number
    assert container_port({"name": "bare"}, 80) == 80


@pytest.mark.parametrize(
    ("ports", "name", "protocol", "number"),
    [
        ([{"name": "http", "port": 8080, "protocol": "TCP"}], "http", "TCP", 8080),
        ([{"name": "http", "port": 8080, "protocol": "TCP"}], "http", "UDP", 0),
        ([{"name": "http", "port": 8080, "protocol": "TCP"}], "", "TCP", 0),
        ([{"port": 8080}], "", "TCP", 8080),
        ([{"name": None, "port": 8080, "protocol": None}], "", "TCP", 8080),
        ([{"name": "dns", "port": 53}, {"name": "dns", "port": 54, "protocol": "UDP"}], "dns", "UDP", 54),
        ([{"name": "http"}], "http", "TCP", 0),
        ([], "", "TCP", 0),
        (None, "", "TCP", 0),
    ],
)
def test_the_port_of_a_service_in_a_slice(ports: list[Obj] | None, name: str, protocol: str, number: int) -> None:
    assert slice_port(ports, name, protocol) == number


def test_a_port_without_name_and_protocol_is_unnamed_and_tcp() -> None:
    assert (port_name({}), protocol_of({})) == ("", "TCP")
    assert (port_name({"name": "x"}), protocol_of({"protocol": "SCTP"})) == ("x", "SCTP")
