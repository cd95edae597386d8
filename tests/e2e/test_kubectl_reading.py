"""What kubectl shows: get in all its forms, describe, explain, the API's own description, and who may do what."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.patience import eventually
from tests.support.real_lab import Lab

pytestmark = [pytest.mark.real]

PAIR = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, tier: front}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: main, image: "none:1", command: [sleep, "1000"], ports: [{name: http, containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
"""


@pytest.fixture
def web(lab: Lab) -> Lab:
    lab.kubectl("apply", "-f", "-", input=PAIR)
    lab.kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=30s")
    return lab


def rows(table: str) -> list[list[str]]:
    """A table's lines in columns, the heading first."""
    return [re.split(r"\s{2,}|\t", line.strip()) for line in table.splitlines()]


def test_get_shows_one_set_of_objects_in_every_form(web: Lab) -> None:
    heading, first, second = rows(web.out("get", "pods"))
    assert heading == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert first[1:4] == second[1:4] == ["1/1", "Running", "0"]

    wide = rows(web.out("get", "pods", "-o", "wide"))
    assert wide[0][5:] == ["IP", "NODE", "NOMINATED NODE", "READINESS GATES"]
    assert {row[6] for row in wide[1:]} <= {"worker-1", "worker-2"}
    deployment = rows(web.out("get", "deploy", "-o", "wide"))[1]
    assert deployment[:4] + deployment[5:] == ["web", "2/2", "2", "2", "main", "none:1", "app=web"]

    names = [first[0], second[0]]
    listed = json.loads(web.out("get", "pods", "-o", "json"))
    assert (listed["kind"], [item["metadata"]["name"] for item in listed["items"]]) == ("List", names)
    yaml = web.out("get", "pod", names[0], "-o", "yaml")
    assert yaml.startswith("apiVersion: v1\nkind: Pod\nmetadata:\n")
    assert web.out("get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split() == names
    assert web.out("get", "pods", "-o", "name").split() == [f"pod/{name}" for name in names]
    columns = rows(web.out("get", "pods", "-o", "custom-columns=WHO:.metadata.name,WHAT:.spec.containers[*].image"))
    assert columns == [["WHO", "WHAT"], [names[0], "none:1"], [names[1], "none:1"]]
    template = web.out("get", "pods", "-o", "go-template={{range .items}}{{.status.phase}} {{end}}")
    assert template.split() == ["Running", "Running"]


def test_get_selects_by_label_by_field_and_over_all_namespaces(web: Lab) -> None:
    web.kubectl("run", "other", "--image=none", "--labels=app=other", "--command", "--", "sleep", "1000")
    web.kubectl("wait", "--for=condition=Ready", "pod/other", "--timeout=20s")
    assert web.out("get", "pods", "-l", "app=other", "-o", "name").split() == ["pod/other"]
    assert len(web.out("get", "pods", "-l", "app in (web,other),app!=other", "-o", "name").split()) == 2
    assert web.out("get", "pods", "-l", "!app", "-o", "name") == ""
    node = web.out("get", "pod", "other", "-o", "jsonpath={.spec.nodeName}")
    there = web.out("get", "pods", "--field-selector", f"spec.nodeName={node},status.phase=Running", "-o", "name")
    assert "pod/other" in there.split()
    assert web.out("get", "pods", "--field-selector=metadata.name=other", "-o", "name").split() == ["pod/other"]
    assert "field label not supported: spec.nonsense" in web.refused("get", "pods", "--field-selector=spec.nonsense=1")

    everywhere = rows(web.out("get", "pods", "-A"))
    assert everywhere[0][0] == "NAMESPACE"
    assert {"kube-system", web.namespace} <= {row[0] for row in everywhere[1:]}
    assert rows(web.out("get", "pods", "--show-labels"))[0][-1] == "LABELS"
    sizes = web.out("get", "pods", "--chunk-size=1", "--sort-by=.metadata.name", "-o", "name").split()
    assert len(sizes) == 3 and sizes == sorted(sizes)
    several = web.out("get", "deploy,svc,rs,endpoints,endpointslices", "-o", "name").split()
    assert several[:2] == ["deployment.apps/web", "service/web"] and len(several) == 5
    assert "No resources found" in web.kubectl("get", "secrets").stderr


def test_a_watch_prints_every_change_until_it_is_left(web: Lab) -> None:
    watch = web.follow("get", "pods", "-w", "--output-watch-events")
    output = [watch.stdout.readline() for _ in range(3)]
    web.kubectl("run", "seen", "--image=none", "--grace-period=1", "--command", "--", "sleep", "1000")
    web.kubectl("wait", "--for=condition=Ready", "pod/seen", "--timeout=20s")
    web.kubectl("delete", "pod", "seen", "--wait=true", "--grace-period=1")
    for line in watch.stdout:
        output.append(line)
        if line.startswith("DELETED"):
            break
    text = "".join(output)
    assert re.match(r"EVENT\s+NAME\s+READY\s+STATUS", text)
    assert re.search(r"ADDED\s+seen\s+0/1\s+Pending", text)
    assert re.search(r"MODIFIED\s+seen\s+1/1\s+Running", text)
    assert re.search(r"MODIFIED\s+seen\s+1/1\s+Terminating", text)
    assert "DELETED" in output[-1]


def test_describe_shows_an_object_with_its_events(web: Lab) -> None:
    deployment = web.out("describe", "deploy", "web")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in deployment
    assert re.search(r"Available\s+True\s+MinimumReplicasAvailable", deployment)
    assert re.search(
        r"ScalingReplicaSet\s+\S+\s+deployment-controller\s+Scaled up replica set web-\S+ from 0 to 2", deployment
    )

    pod = web.out("describe", "pod", "-l", "app=web")
    for word in ("Controlled By:  ReplicaSet/web-", "State:          Running", "QoS Class:", "BestEffort"):
        assert word in pod, pod
    assert re.search(r"Scheduled\s+\S+\s+default-scheduler\s+Successfully assigned", pod)
    assert re.search(r"Started\s+\S+\s+kubelet\s+Started container main", pod)

    service = web.out("describe", "svc", "web")
    addresses = web.out("get", "pods", "-o", "jsonpath={.items[*].status.podIP}").split()
    assert all(f"{address}:8080" in service for address in addresses), service

    node = web.out("describe", "node", "worker-1")
    assert re.search(r"Ready\s+True\s+.*KubeletReady", node) and "Non-terminated Pods:" in node
    assert re.search(r"HolderIdentity:\s+worker-1", node)
    for kind in ("rs", "endpoints", "endpointslices", "ns", "sa", "cm", "nodes"):
        assert web.out("describe", kind), kind
    lease = web.at("kube-node-lease").out("describe", "lease", "worker-1")
    assert re.search(r"Holder Identity:\s+worker-1", lease)


def test_the_api_describes_itself(lab: Lab) -> None:
    resources = rows(lab.out("api-resources"))
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in resources
    verbs = lab.out("api-resources", "--api-group=apps", "--verbs=watch", "-o", "name").split()
    assert {"deployments.apps", "replicasets.apps", "daemonsets.apps", "statefulsets.apps"} <= set(verbs)
    versions = lab.out("api-versions").split()
    assert {"v1", "apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1"} <= set(versions)
    assert "v2" in {version.rpartition("/")[2] for version in versions if version.startswith("autoscaling/")}

    probe = lab.out("explain", "pod.spec.containers.livenessProbe")
    assert "FIELD: livenessProbe <Probe>" in probe and "initialDelaySeconds\t<integer>" in probe
    tree = lab.out("explain", "deployments", "--recursive")
    assert re.search(r"\n      strategy\t<DeploymentStrategy>|\n    strategy\t<DeploymentStrategy>", tree), tree[:2000]
    assert "terminationGracePeriodSeconds" in tree
    assert 'field "nonsense" does not exist' in lab.refused("explain", "pod.nonsense")
    assert "v1.36" in lab.json("version")["serverVersion"]["gitVersion"]
    assert "readyz check passed" in lab.out("get", "--raw", "/readyz?verbose")


def test_who_may_do_what_is_asked_and_answered(lab: Lab) -> None:
    assert re.search(r"Username\s+kubernetes-admin", lab.out("auth", "whoami"))
    assert lab.out("auth", "can-i", "create", "pods") == "yes\n"
    bob = f"--as=system:serviceaccount:{lab.namespace}:bob"
    assert lab.kubectl("auth", "can-i", "list", "pods", bob, check=False).stdout == "no\n"
    lab.kubectl("create", "serviceaccount", "bob")
    lab.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    lab.kubectl("create", "rolebinding", "bob-reads", "--role=reader", f"--serviceaccount={lab.namespace}:bob")
    assert lab.out("auth", "can-i", "list", "pods", bob) == "yes\n"
    assert re.search(r"pods\s+\[\]\s+\[\]\s+\[get list\]", lab.out("auth", "can-i", "--list", bob))
    assert lab.kubectl("auth", "can-i", "delete", "pods", bob, check=False).stdout == "no\n"
    assert 'cannot delete resource "pods" in API group ""' in lab.refused("delete", "pod", "any", bob)

    token = lab.out("create", "token", "bob", "--duration=10m").strip()
    server = lab.out("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    alone = ["--kubeconfig=/dev/null", f"--server={server}", "--insecure-skip-tls-verify", f"--token={token}"]
    assert f"system:serviceaccount:{lab.namespace}:bob" in lab.out("auth", "whoami", *alone)
    assert lab.out("get", "pods", "-o", "name", *alone) == ""
    assert "Forbidden" in lab.refused("get", "secrets", *alone)


def test_events_are_listed_by_object_and_type(web: Lab) -> None:
    web.kubectl("run", "imageless", "--image=none")
    wrong = eventually(lambda: web.out("events", "--for", "pod/imageless", "--types=Warning"), seconds=20)
    eventually(lambda: "this runtime has no images" in _events(web), seconds=20)
    assert "Warning" in wrong or "No events" in wrong
    assert re.search(r"Normal\s+ScalingReplicaSet\s+[Dd]eployment/web\s+Scaled up", web.out("events"))
    listed = web.out("get", "events", "--field-selector", "involvedObject.name=imageless", "-o", "name")
    assert listed.startswith("event/imageless.")
    status = eventually(lambda: rows(web.out("get", "pod", "imageless"))[1][2] == "CreateContainerError")
    assert status


def test_pods_that_fail_say_how(lab: Lab) -> None:
    config = {"name": "a", "image": "none", "command": ["true"], "volumeMounts": [{"name": "c", "mountPath": "/c"}]}
    volume = {"name": "c", "configMap": {"name": "nowhere"}}
    unmounted = json.dumps({"spec": {"containers": [config], "volumes": [volume]}})
    lab.kubectl("run", "crash", "--image=none", "--command", "--", "false")
    lab.kubectl("run", "done", "--image=none", "--restart=Never", "--command", "--", "true")
    lab.kubectl("run", "missing", "--image=none", "--command", "--", "/no/such/program")
    lab.kubectl("run", "unmounted", "--image=none", "--overrides", unmounted)
    expected = {"crash": "CrashLoopBackOff", "done": "Completed", "unmounted": "ContainerCreating"}

    def shown() -> dict[str, str]:
        return {row[0]: row[2] for row in rows(lab.out("get", "pods"))[1:]}

    eventually(lambda: expected.items() <= shown().items(), seconds=20)
    why = 'MountVolume.SetUp failed for volume "c" : configmap "nowhere" not found'
    eventually(lambda: why in lab.out("events", "--for", "pod/unmounted", "--types=Warning"), seconds=20)
    # The command is in `describe` from the start; what has become of it comes with the kubelet's status.
    eventually(lambda: shown()["missing"] in ("RunContainerError", "CrashLoopBackOff", "StartError"), seconds=20)
    assert "/no/such/program" in lab.out("describe", "pod", "missing")
    lab.kubectl("create", "configmap", "nowhere")
    eventually(lambda: shown()["unmounted"] in ("Completed", "CrashLoopBackOff"), seconds=30)


def _events(lab: Lab) -> str:
    return lab.out("events", "--for", "pod/imageless", "--types=Warning")


def test_what_is_not_served_is_refused_by_name(lab: Lab) -> None:
    assert "Metrics API not available" in lab.refused("top", "nodes")
    assert "Metrics API not available" in lab.refused("top", "pods")
    assert 'the server doesn\'t have a resource type "gadgets"' in lab.refused("get", "gadgets")
    job = lab.kubectl("create", "job", "once", "--image=none", "--", "true")
    assert "Warning: this cluster has no Job controller: nothing will run" in job.stderr


def test_a_command_runs_in_a_pod(lab: Lab) -> None:
    lab.kubectl("run", "one", "--image=none", "--command", "--", "sleep", "1000")
    lab.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=20s")
    assert lab.out("exec", "-i", "one", "--", "tr", "a-z", "A-Z", input="through it all") == "THROUGH IT ALL"
