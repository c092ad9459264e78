"""What the demo prints: live tables on a terminal, plain lines elsewhere, or one JSON document."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final, Protocol, final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trivox.cli.demo.options import PLANS

if TYPE_CHECKING:
    from trivox.cli.demo.progress import Snapshot
    from trivox.cli.demo.report import CallReport, DemoReport

_METER_CELLS: Final = 12
_METER_FLOOR_DBOV: Final = -60.0


class View(Protocol):
    """Shows what happens."""

    def note(self, text: str) -> None:
        """Say that something happened."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Show how a side of a call is doing."""
        ...

    def judged(self, report: CallReport) -> None:
        """Show the verdict on one call."""
        ...

    def finish(self, report: DemoReport) -> None:
        """Show the end."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        ...


def choose_view(*, json: bool, color: bool) -> View:
    """Return the view for this terminal and these options."""
    if json:
        return JsonView()
    console = Console(no_color=not color, highlight=False, force_terminal=None)
    return LiveView(console) if console.is_terminal and color else PlainView(console)


@final
class JsonView:
    """Prints one JSON document at the end."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def judged(self, report: CallReport) -> None:
        """Show nothing."""

    def finish(self, report: DemoReport) -> None:
        """Print the whole report."""
        json.dump(report.as_json(), sys.stdout, indent=2)
        sys.stdout.write("\n")

    def close(self) -> None:
        """Do nothing."""


@final
class PlainView:
    """Prints lines: what happened, a line a second for each side, and the verdict."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[tuple[str, str], int] = {}

    def note(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def show(self, snapshot: Snapshot) -> None:
        """Print a line for each whole second."""
        key, second = (snapshot.call, snapshot.party), int(snapshot.elapsed)
        if self._shown.get(key) == second:
            return
        self._shown[key] = second
        self._print(
            f"{snapshot.call:>7} {snapshot.party}  {snapshot.state:<12} {snapshot.elapsed:5.1f} s  "
            f"{snapshot.packets:5d} packets  loss {snapshot.loss:5.1%}  "
            f"jitter {snapshot.jitter * 1000:4.1f} ms  MOS {snapshot.mos:4.2f}  "
            f"level {snapshot.level_dbov:6.1f} dBov"
        )

    def judged(self, report: CallReport) -> None:
        """Print the verdict as lines."""
        self._print(f"{report.plan.title}: {'passed' if report.passed else 'FAILED'}")
        for check in report.checks:
            mark = "ok  " if check.passed else "FAIL"
            self._print(f"  {mark} {check.name:<12} {check.measured:>9}  {check.limit}")
        for fault in report.faults:
            self._print(f"  fault: {fault}")

    def finish(self, report: DemoReport) -> None:
        """Print the last words."""
        for fault in report.faults:
            self._print(f"fault: {fault}")
        self._print(f"evidence: {report.out}")
        self._print("verdict: passed" if report.passed else "verdict: FAILED")

    def close(self) -> None:
        """Do nothing."""

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


@final
class LiveView:
    """Draws a table that moves while a call lasts, and the verdict below it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._sides: dict[tuple[str, str], Snapshot] = {}

    def note(self, text: str) -> None:
        """Print it above the table."""
        self._console.print(Text("• ", style="cyan") + Text(text))

    def show(self, snapshot: Snapshot) -> None:
        """Put it into the table."""
        self._sides[snapshot.call, snapshot.party] = snapshot
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=10, auto_refresh=False)
            self._live.start()
        self._live.update(self._table(snapshot.call), refresh=True)

    def judged(self, report: CallReport) -> None:
        """Leave the table as it is and print the verdict below."""
        self.close()
        self._console.print(_verdict_table(report))

    def finish(self, report: DemoReport) -> None:
        """Print the last words."""
        self.close()
        for fault in report.faults:
            self._console.print(Text(f"✗ {fault}", style="bold red"))
        passed = report.passed
        self._console.print(f"Evidence in [bold]{report.out}[/]")
        self._console.print(
            Text("✓ every check passed", style="bold green")
            if passed
            else Text("✗ the verdict: failed", style="bold red")
        )

    def close(self) -> None:
        """Stop moving, and give the cursor back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self, call: str) -> Table:
        title = next((plan.title for plan in PLANS if plan.name == call), call)
        table = Table(title=title, title_justify="left")
        for heading in ("", "state", "elapsed", "packets", "loss", "jitter", "MOS", "heard"):
            table.add_column(heading, justify="left" if heading in ("", "state") else "right")
        for (name, party), side in self._sides.items():
            if name == call:
                table.add_row(
                    party,
                    side.state,
                    f"{side.elapsed:.1f} s",
                    str(side.packets),
                    f"{side.loss:.1%}",
                    f"{side.jitter * 1000:.1f} ms",
                    f"{side.mos:.2f}",
                    _meter(side.level_dbov),
                )
        return table


def _meter(level_dbov: float) -> Text:
    """Draw a level as a bar: green, yellow from -20 dBov on, red from -6 on."""
    share = 1 - max(_METER_FLOOR_DBOV, min(0.0, level_dbov)) / _METER_FLOOR_DBOV
    cells = round(share * _METER_CELLS)
    color = "red" if level_dbov > -6 else "yellow" if level_dbov > -20 else "green"
    return Text("█" * cells, style=color) + Text("░" * (_METER_CELLS - cells), style="dim")


def _verdict_table(report: CallReport) -> Group:
    table = Table(title=f"{report.plan.title}: verdict", title_justify="left")
    for heading in ("", "measured", "limit", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for check in report.checks:
        mark = Text("✓", style="green") if check.passed else Text("✗", style="bold red")
        table.add_row(check.name, check.measured, check.limit, mark)
    return Group(table, *(Text(f"✗ {fault}", style="bold red") for fault in report.faults))
