"""Nodes start with their images there: a seed is made once by a containerd of its own, and planted by hard links."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import stock
from homeostat.lab.images.build import build, images_root
from homeostat.lab.images.mirror import mirror
from homeostat.lab.images.planting import Layers, note, plant
from homeostat.lab.images.seed import Seed, prepare_seed
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree
from tests.support.containerd import containerd

pytestmark = pytest.mark.real


def _contents(root: Path) -> dict[str, tuple[str, int, int]]:
    """Digest, mode and time of every file below the folders that are linked."""
    seen = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and {"blobs", "snapshots"} & set(path.parts):
            stat = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            seen[str(path.relative_to(root))] = (digest, stat.st_mode, stat.st_mtime_ns)
    return seen


def test_a_seed_is_made_once(
    seed: Seed, small_images: dict[str, Path], shared_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(shared_state))
    made = seed.path.stat().st_ctime_ns
    assert prepare_seed(small_images) == seed
    assert seed.path.stat().st_ctime_ns == made


def test_a_planted_node_has_the_images_for_cri_and_runs_them(seed: Seed, tmp_path: Path) -> None:
    assert plant(seed, tmp_path / "containerd") == {}
    with containerd(tmp_path / "containerd") as node:
        listed = node.cri("ImageService/ListImages")
        assert stock.PAUSE.encode() in listed
        assert stock.BUSYBOX.encode() in listed
        assert node.run(stock.BUSYBOX, "echo", "it", "runs") == "it runs\n"


def test_nodes_share_the_disk_and_nothing_else(seed: Seed, tmp_path: Path) -> None:
    """One node's containers write and its images are deleted; the seed and the other node have every byte as before."""
    one, other = tmp_path / "one", tmp_path / "other"
    plant(seed, one)
    plant(seed, other)
    before = _contents(seed.path)
    shared = [path for path in before if (one / path).samefile(other / path)]
    assert len(shared) == len(before) > 0

    with containerd(one) as node:
        spoil = "echo mine >>/etc/passwd; chmod 777 /etc/group; rm /bin/ls; touch /bin/sh; cat /etc/passwd"
        assert "mine" in node.run(stock.BUSYBOX, "sh", "-c", spoil)
        node.ctr("images", "rm", "--sync", stock.BUSYBOX)
        assert stock.BUSYBOX not in node.images()
    assert _contents(seed.path) == before
    assert _contents(other) == before
    with containerd(other) as node:
        assert node.run(stock.BUSYBOX, "tail", "-n1", "/etc/passwd").startswith("nobody:")


def test_nodes_of_a_cluster_share_the_layers_and_nothing_else(seed: Seed, tmp_path: Path) -> None:
    """The layers are there once. A node that writes, and deletes its images, leaves the others theirs; and they live on
    when the seed is gone."""
    passing = tmp_path / "overlayfs-seed/root"
    passing.parent.mkdir()
    mirror(seed.path, passing)
    layers = Layers(tmp_path / "layers", str(tmp_path / "layers"))
    one, other = tmp_path / "one", tmp_path / "other"
    for root in (one, other):
        assert plant(Seed(passing, seed.images), root, layers) == {}
    shutil.rmtree(passing)
    before = _contents(layers.folder)
    assert not any(path.endswith("/bin/busybox") for path in {**_contents(one), **_contents(other)})

    with containerd(one) as node:
        assert "mine" in node.run(stock.BUSYBOX, "sh", "-c", "echo mine >>/etc/passwd; rm /bin/ls; cat /etc/passwd")
        node.ctr("images", "rm", "--sync", stock.BUSYBOX)
        assert stock.BUSYBOX not in node.images()
    assert _contents(layers.folder) == before
    with containerd(other) as node:
        assert node.run(stock.BUSYBOX, "tail", "-n1", "/etc/passwd").startswith("nobody:")


def test_nodes_live_on_when_their_seed_is_gone(small_images: dict[str, Path], tmp_path: Path, seed: Seed) -> None:
    passing = tmp_path / "seed"
    mirror(seed.path, passing)
    plant(Seed(passing, small_images), tmp_path / "node")
    shutil.rmtree(passing)
    with containerd(tmp_path / "node") as node:
        assert node.run(stock.BUSYBOX, "echo", "alive") == "alive\n"


