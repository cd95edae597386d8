"""The drills as data: what each breaks, and what is predicted with its times. Pure."""

from __future__ import annotations

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.types import Obj
from homeostat.drill.contract import Drill, Prediction
from homeostat.drill.library import APP, APP_NAMESPACE, library


def listed(settings: Settings) -> list[Obj]:
    """All drills in the library's order, with the times (in seconds) that `settings` lead to."""
    return [_described(drill) for drill in library(settings).values()]


def _described(drill: Drill) -> Obj:
    return {
        "name": drill.name,
        "title": drill.title,
        "loop": drill.loop,
        "fault": drill.inject,
        "undo": drill.undo,
        "undoAfterSeconds": drill.undo_after_seconds,
        "deadlineSeconds": drill.deadline_seconds,
        "app": {"namespace": APP_NAMESPACE, "name": APP},
        "predictions": [_predicted(each) for each in drill.predictions],
    }


def _predicted(prediction: Prediction) -> Obj:
    return {
        "text": prediction.text,
        "withinSeconds": prediction.within_seconds,
        "afterSeconds": prediction.after_seconds,
        "ofUndo": prediction.of_undo,
    }
