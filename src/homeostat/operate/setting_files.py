"""Settings that name a file: `up` reads it, so that the cluster keeps the content and every master has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson

from homeostat.api.documents import yaml_documents
from homeostat.api.documents.json_documents import DocumentError
from homeostat.api.flags.flag_settings import SettingsError
from homeostat.api.flags.known_flags import CATALOGUE


def with_contents(assignments: Iterable[str]) -> list[str]:
    """`COMPONENT.FLAG=VALUE` texts with the content, in JSON, in the place of a file's name.

    Raises SettingsError when a file cannot be read or is no YAML. An empty name stays: it takes the setting back.
    """
    return [_with_content(assignment) for assignment in assignments]


def _with_content(assignment: str) -> str:
    path, _, name = assignment.partition("=")
    component, _, flag_name = path.strip().partition(".")
    flag = CATALOGUE.get((component, flag_name.removeprefix("--")))
    if flag is None or flag.type != "admission-configuration" or not name.strip():
        return assignment
    file = Path(name.strip()).expanduser()
    try:
        document = yaml_documents.load(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{flag.path}: cannot read {file}: {error.strerror}") from error
    except DocumentError as error:
        raise SettingsError(f"{flag.path}: {file} is no YAML: {error}") from error
    return f"{path}={orjson.dumps(document).decode()}"
