"""`crictl` on a node: pods, containers, images, logs, exec and stats, in its columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from homeostat.shell.command_flags import Flag, Line, parse, switches
from homeostat.shell.command_flags import texts as text_flags
from homeostat.shell.docker import exec_command, inspect_command, show_commands
from homeostat.shell.engine import formats
from homeostat.shell.engine.container_engine import Engine, EngineDown, endpoint
from homeostat.shell.engine.containers import Box
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.tool_error import ToolError

_LIST_FLAGS = [
    *switches("all/a", "quiet/q", "no-trunc", "latest/l", "verbose/v"),
    *text_flags("output/o", "name", "namespace", "state/s", "last/n", "pod/p", "image", "id"),
    Flag("label", "", "list"),
]
_STATES = {"running": "Running", "exited": "Exited", "created": "Created", "unknown": "Unknown"}


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Raises ToolError."""
    words = list(argv)
    while words and words[0] in ("-r", "--runtime-endpoint", "-i", "--image-endpoint", "-t", "--timeout"):
        words = words[2:]  # the node has one engine
    if not words or words[0] in ("-h", "--help", "help"):
        print("usage: crictl COMMAND\n\ncommands: " + " ".join(_COMMANDS))
        return 0
    name = words[0]
    if name not in _COMMANDS:
        raise ToolError(f"No help topic for '{name}': commands are {' '.join(_COMMANDS)}", 3)
    try:
        return _COMMANDS[name](Look(Engine()), words[1:])
    except EngineDown as error:
        text = f'validate service connection: validate CRI v1 runtime API for endpoint "unix://{endpoint()}"'
        raise ToolError(f"FATA[0000] {text}: {error.text}") from error


# -- lists ---------------------------------------------------------------------------------------------------------


def _ps(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, _LIST_FLAGS)
    boxes = [box for box in look.boxes() if not box.sandbox and _wanted(box, line, "io.kubernetes.container.name")]
    state = line.text("state").lower()
    if state:
        boxes = [box for box in boxes if box.state == state]
    elif not (line.on("all") or line.on("latest") or line.given("last")):
        boxes = [box for box in boxes if box.running]
    if line.given("pod"):
        boxes = [box for box in boxes if box.pod_id.startswith(line.text("pod"))]
    boxes = _last(boxes, line)
    pods = {box.id: box for box in look.boxes() if box.sandbox}

    def row(box: Box) -> list[str]:
        image = look.image_name(box)
        pod = pods.get(box.pod_id)
        return [
            _cut(box.id, line), image if not image.startswith("sha256:") else _cut(image[7:], line), _age(box, look),
            _STATES[box.state], box.labels["io.kubernetes.container.name"], box.name.rsplit("_", 1)[1],
            _cut(box.pod_id, line), pod.labels["io.kubernetes.pod.name"] if pod is not None else "unknown",
        ]  # fmt: skip

    heads = ["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD"]
    return _print(line, "containers", boxes, heads, row)


def _pods(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, _LIST_FLAGS)
    boxes = [box for box in look.boxes() if box.sandbox and _wanted(box, line, "io.kubernetes.pod.name")]
    state = {"ready": "running", "notready": "exited"}.get(line.text("state").lower(), "")
    boxes = _last([box for box in boxes if state in ("", box.state)], line)

    def row(box: Box) -> list[str]:
        name, namespace = (box.labels[f"io.kubernetes.pod.{part}"] for part in ("name", "namespace"))
        ready = "Ready" if box.running else "NotReady"
        return [_cut(box.id, line), _age(box, look), ready, name, namespace, box.name.rsplit("_", 1)[1], "(default)"]

    heads = ["POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"]
    return _print(line, "items", boxes, heads, row)


def _wanted(box: Box, line: Line, name: str) -> bool:
    if line.given("name") and not re.search(line.text("name"), box.labels.get(name, "")):
        return False
    if line.given("namespace") and not re.search(line.text("namespace"), box.labels["io.kubernetes.pod.namespace"]):
        return False
    if line.given("id") and not box.id.startswith(line.text("id")):
        return False
    pairs = (word.partition("=") for word in line.all("label"))
    return all(box.labels.get(key) == value for key, _, value in pairs)


def _last(boxes: list[Box], line: Line) -> list[Box]:
    if line.on("latest"):
        return boxes[:1]
    return boxes[: int(line.text("last"))] if line.given("last") else boxes


def _age(box: Box, look: Look) -> str:
    return f"{formats.human_duration((look.now - box.created) / 1e9)} ago"


def _cut(identifier: str, line: Line) -> str:
    return identifier if line.on("no-trunc") else identifier[:13]


def _print(line: Line, key: str, boxes: list[Box], heads: list[str], row: Callable[[Box], list[str]]) -> int:
    form = line.text("output") or "table"
    if line.on("quiet"):
        _say([box.id for box in boxes])
    elif form == "table":
        _say(formats.columns([heads, *map(row, boxes)], gap=5, narrowest=20))
    else:
        _dump({key: [_described(box) for box in boxes]}, form)
    return 0


def _described(box: Box) -> dict[str, Any]:
    """One item in the CRI's own words."""
    attempt = int(box.name.rsplit("_", 1)[1])
    if box.sandbox:
        pod = {part: box.labels[f"io.kubernetes.pod.{part}"] for part in ("name", "uid", "namespace")}
        state = "SANDBOX_READY" if box.running else "SANDBOX_NOTREADY"
        meta: dict[str, Any] = {**pod, "attempt": attempt}
        return {"id": box.id, "metadata": meta, "state": state, "createdAt": str(box.created), "labels": box.labels}
    return {
        "id": box.id,
        "podSandboxId": box.pod_id,
        "metadata": {"name": box.labels["io.kubernetes.container.name"], "attempt": attempt},
        "image": {"image": box.image},
        "imageRef": box.image_id,
        "state": f"CONTAINER_{box.state.upper()}",
        "createdAt": str(box.created),
        "labels": box.labels,
    }


def _dump(value: Any, form: str) -> None:
    if form == "yaml":
        import yaml

        print(yaml.safe_dump(value, sort_keys=False), end="")
    elif form == "json":
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        raise ToolError(f"FATA[0000] unsupported output format {form!r}: json, yaml or table")


def _images(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, [*switches("quiet/q", "no-trunc", "digests", "verbose/v"), *text_flags("output/o")])
    found = look.images()
    if line.given("output"):
        items = [
            {
                "id": image.id,
                "repoTags": [*image.repo_tags],
                "repoDigests": [*image.repo_digests],
                "size": str(image.size),
            }
            for image in found
        ]
        _dump({"images": items}, line.text("output"))
        return 0
    if line.on("quiet"):
        _say([image.id for image in found])
        return 0
    rows = [["IMAGE", "TAG", "IMAGE ID", "SIZE"]]
    for image in found:
        identifier = image.id if line.on("no-trunc") else image.id.removeprefix("sha256:")[:13]
        for name in list(image.repo_tags) or ["<none>:<none>"]:
            repository, _, tag = name.rpartition(":")
            rows.append([repository, tag, identifier, formats.human_size(image.size, digits=3)])
    _say(formats.columns(rows, gap=5, narrowest=20))
    return 0


# -- one container or pod ------------------------------------------------------------------------------------------


def _inspect(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, [*text_flags("output/o"), *switches("quiet/q")])
    for box in _named(look, line.words):
        _dump(inspect_command.container(box, look), line.text("output") or "json")
    return 0


def _exec(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, [*switches("interactive/i", "tty/t", "sync/s"), *text_flags("timeout")], to_first_word=True)
    options = [f"--{name}" for name in ("interactive", "tty") if line.on(name)]
    return exec_command.run(look, [*options, *line.words])


def _stats(look: Look, argv: Sequence[str]) -> int:
    from homeostat.shell.docker import stats_command

    line = parse(argv, [*switches("all/a"), *text_flags("output/o", "seconds/s")])
    template = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}"
    return stats_command.stats(look, ["--no-stream", "--format", template, *line.words])


def _remove_pods(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, switches("force/f", "all/a"))
    for box in _named(look, line.words, everything=line.on("all"), sandbox=True):
        if box.running and not line.on("force"):
            raise ToolError(f'FATA[0000] removing the pod sandbox "{box.id}": it is running; stop it first, or use -f')
        look.engine.stop_pod(box.id)
        look.engine.remove_pod(box.id)
        print(f"Removed sandbox {box.id}", flush=True)
    return 0


def _stop_pods(look: Look, argv: Sequence[str]) -> int:
    for box in _named(look, parse(argv, ()).words, sandbox=True):
        look.engine.stop_pod(box.id)
        print(f"Stopped sandbox {box.id}", flush=True)
    return 0


def _remove(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, switches("force/f", "all/a"))
    for box in _named(look, line.words, everything=line.on("all")):
        if box.running and not line.on("force"):
            raise ToolError(f'FATA[0000] container "{box.id}" is running; stop it first, or use -f')
        look.engine.remove_container(box.id)
        print(box.id, flush=True)
    return 0


def _stop(look: Look, argv: Sequence[str]) -> int:
    line = parse(argv, text_flags("timeout/t"))
    for box in _named(look, line.words):
        look.engine.stop_container(box.id, grace_seconds=int(line.text("timeout") or 0))
        print(box.id, flush=True)
    return 0


def _version(look: Look, _: Sequence[str]) -> int:
    answer = look.engine.version()
    print(f"Version:  0.1.0\nRuntimeName:  {answer.runtime_name}\nRuntimeVersion:  {answer.runtime_version}")
    print(f"RuntimeApiVersion:  {answer.runtime_api_version}")
    return 0


def _named(look: Look, words: Sequence[str], *, everything: bool = False, sandbox: bool = False) -> list[Box]:
    kind = [box for box in look.boxes() if box.sandbox == sandbox]
    if everything:
        return kind
    if not words:
        raise ToolError("FATA[0000] an ID is needed")
    found = []
    for word in words:
        near = [box for box in kind if box.id.startswith(word)]
        if len(near) != 1:
            what = "pod" if sandbox else "container"
            why = "not found" if not near else "several IDs begin so"
            raise ToolError(f'FATA[0000] an error occurred when try to find {what} "{word}": {why}')
        found += near
    return found


def _say(lines: Sequence[str]) -> None:
    if lines:
        print("\n".join(lines))


_COMMANDS: dict[str, Callable[[Look, Sequence[str]], int]] = {
    "ps": _ps,
    "pods": _pods,
    "images": _images,
    "logs": show_commands.logs,
    "inspect": _inspect,
    "exec": _exec,
    "stats": _stats,
    "stop": _stop,
    "rm": _remove,
    "stopp": _stop_pods,
    "rmp": _remove_pods,
    "version": _version,
}
