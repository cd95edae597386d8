"""A login on a node by a real SSH server and client: who may, what they get, and where the server cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeostat.lab.inside import accounts, sshd
from tests.shell import sshd_host
from tests.support.patience import eventually

PATH = "/homeostat/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOSTS = [sshd.Host("worker-1", "127.0.0.1"), sshd.Host("worker-2", "172.30.0.22")]
FIRST_MAPPED = 100_000


def test_a_cluster_keeps_its_keys(tmp_path: Path) -> None:
    keys = sshd.prepare(tmp_path / "ssh", HOSTS[:1])
    before = keys.host.read_bytes(), keys.client.read_bytes()
    sshd.prepare(tmp_path / "ssh", HOSTS)
    assert (keys.host.read_bytes(), keys.client.read_bytes()) == before
    assert keys.host.stat().st_mode & 0o077 == 0
    assert keys.client.stat().st_mode & 0o077 == 0


def test_a_client_knows_every_node_by_name_and_address(tmp_path: Path) -> None:
    keys = sshd.prepare(tmp_path / "ssh", HOSTS)
    lines = keys.known_hosts.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["worker-1,127.0.0.1", "worker-2,172.30.0.22"]
    assert {line.split()[1] for line in lines} == {"ssh-ed25519"}
    found = subprocess.run(["ssh", "-G", "-F", keys.config, "worker-2"], capture_output=True, text=True, check=True)
    settings = dict(line.split(" ", 1) for line in found.stdout.splitlines())
    assert (settings["user"], settings["hostname"]) == ("core", "172.30.0.22")
    assert settings["identityfile"] == str(keys.client)


def test_the_persons_own_keys_open_the_nodes_too(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAAmine me@here\n")
    (tmp_path / ".ssh" / "broken.pub").write_bytes(b"\xff\xfe")
    users = sshd.users_keys(tmp_path)
    text = sshd.authorized_keys("ssh-ed25519 AAAAlab homeostat\n", [*users, *users, "# a remark\n\n"])
    assert text.splitlines() == ["ssh-ed25519 AAAAlab homeostat", "ssh-ed25519 AAAAmine me@here"]
    assert sshd.users_keys(tmp_path / "nobody") == []


@pytest.mark.parametrize(
    ("uid_map", "setgroups", "usable"),
    [
        ("0 0 4294967295\n", "allow\n", True),
        ("0 1001 1\n1 100000 65535\n", "allow\n", True),
        ("0 1001 1\n", "deny\n", False),
        ("0 1001 1\n1 100000 65535\n", "deny\n", False),
        ("", "allow", False),
    ],
)
def test_the_server_needs_a_user_of_its_own_and_groups(uid_map: str, setgroups: str, usable: bool) -> None:
    """Before a login OpenSSH drops to its own user and its groups (sshd(8), privilege separation)."""
    assert sshd.usable(uid_map, setgroups) is usable


def test_core_is_root_under_another_name() -> None:
    lines = [line.split(":") for line in accounts.passwd().splitlines()]
    assert lines[0][0] == "root", "the owner of a process is shown as root"
    core = next(line for line in lines if line[0] == "core")
    assert core[2:4] == ["0", "0"]
    assert core[5:] == ["/home/core", "/bin/bash"]
    assert {line.split(":")[1] for line in accounts.shadow().splitlines()} == {"*"}
    assert {line.split(":")[0] for line in accounts.shadow().splitlines()} == {line[0] for line in lines}


def test_every_account_has_a_group() -> None:
    groups = {line.split(":")[2] for line in accounts.group().splitlines()}
    assert {line.split(":")[3] for line in accounts.passwd().splitlines()} <= groups


def test_the_message_of_the_day_names_the_node_and_the_tools() -> None:
    text = accounts.motd("worker-1", "homeostat")
    assert "worker-1" in text and "homeostat" in text
    assert all(word in text for word in ("docker ps", "systemctl", "journalctl", "iptables"))
    assert max(map(len, text.splitlines())) <= 120


Login = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=["", f"0 {FIRST_MAPPED} 65536"], ids=["as root", "in a user namespace with ranges"])
def login(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """A node's server, and a client's command in its network."""
    folder = tmp_path_factory.mktemp("node")
    keys = sshd.prepare(folder / "keys", HOSTS)
    _fill(folder, keys)
    if request.param:
        _give_away(folder)
    # Root of the user namespace has to come through to its files.
    for parent in [folder, *folder.parents][:-2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    log = folder / "log"
    with log.open("wb") as file:
        server = subprocess.Popen([sys.executable, sshd_host.__file__, str(folder), request.param], stderr=file)
    try:
        eventually(lambda: "Server listening" in log.read_text() or server.poll() is not None)
        assert server.poll() is None, log.read_text()
        enter = ["nsenter", f"--net=/proc/{server.pid}/ns/net"]

        def run(*words: str, options: tuple[str, ...] = (), text: str = "") -> subprocess.CompletedProcess[str]:
            command = [*enter, "ssh", "-F", str(keys.config), *options, "worker-1", *words]
            return subprocess.run(command, input=text, capture_output=True, text=True, timeout=30)

        yield run
    finally:
        server.kill()
        server.wait()


def _fill(folder: Path, keys: sshd.Keys) -> None:
    etc = {**sshd.files(keys, path=PATH), **accounts.files("worker-1", path=PATH, cluster="homeostat")}
    for place, files in ((folder / "etc", etc), (folder / "home", accounts.home())):
        for name, (text, mode) in files.items():
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            target.chmod(mode)


def _give_away(folder: Path) -> None:
    for place in (folder / "etc", folder / "home"):
        for path in [place, *place.rglob("*")]:
            os.chown(path, FIRST_MAPPED, FIRST_MAPPED)


@pytest.mark.real
def test_core_logs_in_with_the_clusters_key_and_is_root(login: Login) -> None:
    done = login('id -u; echo "$USER $HOME $PATH"; exit 3')
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == ["0", f"core /home/core {PATH}"]
    # A login shell, with what it greets with, and the tools first on its PATH.
    shell = login(options=("-tt",), text="echo PATH=$PATH; tty; exit\n")
    assert "worker-1, a node of the cluster homeostat" in shell.stdout
    assert f"PATH={PATH}" in shell.stdout
    assert "/dev/pts/" in shell.stdout
    # Without its key nobody gets in, and nobody is asked for a password.
    strange = ("-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-l", "core")
    refused = login("true", options=(*strange, "-o", "HostName=127.0.0.1", "-o", "IdentityFile=/none"))
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr
