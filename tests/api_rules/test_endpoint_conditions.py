"""Which endpoints take connections: one rule for all proxies, DNS and the announcer.

Kubernetes: EndpointSlices (Conditions); discovery/v1 EndpointConditions; KEP-1669.
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api.rules.endpoints import is_ready, is_serving_while_terminating, service_of_slice
from homeostat.network.decide.endpoint_selection import Here, endpoints_of, pools
from homeostat.network.decide.userspace_plan import plan_service

Obj = dict[str, Any]

TABLE: list[tuple[Obj | None, bool, bool]] = [
    # conditions, ready, serving while terminating
    (None, True, False),
    ({}, True, False),
    ({"ready": True}, True, False),
    ({"ready": False}, False, False),
    ({"ready": None}, True, False),
    ({"ready": False, "serving": True}, False, False),
    ({"ready": False, "serving": True, "terminating": True}, False, True),
    ({"ready": False, "serving": False, "terminating": True}, False, False),
    ({"ready": False, "terminating": True}, False, True),
    ({"ready": False, "serving": None, "terminating": True}, False, True),
    ({"ready": False, "serving": True, "terminating": None}, False, False),
]


@pytest.mark.parametrize(("conditions", "ready", "leaving"), TABLE)
def test_unknown_conditions_are_ready_and_serving_and_not_terminating(
    conditions: Obj | None, ready: bool, leaving: bool
) -> None:
    endpoint = {"addresses": ["10.0.0.1"]} | ({} if conditions is None else {"conditions": conditions})
    assert (is_ready(endpoint), is_serving_while_terminating(endpoint)) == (ready, leaving)


@pytest.mark.parametrize(("conditions", "ready", "leaving"), TABLE)
def test_the_proxies_in_user_space_and_in_the_kernel_choose_alike(
    conditions: Obj | None, ready: bool, leaving: bool
) -> None:
    endpoint = {"addresses": ["10.0.0.1"]} | ({} if conditions is None else {"conditions": conditions})
    labels = {"kubernetes.io/service-name": "web"}
    piece = {"metadata": {"name": "w1", "labels": labels}, "ports": [{"port": 80}], "endpoints": [endpoint]}
    service = {
        "metadata": {"name": "web", "namespace": "d"},
        "spec": {"clusterIP": "10.1.0.1", "ports": [{"port": 80}]},
    }
    assert bool(plan_service(service, [piece], {})) is (ready or leaving)
    assert bool(pools(endpoints_of([piece], "", "TCP"), Here("n")).cluster) is (ready or leaving)


@pytest.mark.parametrize(
    ("labels", "key"), [({"kubernetes.io/service-name": "web"}, "d/web"), ({}, ""), ({"app": "web"}, "")]
)
def test_a_slice_belongs_to_the_service_that_its_label_names(labels: dict[str, str], key: str) -> None:
    assert service_of_slice({"metadata": {"name": "x", "namespace": "d", "labels": labels}}) == key
