"""The pages of `docs/reference/` are those that the code makes now, and pages speak of commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from tools import reference

from homeostat.api.flags.flag_settings import Settings
from homeostat.cli.main import homeostat
from homeostat.drill.library import library

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", reference.PAGES)
def test_the_page_is_current(page: str) -> None:
    assert (ROOT / reference.FOLDER / page).read_text() == reference.PAGES[page](), "run `python tools/reference.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_console_blocks_exist(page: Path) -> None:
    for block in re.findall(r"```console[^\n]*\n(.*?)```", page.read_text(), re.DOTALL):
        for line in re.findall(r"^\$ homeostat (.*)$", block, re.MULTILINE):
            command: click.Command | None = homeostat
            for word in line.split():
                if not isinstance(command, click.Group):
                    break
                command = command.get_command(click.Context(command), word)
                assert command is not None, f"{line}: there is no {word}"
            assert not isinstance(command, click.Group), f"{line}: a group alone does nothing"


def test_every_fault_is_explained() -> None:
    injected = {drill.inject for drill in library(Settings()).values()}
    assert injected == set(reference._FAULTS)
