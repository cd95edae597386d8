"""A layer's tree, and what an image says of how its containers run."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat.lab.images.spec import ImageSpec, architecture
from homeostat.lab.images.tree import Tree


def _written(tree: Tree) -> dict[str, tarfile.TarInfo]:
    out = io.BytesIO()
    tree.write(out)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        return {each.name: each for each in tar}


def test_folders_on_the_way_are_made_unless_they_have_a_mode_of_their_own() -> None:
    tree = Tree()
    tree.text("/a/b/file", "x")
    tree.folder("a", mode=0o700)
    written = _written(tree)
    assert list(written) == ["a", "a/b", "a/b/file"]
    assert (written["a"].mode, written["a/b"].mode) == (0o700, 0o755)


def test_a_file_can_be_executed_if_it_can_on_the_machine(tmp_path: Path) -> None:
    for name, mode in (("script", 0o700), ("notes", 0o600)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    tree = Tree()
    tree.file("script", tmp_path / "script")
    tree.file("notes", tmp_path / "notes")
    written = _written(tree)
    assert (written["script"].mode, written["notes"].mode) == (0o755, 0o644)


def test_a_long_path_and_a_long_link_are_written_whole() -> None:
    path, to = "/".join(["folder"] * 40), "../" * 60 + "target"
    tree = Tree()
    tree.link(path, to)
    assert _written(tree)[path].linkname == to


def test_what_changes_a_file_on_its_way_sees_its_content_and_its_place(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    tree = Tree()
    tree.file("x", tmp_path / "x", change=lambda content, path: content.upper() + path.name.encode())
    assert tree.entries["x"].content() == b"CONTENTx"


def _shout(content: bytes, _path: Path) -> bytes:
    return content.upper()


_CHANGES: dict[str, Callable[[Tree, Path], None]] = {
    "a file more": lambda tree, _: tree.text("more", ""),
    "another text": lambda tree, _: tree.text("text", "other"),
    "another mode": lambda tree, _: tree.text("text", "text", mode=0o600),
    "another target": lambda tree, _: tree.link("link", "other"),
    "a folder for a file": lambda tree, _: tree.folder("text"),
    "another change on the way": lambda tree, file: tree.file("file", file, change=_shout),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_different_trees_have_different_fingerprints(tmp_path: Path, change: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")

    def made() -> Tree:
        tree = Tree()
        tree.text("text", "text")
        tree.link("link", "target")
        tree.file("file", file)
        return tree

    other = made()
    assert other.fingerprint() == made().fingerprint()
    _CHANGES[change](other, file)
    assert other.fingerprint() != made().fingerprint()


def test_the_order_in_which_a_tree_is_filled_does_not_matter() -> None:
    one, other = Tree(), Tree()
    for tree, names in ((one, "ab"), (other, "ba")):
        for name in names:
            tree.text(name, name)
    assert one.fingerprint() == other.fingerprint()
    assert list(_written(one)) == list(_written(other))


def test_a_configuration_says_only_what_was_asked_for() -> None:
    """image-spec, config.md: every field of `config` is optional; an empty entrypoint is not the same as none."""
    config = ImageSpec("example.local/a:1", ()).run_config()
    assert list(config) == ["Env"]
    assert config["Env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


def test_a_configuration_has_the_fields_names_of_its_standard() -> None:
    spec = ImageSpec(
        "example.local/a:1",
        (),
        entrypoint=("/a",),
        cmd=("b",),
        env={"PATH": "/bin", "C": "d"},
        user="1000:1000",
        workdir="/srv",
        ports=("80/tcp", "53/udp"),
        stop_signal="SIGINT",
    )
    assert spec.run_config() == {
        "Env": ["PATH=/bin", "C=d"],
        "Entrypoint": ["/a"],
        "Cmd": ["b"],
        "User": "1000:1000",
        "WorkingDir": "/srv",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "StopSignal": "SIGINT",
    }


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")])
def test_architectures_have_the_names_that_go_has_for_them(
    machine: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Uname:
        def __init__(self) -> None:
            self.machine = machine

    monkeypatch.setattr("homeostat.lab.images.spec.os.uname", Uname)
    assert architecture() == name
