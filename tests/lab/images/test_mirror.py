"""A mirror of a containerd root: what is written in place is copied, all else is linked, and nothing is lost."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.lab.images.mirror import SNAPSHOTS, mirror

BLOBS = "io.containerd.content.v1.content/blobs/sha256"
TREE = "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs"
DATABASE = "io.containerd.metadata.v1.bolt/meta.db"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A little containerd root."""
    made = tmp_path / "root"
    for folder in (BLOBS, f"{TREE}/bin", Path(DATABASE).parent):
        (made / folder).mkdir(parents=True)
    (made / BLOBS / "aa").write_bytes(b"a layer")
    (made / TREE / "bin/sh").write_bytes(b"a shell")
    (made / TREE / "bin/sh").chmod(0o4755)
    (made / TREE / "sh").symlink_to("/bin/sh")
    (made / TREE / "tmp").mkdir()
    (made / TREE / "tmp").chmod(0o1777)
    (made / DATABASE).write_bytes(b"what there is")
    return made


@pytest.fixture(params=["links", "copies"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """On the same file system, and on another: shared memory is always one of its own."""
    if request.param == "links":
        yield tmp_path / "mirror"
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder) / "mirror"


def test_all_is_there_with_its_mode(root: Path, target: Path) -> None:
    mirror(root, target)
    names = {path.relative_to(root) for path in root.rglob("*")}
    assert {path.relative_to(target) for path in target.rglob("*")} == names
    for name in names:
        assert (target / name).lstat().st_mode == (root / name).lstat().st_mode, name
    assert os.readlink(target / TREE / "sh") == "/bin/sh"
    assert (target / DATABASE).read_bytes() == b"what there is"


def test_the_trees_of_layers_can_be_elsewhere(root: Path, target: Path) -> None:
    """Links lead to where whoever runs containers sees them: nothing but that and the databases is of the node."""
    mirror(root, target, layers="/run/layers/seed")
    assert os.readlink(target / TREE) == "/run/layers/seed/1/fs"
    assert (target / BLOBS / "aa").read_bytes() == b"a layer"
    assert (target / DATABASE).read_bytes() == b"what there is"


def test_layers_alone_are_mirrored_by_links(root: Path, tmp_path: Path) -> None:
    mirror(root / SNAPSHOTS, tmp_path / "layers")
    assert (tmp_path / "layers/1/fs/bin/sh").samefile(root / TREE / "bin/sh")


def test_a_database_is_no_link(root: Path, target: Path) -> None:
    mirror(root, target)
    (target / DATABASE).write_bytes(b"something else")
    assert (root / DATABASE).read_bytes() == b"what there is"


def test_what_is_removed_in_one_stays_in_the_other(root: Path, target: Path) -> None:
    mirror(root, target)
    (target / BLOBS / "aa").unlink()
    (root / TREE / "bin/sh").unlink()
    assert (root / BLOBS / "aa").read_bytes() == b"a layer"
    assert (target / TREE / "bin/sh").read_bytes() == b"a shell"


def test_a_whiteout_stays_a_whiteout(root: Path, target: Path) -> None:
    """overlayfs: a character device 0/0 in an upper layer takes a name away from those below."""
    os.mknod(root / TREE / "gone", stat.S_IFCHR, os.makedev(0, 0))
    mirror(root, target)
    seen = (target / TREE / "gone").lstat()
    assert stat.S_ISCHR(seen.st_mode)
    assert seen.st_rdev == os.makedev(0, 0)


def test_an_opaque_folder_stays_opaque(root: Path, target: Path) -> None:
    """overlayfs: the attribute hides what lower layers have in a folder."""
    os.setxattr(root / TREE / "tmp", "trusted.overlay.opaque", b"y")
    mirror(root, target)
    assert os.getxattr(target / TREE / "tmp", "trusted.overlay.opaque") == b"y"


def test_owners_stay(root: Path, target: Path) -> None:
    for path in (root / TREE / "tmp", root / TREE / "bin/sh", root / TREE / "sh"):
        os.chown(path, 1000, 1001, follow_symlinks=False)
    (root / TREE / "bin/sh").chmod(0o4755)
    mirror(root, target)
    for path in (target / TREE / "tmp", target / TREE / "bin/sh", target / TREE / "sh"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (1000, 1001)
    # A change of owner takes the bit away; it has to come back.
    assert (target / TREE / "bin/sh").stat().st_mode & 0o7777 == 0o4755
    assert (target / TREE / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_a_socket_that_a_dead_engine_left_is_no_content(root: Path, target: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(root / "sock"))
    mirror(root, target)
    assert not (target / "sock").exists()


def test_a_mirror_takes_no_place_that_is_taken(root: Path, target: Path) -> None:
    target.mkdir(parents=True)
    with pytest.raises(FileExistsError):
        mirror(root, target)