def test_across_file_systems_the_content_is_copied(seed: Seed, elsewhere: Path) -> None:
    plant(seed, elsewhere / "node")
    before = _contents(seed.path)
    assert _contents(elsewhere / "node") == before
    assert not any((seed.path / path).samefile(elsewhere / "node" / path) for path in before)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system: shared memory is always one of its own."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_a_seed_s_owner_can_read_all_of_it(seed: Seed) -> None:
    """Overlay mounts leave folders of mode 0, which a user without root could neither mirror nor remove."""
    folders = [path for path in seed.path.rglob("*") if path.is_dir() and not path.is_symlink()]
    assert [path for path in folders if path.stat().st_mode & 0o500 != 0o500] == []


def test_what_a_dead_maker_left_closed_can_be_removed_by_its_owner(tmp_path: Path) -> None:
    left = tmp_path / "left"
    (left / "snapshots/1/work/work").mkdir(parents=True)
    (left / "snapshots/1/work/work").chmod(0)
    (left / "blobs").mkdir()
    (left / "blobs/aa").touch()
    (left / "blobs").chmod(0o500)
    code = f"from pathlib import Path; from homeostat.cluster.state_folder import remove; remove(Path({str(left)!r}))"
    # As for any user: no leave to pass over modes.
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    subprocess.run([*drop, sys.executable, "-c", code], check=True, timeout=60)
    assert not left.exists()


def test_an_image_that_changed_replaces_the_old_one_and_what_only_that_had(own_state: Path, tmp_path: Path) -> None:
    def image(text: str) -> dict[str, Path]:
        tree = Tree()
        tree.text("text", text * 5000)
        return {"example.local/text:1": build(ImageSpec("example.local/text:1", (tree,)))}

    first = prepare_seed(image("one"))
    second = prepare_seed({**image("two"), **_pause()})
    third = prepare_seed(image("two"))

    texts = [path.read_text()[:3] for path in second.path.rglob("fs/text")]
    assert texts == ["two"]
    assert [path.read_text()[:3] for path in first.path.rglob("fs/text")] == ["one"]
    assert not list(third.path.rglob("catatonit"))
    # What did not change is the same file in both.
    kept, same = next(second.path.rglob("fs/text")), next(third.path.rglob("fs/text"))
    assert kept.samefile(same)


def _pause() -> dict[str, Path]:
    return {stock.PAUSE: build(stock.pause())}


def test_a_node_that_ran_before_keeps_its_images_and_gets_a_list_of_missing_ones(
    seed: Seed, small_images: dict[str, Path], tmp_path: Path
) -> None:
    root = tmp_path / "containerd"
    plant(Seed(seed.path, {stock.PAUSE: small_images[stock.PAUSE]}), root)
    mine = root / "mine"
    mine.touch()
    lacking = plant(seed, root)
    assert lacking == {stock.BUSYBOX: small_images[stock.BUSYBOX]}
    assert mine.exists()
    note(root, lacking)
    assert plant(seed, root) == {}


def test_planting_again_after_a_crash_halfway_gives_a_whole_root(seed: Seed, tmp_path: Path) -> None:
    half = tmp_path / ".containerd.planting"
    (half / "io.containerd.content.v1.content").mkdir(parents=True)
    plant(seed, tmp_path / "containerd")
    assert not half.exists()
    assert _contents(tmp_path / "containerd") == _contents(seed.path)


def test_files_of_somebody_else_are_not_overwritten(seed: Seed, tmp_path: Path) -> None:
    (tmp_path / "containerd").mkdir()
    (tmp_path / "containerd" / "precious").touch()
    with pytest.raises(LabError, match="cannot be given its images"):
        plant(seed, tmp_path / "containerd")
    assert (tmp_path / "containerd" / "precious").exists()


def test_an_archive_that_cannot_be_imported_leaves_no_seed_and_no_process(own_state: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"no archive" * 200)
    with pytest.raises(LabError, match="the images cannot be imported"):
        prepare_seed({"example.local/broken:1": broken})
    assert list((images_root() / "seeds").iterdir()) == []
    running = subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(own_state) not in running


def test_a_seed_can_be_made_inside_a_user_namespace(small_images: dict[str, Path], tmp_path: Path) -> None:
    """As in a lab without root: overlay mounts and unpacking work where only one user is mapped."""
    code = f"""
from pathlib import Path
from homeostat.lab.images.planting import plant
from homeostat.lab.images.seed import prepare_seed
images = {{name: Path(path) for name, path in {{ {stock.BUSYBOX!r}: {str(small_images[stock.BUSYBOX])!r} }}.items()}}
assert plant(prepare_seed(images), Path({str(tmp_path / "node")!r})) == {{}}
"""
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    enter = ["unshare", "--user", "--map-root-user"]
    ended = subprocess.run([*enter, sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert list((tmp_path / "node").rglob("fs/bin/busybox"))
