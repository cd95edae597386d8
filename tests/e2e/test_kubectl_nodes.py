"""Nodes in maintenance: cordon, drain with a budget in its way, uncordon, taints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.patience import eventually
from tests.support.real_lab import Lab

pytestmark = [pytest.mark.real]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: app, command: [sleep, "1000"]}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: everywhere}
spec:
  selector: {matchLabels: {app: everywhere}}
  template:
    metadata: {labels: {app: everywhere}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: app, command: [sleep, "1000"]}]
"""
NODE = "worker-2"


@pytest.fixture
def web(lab: Lab) -> Iterator[Lab]:
    lab.kubectl("apply", "-f", "-", input=WEB)
    for workload in ("deploy/web", "ds/everywhere"):
        lab.kubectl("rollout", "status", workload, "--timeout=30s")
    yield lab
    lab.kubectl("uncordon", NODE)


def on_node(lab: Lab, app: str) -> list[str]:
    return lab.out("get", "pods", "-l", f"app={app}", f"--field-selector=spec.nodeName={NODE}", "-o", "name").split()


def test_a_cordoned_node_gets_no_new_pods(web: Lab) -> None:
    assert web.out("cordon", NODE) == f"node/{NODE} cordoned\n"
    assert web.out("cordon", NODE) == f"node/{NODE} already cordoned\n"
    assert re.search(rf"{NODE}\s+Ready,SchedulingDisabled", web.out("get", "nodes"))
    before = set(on_node(web, "web"))
    web.kubectl("scale", "deploy/web", "--replicas=7")
    web.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    assert set(on_node(web, "web")) == before
    assert web.out("uncordon", NODE) == f"node/{NODE} uncordoned\n"
    assert re.search(rf"{NODE}\s+Ready\s", web.out("get", "nodes"))


def test_drain_empties_a_node_within_the_budget(web: Lab) -> None:
    web.kubectl("create", "poddisruptionbudget", "three", "--selector=app=web", "--min-available=3")
    web.kubectl("wait", "--for=jsonpath={.status.disruptionsAllowed}=1", "pdb/three", "--timeout=20s")
    assert "cannot delete DaemonSet-managed Pods" in web.refused("drain", NODE, "--timeout=5s")
    watch = web.follow("get", "deploy", "web", "-w", "-o", "jsonpath={.status.availableReplicas}{'\\n'}")
    drained = web.kubectl("drain", NODE, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=50s")
    assert f"node/{NODE} drained" in drained.stdout
    assert on_node(web, "web") == [] and len(on_node(web, "everywhere")) == 1
    web.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    watch.kill()
    seen = [int(line) for line in watch.stdout.read().split()]
    assert min(seen) >= 3, f"the budget held: {seen}"


def test_drain_says_when_a_budget_forbids_it(web: Lab) -> None:
    web.kubectl("create", "poddisruptionbudget", "all", "--selector=app=web", "--min-available=4")
    web.kubectl("wait", "--for=jsonpath={.status.desiredHealthy}=4", "pdb/all", "--timeout=20s")
    stuck = web.refused("drain", NODE, "--ignore-daemonsets", "--timeout=2s")
    assert "Cannot evict pod as it would violate the pod's disruption budget" in stuck
    web.kubectl("delete", "pdb", "all")


def test_taints_keep_pods_off_and_drive_them_out(web: Lab) -> None:
    assert web.out("taint", "node", NODE, "purpose=test:NoSchedule") == f"node/{NODE} tainted\n"
    before = set(on_node(web, "web"))
    web.kubectl("scale", "deploy/web", "--replicas=6")
    web.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    assert set(on_node(web, "web")) == before
    assert "already has purpose taint(s)" in web.refused("taint", "node", NODE, "purpose=other:NoSchedule")
    web.kubectl("taint", "node", NODE, "purpose=test:NoExecute")
    eventually(lambda: on_node(web, "web") == [], seconds=20)
    web.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    assert web.out("taint", "node", NODE, "purpose-") == f"node/{NODE} untainted\n"
    assert "spec" in web.json("get", "node", NODE) and "taints" not in web.json("get", "node", NODE)["spec"]


def test_a_pod_that_fits_nowhere_says_why(lab: Lab) -> None:
    big = {"name": "big", "image": "app", "command": ["true"], "resources": {"requests": {"cpu": "999"}}}
    lab.kubectl("run", "big", "--image=app", "--overrides", json.dumps({"spec": {"containers": [big]}}))
    why = eventually(lambda: _unscheduled(lab), seconds=20)
    assert re.search(r"0/3 nodes are available: .*2 Insufficient cpu", why), why
    assert "1 node(s) had untolerated taint" in why
    assert re.search(r"big\s+0/1\s+Pending", lab.out("get", "pods"))


def _unscheduled(lab: Lab) -> str:
    path = "jsonpath={.status.conditions[?(@.type=='PodScheduled')].message}"
    return lab.out("get", "pod", "big", "-o", path)
