"""What the Console says of a cluster's flags: each with its value here, so that a page names what decides a number."""

from __future__ import annotations

from homeostat.api.flags.flag_settings import CATALOGUE
from homeostat.cluster.topology import Cluster
from homeostat.compose.console import flags_of


def test_every_flag_has_its_value_in_this_cluster_and_its_default() -> None:
    settings = {"controller-manager": {"node-monitor-grace-period": "20s"}, "kubelet": {"max-pods": "7"}}
    found = {f"{each['component']}.{each['name']}": each for each in flags_of(Cluster("c", 0, settings=settings))}
    assert len(found) == len(CATALOGUE)
    grace, eviction = (
        found["controller-manager.node-monitor-grace-period"],
        found["controller-manager.node-eviction-rate"],
    )
    assert (grace["value"], grace["default"], grace["set"]) == ("20s", "50s", True)
    assert (eviction["value"], eviction["set"]) == (eviction["default"], False)
    assert found["apiserver.service-cluster-ip-range"]["value"] == "127.11.0.0/16", (
        "what the lab itself decides as well"
    )


def test_the_content_of_a_file_is_not_shown() -> None:
    content = '{"apiVersion": "pod-security.admission.config.k8s.io/v1", "kind": "PodSecurityConfiguration"}'
    cluster = Cluster("c", 0, settings={"apiserver": {"admission-control-config-file": content}})
    (found,) = [each for each in flags_of(cluster) if each["name"] == "admission-control-config-file"]
    assert (found["value"], found["set"]) == ("(a file)", True)
