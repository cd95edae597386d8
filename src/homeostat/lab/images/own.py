"""An image of a person's own: the files of a folder, on top of an image that every cluster brings along."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import stock
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree

SCRATCH = "scratch"
# The first part is a registry's: with a dot or a port, or `localhost`.
_HOST = r"(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9.-]+(?=:))(?::\d+)?"
_NAME = re.compile(_HOST + r"(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+:\w[\w.-]{0,127}")


def of_folder(name: str, folder: Path, *, base: str, command: Sequence[str]) -> ImageSpec:
    """The image `name` of the files in `folder` over those of the image `base`, or over nothing (`scratch`).

    Its containers run `command`, or else what those of the base run. Raises LabError.
    """
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} is no image name with a registry and a tag, such as example.local/app:1")
    tree = Tree()
    try:
        for path, source in _files(folder):
            _add(tree, path, source)
    except OSError as error:
        raise LabError(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    below = ImageSpec(name, ()) if base == SCRATCH else _base(base)
    made = replace(below, name=name, layers=(*below.layers, tree), about="")
    return replace(made, entrypoint=(), cmd=tuple(command)) if command else made


def _base(name: str) -> ImageSpec:
    specs = {spec.name: spec for spec in stock.all_specs()}
    if name not in specs:
        raise LabError(f"{name!r} is no image to build on; there are {', '.join(sorted(specs))} and {SCRATCH}")
    return specs[name]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """What is below the folder: its path there, and where it is. Raises OSError."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        place = Path(entry.path)
        yield entry.name, place
        if entry.is_dir(follow_symlinks=False):
            yield from ((f"{entry.name}/{path}", source) for path, source in _files(place))


def _add(tree: Tree, path: str, source: Path) -> None:
    if source.is_symlink():
        tree.link(path, os.readlink(source))
    elif source.is_dir():
        tree.folder(path)
    elif source.is_file():
        tree.file(path, source)
    else:
        raise LabError(f"{source} is neither a file nor a folder nor a link: it cannot be in an image")
