"""`docker ps` and `docker images`: what is shown, in columns or by a template."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from homeostat.shell.command_flags import Flag, parse, switches
from homeostat.shell.command_flags import texts as text_flags
from homeostat.shell.docker.ps_filters import Eyes, Filters, status_of
from homeostat.shell.engine import formats
from homeostat.shell.engine.containers import Box, ports_text, status_text
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.tool_error import ToolError

_PS_FLAGS = [
    *switches("all/a", "quiet/q", "no-trunc", "latest/l", "size/s"),
    *text_flags("format", "last/n"),
    Flag("filter", "f", "list"),
]
_PS_TABLE = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
_PS_HEADINGS = {
    "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT", "RunningFor": "CREATED",
    "Ports": "PORTS", "State": "STATE", "Status": "STATUS", "Size": "SIZE", "Names": "NAMES", "Labels": "LABELS",
    "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
}  # fmt: skip
_IMAGE_FLAGS = [
    *switches("all/a", "quiet/q", "no-trunc", "digests"),
    *text_flags("format"),
    Flag("filter", "f", "list"),
]
_IMAGE_HEADINGS = {
    "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "ID": "IMAGE ID", "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT", "Size": "SIZE",
}  # fmt: skip
Fields = dict[str, Callable[..., Any]]


def ps(look: Look, argv: Sequence[str]) -> int:
    """`docker ps`."""
    line = parse(argv, _PS_FLAGS)
    if line.words:
        raise ToolError("\"docker ps\" accepts no arguments.\nSee 'docker ps --help'.")
    filters = Filters(line.all("filter"))
    last = 1 if line.on("latest") else _count(line.text("last"))
    every = line.on("all") or filters.all or last > 0
    boxes = [box for box in filters.keep(look.boxes(), look) if every or box.running]
    boxes = boxes[:last] if last > 0 else boxes
    whole = line.on("no-trunc")
    if line.on("quiet") and not line.given("format"):
        _print([box.id if whole else formats.short_id(box.id) for box in boxes])
        return 0
    form = line.text("format") or _PS_TABLE
    if line.on("size") and not line.given("format"):
        form += "\t{{.Size}}"
    rows = [box_fields(box, look, whole=whole) for box in boxes]
    _print(formatted(form, rows, _PS_HEADINGS, kind="ContainerContext", table=_PS_TABLE))
    return 0


def _count(text: str) -> int:
    try:
        return int(text or "-1")
    except ValueError:
        raise ToolError(f'invalid argument "{text}" for "-n, --last" flag: a whole number is needed', 125) from None


def box_fields(box: Box, look: Look, *, whole: bool) -> Fields:
    """What a template may ask of a container."""

    def cut(text: str, width: int) -> str:
        return text if whole else formats.ellipsis(text, width)

    def image() -> str:
        name = look.image_name(box)
        return formats.short_id(name) if name.startswith("sha256:") and not whole else name

    def mounts() -> str:
        return ",".join(cut(source, 15) for source, _, _ in look.detail(box).mounts)

    def labels() -> str:
        return ",".join(f"{key}={value}" for key, value in sorted(box.labels.items()))

    return {
        "ID": lambda: box.id if whole else formats.short_id(box.id),
        "Names": lambda: box.name,
        "Image": image,
        "Command": lambda: '"' + cut(" ".join(look.detail(box).args), 20) + '"',
        "CreatedAt": lambda: formats.docker_time(box.created / 1e9),
        "RunningFor": lambda: formats.human_duration((look.now - box.created) / 1e9) + " ago",
        "Ports": lambda: ports_text(look.detail(box)) if box.running and box.sandbox else "",
        "State": lambda: status_of(box, look),
        "Status": lambda: status_text(box, look.detail(box), paused=look.paused(box), now=look.now),
        "Size": lambda: size_text(box, look),
        "Labels": labels,
        "Label": lambda key: box.labels.get(key, ""),
        "Mounts": mounts,
        "LocalVolumes": lambda: "0",
        "Networks": lambda: network_mode(box, look),
    }


def size_text(box: Box, look: Look) -> str:
    """`12.3kB (virtual 4.8MB)`: the container's own layer, and with its image's."""
    own = look.writable(box)
    below = next((image.size for image in look.images() if image.id == box.image_id), 0)
    return f"{formats.human_size(own, digits=3)} (virtual {formats.human_size(own + below, digits=3)})"


def network_mode(box: Box, look: Eyes) -> str:
    """`host` for a pod in the node's own network, else what dockershim's sandboxes had."""
    spaces = (look.detail(box).spec.get("linux") or {}).get("namespaces") or []
    if box.sandbox:
        return "none" if any(space.get("type") == "network" for space in spaces) else "host"
    return f"container:{box.pod_id}"


def formatted(form: str, rows: Sequence[Fields], headings: dict[str, str], *, kind: str, table: str) -> list[str]:
    """The lines that `--format` makes of the rows: `json`, `table`, `table TEMPLATE` or a template."""
    from homeostat.shell.docker.go_template import HEADING_FUNCTIONS, Row, Template

    form = form.strip().replace("\\t", "\t").replace("\\n", "\n")
    if form == "json":
        form = "{{json .}}"
    in_table = form.startswith("table")
    if in_table:
        form = form.removeprefix("table").strip(" ") or table.removeprefix("table ")
    template = Template(form)
    lines = [template.render(Row(fields, kind=kind)) for fields in rows]
    if not in_table:
        return lines
    names: Fields = {name: lambda text=text: text for name, text in headings.items()}
    names["Label"] = lambda key: key.split(".")[-1].replace("-", " ").replace("_", " ")
    head = Template(form, HEADING_FUNCTIONS).render(Row(names, kind=kind))
    return formats.columns([line.split("\t") for line in (head, *lines)])


def _print(lines: Sequence[str]) -> None:
    if lines:
        print("\n".join(lines))


def images(look: Look, argv: Sequence[str]) -> int:
    """`docker images [REPOSITORY[:TAG]]`."""
    line = parse(argv, _IMAGE_FLAGS)
    whole, quiet = line.on("no-trunc"), line.on("quiet")
    rows = [row for image in look.images() for row in image_rows(image, look, whole=whole)]
    if line.words:
        repository, _, tag = _split(line.words[0])
        rows = [row for row in rows if row["Repository"]() == repository and tag in ("", row["Tag"]())]
    if quiet and not line.given("format"):
        _print(list(dict.fromkeys(row["ID"]() for row in rows)))
        return 0
    digest = "\t{{.Digest}}" if line.on("digests") else ""
    table = f"table {{{{.Repository}}}}\t{{{{.Tag}}}}{digest}\t{{{{.ID}}}}\t{{{{.CreatedSince}}}}\t{{{{.Size}}}}"
    _print(formatted(line.text("format") or table, rows, _IMAGE_HEADINGS, kind="ImageContext", table=table))
    return 0


def _split(name: str) -> tuple[str, str, str]:
    """Repository, `:` and tag; a registry's port is no tag."""
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, "", ""
    return repository, colon, tag


def image_rows(image: Any, look: Look, *, whole: bool) -> list[Fields]:
    """A row for each name of an image."""
    digest_of = {_digest(digest)[0]: _digest(digest)[1] for digest in image.repo_digests}
    names = list(image.repo_tags) or [f"{repository}:<none>" for repository in digest_of] or ["<none>:<none>"]

    def created() -> float:
        info = look.engine.image_status(image.id).info.get("info", "{}")
        text = (json.loads(info).get("imageSpec") or {}).get("created") or ""
        return formats.parse_go_time(text)

    def row(name: str) -> Fields:
        repository, _, tag = _split(name)
        return {
            "Repository": lambda: repository,
            "Tag": lambda: tag or "<none>",
            "Digest": lambda: digest_of.get(repository, "<none>"),
            "ID": lambda: image.id if whole else formats.short_id(image.id),
            "CreatedSince": lambda: formats.ago(look.now / 1e9, created()),
            "CreatedAt": lambda: formats.docker_time(created()),
            "Size": lambda: formats.human_size(image.size, digits=3),
        }

    return [row(name) for name in names]


def _digest(text: str) -> tuple[str, str]:
    repository, _, digest = text.partition("@")
    return repository, digest
