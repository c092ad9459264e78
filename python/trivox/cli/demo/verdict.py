"""The judgement of one call: measured values, limits, and the name of what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from trivox.cli.demo.options import Plan

LONGEST_GAP: Final = 0.040
"""Seconds the heard speech may be silent where the sent one is not."""
MOST_LOSS: Final = 0.02
LEAST_MOS: Final = 3.5
_SILENT_DBOV: Final = -60.0
_ALIKE: Final = 0.5
"""Below this two recordings have nothing to do with each other."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was measured on the callee's recording and counted at its end.

    Attributes:
        setup: Seconds from the INVITE to Connected, at the caller.
        correlation: Normalised cross-correlation with the speech, at the best delay, 0 to 1.
        delay: Seconds from saying to hearing: packing, network, jitter buffer.
        longest_gap: Seconds without sound where the speech has some.
        level_dbov: Level of the recording where the speech should be.
        loss: Share of packets lost at the callee.
        jitter: Seconds, at the callee.
        mos: Estimated listening quality at the callee.
        digits: Keys the caller received.
    """

    setup: float
    correlation: float
    delay: float
    longest_gap: float
    level_dbov: float
    loss: float
    jitter: float
    mos: float
    digits: str


@final
@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict."""

    name: str
    measured: str
    limit: str
    passed: bool


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one call; `faults` say in words what is wrong."""

    checks: tuple[Check, ...]
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and all(check.passed for check in self.checks)


def judge(plan: Plan, heard: Heard, digits: str) -> Verdict:
    """Judge one call.

    Args:
        plan: The call, with its limit.
        heard: What was measured.
        digits: The keys that should have come.
    """
    checks = (
        Check("set-up", f"{heard.setup * 1000:.0f} ms", "", passed=True),
        _at_least("correlation", heard.correlation, plan.least_correlation, "{:.3f}"),
        Check("delay", _delay(heard), "", passed=True),
        _at_most("longest gap", heard.longest_gap * 1000, LONGEST_GAP * 1000, "{:.0f} ms"),
        _at_most("loss", heard.loss * 100, MOST_LOSS * 100, "{:.1f} %"),
        Check("jitter", f"{heard.jitter * 1000:.1f} ms", "", passed=True),
        _at_least("MOS", heard.mos, LEAST_MOS, "{:.2f}"),
        Check("DTMF", heard.digits or "none", digits, passed=heard.digits == digits),
    )
    return Verdict(checks, tuple(_faults(plan, heard, digits)))


def _faults(plan: Plan, heard: Heard, digits: str) -> list[str]:
    """Name what is wrong, the cause rather than its consequences."""
    faults = []
    if heard.level_dbov < _SILENT_DBOV:
        faults.append("the callee heard silence: the caller is muted or sends nothing")
    elif heard.loss > MOST_LOSS:
        faults.append(f"packets were lost on the way to the callee: {heard.loss:.0%} of them")
    elif heard.correlation < _ALIKE:
        faults.append("the callee heard something else than was to be said: another file")
    elif heard.correlation < plan.least_correlation:
        faults.append(
            f"the speech came through damaged: correlation {heard.correlation:.3f}, "
            f"at least {plan.least_correlation:.2f} is right for {plan.codec}"
        )
    elif heard.longest_gap >= LONGEST_GAP:
        faults.append(f"the speech has a hole of {heard.longest_gap * 1000:.0f} ms")
    elif heard.mos < LEAST_MOS:
        faults.append(f"the estimated quality is {heard.mos:.2f}, below {LEAST_MOS}")
    if heard.digits != digits:
        faults.append(f"the keys are wrong: {heard.digits or 'none'} came, {digits} was expected")
    return faults


def _delay(heard: Heard) -> str:
    """Say the delay, unless what was heard is not what was said."""
    return f"{heard.delay * 1000:.0f} ms" if heard.correlation >= _ALIKE else "–"


def _at_least(name: str, value: float, limit: float, form: str) -> Check:
    return Check(name, form.format(value), f"≥ {form.format(limit)}", value >= limit)


def _at_most(name: str, value: float, limit: float, form: str) -> Check:
    return Check(name, form.format(value), f"< {form.format(limit)}", value < limit)
