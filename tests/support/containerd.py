"""A real containerd in private mount and process namespaces, with its CRI service, on a folder of the test's choice."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import grpc

from tests.support.patience import eventually

_CONFIG = """version = 2
root = "{root}"
state = "{here}/state"
[grpc]
address = "{here}/socket"
[plugins."io.containerd.internal.v1.opt"]
path = "{here}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "homeostat.local/pause:1"
disable_tcp_service = true
stream_server_port = "0"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{here}/none"
conf_dir = "{here}/none"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{registries}"
"""


class Containerd:
    """Talks to a containerd that runs."""

    def __init__(self, process: subprocess.Popen[bytes], here: Path) -> None:
        self._process = process
        self._here = here
        self.socket = here / "socket"

    def ctr(self, *argv: str) -> str:
        """Run `ctr` beside it, in the namespace of Kubernetes' images; what it prints."""
        ended = self.run_ctr("--namespace", "k8s.io", *argv)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.decode()

    def run_ctr(self, *argv: str, stdin: IO[bytes] | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run `ctr` beside it, whatever comes of it."""
        [first] = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        enter = ["nsenter", f"--target={first}", "--mount", "--pid", "ctr", "--address", str(self.socket)]
        return subprocess.run([*enter, *argv], stdin=stdin, capture_output=True, timeout=120)

    def images(self) -> set[str]:
        """The names of its images."""
        return set(self.ctr("images", "ls", "--quiet").split())

    def run(self, image: str, *argv: str) -> str:
        """Run a container to its end; what it prints."""
        fifos = ["--fifo-dir", str(self._here / "fifos")]
        return self.ctr("run", "--rm", "--snapshotter", "overlayfs", *fifos, image, f"c{os.getpid()}", *argv)

    def cri(self, call: str, request: bytes = b"", *, seconds: float = 60) -> bytes:
        """Call a method of its CRI service (`ImageService/ListImages`) with an encoded message."""
        with grpc.insecure_channel(f"unix:{self.socket}") as channel:
            method = channel.unary_unary(f"/runtime.v1.{call}")
            answer: bytes = method(request, timeout=seconds)
            return answer


@contextmanager
def containerd(
    root: Path, *, env: dict[str, str] | None = None, registries: Path | None = None
) -> Iterator[Containerd]:
    """Run containerd with its data in `root` for the length of a block. `registries` has a hosts.toml for each."""
    with tempfile.TemporaryDirectory(prefix="containerd-", ignore_cleanup_errors=True) as folder:
        here = Path(folder)
        config = _CONFIG.format(root=root, here=here, registries=registries or here / "none")
        (here / "config.toml").write_text(config)
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with (here / "log").open("wb") as log:
            command = [*alone, "containerd", "--config", str(here / "config.toml")]
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        running = Containerd(process, here)
        try:
            eventually(lambda: _answers(running) or _gone(process, here), seconds=30)
            yield running
        finally:
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGTERM)
            process.wait(timeout=30)


def _answers(running: Containerd) -> bool:
    try:
        return bool(running.cri("RuntimeService/Version", seconds=1))
    except grpc.RpcError:
        return False


def _gone(process: subprocess.Popen[bytes], here: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError((here / "log").read_text())
    return False
