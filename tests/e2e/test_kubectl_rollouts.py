"""kubectl scale and rollout against a running Deployment, and what users see of each step."""

from __future__ import annotations

import re

import pytest

from tests.support.patience import eventually
from tests.support.real_lab import Lab

pytestmark = [pytest.mark.real]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: main, image: "app:1", command: [sleep, "1000"]}
"""
DONE = 'deployment "web" successfully rolled out'


@pytest.fixture
def web(lab: Lab) -> Lab:
    lab.kubectl("apply", "-f", "-", input=WEB)
    assert DONE in lab.out("rollout", "status", "deploy/web", "--timeout=30s")
    return lab


def images(lab: Lab) -> list[str]:
    """The images of the Pods that are not on their way out."""
    pods = [pod for pod in lab.json("get", "pods")["items"] if "deletionTimestamp" not in pod["metadata"]]
    return [pod["spec"]["containers"][0]["image"] for pod in pods]


def test_scale_changes_the_size_and_honours_its_precondition(web: Lab) -> None:
    assert web.out("scale", "deploy/web", "--replicas=4") == "deployment.apps/web scaled\n"
    web.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=4", "deploy/web", "--timeout=30s")
    assert "Expected replicas to be 7, was 4" in web.refused(
        "scale", "deploy/web", "--current-replicas=7", "--replicas=1"
    )
    web.kubectl("scale", "rs", "-l", "app=web", "--replicas=1")
    # The Deployment's loop takes its ReplicaSet back to what the Deployment says.
    web.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=4", "deploy/web", "--timeout=30s")
    web.kubectl("scale", "--replicas=0", "deploy/web")
    eventually(lambda: web.out("get", "pods", "-o", "name") == "")
    assert "0/0" in web.out("get", "deploy", "web")


def test_a_rollout_is_followed_recorded_and_undone(web: Lab) -> None:
    web.kubectl("annotate", "deploy/web", "kubernetes.io/change-cause=first light")
    assert web.out("set", "image", "deploy/web", "main=app:2") == "deployment.apps/web image updated\n"
    web.kubectl("annotate", "deploy/web", "kubernetes.io/change-cause=second thoughts", "--overwrite")
    output = web.out("rollout", "status", "deploy/web", "--timeout=30s").splitlines()
    assert output[-1] == DONE
    eventually(lambda: images(web) == ["app:2"] * 2)

    def history() -> str:
        return web.out("rollout", "history", "deploy/web")

    eventually(lambda: re.search(r"1\s+first light\n2\s+second thoughts", history()))
    revision = web.out("rollout", "history", "deploy/web", "--revision=1")
    assert "deployment.apps/web with revision #1" in revision and re.search(r"Image:\s+app:1", revision)

    assert web.out("rollout", "undo", "deploy/web") == "deployment.apps/web rolled back\n"
    web.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    eventually(lambda: images(web) == ["app:1"] * 2)
    assert re.search(r"2\s+second thoughts\n3\s+first light", history())
    web.kubectl("rollout", "undo", "deploy/web", "--to-revision=2")
    web.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    eventually(lambda: images(web) == ["app:2"] * 2)
    assert "unable to find specified revision 9" in web.refused("rollout", "undo", "deploy/web", "--to-revision=9")


def test_restart_replaces_every_pod(web: Lab) -> None:
    before = set(web.out("get", "pods", "-o", "name").split())
    assert web.out("rollout", "restart", "deploy/web") == "deployment.apps/web restarted\n"
    assert DONE in web.out("rollout", "status", "deploy/web", "--timeout=30s")
    eventually(lambda: len(web.out("get", "pods", "-o", "name").split()) == 2)
    assert not before & set(web.out("get", "pods", "-o", "name").split())
    template = web.json("get", "deploy", "web")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_a_paused_deployment_waits_for_resume(web: Lab) -> None:
    assert web.out("rollout", "pause", "deploy/web") == "deployment.apps/web paused\n"
    assert "already paused" in web.refused("rollout", "pause", "deploy/web")
    assert "can't restart paused deployment" in web.refused("rollout", "restart", "deploy/web")
    web.kubectl("set", "image", "deploy/web", "main=app:2")
    web.kubectl("set", "env", "deploy/web", "COLOUR=blue")
    observed = web.json("get", "deploy", "web")["metadata"]["generation"]
    web.kubectl("wait", f"--for=jsonpath={{.status.observedGeneration}}={observed}", "deploy/web", "--timeout=20s")
    assert images(web) == ["app:1"] * 2
    assert web.out("rollout", "resume", "deploy/web") == "deployment.apps/web resumed\n"
    web.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    eventually(lambda: images(web) == ["app:2"] * 2)
    assert len(web.json("get", "rs")["items"]) == 2, "both changes went out as one revision"


def test_a_failing_rollout_is_reported_and_leaves_the_old_pods_serving(web: Lab) -> None:
    web.kubectl("patch", "deploy", "web", "-p", '{"spec":{"progressDeadlineSeconds":2}}')
    broken = '[{"op":"replace","path":"/spec/template/spec/containers/0/command","value":["/nonexistent"]}]'
    web.kubectl("patch", "deploy", "web", "--type=json", "-p", broken)
    output = web.refused("rollout", "status", "deploy/web", "--timeout=30s")
    assert "exceeded its progress deadline" in output
    assert web.json("get", "deploy", "web")["status"]["availableReplicas"] == 2
    condition = "--for=condition=Progressing=False"
    web.kubectl("wait", condition, "deploy/web", "--timeout=10s")
    web.kubectl("rollout", "undo", "deploy/web")
    assert DONE in web.out("rollout", "status", "deploy/web", "--timeout=30s")


def test_a_daemonset_rolls_over_its_nodes(lab: Lab) -> None:
    daemon = WEB.replace("kind: Deployment", "kind: DaemonSet").replace("  replicas: 2\n", "")
    lab.kubectl("apply", "-f", "-", input=daemon)
    lab.kubectl("rollout", "status", "ds/web", "--timeout=30s")
    nodes = lab.out("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    assert sorted(nodes) == ["worker-1", "worker-2"]
    lab.kubectl("set", "image", "ds/web", "main=app:2")
    assert "successfully rolled out" in lab.out("rollout", "status", "ds/web", "--timeout=30s")
    eventually(lambda: images(lab) == ["app:2"] * 2)
    assert re.search(r"REVISION\s+CHANGE-CAUSE\n1\s+<none>\n2\s+<none>", lab.out("rollout", "history", "ds/web"))
    lab.kubectl("rollout", "undo", "ds/web")
    lab.kubectl("rollout", "status", "ds/web", "--timeout=30s")
    eventually(lambda: images(lab) == ["app:1"] * 2)
