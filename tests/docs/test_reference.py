"""The pages of `docs/reference/` are those that the code makes now."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import reference

FOLDER = Path(__file__).resolve().parents[2] / reference.FOLDER


@pytest.mark.parametrize("page", reference.PAGES)
def test_the_page_is_current(page: str) -> None:
    assert (FOLDER / page).read_text() == reference.PAGES[page](), "run `python tools/reference.py`"
