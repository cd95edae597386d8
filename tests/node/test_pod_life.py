"""From a bound pod to its last trace: starting, status, restarts, ends and deletion."""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api.kinds import NODE, POD
from homeostat.kit import clock
from homeostat.runtime.simulated import Behaviour, behaviours

from .conftest import Stage, condition, container, is_ready, state, status_of

Play = Callable[..., None]


def test_a_bound_pod_runs_and_says_so(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        pod = await stage.ready(seconds=1)
        status = pod["status"]
        assert status["phase"] == "Running"
        assert status["podIP"] == "10.1.0.1"
        assert status["podIPs"] == [{"ip": "10.1.0.1"}]
        assert (status["hostIP"], status["qosClass"]) == ("10.0.0.1", "BestEffort")
        main = status_of(pod)
        assert main["containerID"].startswith("simulated://")
        assert (main["ready"], main["started"], main["restartCount"]) == (True, True, 0)
        kinds = [c["type"] for c in status["conditions"]]
        assert sorted(kinds) == sorted(
            ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
        )
        await clock.sleep(2)
        assert await stage.events("Started") == ["Started container main"]
        assert await stage.events("Created") == ["Created container: main"]

    play(story)
