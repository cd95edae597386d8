"""Job and CronJob. Rules: pkg/apis/batch/validation."""

from __future__ import annotations

import re

from homeostat.api.fields import Causes, invalid, not_supported, required
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_enum, check_immutable, check_numbers, check_selector
from homeostat.api.validation.podspec.pods import check_template

_NUMBERS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_CRON_NAME_MAX = 52
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
# minute, hour, day of month, month, day of week
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON_WORDS: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {word: place for place, word in enumerate(_MONTHS, 1)},
    {word: place for place, word in enumerate(_DAYS)},
)
_cron_item = re.compile(r"(\*|\?|[a-z0-9]+(?:-[a-z0-9]+)?)(?:/([0-9]{1,4}))?").fullmatch


def check_job(obj: Obj, out: Causes) -> None:
    """A Job."""
    _check_job_spec(obj.get("spec") or {}, "spec", out, own_selector=True)


def _check_job_spec(spec: Obj, path: str, out: Causes, *, own_selector: bool) -> None:
    check_numbers(spec, path, _NUMBERS, out)
    check_enum(spec.get("completionMode"), f"{path}.completionMode", ("NonIndexed", "Indexed"), out)
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        why = "when completion mode is Indexed"
        out.append(required(f"{path}.completions", why))
    if own_selector:
        if spec.get("selector") is None:
            out.append(required(f"{path}.selector"))
        check_selector(spec.get("selector"), f"{path}.selector", out)
    check_template(spec.get("template"), f"{path}.template", out)
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    where = f"{path}.template.spec.restartPolicy"
    if policy in (None, "", "Always"):
        out.append(required(where, 'valid values: "OnFailure", "Never"'))
    elif policy not in ("OnFailure", "Never"):
        out.append(not_supported(where, policy, ("OnFailure", "Never")))


def check_job_update(new: Obj, old: Obj, out: Causes) -> None:
    """A Job keeps its selector, template and completion mode."""
    ours, theirs = new.get("spec") or {}, old.get("spec") or {}
    for field in ("selector", "template", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"):
        check_immutable(ours.get(field), theirs.get(field), f"spec.{field}", out)
    if theirs.get("completionMode") != "Indexed":
        check_immutable(ours.get("completions"), theirs.get("completions"), "spec.completions", out)


def check_cronjob(obj: Obj, out: Causes) -> None:
    """A CronJob: its schedule, its policy and its Job."""
    spec = obj.get("spec") or {}
    name = (obj.get("metadata") or {}).get("name") or ""
    if len(name) > _CRON_NAME_MAX:
        out.append(invalid("metadata.name", name, f"must be no more than {_CRON_NAME_MAX} characters"))
    schedule = spec.get("schedule")
    if not schedule:
        out.append(required("spec.schedule"))
    elif problem := _cron_problem(schedule):
        out.append(invalid("spec.schedule", schedule, problem))
    check_numbers(
        spec, "spec", ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"), out
    )
    check_enum(spec.get("concurrencyPolicy"), "spec.concurrencyPolicy", ("Allow", "Forbid", "Replace"), out)
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    _check_job_spec(job, "spec.jobTemplate.spec", out, own_selector=False)


def _cron_problem(schedule: str) -> str:
    """What is wrong with a schedule (robfig/cron's standard parser), empty when it is good."""
    if schedule.startswith("@"):
        known = schedule in _DESCRIPTORS or re.fullmatch(r"@every ([0-9.]+(ns|us|µs|ms|s|m|h))+", schedule)
        return "" if known else f"unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if len(fields) != len(_CRON_RANGES):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, bounds, words in zip(fields, _CRON_RANGES, _CRON_WORDS, strict=True):
        for item in field.lower().split(","):
            if problem := _cron_item_problem(item, bounds, words):
                return problem
    return ""


def _cron_item_problem(item: str, bounds: tuple[int, int], words: dict[str, int]) -> str:
    found = _cron_item(item)
    if found is None:
        return f"failed to parse {item}"
    if found[2] is not None and int(found[2]) == 0:
        return f"step of range should be a positive number: {item}"
    if found[1] in ("*", "?"):
        return ""
    ends: list[int] = []
    for text in found[1].split("-"):
        number = words.get(text, int(text) if text.isdecimal() and len(text) < 5 else -1)
        if number < 0:
            return f"failed to parse int from {text}: invalid syntax"
        ends.append(number)
    low, high = bounds
    if ends[0] < low:
        return f"beginning of range ({ends[0]}) below minimum ({low}): {item}"
    if ends[-1] > high:
        return f"end of range ({ends[-1]}) above maximum ({high}): {item}"
    if ends[0] > ends[-1]:
        return f"beginning of range ({ends[0]}) beyond end of range ({ends[-1]}): {item}"
    return ""
