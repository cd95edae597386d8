"""`homeostat image load` and `list`: through the container engines of nodes that run, whatever wrote the archive."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import orjson
import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import stock
from homeostat.lab.images.build import build
from homeostat.lab.images.load import Listed, listed, load, parse
from homeostat.lab.images.reader import examine
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree
from tests.support.containerd import Containerd, containerd
from tests.support.images import repacked

Ended = subprocess.CompletedProcess[bytes]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """The engine of a node without images."""
    with containerd(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def app(own_state: Path) -> Path:
    tree = Tree()
    tree.text("hello", "hello\n")
    return build(ImageSpec("example.local/app:1", (tree,)))


def _entering(node: Containerd) -> Callable[[str, Sequence[str], IO[bytes] | None], Ended]:
    def enter(name: str, argv: Sequence[str], stdin: IO[bytes] | None) -> Ended:
        assert argv[0] == "ctr"
        return node.run_ctr(*argv[1:], stdin=stdin)

    return enter


@pytest.mark.real
def test_an_archive_that_was_loaded_is_listed_and_known_to_cri(node: Containerd, app: Path) -> None:
    load(examine(app), ["worker-1"], _entering(node))
    [found] = [each for each in listed("worker-1", _entering(node)) if each.name == "example.local/app:1"]
    assert found.digest.startswith("sha256:")
    assert found.size.endswith("B")
    assert b"example.local/app:1" in node.cri("ImageService/ListImages")


@pytest.mark.real
def test_an_archive_of_docker_save_gets_docker_s_full_name(node: Containerd, app: Path, tmp_path: Path) -> None:
    def as_docker(members: dict[str, bytes]) -> None:
        del members["oci-layout"], members["index.json"]
        [image] = orjson.loads(members["manifest.json"])
        members["manifest.json"] = orjson.dumps([{**image, "RepoTags": ["tool:2"]}])

    load(examine(repacked(app, tmp_path / "docker.tar", as_docker)), ["worker-1"], _entering(node))
    assert "docker.io/library/tool:2" in [each.name for each in listed("worker-1", _entering(node))]


@pytest.mark.real
def test_a_layout_with_a_tag_alone_gets_the_name_that_is_given(node: Containerd, app: Path, tmp_path: Path) -> None:
    def only_tag(members: dict[str, bytes]) -> None:
        index = orjson.loads(members["index.json"])
        index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "7"}
        members["index.json"] = orjson.dumps(index)

    archive = examine(repacked(app, tmp_path / "oci.tar", only_tag), name="example.local/named")
    load(archive, ["worker-1"], _entering(node))
    assert "example.local/named:7" in [each.name for each in listed("worker-1", _entering(node))]


@pytest.mark.real
def test_what_was_loaded_runs(node: Containerd, small_images: dict[str, Path], tmp_path: Path) -> None:
    squeezed = tmp_path / "busybox.tar.gz"
    with squeezed.open("wb") as out:
        subprocess.run(["gzip", "-c", small_images[stock.BUSYBOX]], stdout=out, check=True)
    load(examine(squeezed), ["worker-1"], _entering(node))
    assert node.run(stock.BUSYBOX, "echo", "here") == "here\n"


def test_every_node_gets_it_and_those_that_do_not_are_named(app: Path) -> None:
    got = []

    def enter(name: str, argv: Sequence[str], stdin: IO[bytes] | None) -> Ended:
        assert stdin is not None
        if name == "worker-2":
            raise LabError("worker-2 went off")
        if name == "worker-3":
            said = b"x\nctr: failed to copy: write /var/lib/containerd/x: no space left on device\n"
            return subprocess.CompletedProcess(argv, 1, b"", said)
        if name == "worker-4":
            said = b"ctr: cannot access socket /run/containerd/containerd.sock: no such file or directory"
            return subprocess.CompletedProcess(argv, 1, b"", said)
        got.append((name, stdin.read() == app.read_bytes()))
        return subprocess.CompletedProcess(argv, 0, b"", b"")

    with pytest.raises(LabError) as error:
        load(examine(app), ["worker-1", "worker-2", "worker-3", "worker-4", "worker-5"], enter)
    assert sorted(got) == [("worker-1", True), ("worker-5", True)]
    for said in (
        "worker-2: worker-2 went off",
        "worker-3: the disk is full",
        "worker-4: its container engine does not",
    ):
        assert said in str(error.value)


def test_a_list_is_read_by_its_titles_whatever_the_widths() -> None:
    table = (
        "REF                TYPE DIGEST        SIZE    PLATFORMS   LABELS\n"
        "example.local/b:1  a/b  sha256:bb     1.0 MiB linux/amd64 -\n"
        "example.local/a:1  a/b  sha256:aa     329 KiB linux/amd64 a=b\n"
        "sha256:aa          a/b  sha256:aa     329 KiB linux/amd64 a=b\n"
    )
    assert parse(table) == [
        Listed("example.local/a:1", "sha256:aa", "329 KiB"),
        Listed("example.local/b:1", "sha256:bb", "1.0 MiB"),
    ]


def test_an_engine_that_does_not_answer_is_an_error() -> None:
    def enter(name: str, argv: Sequence[str], stdin: IO[bytes] | None) -> Ended:
        return subprocess.CompletedProcess(argv, 1, b"", b"ctr: dial unix: connection refused\n")

    with pytest.raises(LabError, match="worker-1: its container engine does not answer"):
        listed("worker-1", enter)
