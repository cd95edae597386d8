"""The images that a lab brings along, from programs of this machine: pause, etcd, busybox, hello, Homeostat itself.

Their names are fixed by what is in them, their contents by the machine; nothing is downloaded.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import lru_cache

from homeostat import __version__
from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import machine_programs, python
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree

REGISTRY = "homeostat.local"
PAUSE = f"{REGISTRY}/pause:1"
BUSYBOX = f"{REGISTRY}/busybox:1"
HELLO = f"{REGISTRY}/hello:1"
PYTHON = f"{REGISTRY}/python:3"
HOMEOSTAT = f"{REGISTRY}/homeostat:{__version__}"
# Each is a command of the control plane's image, so that a static pod's `command` reads as anywhere.
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "cluster-dns")
HELLO_PORT = 8080

_COMPONENT = f"""#!{python.PYTHON}
import os, runpy, sys

sys.argv.insert(1, os.path.basename(sys.argv[0]))
runpy.run_module("homeostat.compose", run_name="__main__", alter_sys=True)
"""

# Debian's busybox (1.35) ends with a segmentation fault at `wget -T`, with and without shared libraries. (The shell of
# the one without runs its own `wget` before it looks here.)
_WGET = """#!/bin/sh
# busybox wget, with the time limit of -T SECONDS kept by `timeout`.
seconds=
left=$#
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in
        -T | -[cqS]T | -[cqS][cqS]T | --timeout)
            seconds=$1
            [ "$left" -gt 0 ] && shift && left=$((left - 1))
            flags=${word%T}
            ;;
        --timeout=*) seconds=${word#*=} flags=- ;;
        -T* | -[cqS]T* | -[cqS][cqS]T*) seconds=${word#*T} flags=${word%%T*} ;;
        *) set -- "$@" "$word" && continue ;;
    esac
    case $flags in
        - | --timeout) ;;
        *) set -- "$@" "$flags" ;;
    esac
done
[ -n "$seconds" ] || exec busybox wget "$@"
timeout "$seconds" busybox wget "$@"
code=$?
if [ "$code" = 143 ] || [ "$code" = 124 ]; then
    echo "wget: download timed out" >&2
    exit 1
fi
exit "$code"
"""

# The page is written once, so that a request costs a fork and no new program. On SIGTERM the server continues for a
# while: proxies may not know yet that the pod's endpoint was removed.
_HELLO = """#!/bin/sh
# Answers GET / with "hello from POD on NODE" and GET /healthz with "ok"; ends DRAIN_SECONDS after SIGTERM.
for folder in /dev/shm /run /tmp; do
    [ -w "$folder" ] && break
done
site=$folder/hello
mkdir -p "$site" || exit 1
echo "hello from ${POD_NAME:-$(hostname)} on ${NODE_NAME:-$(hostname)}" >"$site/index.html"
echo ok >"$site/healthz"
httpd -f -p "${PORT:-8080}" -h "$site" &
server=$!
drain() {
    trap '' TERM INT
    sleep "${DRAIN_SECONDS:-1}"
    kill "$server"
}
trap drain TERM INT
echo "listening on port ${PORT:-8080}"
wait "$server"
code=$?
if [ "$code" -gt 128 ]; then
    wait
    exit 0
fi
exit "$code"
"""


def pause() -> ImageSpec:
    """What holds a pod's namespaces and reaps what its containers leave: catatonit, which is a static program."""
    tree = Tree()
    tree.file("catatonit", machine_programs.static_program("catatonit"), mode=0o755)
    return ImageSpec(PAUSE, (tree,), entrypoint=("/catatonit", "-P"), about="holds the namespaces of each Pod")


def busybox() -> ImageSpec:
    """A shell and the usual small tools: for tests and for `kubectl debug --image`."""
    return ImageSpec(BUSYBOX, (_busybox_layer(),), cmd=("sh",), about="a shell and the usual small tools")


