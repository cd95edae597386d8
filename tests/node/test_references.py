"""What pods refer to: read when it is needed, once for all who ask together, and from memory when the API is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from homeostat.api.errors import ApiError
from homeostat.client.contract import Unreachable
from homeostat.kit import clock, virtual
from homeostat.node.volumes.payload import TokenProjection
from homeostat.node.volumes.references import References

Obj = dict[str, Any]
POD: Obj = {"metadata": {"name": "web", "namespace": "default", "uid": "u-1"}, "spec": {"serviceAccountName": "robot"}}
PROJECTION = TokenProjection("api", 3600, "token")


class Api:
    """Answers reads and token requests; each takes a moment. `wrong` is what it raises instead."""

    def __init__(self) -> None:
        self.objects: dict[str, Obj] = {"c": {"data": {"k": "1"}}}
        self.wrong: ApiError | None = None
        self.reads: list[str] = []
        self.requests: list[Obj] = []
        self.seconds = 0.01
        self.life = 3600.0

    async def get(self, kind: Any, name: str, namespace: str) -> Obj:
        self.reads.append(f"{kind.kind}/{namespace}/{name}")
        await clock.sleep(self.seconds)
        if self.wrong is not None:
            raise self.wrong
        if name not in self.objects:
            raise ApiError(404, "NotFound", "not found")
        return self.objects[name]

    async def create(self, kind: Any, obj: Obj, **options: Any) -> Obj:
        self.requests.append(obj)
        await clock.sleep(self.seconds)
        if self.wrong is not None:
            raise self.wrong
        ends = clock.rfc3339(clock.wall() + self.life)
        return {"status": {"token": f"token-{len(self.requests)}", "expirationTimestamp": ends}}


def run_story(story: Callable[[Api, References], Awaitable[None]]) -> None:
    async def main() -> None:
        api = Api()
        await story(api, References(api, "n1"))  # type: ignore[arg-type]

    virtual.run(main, seed=1)


WANTED = [("ConfigMap", "c"), ("Secret", "none"), ("ConfigMap", "c")]


def test_each_object_is_read_once_and_what_is_missing_is_none() -> None:
    async def story(api: Api, references: References) -> None:
        found = await references.fetch("default", WANTED)
        assert found == {("ConfigMap", "c"): {"data": {"k": "1"}}, ("Secret", "none"): None}
        assert sorted(api.reads) == ["ConfigMap/default/c", "Secret/default/none"]

    run_story(story)


def test_what_is_read_together_takes_as_long_as_one_read() -> None:
    async def story(api: Api, references: References) -> None:
        api.seconds = 1.0
        begun = clock.monotonic()
        await references.fetch("default", [("ConfigMap", f"c{place}") for place in range(10)])
        assert clock.monotonic() - begun < 1.5

    run_story(story)


def test_concurrent_callers_share_a_read_and_later_ones_read_again() -> None:
    async def story(api: Api, references: References) -> None:
        await asyncio.gather(*(references.fetch("default", [("ConfigMap", "c")]) for _ in range(5)))
        assert len(api.reads) == 1
        api.objects["c"] = {"data": {"k": "2"}}
        found = await references.fetch("default", [("ConfigMap", "c")])
        assert found == {("ConfigMap", "c"): {"data": {"k": "2"}}}
        await references.fetch("other", [("ConfigMap", "c")])
        assert api.reads[-1] == "ConfigMap/other/c", "namespaces are kept apart"

    run_story(story)


def test_one_who_gives_up_does_not_end_the_read_of_others() -> None:
    async def story(api: Api, references: References) -> None:
        api.seconds = 1.0

        async def impatient() -> None:
            async with asyncio.timeout(0.5):
                await references.fetch("default", [("ConfigMap", "c")])

        patient = asyncio.gather(impatient(), references.fetch("default", [("ConfigMap", "c")]), return_exceptions=True)
        gave_up, found = await patient
        assert isinstance(gave_up, TimeoutError)
        assert found == {("ConfigMap", "c"): {"data": {"k": "1"}}}
        assert len(api.reads) == 1

    run_story(story)


def test_an_error_reaches_all_who_asked() -> None:
    async def story(api: Api, references: References) -> None:
        api.wrong = ApiError(403, "Forbidden", "no")
        asked = (references.fetch("default", [("Secret", "s")]) for _ in range(3))
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [error.code for error in found if isinstance(error, ApiError)] == [403] * 3

    run_story(story)


def test_a_node_that_is_cut_off_goes_on_with_what_it_knows() -> None:
    async def story(api: Api, references: References) -> None:
        await references.fetch("default", [("ConfigMap", "c")])
        api.wrong = Unreachable("cut off")
        found = await references.fetch("default", [("ConfigMap", "c")])
        assert found[("ConfigMap", "c")] is not None
        with pytest.raises(Unreachable):
            await references.fetch("default", [("Secret", "new")])

    run_story(story)


def test_an_api_that_hangs_is_not_waited_for() -> None:
    async def story(api: Api, references: References) -> None:
        await references.fetch("default", [("ConfigMap", "c")])
        api.seconds = 1000.0
        begun = clock.monotonic()
        assert (await references.fetch("default", [("ConfigMap", "c")]))[("ConfigMap", "c")] is not None
        with pytest.raises(Unreachable, match="secret new could not be read in time"):
            await references.fetch("default", [("Secret", "new")])
        assert clock.monotonic() - begun < 10

    run_story(story)


# Tokens


def test_a_token_is_asked_for_in_the_pods_name_and_kept() -> None:
    async def story(api: Api, references: References) -> None:
        assert await references.tokens(POD, [PROJECTION, PROJECTION]) == {PROJECTION: "token-1"}
        assert await references.tokens(POD, [PROJECTION]) == {PROJECTION: "token-1"}
        [request] = api.requests
        assert request["metadata"] == {"name": "robot", "namespace": "default"}
        assert request["spec"]["audiences"] == ["api"]
        assert request["spec"]["boundObjectRef"]["uid"] == "u-1"

    run_story(story)


@pytest.mark.parametrize(("life", "renewed_after"), [(3600.0, 2880.0), (1000.0, 800.0), (864000.0, 86400.0)])
def test_a_token_is_renewed_after_four_fifths_of_its_life_or_a_day(life: float, renewed_after: float) -> None:
    """pkg/kubelet/token/token_manager.go, requiresRefresh."""

    async def story(api: Api, references: References) -> None:
        api.life = life
        await references.tokens(POD, [PROJECTION])
        await clock.sleep(renewed_after - 5)
        assert await references.tokens(POD, [PROJECTION]) == {PROJECTION: "token-1"}
        await clock.sleep(10)
        assert await references.tokens(POD, [PROJECTION]) == {PROJECTION: "token-2"}

    run_story(story)


def test_an_old_token_serves_on_while_the_api_is_away() -> None:
    async def story(api: Api, references: References) -> None:
        await references.tokens(POD, [PROJECTION])
        await clock.sleep(3000)
        api.wrong = Unreachable("cut off")
        assert await references.tokens(POD, [PROJECTION]) == {PROJECTION: "token-1"}
        with pytest.raises(Unreachable, match="no service account token could be obtained"):
            await references.tokens({**POD, "metadata": {**POD["metadata"], "uid": "u-2"}}, [PROJECTION])

    run_story(story)


def test_the_tokens_of_a_pod_that_is_gone_are_forgotten() -> None:
    async def story(api: Api, references: References) -> None:
        await references.tokens(POD, [PROJECTION])
        references.forget("u-1")
        assert await references.tokens(POD, [PROJECTION]) == {PROJECTION: "token-2"}

    run_story(story)
