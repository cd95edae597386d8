"""Pod statuses reach the API in spite of failures, as long as the pod is there."""

from __future__ import annotations

from typing import Any, cast

import pytest

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock, virtual
from homeostat.node.reports.notes import Notes
from homeostat.node.reports.statuswriter import StatusWriter
from homeostat.wire.cause import WriteCause

POD: Obj = {"metadata": {"name": "web", "namespace": "default", "uid": "u1", "resourceVersion": "5"}, "status": {}}
REFUSED: Obj = {"phase": "Failed", "reason": "OutOfcpu"}


class Answers:
    """A client whose patches are refused as often as there are errors, then taken."""

    def __init__(self, *refusals: ApiError) -> None:
        self.refusals = list(refusals)
        self.patches = 0
        self.notes: list[str] = []

    async def patch(self, *args: Any, cause: WriteCause, **more: Any) -> Obj:
        self.patches += 1
        self.notes.append(cause.note)
        if self.refusals:
            raise self.refusals.pop(0)
        return {**POD, "metadata": {**POD["metadata"], "resourceVersion": "6"}, "status": dict(REFUSED)}


@pytest.mark.parametrize("refusal", [errors.conflict("pods", "", "web"), errors.not_found("pods", "", "web")])
def test_a_status_that_lost_a_race_is_written_again_while_the_pod_is_there(refusal: ApiError) -> None:
    async def story() -> int:
        client = Answers(refusal)
        writer = StatusWriter(cast("Client", client), "n1", lambda pod: POD)
        writer.put(POD, REFUSED, ["refused: OutOfcpu"])
        await writer.settled("u1")
        return client.patches

    assert virtual.run(story, seed=1) == 2


def test_a_status_of_a_pod_that_the_cache_dropped_is_not_written_again() -> None:
    there: list[Obj] = [POD]

    async def story() -> int:
        client = Answers(*(errors.not_found("pods", "", "web") for _ in range(100)))
        writer = StatusWriter(cast("Client", client), "n1", lambda pod: there[0] if there else None)
        writer.put(POD, REFUSED, ["refused: OutOfcpu"])
        await clock.sleep(0.1)
        there.clear()
        await writer.settled("u1")
        return client.patches

    assert virtual.run(story, seed=1) == 1


def test_one_write_for_several_changes_names_them_all_as_its_cause() -> None:
    async def story() -> list[str]:
        client = Answers(errors.conflict("pods", "", "web"))
        writer = StatusWriter(cast("Client", client), "n1", lambda pod: POD)
        writer.put(POD, {"phase": "Running"}, ["container web started"])
        await clock.sleep(0.1)
        writer.put(POD, REFUSED, ["container web: readiness probe succeeds"])
        await writer.settled("u1")
        return client.notes

    notes = virtual.run(story, seed=1)
    assert notes == ["container web started", "container web started; container web: readiness probe succeeds"]


def test_what_a_probe_found_last_is_the_cause_not_what_it_found_before() -> None:
    notes = Notes()
    notes.add_finding("web", "Readiness probe failed: connection refused")
    notes.add_step("web", "ended with 137")
    notes.add_step("web", "started")
    for found in ("Startup probe failed: connection refused", "startup probe succeeds", "readiness probe succeeds"):
        notes.add_finding("web", found)
    found_last = "container web: readiness probe succeeds"
    assert notes.take() == ("container web ended with 137", "container web started", found_last)
    assert notes.take() == ()
