"""The guide, word for word: docs/guide.md is typed into a terminal on a cluster of three masters and two workers.

Clients outside the cluster and in a pod ask its app five times a second each, all the while, and count every request
that fails; somebody uses kubectl, and somebody watches pods. The cluster is booted once and led through the whole
guide, and each test asks for one of the things that the guide shows.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guide import following
from tests.guide.following import CUT, Follower, Record
from tests.guide.witnesses import Failure, report

pytestmark = [pytest.mark.real, pytest.mark.slow]
# What a person types, as the exercise words it; the IDs are the page's own.
WORDS = (
    """docker ps -f 'name=.*kube-apiserver.*' --format "{{.ID}}\"""",
    "docker kill 4ee9ceb2fb46 9e84b7d7b350",
    "ssh core@172.30.0.11",
    "ssh core@172.30.0.21",
    "iptables -A OUTPUT -p tcp --dport 443 -j DROP",
    "systemctl stop docker",
    "systemctl stop kubelet",
    "ps aux | grep kube",
    "iptables -A OUTPUT -p tcp --dport 443 -j ACCEPT",
    "iptables -D OUTPUT -p tcp --dport 443 -j DROP",
    "systemctl start docker",
    "systemctl start kubelet",
)
# A machine that is busy with other tests is late by so much at most.
LATE_SECONDS = 8.0


@pytest.fixture(scope="module")
def record() -> Iterator[Record]:
    """The guide, followed once."""
    record = following.record()
    # Short: a Unix socket's path has 107 bytes at most, and a cluster's are deep in its state folder.
    folder = Path(tempfile.mkdtemp(prefix="guide-"))
    follower = Follower(folder, record)
    try:
        follower.follow()
        print("\n" + report(record.clients, record.moments.get(CUT, 0.0)))
        print("(times count from the cut of worker-1)\n" + "\n".join(record.times_taken()))
    finally:
        follower.close()
    yield record
    shutil.rmtree(folder, ignore_errors=True)


def test_every_command_prints_what_the_guide_shows(record: Record) -> None:
    assert not record.trouble, record.trouble
    assert [step.command for step in record.done] == [step.command for step in record.todo]


def test_it_is_typed_as_the_exercise_words_it(record: Record) -> None:
    typed = [step.command for step in record.todo]
    assert [words for words in WORDS if words not in typed] == []


def test_the_api_server_has_new_container_ids_within_three_seconds(record: Record) -> None:
    assert record.took(*following.RELAUNCHED) < 3.0


def test_kubectl_works_all_the_time(record: Record) -> None:
    """With its default retries, one command after the other, while an API server is down."""
    record.step("homeostat why pod/kube-apiserver")
    lines = record.kubectl.splitlines()
    assert "failed" not in lines, record.kubectl
    assert lines.count("worked") >= 3, record.kubectl


def test_a_watch_shows_the_api_server_come_back(record: Record) -> None:
    record.step("homeostat why pod/kube-apiserver")
    assert re.search(r"^kube-apiserver-master-1 +1/1 +Running +1 \(", record.watched, re.MULTILINE), record.watched


def test_no_request_fails_while_an_api_server_is_down(record: Record) -> None:
    over = record.moment("api server over")
    assert failures(record, until=over) == []
    assert set(record.clients) == {"balancer", "node-port", "pod-by-address", "pod-by-name"}
    assert all(client.answered > 30 for client in record.clients.values()), report(record.clients, over)


def test_the_node_is_marked_in_its_time(record: Record) -> None:
    """Not before the grace period, less what a Lease may be old, and one look after it at the latest."""
    seconds = record.took(*following.MARKED)
    assert record.times.marked[0] - 1 <= seconds <= record.times.marked[1] + LATE_SECONDS


def test_its_pods_are_replaced_when_their_toleration_is_over(record: Record) -> None:
    seconds = record.took(*following.REPLACED)
    assert record.times.replaced[0] - 1 <= seconds <= record.times.replaced[1] + LATE_SECONDS


def test_only_requests_to_the_cut_node_can_fail_until_its_endpoints_leave(record: Record) -> None:
    """All others, before and after, are answered; those that were not are named with client, time and error."""
    cut = record.moment(CUT)
    left = cut + record.took(*following.MARKED)
    outside = [failure for failure in failures(record) if not cut <= failure.at <= left]
    assert outside == [], report(record.clients, cut)


def test_the_node_is_ready_again_within_seconds(record: Record) -> None:
    assert record.took(*following.BACK) < 5.0 + LATE_SECONDS


def test_no_object_is_lost_or_doubled(record: Record) -> None:
    """Everything that was there is there once, with the same UID; of the app's pods there are as many as before."""
    assert record.after, "the guide was not followed so far"
    before, after = identities(record.before), identities(record.after)
    assert before - after == Counter(), f"lost: {before - after}"
    assert after - before == Counter(), f"new: {after - before}"
    hello = [pod for pod in record.after if pod["metadata"].get("labels", {}).get("app") == "hello" and is_pod(pod)]
    assert len(hello) == 3
    # And no container runs twice: what runs on the nodes is what the pods say.
    assert record.containers == {node: count(hello, node) for node in ("worker-1", "worker-2")}


def identities(objects: list[dict[str, Any]]) -> Counter[str]:
    """Objects by name and UID; pods of a Deployment by their labels, since a replaced pod has another name."""
    found: Counter[str] = Counter()
    for obj in objects:
        meta = obj["metadata"]
        replaceable = is_pod(obj) and any(owner["kind"] == "ReplicaSet" for owner in meta.get("ownerReferences", []))
        own = str(meta["labels"]) if replaceable else f"{meta['name']} {meta['uid']}"
        found[f"{obj['kind']} {meta.get('namespace', '')}/{own}"] += 1
    return found


def is_pod(obj: dict[str, Any]) -> bool:
    return bool(obj["kind"] == "Pod")


def count(pods: list[dict[str, Any]], node: str) -> int:
    return sum(pod["spec"].get("nodeName") == node for pod in pods)


def failures(record: Record, *, until: float = float("inf")) -> list[Failure]:
    found = [failure for client in record.clients.values() for failure in client.failures]
    return sorted((failure for failure in found if failure.at < until), key=lambda failure: failure.at)


def test_times_are_kubernetes_own_where_the_guide_sets_none() -> None:
    """node-monitor-grace-period 50 s less a Lease's age of 10 s, plus a look of 5 s; then a toleration of 300 s."""
    times = following.DEFAULT
    assert times.marked == (40, 55) and times.replaced == (340, 355)
    assert not any("--set" in step.command for step in following.default_steps())
