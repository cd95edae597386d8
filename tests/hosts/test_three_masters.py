"""Three masters, each with an etcd member: what the loss of one, of two, and of a member's log costs clients.

The bars of the project (less than a second of writes, no read longer than that) are figures, measured and noted in
docs/decisions/0023; here no request may be lost, and nothing that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeostat.cluster.node_layout import NodeFolder
from tests.hosts.conftest import Hosts
from tests.support.openloop import Cost, OpenLoop
from tests.support.patience import eventually
from tests.support.ports import own_port

pytestmark = [pytest.mark.real, pytest.mark.slow]
NAME = "masters-test"
# Far above the figures, and far below what a client would wait that gets no answer.
_LONGEST_SECONDS = 8.0


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    made = Hosts(tmp_path_factory.mktemp("masters"), NAME)
    try:
        made.run(
            "up", "--runtime", "container", "--store", "etcd", "--control-planes", "3", "--workers", "0", *own_port()
        )
        yield made
    finally:
        made.run("down", "--purge", ok=False)


def answers(cost: Cost, more: int) -> None:
    """Wait until so many more requests have been answered."""
    wanted = len(cost.answers) + more
    eventually(lambda: len(cost.answers) >= wanted, seconds=60)


def kept(masters: Hosts, loop: OpenLoop) -> None:
    """All that was acknowledged is there."""
    there = masters.kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert loop.acknowledged <= set(there)
    # One request for all: on a busy machine there are hundreds.
    masters.kubectl("delete", "--raw", "/api/v1/namespaces/default/configmaps")


def well(masters: Hosts) -> bool:
    said = masters.run("status", ok=False)
    return masters.ready() == dict.fromkeys(("master-1", "master-2", "master-3"), "True") and "  no " not in said


def test_the_loss_of_a_master_costs_a_moment_and_no_request(masters: Hosts) -> None:
    with OpenLoop(masters.folder) as loop:
        answers(loop.writes, 5)
        for node in ("master-1", "master-2"):
            masters.run("node", "power-off", node)
            answers(loop.writes, 20)
            masters.run("node", "power-on", node)
            answers(loop.writes, 10)
            eventually(lambda: well(masters), seconds=60)
    for cost in (loop.reads, loop.writes):
        assert (cost.lost, cost.longest_seconds < _LONGEST_SECONDS) == (0, True), cost
    kept(masters, loop)


def test_the_loss_of_two_is_said_in_words_and_loses_nothing(masters: Hosts) -> None:
    with OpenLoop(masters.folder) as loop:
        answers(loop.writes, 10)
        for node in ("master-1", "master-3"):
            masters.run("node", "power-off", node)
        for words in (("create", "configmap", "never"), ("get", "configmap", "kube-root-ca.crt")):
            refusal = eventually(lambda words=words: masters.refusal(*words))  # type: ignore[misc]
            assert "the store does not answer: etcd has no quorum or cannot be reached (3 members" in refusal
        for node in ("master-1", "master-3"):
            masters.run("node", "power-on", node)
        answers(loop.writes, 10)
    assert (loop.reads.lost, loop.writes.lost) == (0, 0)
    kept(masters, loop)
    eventually(lambda: well(masters), seconds=60)


def test_a_member_whose_log_is_corrupt_says_so_and_is_replaced_while_the_others_go_on(masters: Hosts) -> None:
    masters.kubectl("create", "configmap", "before", "--from-literal=a=b")
    masters.run("node", "power-off", "master-2")
    log = max((NodeFolder(masters.folder.node("master-2")).var / "lib/etcd/member/wal").glob("*.wal"))
    with log.open("r+b") as file:
        file.seek(2000)
        file.write(b"\xff\x00nothing" * 300)
    masters.run("node", "power-on", "master-2")
    trouble = (
        "etcd on master-2: its log (WAL) is corrupt; its data cannot be trusted: `homeostat node replace master-2`"
    )
    eventually(lambda: trouble in masters.run("status", ok=False), seconds=60)
    assert masters.kubectl("create", "configmap", "meanwhile") and masters.ready()["master-1"] == "True"
    assert "its etcd member has joined again" in masters.run("node", "replace", "master-2")
    eventually(lambda: well(masters), seconds=60)
    # The new member is one that counts: without another they still have a quorum.
    masters.run("node", "power-off", "master-3")
    eventually(lambda: not masters.refusal("create", "configmap", "after"))
    assert masters.kubectl("get", "configmap", "before", "-o", "jsonpath={.data.a}") == "b"
    masters.run("node", "power-on", "master-3")
