"""`docker` on a node: its commands over the node's container engine, and a clear refusal of those it does not have.

Errors, exit codes and columns are docker's: 1 for what the engine refuses, 125 for a command line that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from homeostat.shell.engine.container_engine import Engine, EngineDown
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.stderr import complain
from homeostat.shell.tool_error import ToolError

Command = Callable[[Look, Sequence[str]], int]
_DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
# Each command's module, function, and line in the help.
_COMMANDS = {
    "ps": ("list_commands", "ps", "List containers (-a -q -l -s -n NUMBER -f FILTER --format TEMPLATE --no-trunc)"),
    "kill": ("change_commands", "kill", "Send a signal to containers (-s SIGNAL)"),
    "stop": ("change_commands", "stop", "Stop containers (-t SECONDS)"),
    "start": ("change_commands", "start", "Start containers that were created"),
    "restart": ("change_commands", "restart", "Stop containers and wait for what the kubelet starts in their place"),
    "pause": ("change_commands", "pause", "Freeze containers"),
    "unpause": ("change_commands", "unpause", "Let frozen containers run on"),
    "rm": ("change_commands", "remove", "Remove containers (-f)"),
    "wait": ("change_commands", "wait", "Wait until containers end, then print their exit codes"),
    "logs": ("show_commands", "logs", "Print a container's log (-f -t --tail NUMBER --since TIME --until TIME)"),
    "inspect": ("inspect_command", "inspect", "Everything about containers or images, as JSON (--format TEMPLATE)"),
    "exec": ("exec_command", "run", "Run a command in a container (-i -t -e NAME=VALUE -w FOLDER -u USER -d)"),
    "top": ("show_commands", "top", "List a container's processes"),
    "stats": ("stats_command", "stats", "What containers use (--no-stream --format TEMPLATE)"),
    "images": ("list_commands", "images", "List images (-q --digests --format TEMPLATE --no-trunc)"),
    "version": ("show_commands", "version", "Print the versions"),
    "info": ("show_commands", "info", "About the engine and the node"),
}  # fmt: skip
_ALIASES = {"container": {"ls": "ps", "list": "ps", "ps": "ps"}, "image": {"ls": "images", "list": "images"}}
_KUBELET = "on this node the kubelet makes containers: `kubectl run`, or a file in /etc/kubernetes/manifests"
_IMAGES = "images come by `homeostat image load FILE`, or the kubelet pulls them"
_REFUSED = {
    "run": _KUBELET, "create": _KUBELET, "rename": "the kubelet finds its containers by their names",
    "update": "a container's limits are its Pod's: `kubectl edit`", "commit": _IMAGES, "build": _IMAGES,
    "pull": _IMAGES, "push": _IMAGES, "load": _IMAGES, "import": _IMAGES, "save": _IMAGES, "tag": _IMAGES,
    "rmi": "the kubelet removes images that nobody uses",
    "login": "a registry's credentials are a Secret, named in imagePullSecrets",
    "compose": "a Pod's containers are written in its manifest", "network": "the pod network is the CNI's",
    "volume": "volumes are the kubelet's", "cp": "`kubectl cp` copies into and out of a Pod",
    "attach": "`kubectl attach` joins a container", "diff": _KUBELET, "export": _IMAGES,
    "port": "`docker ps` shows ports",
    "system": "`docker info` and `docker stats` show the node", "swarm": "this is a Kubernetes cluster",
    "service": "this is a Kubernetes cluster", "events": "`kubectl get events -A -w` shows what happens",
    "history": _IMAGES,
}  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Raises ToolError."""
    words = list(argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if words[0] in ("-v", "--version"):
        words = ["version"]
    if words[0] in _ALIASES and len(words) > 1:
        own = {**_ALIASES[words[0]], **({name: name for name in _COMMANDS} if words[0] == "container" else {})}
        own.setdefault("inspect", "inspect")
        words = [own.get(words[1], words[1]), *words[2:]]
    name = words[0]
    if name in _REFUSED:
        raise ToolError(f"docker {name} is not possible here: {_REFUSED[name]}.")
    if name.startswith("-"):
        raise ToolError(f"unknown flag: {name}\nSee 'docker --help'.", 125)
    if name not in _COMMANDS:
        raise ToolError(f"docker: '{name}' is not a docker command.\nSee 'docker --help'")
    if any(word in ("-h", "--help") for word in words[1:2]):
        print(f"Usage:  docker {name}\n\n{_COMMANDS[name][2]}")
        return 0
    return _run(name, words[1:])


def _run(name: str, words: list[str]) -> int:
    module, function, _ = _COMMANDS[name]
    command: Command = getattr(import_module(f"homeostat.shell.docker.{module}"), function)
    try:
        return command(Look(Engine()), words)
    except EngineDown:
        complain(_DOWN)
        return 1
    except ToolError as error:
        if error.code == 125:
            raise ToolError(f"{error.text}\nSee 'docker {name} --help'.", 125) from error
        raise


def help_text() -> str:
    """What `docker --help` prints."""
    lines = [f"  {name:<10}{text}" for name, (_, _, text) in _COMMANDS.items()]
    return "Usage:  docker COMMAND\n\ndocker's commands over this node's containerd\n\nCommands:\n" + "\n".join(lines)
