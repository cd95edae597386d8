"""The set-up scripts: they show what they do, keep what went wrong, and find a kubectl or bring one."""

from __future__ import annotations

import io
import json
import os
import platform
import pty
import re
import subprocess
import tarfile
import termios
import zipfile
from pathlib import Path

import pytest
from tools import first_drill, kubectl

TOOLS = Path(kubectl.__file__).parent


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def kubectl_of(path: Path, minor: str) -> Path:
    answer = json.dumps({"clientVersion": {"major": "1", "minor": minor, "gitVersion": f"v1.{minor}.0"}})
    return program(path, f"echo '{answer}'")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole $PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "machine"))
    monkeypatch.delenv("KUBECTL", raising=False)
    return tmp_path / "machine"


# -- kubectl -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", ["32", "36", "40+"])
def test_a_machine_with_a_good_kubectl_keeps_its_own(machine: Path, tmp_path: Path, minor: str) -> None:
    own = kubectl_of(machine / "kubectl", minor)
    kubectl_of(tmp_path / "bin" / "kubectl", "36")
    assert kubectl.chosen(tmp_path / "bin") == str(own)


@pytest.mark.parametrize("minor", ["", "20", "31+"])
def test_an_old_kubectl_gives_way_to_the_one_of_the_environment(machine: Path, tmp_path: Path, minor: str) -> None:
    if minor:
        kubectl_of(machine / "kubectl", minor)
    assert kubectl.chosen(tmp_path / "bin") is None
    brought = kubectl_of(tmp_path / "bin" / "kubectl", "36")
    assert kubectl.chosen(tmp_path / "bin") == str(brought)


def test_what_a_machine_has_instead_is_said(machine: Path) -> None:
    assert kubectl.missing() == "kubectl 1.32 or newer is needed, and this machine has none"
    old = kubectl_of(machine / "kubectl", "20+")
    assert kubectl.missing() == f"kubectl 1.32 or newer is needed, and {old} is 1.20"
    program(old, "exit 1")
    assert kubectl.missing() == f"kubectl 1.32 or newer is needed, and {old} does not run"


def test_a_kubectl_is_not_brought_to_another_architecture(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(kubectl.NoKubectl, match=r"this machine has none; .* for Linux on x86_64, not \w+ on aarch64"):
        kubectl.install(machine)


def wheel(path: Path, programs: dict[str, str]) -> Path:
    """A package as the one that is locked: a zip file in an npm package in a wheel."""
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as packed:
        for name, script in programs.items():
            packed.writestr(name, script)
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer.getvalue())
        tar.addfile(entry, io.BytesIO(layer.getvalue()))
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("some/_jsii/layer@1.jsii.tgz", inner.getvalue())
    return path


def test_the_programs_of_the_package_are_unpacked_to_run(tmp_path: Path) -> None:
    kubectl_of(tmp_path / "made", "36")
    script = (tmp_path / "made").read_text()
    kubectl.unpack(wheel(tmp_path / "a.whl", {"kubectl/kubectl": script, "helm/helm": script}), tmp_path)
    assert kubectl.client_version(str(tmp_path / "kubectl")) == (1, 36)
    assert os.access(tmp_path / "helm", os.X_OK)


def test_a_package_that_is_built_otherwise_is_named(tmp_path: Path) -> None:
    with pytest.raises(kubectl.NoKubectl, match=r"no kubectl in a\.whl"):
        kubectl.unpack(wheel(tmp_path / "a.whl", {"helm/helm": ""}), tmp_path)


def test_what_make_up_says_of_kubectl_works_in_the_shell_it_was_typed_in(machine: Path, tmp_path: Path) -> None:
    kubectl_of(machine / "kubectl", "33")
    assert first_drill.kubectl_words() == "kubectl get pods -A -o wide -w"
    kubectl_of(machine / "kubectl", "20")
    brought = kubectl_of(tmp_path / "bin" / "kubectl", "36")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubectl, "chosen", lambda: str(brought))
        assert first_drill.kubectl_words() == f"{brought} get pods -A -o wide -w"


# -- steps -------------------------------------------------------------------------------------------------------------


