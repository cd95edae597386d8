"""What the stories of images share: a state folder for a run of tests, and the lab's images built there once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.lab.images import stock
from homeostat.lab.images.build import build


@pytest.fixture(scope="session")
def shared_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state root of its own: images are built once for all stories."""
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        yield state


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state root for one story."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


class Archives:
    """The lab's own images, each built when it is first asked for."""

    def __getitem__(self, name: str) -> Path:
        """The archive of `pause`, `etcd`, `busybox`, `hello` or `homeostat`."""
        return build(getattr(stock, name)())


@pytest.fixture(scope="session")
def stock_archives(shared_state: Path) -> Archives:
    """They live as long as the run of tests."""
    return Archives()
