"""`docker inspect`: containers, sandboxes and images in docker's shape, as JSON or by a template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from homeostat.shell.command_flags import parse, switches
from homeostat.shell.command_flags import texts as text_flags
from homeostat.shell.docker.list_commands import network_mode
from homeostat.shell.docker.ps_filters import status_of
from homeostat.shell.engine import formats
from homeostat.shell.engine.container_engine import Refused
from homeostat.shell.engine.containers import Box
from homeostat.shell.engine.engine_view import Look
from homeostat.shell.stderr import complain
from homeostat.shell.tool_error import ToolError

Json = dict[str, Any]


def inspect(look: Look, argv: Sequence[str]) -> int:
    """`docker inspect NAME...`: what is found is printed, what is not is named, with exit code 1."""
    from homeostat.shell.docker.go_template import Template

    line = parse(argv, [*text_flags("format/f", "type"), *switches("size/s")])
    if not line.words:
        raise ToolError("\"docker inspect\" requires at least 1 argument.\nSee 'docker inspect --help'.")
    found, missing = [], []
    for word in line.words:
        seen = _one(look, word, line.text("type"))
        found += [seen] if seen is not None else []
        missing += [word] if seen is None else []
    form = line.text("format")
    if form and form != "json":
        template = Template(form)
        for seen in found:
            print(template.render(seen))
    else:
        print(json.dumps(found, indent=4, ensure_ascii=False))
    for word in missing:
        complain(f"Error: No such {line.text('type') or 'object'}: {word}")
    return int(bool(missing))


def _one(look: Look, word: str, kind: str) -> Json | None:
    if kind in ("", "container"):
        try:
            return container(look.find(word), look)
        except ToolError as error:
            if isinstance(error, Refused) or "multiple" in error.text:
                raise
    return _image(look, word) if kind in ("", "image") else None


def container(box: Box, look: Look) -> Json:
    """A container in docker's shape; what an engine without docker does not know is left out."""
    detail = look.detail(box)
    process = detail.spec.get("process") or {}
    word = status_of(box, look)
    user = process.get("user") or {}
    return {
        "Id": box.id,
        "Created": formats.go_time(box.created),
        "Path": detail.args[0] if detail.args else "",
        "Args": detail.args[1:],
        "State": {
            "Status": word,
            "Running": box.running,
            "Paused": word == "paused",
            "Restarting": False,
            "OOMKilled": detail.reason == "OOMKilled",
            "Dead": word == "dead",
            "Pid": detail.pid if box.running else 0,
            "ExitCode": detail.exit_code,
            "Error": detail.message,
            "StartedAt": formats.go_time(detail.started),
            "FinishedAt": formats.go_time(detail.finished),
        },
        "Image": box.image_id,
        "LogPath": detail.log_path,
        "Name": f"/{box.name}",
        "RestartCount": 0,  # the kubelet counts: each start is a container of its own
        "HostConfig": _host_config(box, look),
        "Mounts": [
            {"Type": "bind", "Source": source, "Destination": target, "Mode": "", "RW": not read_only}
            for source, target, read_only in detail.mounts
        ],
        "Config": {
            "Hostname": str(detail.spec.get("hostname", "")),
            "User": f"{user['uid']}:{user.get('gid', 0)}" if user.get("uid") else "",
            "Tty": bool(process.get("terminal")),
            "Env": list(process.get("env") or []),
            "Cmd": detail.args,
            "Image": look.image_name(box),
            "WorkingDir": str(process.get("cwd", "")),
            "Labels": box.labels,
        },
        "NetworkSettings": {"IPAddress": detail.ip},
    }


def _host_config(box: Box, look: Look) -> Json:
    spec = look.detail(box).spec
    linux = spec.get("linux") or {}
    resources = linux.get("resources") or {}
    cpu, memory = resources.get("cpu") or {}, resources.get("memory") or {}
    capabilities = ((spec.get("process") or {}).get("capabilities") or {}).get("bounding") or []
    return {
        "NetworkMode": network_mode(box, look),
        "CgroupParent": str(linux.get("cgroupsPath", "")),
        "CpuShares": int(cpu.get("shares") or 0),
        "CpuQuota": int(cpu.get("quota") or 0),
        "CpuPeriod": int(cpu.get("period") or 0),
        "Memory": max(int(memory.get("limit") or 0), 0),
        "OomScoreAdj": int((spec.get("process") or {}).get("oomScoreAdj") or 0),
        "ReadonlyRootfs": bool((spec.get("root") or {}).get("readonly")),
        "CapAdd": list(capabilities),
        "Privileged": not linux.get("maskedPaths") and bool(capabilities),
    }


def _image(look: Look, word: str) -> Json | None:
    for image in look.images():
        names = [image.id, *image.repo_tags, *image.repo_digests]
        if word in names or f"{word}:latest" in names or _begins(image.id, word):
            info = json.loads(look.engine.image_status(image.id).info.get("info", "{}"))
            spec = info.get("imageSpec") or {}
            return {
                "Id": image.id,
                "RepoTags": list(image.repo_tags),
                "RepoDigests": list(image.repo_digests),
                "Created": spec.get("created", ""),
                "Architecture": spec.get("architecture", ""),
                "Os": spec.get("os", ""),
                "Size": image.size,
                "Config": spec.get("config") or {},
                "RootFS": {"Type": "layers", "Layers": (spec.get("rootfs") or {}).get("diff_ids") or []},
            }
    return None


def _begins(identifier: str, word: str) -> bool:
    beginning = word.removeprefix("sha256:")
    return bool(beginning) and identifier.removeprefix("sha256:").startswith(beginning)
