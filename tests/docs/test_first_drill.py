"""What `make up` says in the end can be typed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tools import first_drill

from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.kit import clock, tasks, virtual
from homeostat.lab.links import published_services


def saved(tmp_path: Path, runtime: str) -> Folder:
    folder = Folder(tmp_path / "one")
    folder.path.mkdir()
    folder.save(Cluster("one", 3, runtime=runtime))
    return folder


def test_the_app_is_named_by_its_port_on_this_host_once_it_has_one(tmp_path: Path) -> None:
    folder = saved(tmp_path, "container")

    async def named() -> str:
        waiting = tasks.spawn(first_drill.published_url(folder, "default/hello"), name="named")
        await clock.sleep(1.0)
        assert not waiting.done()
        other = published_services.Entry("default/other", "", 30081, 30081, open=True)
        hello = published_services.Entry("default/hello", "http", 30080, 40000, open=True)
        folder.published.write_bytes(orjson.dumps([other, hello]))
        return await waiting

    assert virtual.run(named, seed=1) == "http://127.0.0.1:40000"


def test_an_app_that_does_not_become_ready_is_an_error_that_says_what_to_ask(tmp_path: Path) -> None:
    folder = saved(tmp_path, "container")
    with pytest.raises(LabError, match=r"no pod of the sample app became ready .* `homeostat events --name one` say"):
        virtual.run(lambda: first_drill.published_url(folder, "default/hello"), seed=1)


def test_what_to_type_next_names_the_app(tmp_path: Path) -> None:
    folder = saved(tmp_path, "container")
    assert "\n  curl http://127.0.0.1:30080\n" in first_drill.after(folder, "http://127.0.0.1:30080")


def test_make_up_is_of_the_cluster_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOMEOSTAT_NAME", raising=False)
    assert first_drill.cluster_name([]) == "homeostat"
    monkeypatch.setenv("HOMEOSTAT_NAME", "one")
    assert first_drill.cluster_name([]) == "one", "as `make down`"
    assert first_drill.cluster_name(["long", "node-long"]) == "long"
    assert "status --name one\n" in first_drill.after(saved(tmp_path, "container"), "http://127.0.0.1:30080")
