"""What the stories of images share: a state folder for a run of tests, and the lab's images built there once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeostat.lab.images import stock
from homeostat.lab.images.build import build
from homeostat.lab.images.seed import Seed, prepare_seed


@pytest.fixture(scope="session")
def shared_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state root where the lab's images are built once for all stories."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state root for one story."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@contextmanager
def state_root_at(folder: Path) -> Iterator[None]:
    """For fixtures that outlive a story."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield


class Archives:
    """The lab's own images, each built when it is first asked for."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def __getitem__(self, name: str) -> Path:
        """The archive of `pause`, `etcd`, `busybox`, `hello` or `homeostat`."""
        with state_root_at(self._state):
            return build(getattr(stock, name)())


@pytest.fixture(scope="session")
def stock_archives(shared_state: Path) -> Archives:
    """They live as long as the run of tests."""
    return Archives(shared_state)


@pytest.fixture(scope="session")
def small_images(stock_archives: Archives) -> dict[str, Path]:
    """The small ones by their names: what is true of them is true of the large ones."""
    return {stock.PAUSE: stock_archives["pause"], stock.BUSYBOX: stock_archives["busybox"]}


@pytest.fixture(scope="session")
def seed(shared_state: Path, small_images: dict[str, Path]) -> Seed:
    """A seed of the small images."""
    with state_root_at(shared_state):
        return prepare_seed(small_images)
