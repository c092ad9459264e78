"""The verdict: limits, and faults named by their cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trivox.cli.demo.options import CALLER_SPEECH, PLANS, REPLY_SPEECH, seconds_of
from trivox.cli.demo.verdict import Heard, judge

OPUS, G711 = PLANS
GOOD = Heard(
    setup=0.05,
    correlation=0.98,
    delay=0.46,
    longest_gap=0.0,
    level_dbov=-22.0,
    loss=0.0,
    jitter=0.001,
    mos=4.3,
    digits="42#",
)


def test_a_good_call_passes_every_check() -> None:
    verdict = judge(G711, GOOD, "42#")

    assert verdict.passed
    assert [check.name for check in verdict.checks] == [
        "set-up", "correlation", "delay", "longest gap", "loss", "jitter", "MOS", "DTMF",
    ]  # fmt: skip
    assert [check.measured for check in verdict.checks][:4] == ["50 ms", "0.980", "460 ms", "0 ms"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level_dbov": -127.0, "correlation": 0.0, "longest_gap": 7.0}, "silence"),
        ({"loss": 0.3, "correlation": 0.6, "longest_gap": 0.08}, "30% of them"),
        ({"correlation": 0.2, "longest_gap": 0.5}, "something else"),
        ({"correlation": 0.95}, "damaged"),
        ({"longest_gap": 0.06}, "hole of 60 ms"),
        ({"mos": 2.0}, "quality is 2.00"),
        ({"digits": "43#"}, "43# came, 42# was expected"),
        ({"digits": ""}, "none came"),
    ],
)
def test_each_fault_is_named_once(change: dict[str, object], words: str) -> None:
    verdict = judge(G711, replace(GOOD, **change), "42#")

    assert not verdict.passed
    assert len(verdict.faults) == 1
    assert words in verdict.faults[0]


def test_opus_may_differ_more_than_g711() -> None:
    heard = replace(GOOD, correlation=0.92)

    assert judge(OPUS, heard, "42#").passed
    assert not judge(G711, heard, "42#").passed


def test_the_speech_ships_with_the_package_in_the_stated_length() -> None:
    assert 7 < seconds_of(CALLER_SPEECH) < 9
    assert 2 < seconds_of(REPLY_SPEECH) < 4
