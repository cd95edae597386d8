"""An image's archive: what is in it, that equal input gives equal bytes, and when it is rebuilt."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.images import build as building
from homeostat.lab.images.build import build, images_root
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import FIXED_SECONDS, Tree
from tests.support.images import config_of, document, lay_out, layers, member


def _image(source: Path) -> ImageSpec:
    tree = Tree()
    tree.file("usr/bin/app", source, mode=0o755)
    tree.text("etc/motd", "welcome\n")
    tree.link("app", "usr/bin/app")
    tree.folder("tmp", mode=0o1777)
    return ImageSpec("example.local/app:1", (tree,), entrypoint=("/app",), env={"A": "b"}, ports=("80/tcp",))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "app"
    file.write_bytes(b"one")
    return file


def _path(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def test_an_archive_is_an_oci_layout_and_a_docker_archive_in_one(own_state: Path, source: Path) -> None:
    """image-spec, image-layout.md: `oci-layout`, `index.json`, `blobs/ALGORITHM/DIGEST`; docker reads manifest.json."""
    archive = build(_image(source))
    assert document(archive, "oci-layout") == {"imageLayoutVersion": "1.0.0"}
    [described] = document(archive, "index.json")["manifests"]
    assert described["annotations"]["io.containerd.image.name"] == "example.local/app:1"
    assert described["annotations"]["org.opencontainers.image.ref.name"] == "1"
    [docker] = document(archive, "manifest.json")
    assert docker["RepoTags"] == ["example.local/app:1"]


def test_every_blob_has_the_digest_and_size_that_point_at_it(own_state: Path, source: Path) -> None:
    archive = build(_image(source))
    with tarfile.open(archive) as tar:
        names = [name for name in tar.getnames() if name.startswith("blobs/")]
    assert all(hashlib.sha256(member(archive, name)).hexdigest() == name.rpartition("/")[2] for name in names)
    [described] = document(archive, "index.json")["manifests"]
    manifest = document(archive, _path(described["digest"]))
    for pointed in (manifest["config"], *manifest["layers"]):
        assert len(member(archive, _path(pointed["digest"]))) == pointed["size"]


def test_a_layer_s_content_has_the_digest_that_the_configuration_names(own_state: Path, source: Path) -> None:
    """image-spec, config.md: DiffIDs are of the uncompressed tar."""
    archive = build(_image(source))
    digests = [f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}" for layer in layers(archive)]
    assert config_of(archive)["rootfs"]["diff_ids"] == digests


def test_a_layer_belongs_to_root_has_one_time_and_names_folders_first(own_state: Path, source: Path) -> None:
    [layer] = layers(build(_image(source)))
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = tar.getmembers()
    assert {(each.uid, each.gid, int(each.mtime)) for each in members} == {(0, 0, FIXED_SECONDS)}
    assert [each.name for each in members] == ["app", "etc", "etc/motd", "tmp", "usr", "usr/bin", "usr/bin/app"]
    modes = {each.name: oct(each.mode) for each in members}
    assert modes["usr/bin/app"] == "0o755"
    assert modes["tmp"] == "0o1777"
    assert modes["etc/motd"] == "0o644"


def test_the_configuration_says_how_a_container_runs(own_state: Path, source: Path) -> None:
    config = config_of(build(_image(source)))
    assert config["config"]["Entrypoint"] == ["/app"]
    assert "A=b" in config["config"]["Env"]
    assert config["config"]["ExposedPorts"] == {"80/tcp": {}}
    assert config["os"] == "linux"


def test_equal_input_gives_equal_bytes_wherever_it_is_built(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(place: str) -> bytes:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / place))
        return build(_image(source)).read_bytes()

    assert built("here") == built("there")


def test_an_image_is_built_once_and_again_when_a_source_changed(own_state: Path, source: Path) -> None:
    first = build(_image(source))
    written = first.stat().st_mtime_ns
    assert build(_image(source)) == first
    assert first.stat().st_mtime_ns == written
    source.write_bytes(b"other")
    second = build(_image(source))
    assert second != first
    root = own_state / "root"
    lay_out(second, root)
    assert (root / "app").read_bytes() == b"other"


def test_a_change_within_one_length_is_seen_by_its_time(own_state: Path, source: Path) -> None:
    first = build(_image(source))
    source.write_bytes(b"two")
    os.utime(source, (1, 1))
    assert build(_image(source)) != first


def test_builders_side_by_side_give_one_whole_archive(own_state: Path, source: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: build(_image(source)), range(8)))
    assert len(paths) == 1
    assert document(paths.pop(), "manifest.json")


def test_what_a_dead_builder_left_is_neither_used_nor_kept(own_state: Path, source: Path) -> None:
    archive = build(_image(source))
    half = archive.with_name(f".{archive.name}.4711")
    archive.rename(half)
    half.write_bytes(half.read_bytes()[:100])
    # A layer whose digests were not yet written down is not trusted either.
    for layer in (images_root() / "layers").glob("*"):
        layer.unlink() if layer.suffix == ".json" else layer.write_bytes(b"half")
    assert document(build(_image(source)), "manifest.json")
    assert not half.exists()


def test_only_the_newest_archives_of_an_image_are_kept(own_state: Path, source: Path) -> None:
    for turn in range(building._ARCHIVES_KEPT + 2):
        source.write_bytes(b"x" * (turn + 1))
        newest = build(_image(source))
    kept = list((images_root() / "archives").glob("*.tar"))
    assert len(kept) == building._ARCHIVES_KEPT
    assert newest in kept


def test_a_vanished_source_is_a_clear_error(own_state: Path, source: Path) -> None:
    spec = _image(source)
    source.unlink()
    with pytest.raises(LabError, match=r"example.local/app:1 cannot be built: .*app"):
        build(spec)


def test_no_cluster_can_take_the_images_folder(own_state: Path) -> None:
    with pytest.raises(LabError):
        Folder.of(images_root().name)


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../../b", "", "/"])
def test_no_path_leads_out_of_an_image(path: str) -> None:
    with pytest.raises(ValueError, match="no path inside"):
        Tree().text(path, "x")
