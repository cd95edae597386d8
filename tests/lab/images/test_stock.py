"""The images of a lab run with nothing but what is in them; a machine that cannot make them says what is missing."""

from __future__ import annotations

import http.server
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import build, machine_programs, stock
from tests.support.images import environment_of, lay_out, run_inside
from tests.support.patience import eventually

pytestmark = pytest.mark.real

_IMPORT_ALL = """
import importlib, os, pkgutil, sys, sqlite3, ssl, grpc.aio, numpy, uvloop
import homeostat.compose
for module in pkgutil.iter_modules(homeostat.compose.__path__):
    if module.name != "__main__":
        importlib.import_module("homeostat.compose." + module.name)
from homeostat.api import facts
assert facts.definitions()
numpy.linalg.inv(numpy.eye(2))
loaded = [module for module in sys.modules.values() if getattr(module, "__file__", None)]
assert [m for m in loaded if not m.__file__.startswith("/usr/local/")] == []
# Byte code is there for each: none is compiled at a start.
assert [m for m in loaded if not os.path.exists(getattr(m, "__cached__", None) or m.__file__)] == []
print("all is there")
"""


@pytest.fixture(scope="module")
def control_plane(stock_archives: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The control plane's image as a root folder."""
    root = tmp_path_factory.mktemp("control-plane")
    lay_out(stock_archives["homeostat"], root)
    return root


def test_the_control_plane_imports_all_its_code_inside_its_image(control_plane: Path) -> None:
    ended = run_inside(control_plane, ["/usr/local/bin/python3", "-c", _IMPORT_ALL], environment_of(stock.homeostat()))
    assert ended.stdout == "all is there\n", ended.stderr


def test_the_control_plane_s_components_are_commands_of_its_image(control_plane: Path) -> None:
    for component in stock.COMPONENTS:
        assert os.access(control_plane / "usr/local/bin" / component, os.X_OK)


def test_what_no_component_uses_stays_out(control_plane: Path) -> None:
    paths = [path for path in control_plane.rglob("*") if path.is_file() and not path.is_symlink()]
    names = [path.relative_to(control_plane).as_posix() for path in paths]
    unused = re.compile(r"/(tests?|idlelib|tkinter|pip|pytest|rich)(/|$)|\.(pyx|a|h)$")
    assert [name for name in names if unused.search(name)] == []
    assert sum(path.stat().st_size for path in paths) < 160e6


def test_etcd_and_its_client_run_inside_their_image(stock_archives: Mapping[str, Path], tmp_path: Path) -> None:
    lay_out(stock_archives["etcd"], tmp_path)
    spec = stock.etcd()
    for program in ("etcd", "etcdctl"):
        argv = [f"/usr/local/bin/{program}", "--version" if program == "etcd" else "version"]
        ended = run_inside(tmp_path, argv, environment_of(spec))
        assert spec.name.rpartition(":")[2] in ended.stdout, ended.stderr


def test_busybox_has_a_shell_and_its_tools(stock_archives: Mapping[str, Path], tmp_path: Path) -> None:
    lay_out(stock_archives["busybox"], tmp_path)
    ended = run_inside(
        tmp_path, ["/bin/sh", "-c", "echo a b | cut -d' ' -f2 && id -un"], environment_of(stock.busybox())
    )
    assert ended.stdout == "b\nroot\n", ended.stderr


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a server that answers "a page" to everything but /never, which has no answer."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/never":
                ended.wait(60)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a page\n")

        def log_message(self, *_: object) -> None:
            pass

    ended = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        ended.set()
        server.shutdown()


@pytest.mark.parametrize(
    "words",
    [["-q", "-O", "-"], ["-T", "9", "-q", "-O", "-"], ["-qT9", "-O", "-"], ["-qO-", "-T9"], ["--timeout=9", "-qO-"]],
    ids=" ".join,
)
def test_wget_works_in_the_busybox_image(
    stock_archives: Mapping[str, Path], tmp_path: Path, page: str, words: list[str]
) -> None:
    lay_out(stock_archives["busybox"], tmp_path)
    ended = run_inside(tmp_path, ["/usr/bin/wget", *words, page], environment_of(stock.busybox()))
    assert (ended.returncode, ended.stdout) == (0, "a page\n"), ended.stderr


def test_wget_gives_up_after_its_time(stock_archives: Mapping[str, Path], tmp_path: Path, page: str) -> None:
    lay_out(stock_archives["busybox"], tmp_path)
    argv = ["/usr/bin/wget", "-T", "1", "-q", "-O", "-", f"{page}/never"]
    ended = run_inside(tmp_path, argv, environment_of(stock.busybox()))
    assert ended.returncode == 1 and "wget: download timed out" in ended.stderr


def test_a_busybox_with_libraries_brings_them(
    stock_archives: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here `env` takes the place of busybox, as which of the two busyboxes a machine has is not ours to choose."""
    monkeypatch.setattr(stock.machine_programs, "program", lambda _: Path("/usr/bin/env").resolve())
    monkeypatch.setattr(stock, "_ask", lambda _: "bin/sh\nusr/bin/wget\n")
    layer = stock.busybox().layers[0]
    assert any(path.rpartition("/")[2].startswith("libc.") for path in layer.entries), sorted(layer.entries)


def test_the_python_image_has_a_shell(tmp_path: Path) -> None:
    lay_out(build.build(stock.python_image()), tmp_path)
    script = "echo work >/tmp/pulse && test -n \"$(find /tmp/pulse -mmin -1)\" && python3 -c 'print(2 + 3)'"
    ended = run_inside(tmp_path, ["/bin/sh", "-c", script], environment_of(stock.python_image()))
    assert ended.stdout == "5\n", ended.stderr


def test_an_image_says_whether_it_has_a_shell() -> None:
    assert {spec.name for spec in stock.all_specs() if spec.has_shell} == {stock.BUSYBOX, stock.HELLO, stock.PYTHON}


def test_pause_waits_and_ends_at_once_on_a_signal(stock_archives: Mapping[str, Path], tmp_path: Path) -> None:
    lay_out(stock_archives["pause"], tmp_path)
    process = subprocess.Popen([tmp_path / "catatonit", "-P"])
    try:
        eventually(lambda: _catches(process.pid, signal.SIGTERM), seconds=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()


def _catches(pid: int, number: int) -> bool:
    """Whether the process has said how it handles a signal: blocks it (to wait for it) or catches it."""
    lines = Path(f"/proc/{pid}/status").read_text()
    masks = [int(mask, 16) for mask in re.findall(r"^Sig(?:Blk|Cgt):\s*(\w+)", lines, re.MULTILINE)]
    return any(mask >> (number - 1) & 1 for mask in masks)


class _Hello:
    """The sample app as its container would run it: PID 1 of its own namespace, in its own root."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        env = environment_of(stock.hello())
        env |= {"POD_NAME": "hello-1", "NODE_NAME": "worker-1", "PORT": str(self.port), "DRAIN_SECONDS": "1"}
        enter = ["/usr/bin/unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}"]
        self.process = subprocess.Popen([*enter, "--wd=/", *stock.hello().entrypoint], env=env)

    def get(self, path: str = "/") -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def terminate(self) -> None:
        """SIGTERM to PID 1, which is the only child of `unshare`."""
        [child] = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)


@pytest.fixture
def hello(stock_archives: Mapping[str, Path], tmp_path: Path) -> Iterator[_Hello]:
    lay_out(stock_archives["hello"], tmp_path)
    (tmp_path / "dev/shm").mkdir(parents=True)
    (tmp_path / "dev/null").touch()
    app = _Hello(tmp_path)
    try:
        eventually(app.listens, seconds=10)
        yield app
    finally:
        app.process.kill()
        app.process.wait()


def test_hello_says_which_pod_answers_on_which_node(hello: _Hello) -> None:
    assert hello.get() == "hello from hello-1 on worker-1\n"
    assert hello.get("/healthz") == "ok\n"


def test_hello_answers_several_clients_without_a_failure(hello: _Hello) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: hello.get(), range(200))) == {"hello from hello-1 on worker-1\n"}


def test_hello_serves_on_for_a_while_after_sigterm_and_then_ends_well(hello: _Hello) -> None:
    """Pod termination: the signal is sent while proxies may not have seen the endpoint leave (Pod Lifecycle)."""
    hello.terminate()
    assert hello.get() == "hello from hello-1 on worker-1\n"
    assert hello.process.wait(timeout=10) == 0


@pytest.mark.parametrize(("program", "package"), sorted(machine_programs.PACKAGES.items()))
def test_a_missing_program_names_its_package(program: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        machine_programs.shutil, "which", lambda name, path: None if name == program else f"/bin/{name}"
    )
    with pytest.raises(LabError, match=f"{program} is not on this machine; on Debian: apt-get install {package}"):
        machine_programs.program(program)


def test_all_missing_programs_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_programs.shutil, "which", lambda name, path: None)
    with pytest.raises(LabError) as error:
        stock.all_specs()
    for package in ("catatonit", "busybox", "etcd-server"):
        assert package in str(error.value)


def test_a_program_with_libraries_is_not_taken_for_a_static_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_programs.shutil, "which", lambda name, path: "/usr/bin/env")
    with pytest.raises(LabError, match="needs shared libraries"):
        machine_programs.static_program("catatonit")
