"""An image as it is asked for: its name, its layers, and how its containers run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeostat.lab.images.tree import Tree

# What Go, and so every image, calls the machines' architectures.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def architecture() -> str:
    """This machine's architecture by its name in images."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """`name` has a registry and a tag: `homeostat.local/pause:1`. Layers lie lowest first. `user` is `UID[:GID]`.
    `about` says to people what it is for; it is no part of the image."""

    name: str
    layers: tuple[Tree, ...]
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    ports: tuple[str, ...] = ()
    stop_signal: str = ""
    about: str = ""

    @property
    def has_shell(self) -> bool:
        """Whether `kubectl exec POD -- sh` finds a program."""
        return any("bin/sh" in layer.entries for layer in self.layers)

    def run_config(self) -> dict[str, Any]:
        """The `config` of the OCI image configuration (image-spec, config.md)."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        given = {
            "Env": [f"{key}={value}" for key, value in {"PATH": path, **self.env}.items()],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "User": self.user,
            "WorkingDir": self.workdir,
            "ExposedPorts": {port: {} for port in self.ports},
            "StopSignal": self.stop_signal,
        }
        return {key: value for key, value in given.items() if value}
