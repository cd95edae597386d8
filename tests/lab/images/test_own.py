"""An image of a folder's files: what is in it, what its containers run, and what cannot be in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import build, own, stock
from homeostat.lab.images.reader import examine
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree

NAME = "example.local/app:1"


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that brings one image along."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    below = Tree()
    below.text("bin/sh", "a shell", mode=0o755)
    base = ImageSpec("homeostat.local/base:1", (below,), entrypoint=("/init",), cmd=("sh",), env={"A": "b"}, about="it")
    monkeypatch.setattr(stock, "all_specs", lambda: [base])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "app"
    (made / "srv" / "empty").mkdir(parents=True)
    (made / "srv" / "run").write_text("#!/bin/sh\n")
    (made / "srv" / "run").chmod(0o755)
    (made / "srv" / "page").write_text("hello")
    (made / "start").symlink_to("srv/run")
    return made


def test_the_files_of_a_folder_lie_over_a_base(folder: Path) -> None:
    made = own.of_folder(NAME, folder, base="homeostat.local/base:1", command=("/start", "-v"))
    below, mine = made.layers
    assert "bin/sh" in below.entries and made.has_shell
    assert {path: oct(entry.mode) for path, entry in mine.entries.items()} == {
        "srv": "0o755",
        "srv/empty": "0o755",
        "srv/page": "0o644",
        "srv/run": "0o755",
        "start": "0o777",
    }
    assert mine.entries["start"].link == "srv/run"
    assert (made.name, made.entrypoint, made.cmd, made.env) == (NAME, (), ("/start", "-v"), {"A": "b"})


def test_without_a_command_it_runs_what_its_base_runs(folder: Path) -> None:
    made = own.of_folder(NAME, folder, base="homeostat.local/base:1", command=())
    assert (made.entrypoint, made.cmd) == (("/init",), ("sh",))


def test_an_archive_of_it_can_be_loaded(folder: Path) -> None:
    archive = build.build(own.of_folder(NAME, folder, base="scratch", command=("/start",)))
    assert list(examine(archive).names) == [NAME]


@pytest.mark.parametrize("name", ["localhost/app:1", "localhost:5000/a/b-c:v1.2", "registry:5000/app:x", NAME])
def test_names_with_a_registry_and_a_tag_are_taken(folder: Path, name: str) -> None:
    assert own.of_folder(name, folder, base="scratch", command=()).name == name


@pytest.mark.parametrize("name", ["", "app", "app:1", "me/app:1", "example.local/app", "example.local/App:1", "a b"])
def test_other_names_are_refused_with_an_example(folder: Path, name: str) -> None:
    with pytest.raises(LabError, match=r"no image name with a registry and a tag, such as example\.local/app:1"):
        own.of_folder(name, folder, base="scratch", command=())


def test_an_unknown_base_is_named_with_those_there_are(folder: Path) -> None:
    with pytest.raises(
        LabError, match=r"'debian:12' is no image to build on; there are homeostat\.local/base:1 and scra"
    ):
        own.of_folder(NAME, folder, base="debian:12", command=())


def test_what_is_no_file_cannot_be_in_an_image(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(LabError, match="pipe is neither a file nor a folder nor a link"):
        own.of_folder(NAME, folder, base="scratch", command=())
