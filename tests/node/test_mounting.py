"""Parts of volumes, and file systems in memory: what is opened is what was checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.node.isolation import mounting, ownership

STORY = """
import os, sys
from pathlib import Path
from homeostat.node.isolation import mounting
root = Path(sys.argv[1])
mounting.make_tmpfs(root / "pod/memory", 1 << 20)
mounting.make_tmpfs(root / "pod/memory", 1 << 20)
assert os.statvfs(root / "pod/memory").f_blocks * os.statvfs(root / "pod/memory").f_frsize == 1 << 20
(root / "volume/a").mkdir(parents=True)
(root / "volume/a/file").write_text("kept")
bound = mounting.bind_part(str(root / "volume"), "a", root / "pod/parts/main/0")
assert (Path(bound) / "file").read_text() == "kept"
single = mounting.bind_part(str(root / "volume"), "a/file", root / "pod/parts/main/1")
assert Path(single).read_text() == "kept"
# The next instance of the container has the part again.
mounting.bind_part(str(root / "volume"), "new", root / "pod/parts/main/0")
assert (root / "volume/new").is_dir()
assert mounting.unmount_below(root / "pod")
assert not os.path.ismount(root / "pod/memory")
assert (root / "volume/a/file").read_text() == "kept"
"""


@pytest.mark.real
def test_mounts_are_made_kept_and_taken_away(tmp_path: Path) -> None:
    """In a mount namespace of its own, so that nothing is left whatever happens."""
    command = ["unshare", "-m", sys.executable, "-c", STORY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_part_cannot_lead_out_of_its_volume(tmp_path: Path) -> None:
    """pkg/volume/util/subpath: not by `..`, nor by a link that a container left."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/out").symlink_to("/etc")
    for inside in ("../x", "out/passwd", "out"):
        with pytest.raises(OSError, match="not within volume path"):
            mounting.open_part(str(tmp_path / "volume"), inside)


def test_a_link_inside_the_volume_is_followed(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1/file").write_text("x")
    (tmp_path / "..data").symlink_to("v1")
    opened = mounting.open_part(str(tmp_path), "..data/file")
    assert os.readlink(f"/proc/self/fd/{opened}") == str(tmp_path / "v1/file")
    os.close(opened)


def test_a_missing_part_is_made_with_the_volumes_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    os.close(mounting.open_part(str(tmp_path), "a/b"))
    assert (tmp_path / "a/b").stat().st_mode & 0o7777 == 0o2770


def test_a_volume_is_given_to_the_pods_group(tmp_path: Path) -> None:
    """pkg/volume/volume_linux.go: files can be read and written by the group, new ones in folders are its own."""
    (tmp_path / "deep").mkdir(mode=0o700)
    (tmp_path / "deep/file").write_text("x")
    (tmp_path / "deep/file").chmod(0o600)
    (tmp_path / "link").symlink_to("/etc/hostname")
    before = os.stat("/etc/hostname").st_gid
    ownership.give(tmp_path, 4321)
    assert (os.stat(tmp_path / "deep/file").st_gid, os.stat(tmp_path / "deep/file").st_mode & 0o777) == (4321, 0o660)
    assert os.stat(tmp_path / "deep").st_mode & 0o7777 == 0o2770
    assert os.stat("/etc/hostname").st_gid == before
    assert os.lstat(tmp_path / "link").st_gid == 4321
