"""The control plane's static Pods: probes that notice a server that hangs, and blame none for what its store lacks."""

from __future__ import annotations

import pytest

from homeostat.cluster import static_pods
from homeostat.cluster.topology import Cluster

CLUSTERS = {"process": Cluster("a", 0), "container": Cluster("a", 0, runtime="container", store="etcd")}


def _containers(runtime: str) -> dict[str, dict]:
    cluster = CLUSTERS[runtime]
    node = cluster.masters()[0]
    found = {}
    for component in static_pods.COMPONENTS:
        pod = static_pods.static_pod("/state", cluster, node, component)
        (found[component],) = pod["spec"]["containers"]
    return found


@pytest.mark.parametrize("runtime", list(CLUSTERS))
def test_every_component_has_a_liveness_probe_that_notices_a_hang_within_a_minute(runtime: str) -> None:
    for component, container in _containers(runtime).items():
        probe = container["livenessProbe"]
        assert probe["httpGet"]["scheme"] == "HTTPS", component
        assert probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] <= 60, component


@pytest.mark.parametrize("runtime", list(CLUSTERS))
def test_liveness_of_an_api_server_leaves_the_store_out_and_readiness_asks_for_it(runtime: str) -> None:
    container = _containers(runtime)["kube-apiserver"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez?exclude=etcd"
    assert container["startupProbe"]["httpGet"]["path"] == "/livez?exclude=etcd"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_components_answer_health_checks_where_other_nodes_of_the_machine_do_not() -> None:
    cluster = CLUSTERS["process"]
    places = {
        static_pods.health_address(cluster, node, component)
        for node in cluster.masters()
        for component in static_pods.COMPONENTS
    }
    assert len(places) == 3 * len(cluster.masters())