def hello() -> ImageSpec:
    """The sample app: busybox's httpd with a page that says which pod answers, and on which node."""
    tree = Tree()
    tree.text("usr/local/bin/hello", _HELLO, mode=0o755)
    ports = (f"{HELLO_PORT}/tcp",)
    about = f"a web server on port {HELLO_PORT} that says which Pod answers"
    entrypoint = ("/usr/local/bin/hello",)
    return ImageSpec(HELLO, (_busybox_layer(), tree), entrypoint=entrypoint, ports=ports, about=about)


def etcd() -> ImageSpec:
    """Debian's etcd with its client, tagged with its own version."""
    tree = Tree()
    programs = {name: machine_programs.program(name) for name in ("etcd", "etcdctl")}
    for name, source in programs.items():
        tree.file(f"usr/local/bin/{name}", source, mode=0o755)
    machine_programs.add_libraries(tree, programs.values())
    machine_programs.add_users(tree)
    machine_programs.add_certificates(tree)
    return ImageSpec(
        etcd_image(),
        (tree,),
        entrypoint=("etcd",),
        env={"ETCDCTL_API": "3"},
        ports=("2379/tcp", "2380/tcp"),
        about="the store of clusters with several masters",
    )


def homeostat() -> ImageSpec:
    """The control plane: this Python with this Homeostat. Its code is a layer of its own, as that is what changes."""
    own = python.own_layer()
    own.text("usr/local/bin/homeostat-component", _COMPONENT, mode=0o755)
    for component in COMPONENTS:
        own.link(f"usr/local/bin/{component}", "homeostat-component")
    entrypoint = (python.PYTHON, "-m", "homeostat.compose")
    layers = (python.interpreter_layer(), own)
    about = "the control plane and cluster DNS"
    return ImageSpec(HOMEOSTAT, layers, entrypoint=entrypoint, env=python.environment(), about=about)


def python_image() -> ImageSpec:
    """This Python with a shell, for the apps in examples/; it shares its layers with the control plane and busybox."""
    layers = (python.interpreter_layer(), _busybox_layer())
    about = "Python with its standard library; the apps of examples/ run in it"
    return ImageSpec(PYTHON, layers, cmd=("python3",), env=python.environment(), about=about)


# What a lab needs before its first pod; the sample images come on top.
CONTROL_PLANE: tuple[Callable[[], ImageSpec], ...] = (pause, etcd, homeostat)
SAMPLES: tuple[Callable[[], ImageSpec], ...] = (busybox, hello, python_image)


def all_specs() -> list[ImageSpec]:
    """All images of a lab. Raises LabError that names every program that is missing, not the first alone."""
    specs, missing = [], []
    for make in (*CONTROL_PLANE, *SAMPLES):
        try:
            specs.append(make())
        except LabError as error:
            missing.append(str(error))
    if missing:
        raise LabError("; ".join(dict.fromkeys(missing)))
    return specs


def _busybox_layer() -> Tree:
    """busybox with its libraries and a link for each of its tools."""
    program = machine_programs.program("busybox")
    tree = Tree()
    tree.file("bin/busybox", program, mode=0o755)
    for path in _ask([str(program), "--list-full"]).split():
        if path != "bin/busybox" and path != "busybox":
            tree.link(path, "/bin/busybox")
    tree.text("usr/bin/wget", _WGET, mode=0o755)
    machine_programs.add_libraries(tree, [program])
    machine_programs.add_users(tree)
    return tree


@lru_cache(maxsize=1)
def etcd_image() -> str:
    """The name of etcd's image, after the version that is here. Raises LabError."""
    found = re.search(r"[Vv]ersion: *(\d[\w.+-]*)", _ask([str(machine_programs.program("etcd")), "--version"]))
    if found is None:
        raise LabError("`etcd --version` does not say a version")
    return f"{REGISTRY}/etcd:{found.group(1).replace('+', '-')}"


def _ask(argv: list[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"{' '.join(argv)} fails: {error}") from error
