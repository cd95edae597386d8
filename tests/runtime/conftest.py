"""One container engine for all stories of a session that want a real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    one = Engine()
    yield one
    one.close()
