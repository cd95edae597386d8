"""The apps of `examples/`, applied as they are and used over their Services' addresses, with parts of them killed."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.patience import eventually
from tests.support.real_lab import ROOT, Lab

pytestmark = [pytest.mark.real]

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def launch(lab: Lab, name: str) -> None:
    """Apply an example and wait until all of it is available."""
    manifest = str(ROOT / "examples" / f"{name}.yaml")
    lab.kubectl("apply", "-f", manifest)
    for deployment in lab.out("get", "deploy", "-o", "name").split():
        lab.kubectl("rollout", "status", deployment, "--timeout=45s")
    before = lab.json("get", "secrets,configmaps,services")["items"]
    again = lab.out("apply", "-f", manifest).splitlines()
    # kubectl always sends a Secret's stringData, which no server keeps under that name.
    changed = [line for line in again if not line.endswith(" unchanged") and not line.startswith("secret/")]
    assert not changed
    assert lab.json("get", "secrets,configmaps,services")["items"] == before, "no change is written"


def base(lab: Lab, service: str) -> str:
    return "http://" + lab.out("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")


def fetch(url: str, body: str | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=None if body is None else body.encode(), headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode(), dict(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def ready_pods(lab: Lab, role: str) -> list[str]:
    condition = '{range .items[?(@.status.containerStatuses[0].ready)]}{.metadata.name}{"\\n"}{end}'
    return lab.out("get", "pods", "-l", f"role={role}", "-o", f"jsonpath={condition}").split()


def test_the_guestbook_keeps_what_is_written_into_it(lab: Lab) -> None:
    launch(lab, "guestbook")
    front = base(lab, "guestbook")
    texts = [f"visitor <{number}>" for number in range(5)]
    for text in texts:
        assert fetch(front, text)[0] == 201
    shown = [text.replace("<", "&lt;").replace(">", "&gt;") for text in texts]
    eventually(lambda: all(text in fetch(front)[1] for text in shown))
    port = lab.out("get", "service", "guestbook", "-o", "jsonpath={.spec.ports[0].nodePort}")
    assert "<h1>The guestbook</h1>" in fetch(f"http://127.0.0.1:{port}/")[1]
    assert fetch(base(lab, "guestbook-leader") + "/entries", "{}")[:2] == (403, "the key is wrong")

    leader = lab.json("get", "pods", "-l", "role=leader")["items"][0]
    os.kill(_process_of(lab, leader), signal.SIGKILL)
    eventually(
        lambda: lab.json("get", "pods", "-l", "role=leader")["items"][0]["status"]["containerStatuses"][0][
            "restartCount"
        ]
    )
    eventually(lambda: ready_pods(lab, "leader"))
    assert "leading with 5 entries" in eventually(lambda: lab.out("logs", "deploy/guestbook-leader"))
    eventually(lambda: fetch(front, "after the fall")[0] == 201)
    eventually(lambda: "after the fall" in fetch(front)[1])


def _process_of(lab: Lab, pod: dict) -> int:
    """The process ID of the Pod's container on this machine."""
    folder = lab.container_folder(pod["status"]["containerStatuses"][0]["containerID"]).parent
    return int(json.loads((folder / "pid.json").read_bytes())["pid"])


def test_the_queue_does_every_job_though_workers_are_taken_away(lab: Lab) -> None:
    launch(lab, "queue")
    gate = base(lab, "queue")
    assert fetch(f"{gate}/jobs", "text")[0] == 403, "without the key nothing is taken"
    key = "let-me-in"
    workers = ready_pods(lab, "worker")
    assert len(workers) == 3
    numbers = []
    for index in range(30):
        status, text, _ = fetch(f"{gate}/jobs", "word " * (index + 1), X_Key=key)
        assert status == 201
        numbers.append(json.loads(text)["number"])
        if index == 10:
            lab.kubectl("delete", "pod", workers[0], "--force", "--grace-period=0")
    eventually(lambda: json.loads(fetch(f"{gate}/stats", X_Key=key)[1])["done"] == 30, seconds=20)
    results = [json.loads(fetch(f"{gate}/jobs/{number}", X_Key=key)[1]) for number in numbers]
    assert [result["words"] for result in results] == list(range(1, 31))
    assert len({result["by"] for result in results}) >= 2
    assert fetch(f"{gate}/jobs/999", X_Key=key)[0] == 404
    eventually(lambda: len(set(ready_pods(lab, "worker")) - set(workers[:1])) == 3)


def test_the_cache_answers_the_second_time_and_is_missed_but_not_needed(lab: Lab) -> None:
    launch(lab, "cache")
    web = base(lab, "web")
    status, first, headers = fetch(f"{web}/some/page")
    assert (status, headers["X-Cache"]) == (200, "miss")
    again = [fetch(f"{web}/some/page") for _ in range(5)]
    assert {reply[2]["X-Cache"] for reply in again} == {"hit"}
    # The Service keeps a client with one Pod, whose frame names it; the init container made the frame.
    assert {reply[1] for reply in again} == {first}
    assert any(f"served by {pod} on worker-" in first for pod in ready_pods(lab, "front")), first
    assert fetch(f"{web}/stats")[1] == "5 1"

    lab.kubectl("scale", "deploy/cache", "--replicas=0", "--timeout=20s")
    eventually(lambda: lab.out("get", "pods", "-l", "role=cache", "-o", "name") == "")
    status, _, headers = fetch(f"{web}/some/page")
    assert (status, headers["X-Cache"]) == (200, "miss")
    lab.kubectl("scale", "deploy/cache", "--replicas=1")
    lab.kubectl("rollout", "status", "deploy/cache", "--timeout=30s")
    eventually(lambda: fetch(f"{web}/some/page")[2]["X-Cache"] == "hit")


def test_hello_answers_from_each_of_its_pods_though_all_share_one_network(lab: Lab) -> None:
    launch(lab, "hello")
    url = base(lab, "hello") + ":8080/"
    pods = lab.out("get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert len(pods) == 3
    eventually(lambda: {fetch(url)[1].split()[2] for _ in range(20)} == set(pods))


def test_endpoints_written_by_hand_lead_a_service_without_selector_to_them(lab: Lab) -> None:
    launch(lab, "hello")
    pod = lab.json("get", "pods", "-l", "app=hello")["items"][0]
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "chosen"}, "spec": {"ports": ports}}
    subset = {"addresses": [{"ip": pod["status"]["podIP"]}], "ports": ports}
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "chosen"}, "subsets": [subset]}
    lab.kubectl(
        "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [service, endpoints]})
    )
    url = base(lab, "chosen") + ":8080/"
    eventually(lambda: {fetch(url)[1].split()[2] for _ in range(6)} == {pod["metadata"]["name"]})
    lab.kubectl("delete", "endpoints", "chosen")
    eventually(lambda: not lab.json("get", "endpointslices", "-l", "kubernetes.io/service-name=chosen")["items"])


def test_every_example_has_a_test_of_its_own_here() -> None:
    assert [path.stem for path in EXAMPLES] == ["cache", "guestbook", "hello", "queue"]


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid_to_the_letter(lab: Lab, manifest: Path) -> None:
    output = lab.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(manifest))
    assert "Warning" not in output.stderr and "(server dry run)" in output.stdout
