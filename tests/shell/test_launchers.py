"""The tools as programs: the scripts on a node's PATH, the real firewall behind `iptables`, and what start-up loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.shell.launchers import launchers
from tests.shell.conftest import Tool
from tests.support.netns import Space

_DROP = ("-p", "tcp", "--dport", "443", "-j", "DROP")
_ACCEPT = ("-p", "tcp", "--dport", "443", "-j", "ACCEPT")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which the tools come first, as a node has it."""
    for name, text in launchers(sys.executable).items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"


def run(path: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path, "HOME": "/", **more}
    return subprocess.run(["sh", "-c", " ".join(words)], capture_output=True, text=True, timeout=60, env=environment)


def test_there_is_a_script_for_each_tool_and_words_pass_through_whole(path: str) -> None:
    assert {"docker", "crictl", "systemctl", "journalctl", "iptables", "sudo", "service", "poweroff"} <= set(
        launchers("p")
    )
    said = run(path, "sudo A='b c' printenv A")
    assert (said.returncode, said.stdout) == (0, "b c\n")


def test_paths_may_have_spaces_and_quotes(tmp_path: Path) -> None:
    place = tmp_path / "it's a place"
    place.mkdir()
    (place / "python").symlink_to("/bin/echo")
    script = tmp_path / "docker"
    script.write_text(launchers(str(place / "python"), place)["docker"])
    said = subprocess.run(["sh", script, "ps", "a b"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("-P -c import sys; ") and said.endswith("main() docker ps a b\n")
    assert "it's a place" in said


def test_the_tools_are_found_wherever_this_program_was(path: str) -> None:
    """An interpreter that does not know the package by itself runs them all the same."""
    script = launchers("/usr/bin/env python3")["systemctl"].replace("'/usr/bin/env python3'", f"{sys.executable} -S")
    environment = {"PATH": path, "HOMEOSTAT_INIT_SOCKET": "/nowhere"}
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environment)
    assert "Failed to connect to bus" in said.stderr


def test_a_persons_own_files_are_no_modules(path: str, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stray module was loaded')")
    said = run(path, f"cd {tmp_path} && systemctl is-active kubelet", HOMEOSTAT_INIT_SOCKET="/nowhere")
    assert "Failed to connect to bus" in said.stderr


@pytest.mark.real
def test_the_guides_rules_are_taken_as_typed(path: str) -> None:
    """GUIDE.md, section 3: both rules are accepted, the second is explained, and the printed command clears the cut."""
    space = Space("firewall")
    try:
        space.do(lambda: _the_guides_rules(path))
    finally:
        space.close()


def _the_guides_rules(path: str) -> None:
    def iptables(*words: str) -> tuple[int, str, str]:
        done = run(path, "iptables", *words)
        return done.returncode, done.stdout, done.stderr

    assert iptables("-A", "OUTPUT", *_DROP) == (0, "", "")
    code, out, explained = iptables("-A", "OUTPUT", *_ACCEPT)
    assert (code, out) == (0, "")
    command = "iptables -D OUTPUT -p tcp --dport 443 -j DROP"
    assert command in explained and "first" in explained
    rules = ["-A OUTPUT -p tcp -m tcp --dport 443 -j DROP", "-A OUTPUT -p tcp -m tcp --dport 443 -j ACCEPT"]
    assert [line for line in iptables("-S", "OUTPUT")[1].splitlines() if line.startswith("-A")] == rules
    assert run(path, command).returncode == 0
    assert [line for line in iptables("-S", "OUTPUT")[1].splitlines() if line.startswith("-A")] == rules[1:]
    # Where it works nothing is said: no DROP before it, an insert, another table.
    assert iptables("-A", "OUTPUT", *_ACCEPT) == (0, "", "")
    assert iptables("-A", "OUTPUT", *_DROP)[2] == ""
    assert iptables("-I", "OUTPUT", *_ACCEPT) == (0, "", "")
    # The real one's refusals and exit codes are its own.
    real = subprocess.run(["/usr/sbin/iptables", "-A", "NIX", "-j", "ACCEPT"], capture_output=True, text=True)
    assert iptables("-A", "NIX", "-j", "ACCEPT") == (real.returncode, real.stdout, real.stderr)
    assert real.returncode != 0


def test_sudo_runs_as_who_is_there_already(tool: Tool, path: str) -> None:
    assert run(path, "sudo -u core -E sh -c 'exit 3'").returncode == 3
    assert tool("sudo", "-u", "postgres", "true").err.startswith("sudo: unknown user postgres")
    assert tool("sudo", "nosuchprogram").err == "sudo: nosuchprogram: command not found\n"
    assert tool("sudo").code == 1
    assert tool("sudo", "-v").code == 0


REFUSED = {
    ("run", "nginx"): "the kubelet makes containers",
    ("pull", "nginx"): "homeostat image load FILE",
    ("build", "."): "homeostat image load FILE",
    ("rename", "a", "b"): "the kubelet finds its containers by their names",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_docker_cannot_do_here_says_what_to_do_instead(tool: Tool, words: tuple[str, ...]) -> None:
    said = tool("docker", *words)
    assert said.code == 1
    assert said.err.startswith(f"docker {words[0]} is not possible here: ")
    assert REFUSED[words] in said.err


def test_dockers_own_complaints(tool: Tool) -> None:
    assert tool("docker", "frob").err == "docker: 'frob' is not a docker command.\nSee 'docker --help'\n"
    assert tool("docker", "--frob").code == 125
    assert tool("docker").code == 0
    assert "Usage:  docker COMMAND" in tool("docker", "--help").out
    assert "Usage:  docker ps" in tool("docker", "ps", "--help").out
    assert tool("crictl", "frob").code == 3
    assert tool("nosuch").code == 127


def test_without_an_engine_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    """Start-up is a feature: gRPC and asyncio are loaded once an engine answers, and never for the other tools."""
    program = (
        "import sys\nfrom homeostat.shell.__main__ import run\n"
        "run('docker', ['ps', '-q'])\nrun('systemctl', ['is-active', 'kubelet'])\n"
        "print(sorted({'grpc', 'asyncio', 'click', 'yaml', 'orjson', 'subprocess'} & set(sys.modules)))"
    )
    gone = str(tmp_path / "gone")
    environment = {**os.environ, "CONTAINER_RUNTIME_ENDPOINT": gone, "HOMEOSTAT_INIT_SOCKET": gone}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout == "[]\n"
    assert "Is the docker daemon running?" in done.stderr
