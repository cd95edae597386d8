"""An archive is inspected before it is loaded; its faults are reported by name."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images.build import build
from homeostat.lab.images.reader import examine
from homeostat.lab.images.spec import ImageSpec, architecture
from homeostat.lab.images.tree import Tree
from tests.support.images import members, packed, repacked


@pytest.fixture
def good(own_state: Path) -> Path:
    tree = Tree()
    tree.text("hello", "".join(hashlib.sha256(b"%d" % turn).hexdigest() for turn in range(2000)))
    return build(ImageSpec("example.local/app:1", (tree,), cmd=("/hello",)))


def _edited(archive: Path, target: Path, name: str, edit: Any) -> Path:
    """The archive with one JSON document changed."""

    def change(files: dict[str, bytes]) -> None:
        document = orjson.loads(files[name])
        edit(document)
        files[name] = orjson.dumps(document)

    return repacked(archive, target, change)


def _refusal(path: Path, *, name: str = "") -> str:
    with pytest.raises(LabError) as error:
        examine(path, name=name)
    assert str(path) in str(error.value)
    return str(error.value)


def test_an_oci_layout_is_read(good: Path) -> None:
    assert examine(good).names == ("example.local/app:1",)


def test_a_gzipped_archive_is_read(good: Path, tmp_path: Path) -> None:
    squeezed = tmp_path / "app.tar.gz"
    squeezed.write_bytes(gzip.compress(good.read_bytes()))
    assert examine(squeezed).names == ("example.local/app:1",)


def test_an_archive_of_docker_save_is_read(good: Path, tmp_path: Path) -> None:
    """moby, image/spec/v1.2.md: `manifest.json`, layers in folders of their own, twice the same as a link."""
    files = members(good)
    [image] = orjson.loads(files["manifest.json"])
    manifest = {
        "Config": "c0ffee.json",
        "RepoTags": ["app:1", "app:latest"],
        "Layers": ["aa/layer.tar", "bb/layer.tar"],
    }
    old = {
        "c0ffee.json": files[image["Config"]],
        "aa/layer.tar": files[image["Layers"][0]],
        "manifest.json": orjson.dumps([manifest]),
    }
    archive = packed(tmp_path / "old.tar", old, {"bb/layer.tar": "../aa/layer.tar"})
    assert examine(archive).names == ("app:1", "app:latest")


def test_a_name_that_is_a_tag_alone_is_completed(good: Path, tmp_path: Path) -> None:
    """image-spec, annotations.md: `org.opencontainers.image.ref.name` is often `latest` and nothing more."""

    def only_tag(index: Any) -> None:
        index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "2"}

    archive = _edited(good, tmp_path / "tag.tar", "index.json", only_tag)
    assert "--as NAME" in _refusal(archive)
    found = examine(archive, name="example.local/other")
    assert (found.names, found.base) == (("example.local/other:2",), "example.local/other")


def test_a_full_name_in_the_annotation_is_taken_as_it_is(good: Path, tmp_path: Path) -> None:
    def full(index: Any) -> None:
        index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "registry.local:5000/app:3"}

    found = examine(_edited(good, tmp_path / "full.tar", "index.json", full))
    assert (found.names, found.base) == (("registry.local:5000/app:3",), "registry.local:5000/app")


def test_an_image_without_a_name_is_refused(good: Path, tmp_path: Path) -> None:
    files = members(good)
    [image] = orjson.loads(files["manifest.json"])
    del files["index.json"], files["oci-layout"]
    files["manifest.json"] = orjson.dumps([{**image, "RepoTags": None}])
    assert "has no name" in _refusal(packed(tmp_path / "x.tar", files))


def test_an_image_for_another_machine_is_refused(good: Path, tmp_path: Path) -> None:
    files = members(good)
    [image] = orjson.loads(files["manifest.json"])
    config = orjson.loads(files[image["Config"]])
    files["config.json"] = orjson.dumps({**config, "architecture": "s390x"})
    files["manifest.json"] = orjson.dumps([{**image, "Config": "config.json"}])
    del files["index.json"], files["oci-layout"]
    said = _refusal(packed(tmp_path / "x.tar", files))
    assert f"is for linux/s390x; this machine is linux/{architecture()}" in said


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("squeeze", [False, True], ids=["tar", "gzip"])
def test_an_archive_cut_short_is_refused(good: Path, tmp_path: Path, share: float, squeeze: bool) -> None:
    whole = gzip.compress(good.read_bytes()) if squeeze else good.read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole[: int(len(whole) * share)])
    assert any(word in _refusal(cut) for word in ("cut short", "damaged", "not in it"))


def test_a_damaged_layer_is_refused(good: Path, tmp_path: Path) -> None:
    files = members(good)
    name = max((name for name in files if name.startswith("blobs/")), key=lambda name: len(files[name]))
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    assert f"is damaged: the content of {name} has another digest" in _refusal(packed(tmp_path / "x.tar", files))


def test_a_missing_layer_is_named(good: Path, tmp_path: Path) -> None:
    files = members(good)
    [layer] = orjson.loads(files["manifest.json"])[0]["Layers"]
    del files[layer]
    assert f"it refers to {layer}, which is not in it" in _refusal(packed(tmp_path / "x.tar", files))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no tar archive"),
        (b"just a text\n" * 100, "no tar archive"),
        (gzip.compress(b"just a text\n" * 100), "no tar archive"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 1000, "compressed by zstd"),
        (b"\xfd7zXZ\x00" + b"x" * 1000, "compressed by xz"),
        (b"PK\x03\x04" + b"x" * 1000, "compressed by zip"),
    ],
    ids=["empty", "text", "gzipped-text", "zstd", "xz", "zip"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert said in _refusal(file)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"readme.txt": b"hello"}, "there is no image in it"),
        ({"manifest.json": b"[]"}, "has no name"),
        ({"manifest.json": b"no json"}, "manifest.json in it is no JSON"),
        ({"manifest.json": b"[1]"}, "not what docker or OCI write"),
        ({"manifest.json": b'{"a": 1}'}, "not what docker or OCI write"),
        ({"oci-layout": b"{}", "index.json": b'{"manifests": []}'}, "its index is empty"),
        ({"oci-layout": b"{}", "index.json": b"{}"}, "not what docker or OCI write"),
        (
            {"oci-layout": b"{}", "index.json": b'{"manifests": [{"digest": "sha256:00"}]}'},
            "it refers to blobs/sha256/00",
        ),
    ],
)
def test_a_tar_with_no_image_is_refused(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    assert said in _refusal(packed(tmp_path / "x.tar", files))


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    assert "No such file" in _refusal(tmp_path / "none")
    assert "Is a directory" in _refusal(tmp_path)
