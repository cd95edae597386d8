"""What `make up` says in the end can be typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import first_drill

from homeostat.lab.state import Folder
from homeostat.lab.topology import Cluster

SPEC = {"clusterIP": "10.96.0.7", "ports": [{"port": 8080, "nodePort": 30080}]}


def saved(tmp_path: Path, runtime: str) -> Folder:
    folder = Folder(tmp_path / "one")
    folder.path.mkdir()
    folder.save(Cluster("one", 3, runtime=runtime))
    return folder


@pytest.mark.parametrize(("runtime", "address"), [("process", "10.96.0.7:8080"), ("container", "172.30.3.1:30080")])
def test_the_app_is_named_by_an_address_that_the_host_reaches(tmp_path: Path, runtime: str, address: str) -> None:
    assert first_drill.outside(saved(tmp_path, runtime), SPEC) == address


def test_what_to_type_next_names_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_drill.reach, "lab_words", lambda folder: ["nsenter", "--"])
    told = first_drill.after(saved(tmp_path, "container"), "172.30.3.1:30080")
    assert "\n  nsenter -- curl http://172.30.3.1:30080/\n" in told, "without root the lab's network is entered first"
    (tmp_path / "two").mkdir()
    assert "\n  curl http://10.96.0.7:8080/\n" in first_drill.after(
        saved(tmp_path / "two", "process"), "10.96.0.7:8080"
    )


def test_make_up_is_of_the_cluster_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOMEOSTAT_NAME", raising=False)
    assert first_drill.cluster_name([]) == "homeostat"
    monkeypatch.setenv("HOMEOSTAT_NAME", "one")
    assert first_drill.cluster_name([]) == "one", "as `make down`"
    assert first_drill.cluster_name(["long", "node-long"]) == "long"
    monkeypatch.setattr(first_drill.reach, "lab_words", lambda folder: [])
    assert "status --name one\n" in first_drill.after(saved(tmp_path, "container"), "172.30.3.1:30080")
