"""The drills as the Console lists them: each prediction with the times that this cluster's flags lead to."""

from __future__ import annotations

import orjson

from homeostat.api.flags.flag_settings import parse_settings
from homeostat.drill.library import library
from homeostat.drill.listing import listed


def test_every_drill_is_listed_with_its_predictions() -> None:
    settings = parse_settings([])
    found = {each["name"]: each for each in listed(settings)}
    assert list(found) == list(library(settings))
    server = found["api-server"]
    assert (server["fault"], server["undo"]) == ("kill-container", "")
    assert server["predictions"][0] == {
        "text": "the kubelet runs it under a new ID",
        "withinSeconds": 3.0,
        "afterSeconds": 0.0,
        "ofUndo": False,
    }
    assert orjson.dumps(list(found.values())), "nothing in it is more than JSON holds"


def test_predicted_times_follow_the_flags() -> None:
    settings = parse_settings(
        [
            "controller-manager.node-monitor-grace-period=20s",
            "controller-manager.node-monitor-period=1s",
            "apiserver.default-unreachable-toleration-seconds=60",
        ]
    )
    (long,) = [each for each in listed(settings) if each["name"] == "node-long"]
    ready, replaced = long["predictions"][:2]
    assert (ready["afterSeconds"], ready["withinSeconds"]) == (10.0, 21.0)
    assert (replaced["afterSeconds"], replaced["withinSeconds"]) == (70.0, 81.0)
