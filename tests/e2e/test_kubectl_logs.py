"""kubectl logs: whole, in part, of containers that ended, of several at once, and as they are written."""

from __future__ import annotations

import re

import pytest

from tests.support.patience import eventually
from tests.support.real_lab import Lab

pytestmark = [pytest.mark.real]

TALKER = """
apiVersion: v1
kind: Pod
metadata: {name: talker, labels: {app: talk}}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
    - {name: prepare, image: none, command: [sh, -c, "echo preparing"]}
  containers:
    - name: main
      image: none
      command: [sh, -c, "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; sleep 1000"]
    - {name: side, image: none, command: [sh, -c, "echo beside; sleep 1000"]}
"""
SAYS_AND_DIES = "date +%s.%N; while [ ! -e go ]; do sleep 0.05; done; exit 3"


def test_logs_of_one_container_of_several(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=TALKER)
    lab.kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=20s")
    lines = [f"line {i}" for i in range(1, 6)]
    eventually(lambda: lab.out("logs", "talker", "-c", "main").splitlines() == [*lines, "oops"])
    # kubectl itself takes the first container when none is named, and says so.
    first = lab.kubectl("logs", "talker")
    assert 'Defaulted container "main" out of: main, side, prepare (init)' in first.stderr
    assert lab.out("logs", "talker", "-c", "prepare") == "preparing\n"
    assert lab.out("logs", "talker", "-c", "main", "--tail=2").splitlines() == ["line 5", "oops"]
    assert lab.out("logs", "talker", "-c", "main", "--tail=0") == ""
    assert lab.out("logs", "talker", "-c", "main", "--limit-bytes=8") == "line 1\nl"
    every = lab.out("logs", "talker", "--all-containers", "--prefix").splitlines()
    assert "[pod/talker/side] beside" in every and "[pod/talker/prepare] preparing" in every and len(every) == 8
    by_label = lab.out("logs", "-l", "app=talk", "-c", "side", "--prefix")
    assert by_label == "[pod/talker/side] beside\n"
    assert "container nope is not valid for pod talker" in lab.refused("logs", "talker", "-c", "nope")
    assert 'pods "nobody" not found' in lab.refused("logs", "nobody")


def test_logs_carry_their_time_and_can_be_cut_by_it(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=TALKER)
    lab.kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=20s")
    eventually(lambda: "oops" in lab.out("logs", "talker", "-c", "main"))
    stamped = lab.out("logs", "talker", "-c", "main", "--timestamps").splitlines()
    times = [line.split(" ", 1)[0] for line in stamped]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", time) for time in times) and times == sorted(times)
    assert lab.out("logs", "talker", "-c", "main", "--since=1h").count("line") == 5
    assert lab.out("logs", "talker", "-c", "main", "--since-time=2999-01-01T00:00:00Z") == ""
    later = lab.out("logs", "talker", "-c", "main", f"--since-time={times[2]}").splitlines()
    assert later[-1] == "oops" and len(later) <= 6
    assert "at most one of" in lab.refused("logs", "talker", "--since=1h", "--since-time=2999-01-01T00:00:00Z")


def test_a_followed_log_prints_lines_as_they_come_and_ends_with_the_container(lab: Lab) -> None:
    script = "echo began; while [ ! -e stop ]; do sleep 0.05; done; echo ended"
    lab.kubectl("run", "slow", "--image=none", "--restart=Never", "--command", "--", "sh", "-c", script)
    lab.kubectl("wait", "--for=condition=Ready", "pod/slow", "--timeout=20s")
    following = lab.follow("logs", "-f", "slow")
    assert following.stdout.readline() == "began\n"
    assert following.poll() is None
    _touch(lab, "slow", "stop")
    assert following.stdout.readline() == "ended\n"
    assert following.stdout.read() == "" and following.wait(timeout=20) == 0
    assert eventually(lambda: lab.json("get", "pod", "slow")["status"]["phase"] == "Succeeded")
    assert lab.out("logs", "slow") == "began\nended\n"


def test_the_log_of_the_run_before_is_kept(lab: Lab) -> None:
    lab.kubectl("run", "again", "--image=none", "--command", "--", "sh", "-c", SAYS_AND_DIES)
    lab.kubectl("wait", "--for=condition=Ready", "pod/again", "--timeout=20s")
    first = eventually(lambda: lab.out("logs", "again"))
    assert 'previous terminated container "again" in pod "again" not found' in lab.refused("logs", "-p", "again")
    _touch(lab, "again", "go")
    eventually(lambda: lab.json("get", "pod", "again")["status"]["containerStatuses"][0]["restartCount"] >= 1)
    assert lab.out("logs", "--previous", "again") == first
    assert eventually(lambda: lab.out("logs", "again")) != first
    state = lab.json("get", "pod", "again")["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (3, "Error")


def _touch(lab: Lab, pod: str, file: str) -> None:
    """Make a file in the working folder of a Pod's only container, as another program on its node could."""
    identity = lab.json("get", "pod", pod)["status"]["containerStatuses"][0]["containerID"]
    (lab.container_folder(identity) / file).touch()
