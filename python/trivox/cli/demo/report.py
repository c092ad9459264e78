"""What a demo found out, and the folder of evidence."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, final

from trivox.observe.ladder import ladder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trivox.cli.demo.callee import CalleeResult
    from trivox.cli.demo.caller import CallerResult
    from trivox.cli.demo.options import Plan
    from trivox.cli.demo.verdict import Check, Heard, Verdict
    from trivox.net.transport import Address
    from trivox.observe.records import MessageRecorder


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """One call: both sides, what was measured, the verdict. None where it did not come so far."""

    plan: Plan
    caller: CallerResult
    callee: CalleeResult | None
    heard: Heard | None
    verdict: Verdict | None

    @property
    def checks(self) -> tuple[Check, ...]:
        """The lines of the verdict."""
        return self.verdict.checks if self.verdict else ()

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        errors = [f"the caller's side failed: {self.caller.error}"] if self.caller.error else []
        if self.callee is None:
            errors.append("the callee never reported the call")
        elif self.callee.error:
            errors.append(f"the callee's side failed: {self.callee.error}")
        return (*errors, *(self.verdict.faults if self.verdict else ()))

    @property
    def passed(self) -> bool:
        """Whether the call was as it should be."""
        return not self.faults and self.verdict is not None and self.verdict.passed

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "call": self.plan.name,
            "title": self.plan.title,
            "sip_call_id": self.caller.sip_call_id,
            "passed": self.passed,
            "faults": list(self.faults),
            "heard": asdict(self.heard) if self.heard else None,
            "checks": [asdict(check) for check in self.checks],
            "timings": self.caller.timings,
            "end": {"caller": self.caller.end, "callee": self.callee.end if self.callee else ""},
            "statistics": {
                "caller": self.caller.statistics,
                "callee": self.callee.statistics if self.callee else {},
            },
        }


@final
@dataclass(slots=True)
class DemoReport:
    """All calls, and what went wrong beside them."""

    out: Path
    calls: list[CallReport] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether there were calls and all were as they should be."""
        return bool(self.calls) and not self.faults and all(call.passed for call in self.calls)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "passed": self.passed,
            "faults": self.faults,
            "evidence": str(self.out),
            "calls": [call.as_json() for call in self.calls],
        }


def write_evidence(
    report: DemoReport, recorder: MessageRecorder, parties: Mapping[Address, str]
) -> None:
    """Write call.json and ladder.txt beside each call's recordings, and a ladder of it all."""
    for call in report.calls:
        folder = report.out / call.plan.name
        (folder / "call.json").write_text(json.dumps(call.as_json(), indent=2) + "\n")
        messages = recorder.of_call(call.caller.sip_call_id)
        (folder / "ladder.txt").write_text(ladder(messages, parties))
    (report.out / "ladder.txt").write_text(ladder(recorder.records, parties))
