"""One container engine for all stories of a session that want a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.crinode import Story, run_story
from tests.support.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    one = Engine()
    yield one
    one.close()


@pytest.fixture
def on_node(engine: Engine, tmp_path: Path) -> Callable[[Story], None]:
    """Plays a story on a node of its own."""
    return lambda story: run_story(engine, tmp_path, story)
