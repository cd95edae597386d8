"""A drill's report as text for a terminal and as JSON for a program."""

from __future__ import annotations

from typing import Any

from homeostat.drill.chain import line
from homeostat.drill.conductor import Finding, Report
from homeostat.drill.probe import Probe

_TIMELINE_WRITES_MAX = 40


def text(report: Report, *, timeline: bool = True, width: int | None = None) -> list[str]:
    """The report in lines: verdict, predictions, what clients saw, and the recorded writes by their time, in lines no
    wider than `width`."""
    verdict = "PASSED" if report.passed else "FAILED"
    lines = [f"{verdict}  {report.drill.name}: {report.drill.title}", f"  loop      {report.drill.loop}"]
    lines.append(f"  fault     {report.did}: {report.target}")
    if report.undid:
        lines.append(f"  undone    {report.undid}, {report.undo_at - report.fault_at:.1f} s later")
    lines += [f"  {_mark(finding)}  {_finding(finding)}" for finding in report.findings]
    lines += [_clients(report, probe) for probe in (report.app, report.api) if probe is not None]
    if timeline and report.journal:
        lines.append("  what the loops wrote, and why:")
        lines += _timeline(report, width)
    return lines


def as_json(report: Report) -> dict[str, Any]:
    """The same for a program. Times are seconds; those of findings count from the fault, or from its undoing."""
    return {
        "drill": report.drill.name,
        "passed": report.passed,
        "target": str(report.target),
        "fault": {"did": report.did, "at": report.fault_at},
        "undo": {"did": report.undid, "at": report.undo_at} if report.undid else None,
        "predictions": [
            {
                "text": finding.prediction.text,
                "kept": finding.kept,
                "seconds": finding.seconds,
                "after": finding.prediction.after_seconds,
                "within": finding.within_seconds,
                "ofUndo": finding.prediction.of_undo,
            }
            for finding in report.findings
        ],
        "clients": [_clients_json(report, probe) for probe in (report.app, report.api) if probe is not None],
        "journal": report.journal,
    }


def _mark(finding: Finding) -> str:
    return "kept   " if finding.kept else "BROKEN "


def _finding(finding: Finding) -> str:
    prediction = finding.prediction
    since = "after the undoing" if prediction.of_undo else "after the fault"
    bound = f"predicted within {finding.within_seconds:g} s"
    if prediction.after_seconds:
        bound = f"predicted {prediction.after_seconds:g} to {finding.within_seconds:g} s"
    when = "not seen" if finding.seconds is None else f"{finding.seconds:.2f} s {since}"
    if finding.seconds == 0.0:
        when = "all the time"
    return f"{prediction.text}: {when} ({bound})"


def _clients(report: Report, probe: Probe) -> str:
    failed, unexcused = probe.failures, report.unexcused(probe)
    text = f"  {probe.name:<8}  {len(probe.samples)} requests, {len(failed)} failed"
    if failed:
        text += f", {len(failed) - len(unexcused)} of them in flight at the fault"
    text += f"; longest time without an answer {probe.longest_gap():.2f} s"
    if unexcused:
        text += f"; first failure: {unexcused[0].error}"
    return text


def _clients_json(report: Report, probe: Probe) -> dict[str, Any]:
    unexcused = report.unexcused(probe)
    failures = [
        {"at": round(f.at - report.fault_began, 4), "seconds": round(f.seconds, 4), "error": f.error}
        | {"inFlight": f not in unexcused}
        for f in probe.failures
    ]
    return {
        "name": probe.name,
        "requests": len(probe.samples),
        "failures": failures,
        "longestGapSeconds": round(probe.longest_gap(), 3),
    }


def _timeline(report: Report, width: int | None) -> list[str]:
    # API servers give out revisions in one order and stamp their writes a moment apart.
    writes = sorted(report.journal, key=lambda entry: entry["time"])
    lines: list[str] = []
    for entry in writes[:_TIMELINE_WRITES_MAX]:
        lines += [f"  {each}" for each in line(entry, report.fault_at, width=width - 2 if width else None)]
    if len(writes) > _TIMELINE_WRITES_MAX:
        lines.append(f"    ... and {len(writes) - _TIMELINE_WRITES_MAX} more")
    return lines
