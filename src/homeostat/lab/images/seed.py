"""Seeds: a containerd root with all images imported and unpacked, made once and kept by what is in it.

A containerd of its own runs for that in private mount and process namespaces (inside a user namespace where the caller
is not root), so that it and all it mounts end with the script that drives it. `planting` gives nodes what it made.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from homeostat.cluster.state_folder import LabError, remove
from homeostat.lab.images.build import images_root, keep_newest, only_one
from homeostat.lab.images.machine_programs import program
from homeostat.lab.images.mirror import mirror

_SEEDS_KEPT = 3
_GOES = "homeostat.local/collect:1"
_SECONDS_MAX = 300
# Of CRI's own images: it lists them at its start without looking at each again, and never collects them.
_LABELS = ("io.cri-containerd.image=managed", "io.cri-containerd.pinned=pinned")
# Everything that is not needed to import, by its names in containerd 1 and 2.
_UNUSED = (
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.grpc.v1.cri",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.monitor.v1.cgroups",
    "io.containerd.runtime.v1.linux",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
)

_CONFIG = """version = 2
root = "{root}"
state = "{here}/state"
disabled_plugins = {unused}
[grpc]
address = "{here}/socket"
"""
# Its own end stops containerd and all mounts: it is the first process of its namespaces.
_FRAME = """set -eu
containerd --config "$1" >"$2" 2>&1 &
daemon=$!
until ctr version >/dev/null 2>&1; do
    kill -0 "$daemon" 2>/dev/null || exit 70
    sleep 0.02
done
{commands}
kill "$daemon"
wait "$daemon"
# What overlay mounts leave is of no use any more, and closed to the user outside of the namespace.
rmdir "$3"/*/snapshots/*/work/work 2>/dev/null || true
"""


@dataclass(frozen=True, slots=True)
class Seed:
    """A containerd root at `path`; `images` says which archive each image in it came from."""

    path: Path
    images: Mapping[str, Path]


def prepare_seed(images: Mapping[str, Path], *, snapshotter: str = "overlayfs") -> Seed:
    """The seed that has these images, by name and archive. Raises LabError when they cannot be imported.

    A seed that exists is found in a millisecond or two. A new one starts from the newest one, so that only images that
    changed are imported: the layers that they share with the old ones are there already.
    """
    record = orjson.dumps({"engine": _engine(), "images": {name: images[name].name for name in sorted(images)}})
    seeds = images_root() / "seeds"
    target = seeds / f"{snapshotter}-{hashlib.sha256(record).hexdigest()[:32]}"
    try:
        if not target.exists():
            with only_one(images_root()):
                if not target.exists():
                    _make(images, record, target, snapshotter)
                    keep_newest(seeds, f"{snapshotter}-*", _SEEDS_KEPT)
        os.utime(target)
    except OSError as error:
        raise LabError(f"the images cannot be prepared in {seeds}: {error}") from error
    return Seed(target / "root", images)


def _engine() -> list[object]:
    """Which containerd this machine has: another one may not read what this one wrote."""
    found = program("containerd")
    return [str(found), found.stat().st_size, found.stat().st_mtime_ns]


def _make(images: Mapping[str, Path], record: bytes, target: Path, snapshotter: str) -> None:
    scratch = target.with_name(f".{target.name}")
    scratch.mkdir(parents=True)
    try:
        old = _start_from_newest(target.parent, scratch / "root", snapshotter)
        _run(scratch / "root", _commands(images, old, snapshotter))
        (scratch / "seed.json").write_bytes(record)
        scratch.rename(target)
    finally:
        remove(scratch)


def _start_from_newest(seeds: Path, root: Path, snapshotter: str) -> dict[str, str]:
    """Fill `root` from the newest seed of this containerd, if there is one; the archive's name of each image in it."""
    for path in sorted(seeds.glob(f"{snapshotter}-*"), key=lambda seed: seed.stat().st_mtime_ns, reverse=True):
        record = orjson.loads((path / "seed.json").read_bytes())
        if record["engine"] == _engine():
            mirror(path / "root", root)
            return dict(record["images"])
    return {}


def _commands(images: Mapping[str, Path], old: Mapping[str, str], snapshotter: str) -> list[list[str]]:
    """What turns a root with the `old` images into one with `images`."""
    commands: list[list[str]] = []
    for name, path in sorted(images.items()):
        if old.get(name) != path.name:
            commands.append(["ctr", "images", "import", "--snapshotter", snapshotter, str(path)])
            commands.append(["ctr", "images", "label", name, *_LABELS])
    gone = [name for name in old if name not in images]
    if old and images:
        # What a new image replaced is collected when some image is removed: one that is removed for that, if no other.
        commands.append(["ctr", "images", "tag", min(images), _GOES])
        gone.append(_GOES)
    return commands + [["ctr", "images", "rm", "--sync", name] for name in gone]


def _run(root: Path, commands: list[list[str]]) -> None:
    """Run commands beside a containerd that keeps its data in `root`. Raises LabError with what the last one said."""
    program("ctr")
    # Not below the state root: a socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="homeostat-") as folder:
        here = Path(folder)
        (here / "config.toml").write_text(_CONFIG.format(root=root, here=here, unused=orjson.dumps(_UNUSED).decode()))
        script = _FRAME.format(commands="\n".join(f"{shlex.join(command)} >/dev/null" for command in commands))
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        alone += ["--user", "--map-root-user"] if os.geteuid() else []
        env = {**os.environ, "CONTAINERD_ADDRESS": f"{here}/socket", "CONTAINERD_NAMESPACE": "k8s.io"}
        argv = [*alone, "sh", "-c", script, "sh", f"{here}/config.toml", f"{here}/log", str(root)]
        try:
            ended = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=_SECONDS_MAX)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"the images cannot be imported: {error}") from error
        if ended.returncode:
            log = (here / "log").read_text(errors="replace") if (here / "log").exists() else ""
            said = ended.stderr.strip() or log.strip()
            raise LabError(f"the images cannot be imported: {said[-600:] or f'exit code {ended.returncode}'}")
