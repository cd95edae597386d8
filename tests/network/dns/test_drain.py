"""The end of a server: as soon as nobody asks it any more, and in the end in any case."""

from __future__ import annotations

import pytest

from homeostat.kit import clock, virtual
from homeostat.network.dns.drain import QUIET_SECONDS, SECONDS_MAX, until_quiet


@pytest.mark.parametrize(
    ("asked_until", "ends_after"),
    [
        pytest.param(0.0, QUIET_SECONDS, id="nobody asks: a cluster that goes down"),
        pytest.param(0.45, 0.45 + QUIET_SECONDS, id="the proxies see it after a while"),
        pytest.param(1e9, SECONDS_MAX, id="somebody asks for ever, as a client without a Service would"),
    ],
)
def test_it_goes_on_until_nobody_asks(asked_until: float, ends_after: float) -> None:
    async def story() -> None:
        await until_quiet(lambda: int(min(clock.monotonic(), asked_until) * 100))
        assert ends_after - 0.01 <= clock.monotonic() <= ends_after + 0.2

    virtual.run(story, seed=1)
