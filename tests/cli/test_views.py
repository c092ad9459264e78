"""What the demo prints, without making a call."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from trivox.cli.demo.callee import CalleeReady, CalleeResult, decode, encode
from trivox.cli.demo.caller import CallerResult
from trivox.cli.demo.options import PLANS
from trivox.cli.demo.progress import Snapshot
from trivox.cli.demo.report import CallReport, DemoReport
from trivox.cli.demo.verdict import Heard, judge
from trivox.cli.demo.view import JsonView, LiveView, PlainView, choose_view

SIDE = Snapshot("callee", "rtp", "connected", 2.04, 102, 0.0, 0.0012, 4.31, -18.0)
RESULT = CalleeResult(call="rtp", statistics={"loss": 0.0}, end="remote ended")


def _report(digits: str = "42#", error: str = "") -> DemoReport:
    heard = Heard(
        setup=0.05, correlation=0.98, delay=0.4, longest_gap=0.0, level_dbov=-20.0,
        loss=0.0, jitter=0.001, mos=4.3, digits=digits,
    )  # fmt: skip
    plan = PLANS[1]
    call = CallReport(
        plan=plan,
        caller=CallerResult("rtp", error=error),
        callee=RESULT,
        heard=heard,
        verdict=judge(plan, heard, "42#"),
    )
    return DemoReport(Path("evidence"), [call])


def _printed(view: PlainView | LiveView, out: io.StringIO, report: DemoReport) -> str:
    view.note("callee is registered")
    view.show(SIDE)
    view.judged(report.calls[0])
    view.finish(report)
    return out.getvalue()


def test_plain_lines_have_no_control_characters() -> None:
    out = io.StringIO()

    text = _printed(PlainView(Console(file=out, no_color=True, width=60)), out, _report())

    assert "\x1b" not in text
    assert "102 packets" in text
    assert text.splitlines()[-1] == "verdict: passed"


def test_plain_lines_come_once_a_second() -> None:
    out = io.StringIO()
    view = PlainView(Console(file=out))

    for _ in range(5):
        view.show(SIDE)

    assert len(out.getvalue().splitlines()) == 1


def test_a_terminal_sees_a_table_a_meter_and_the_verdict() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)

    text = _printed(LiveView(console), out, _report())

    assert "█" in text
    assert "correlation" in text
    assert "every check passed" in text


@pytest.mark.parametrize("report", [_report(digits="43#"), _report(error="BYE came too soon")])
def test_a_fault_is_printed_and_fails_the_report(report: DemoReport) -> None:
    out = io.StringIO()

    text = _printed(PlainView(Console(file=out, width=200)), out, report)

    assert not report.passed
    assert "fault: " in text
    assert text.splitlines()[-1] == "verdict: FAILED"


def test_json_prints_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    view = choose_view(json=True, color=True)
    assert isinstance(view, JsonView)
    view.note("quiet")
    view.show(SIDE)
    view.finish(_report())

    document = json.loads(capsys.readouterr().out)

    assert document["passed"] is True
    assert document["calls"][0]["heard"]["digits"] == "42#"


def test_without_a_terminal_lines_are_plain() -> None:
    assert isinstance(choose_view(json=False, color=True), PlainView)


def test_no_calls_are_no_success() -> None:
    assert not DemoReport(Path("evidence")).passed


def test_what_a_callee_in_a_process_reports_survives_the_pipe() -> None:
    for message in (SIDE, RESULT, CalleeReady(host="127.0.0.1", port=5060)):
        line = encode(message)

        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert decode(line) == message