def scripted(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    """The end of a shell script that sources the steps."""
    text = f'set -eu\nVENV={tmp_path}/venv\n. "{TOOLS}/steps.sh"\n{script}\n'
    return subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_a_step_says_when_it_begins_and_ends(tmp_path: Path) -> None:
    done = scripted(tmp_path, 'step "Making it" echo much detail')
    begun, ended = done.stdout.splitlines()
    assert begun == "Making it ..." and re.fullmatch(r"Making it: done after \d+ s", ended)
    assert (tmp_path / "venv" / "setup.log").read_text() == "much detail\n"


@pytest.mark.parametrize("columns", [0, 40])
def test_a_step_shows_on_a_terminal_what_it_does(tmp_path: Path, columns: int) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    # The step ends when its line has been drawn.
    step = f"until [ -e {tmp_path}/drawn ]; do echo a line of what it does that is longer; sleep 0.1; done"
    text = f'VENV={tmp_path}/venv\n. "{TOOLS}/steps.sh"\nstep "Making it" sh -c "{step}"'
    with subprocess.Popen(["sh", "-c", text], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL) as running:
        os.close(theirs)
        printed = b""
        while b"s) a line of what" not in printed:
            printed += os.read(ours, 4096)
        (tmp_path / "drawn").touch()
        while b"done after" not in printed:
            printed += os.read(ours, 4096)
        assert running.wait(60) == 0
    os.close(ours)
    lines = printed.decode().split("\r\x1b[K")
    assert lines[-1].startswith("Making it: done after ")
    assert all(len(line) < (columns or 80) for line in lines[:-1])


def test_a_failed_step_shows_its_error_and_ends_the_script(tmp_path: Path) -> None:
    done = scripted(tmp_path, 'step "Making it" sh -c "echo E: no space left >&2; exit 3"\necho went on')
    assert done.returncode == 3 and "went on" not in done.stdout
    assert re.search(r"^Making it: failed after \d+ s with exit code 3", done.stderr), done.stderr
    assert "    E: no space left" in done.stderr
    assert f"All of it is in {tmp_path}/venv/setup.log." in done.stderr


def test_an_apt_failure_of_the_container_setup_can_be_read_and_is_retried(tmp_path: Path) -> None:
    """`make setup` continues without container mode, and looks again the next time."""
    tools = tmp_path / "bin"
    for name in ("cat", "date", "dirname", "ldd", "mktemp", "mkdir", "chmod", "rm", "sed", "tail", "sh"):
        (tools / name).parent.mkdir(exist_ok=True)
        (tools / name).symlink_to(next(p for p in (Path("/usr/bin", name), Path("/bin", name)) if p.exists()))
    program(tools / "id", "echo 0")
    program(tools / "apt-get", "echo E: Could not get lock /var/lib/dpkg/lock-frontend. >&2; exit 100")
    environment = {"PATH": str(tools), "VENV": str(tmp_path / "venv")}

    def run() -> subprocess.CompletedProcess[str]:
        # The script looks for programs in the folders of administrators as well; those are not there to find here.
        script = (TOOLS / "setup-containers.sh").read_text().replace("PATH=$PATH:", "ADMIN=")
        (tmp_path / "setup-containers.sh").write_text(script)
        (tmp_path / "steps.sh").write_text((TOOLS / "steps.sh").read_text())
        words = [str(tools / "sh"), str(tmp_path / "setup-containers.sh")]
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)

    for _ in range(2):
        done = run()
        assert done.returncode == 1
        assert "E: Could not get lock" in done.stderr and "with exit code 100" in done.stderr
        assert "container mode needs: containerd" in done.stderr and "without, pods are plain processes" in done.stderr


def test_the_static_busybox_gives_way_to_debians_other_one_with_one_try(tmp_path: Path) -> None:
    """Its shell runs its own `wget`, which crashes with -T; all else of container mode works with it."""
    tools = tmp_path / "bin"
    wanted = re.findall(r"([\w/-]+):[\w-]+", (TOOLS / "setup-containers.sh").read_text())
    for name in wanted:
        if "/" not in name:
            program(tools / name, "exit 0")
    program(tools / "id", "echo 0")
    program(tools / "dpkg", 'echo "$@" | grep -qx -- "-s busybox-static"')
    program(tools / "apt-get", f'echo "$@" >>{tmp_path}/asked; exit 100')
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "VENV": str(tmp_path / "venv")}
    script = (TOOLS / "setup-containers.sh").read_text().replace("/usr/lib/cni/bridge", "ip")
    (tmp_path / "setup-containers.sh").write_text(script)
    (tmp_path / "steps.sh").write_text((TOOLS / "steps.sh").read_text())
    for _ in range(2):
        words = ["sh", str(tmp_path / "setup-containers.sh")]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[-1] for line in asked if "install" in line] == ["busybox"]


def test_a_failed_step_of_the_machine_neither_ends_make_nor_is_stamped(tmp_path: Path) -> None:
    """Only the environment's stamp is a file; the rest is looked at each time."""
    environment = tmp_path / "venv"
    program(environment / "bin" / "python", "echo no kubectl here >&2; exit 1")
    for name in ("setup-machine.sh", "kubectl.py"):
        (tmp_path / name).write_text((TOOLS / name).read_text())
    (tmp_path / "setup-containers.sh").write_text("echo no containers here >&2; exit 1\n")
    for _ in range(2):
        done = subprocess.run(
            ["sh", str(tmp_path / "setup-machine.sh"), str(environment)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert done.stderr.splitlines() == ["no containers here", "no kubectl here"]


def test_the_environment_is_stamped_by_itself() -> None:
    """The stamp depends on what the environment is made of, and on nothing that the machine may lack."""
    makefile = (TOOLS.parent / "Makefile").read_text()
    recipe = makefile.partition("$(STAMP):\n")[2].partition("\n\n")[0]
    assert "setup.sh" in recipe and "setup-machine" not in recipe and "touch $@" in recipe
