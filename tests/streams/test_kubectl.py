"""kubectl exec, attach, cp and port-forward, over WebSockets (kubectl's default since 1.31) and over SPDY."""

from __future__ import annotations

import http.client
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.patience import eventually

from .conftest import Site, env
from .terminal import Terminal

pytestmark = pytest.mark.real
MEGABYTES = random.Random(11).randbytes(10_000_000)


def test_exec_separates_outputs_and_ends_with_the_commands_exit_code(site: Site, ws: bool):
    done = site.run("exec", "web", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 7", ws=ws)
    assert (done.returncode, done.stdout) == (7, b"out\n")
    assert done.stderr == b"err\ncommand terminated with exit code 7\n"
    done = site.run("exec", "web", "-c", "main", "--", "printf", "%s|", "a b", "", "c&d=e", "é", ws=ws)
    assert (done.returncode, done.stdout.decode()) == (0, "a b||c&d=e|é|"), "every word arrives as it is"


def test_standard_input_of_ten_megabytes_comes_back_whole(site: Site, ws: bool):
    done = site.run("exec", "-i", "web", "-c", "main", "--", "cat", data=MEGABYTES, ws=ws)
    assert (done.returncode, done.stdout == MEGABYTES) == (0, True)


def test_a_closed_standard_input_is_an_end_while_output_goes_on(site: Site, ws: bool):
    """v5's CLOSE signal (KEP-4006): `wc` sees the end of its input, and answers after it."""
    done = site.run("exec", "-i", "web", "-c", "main", "--", "sh", "-c", "wc -c; echo after", data=b"x" * 1234, ws=ws)
    assert (done.returncode, done.stdout.split()) == (0, [b"1234", b"after"])


def test_a_terminal_has_its_size_and_follows_the_window(site: Site, ws: bool):
    command = site.command("exec", "-it", "web", "-c", "main", "--", "sh")
    with closing(Terminal(command, env(ws=ws), 30, 100)) as terminal:
        terminal.until("#")
        # The answer's words differ from those that are typed, for a terminal shows both.
        eventually(lambda: sized(terminal) == "30 100")
        terminal.resize(50, 120)
        eventually(lambda: sized(terminal) == "50 120")
        terminal.type("exit 3\n")
        terminal.until("command terminated with exit code 3")
        assert terminal.ends() == 3


def sized(terminal: Terminal) -> str:
    terminal.type("echo si''ze $(stty size) en''d\n")
    terminal.until("size ")
    return terminal.until(" end")


def test_attach_shows_what_a_container_writes_from_now_on(site: Site, ws: bool):
    command = site.command("attach", "web", "-c", "ticker")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env(ws=ws)) as visit:
        assert visit.stdout is not None
        assert [visit.stdout.readline() for _ in range(3)] == [b"tick\n"] * 3
        visit.kill()


def test_attach_joins_the_containers_own_process(site: Site, ws: bool):
    """`echo` runs cat: what it is given comes back, and it runs on when its visitor has left."""
    command = site.command("attach", "-i", "web", "-c", "echo")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env(ws=ws)
    ) as visit:
        assert visit.stdin is not None and visit.stdout is not None
        for line in (b"one\n", b"two\n"):
            visit.stdin.write(line)
            visit.stdin.flush()
            assert visit.stdout.readline() == line
        visit.kill()
    assert b'"ready":true' in site.run("get", "pod", "web", "-o", "jsonpath={.status.containerStatuses[0]}").stdout


def test_attach_to_a_terminal(site: Site):
    with closing(Terminal(site.command("attach", "-it", "web", "-c", "term"), env(ws=True), 25, 90)) as terminal:
        terminal.type("\n")
        terminal.until("#")
        eventually(lambda: sized(terminal) == "25 90")


def test_files_are_copied_both_ways(site: Site, tmp_path: Path):
    (tmp_path / "there").write_bytes(MEGABYTES)
    there = site.run("cp", str(tmp_path / "there"), f"web:{site.pages}/copy", "-c", "main")
    assert there.returncode == 0, there.stderr
    back = site.run("cp", f"web:{site.pages}/copy", str(tmp_path / "back"), "-c", "main")
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "back").read_bytes() == MEGABYTES


@contextmanager
def forwarding(site: Site, *, ws: bool) -> Iterator[int]:
    """The local port of `kubectl port-forward pod/web :8080`."""
    command = site.command("port-forward", "pod/web", ":8080")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env(ws=ws)
    ) as kubectl:
        try:
            assert kubectl.stdout is not None and kubectl.stderr is not None
            line = kubectl.stdout.readline()
            assert line.startswith("Forwarding from 127.0.0.1:"), line + kubectl.stderr.read()
            yield int(line.split("127.0.0.1:")[1].split()[0])
        finally:
            kubectl.terminate()


def fetch(site: Site, port: int, path: str, *, at_once: int) -> list[bytes]:
    """The bodies of as many requests at once, each over its own connection."""
    bodies: list[bytes] = []

    def one() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        bodies.append(connection.getresponse().read())
        connection.close()

    def all_of_them() -> None:
        threads = [threading.Thread(target=one) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    site.within(all_of_them)
    return bodies


def test_a_forwarded_port_carries_many_connections_at_once(site: Site, ws: bool):
    # The shell stays, for containerd stops the input of a command that has closed its output.
    there = site.run(
        "exec", "-i", "web", "-c", "main", "--", "sh", "-c", f"cat >{site.pages}/big; :", data=MEGABYTES[:3_000_000]
    )
    assert there.returncode == 0
    with forwarding(site, ws=ws) as port:
        assert fetch(site, port, "/big", at_once=5) == [MEGABYTES[:3_000_000]] * 5
        assert fetch(site, port, "/", at_once=2) == [b"page\n"] * 2


def test_what_cannot_be_done_is_said_in_kubectls_words(site: Site, ws: bool):
    for words, text in (
        (("exec", "web", "-c", "nope", "--", "true"), "container nope is not valid for pod web"),
        (("exec", "none", "--", "true"), 'pods "none" not found'),
        (("exec", "web", "-c", "main", "--", "/no/such"), "no such file or directory"),
    ):
        done = site.run(*words, ws=ws)
        assert done.returncode == 1 and text in done.stderr.decode(), done.stderr


def test_the_proxy_reaches_the_pod_and_its_kubelet(site: Site):
    page = site.run("get", "--raw", "/api/v1/namespaces/default/pods/web:8080/proxy/index.html")
    assert page.stdout == b"page\n"
    assert b'"name":"web"' in site.run("get", "--raw", "/api/v1/nodes/n1/proxy/pods").stdout
