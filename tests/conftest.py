"""How a run of the whole suite reports failures: a failure's story is printed when it happens.

With `-n` pytest keeps failures for the end, and a run that is stopped from outside would show a lone `F`. A test that
hangs ends its process with every thread's stack printed (`faulthandler_timeout` in pyproject.toml); xdist then names
the test, and the run continues.

Labs whose nodes are processes boot in a second: they are what a story gets that does not ask for real nodes by name.

`make coverage` measures the processes of pytest alone: a server that a story boots would be too slow for its bounds.
"""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("HOMEOSTAT_RUNTIME", "process")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    in_worker = hasattr(config, "workerinput")
    if in_worker:
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    if reporter is not None and not in_worker:
        config.pluginmanager.register(_FailuresAtOnce(reporter), "failures-at-once")


class _FailuresAtOnce:
    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reporter.ensure_newline()
            self._reporter.write_line(f"FAILED {report.nodeid} ({report.when})")
            self._reporter.write_line(report.longreprtext)
