"""The commands and their options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import trio
from cyclopts import App, Parameter
from rich.console import Console

from trivox import __version__
from trivox.cli.demo.options import DemoOptions, Fault
from trivox.cli.demo.run import run_demo
from trivox.cli.demo.view import choose_view
from trivox.cli.switchboard import run_switchboard
from trivox.errors import TrivoxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

app = App(
    name="trivox",
    help="Voice calls over SIP and WebRTC, from the command line.",
    version=__version__,
)


@app.command
def demo(
    *,
    out: Path = Path("evidence"),
    json: Annotated[bool, Parameter(negative="")] = False,
    color: bool = True,
    processes: Annotated[bool, Parameter(negative="")] = False,
    fault: Annotated[Fault | None, Parameter(show=False)] = None,
    only: Annotated[tuple[str, ...], Parameter(show=False)] = (),
) -> int:
    """Let two clients call each other, and judge what was heard.

    Starts a switchboard on loopback and registers a caller and a callee. One calls the other
    twice, over WebRTC with Opus and over plain RTP with G.711, and speaks; the callee records,
    answers with the keys 42# and a reply. Exit code 0 means that every check passed.

    Parameters
    ----------
    out
        Folder for the evidence: recordings, call.json, ladder.txt.
    json
        Print one JSON document at the end and nothing else.
    color
        Colours and live progress where there is a terminal.
    processes
        Run the callee in a process of its own.
    fault
        Do one thing wrong, to see that the verdict finds it.
    only
        Make only these calls.
    """
    options = DemoOptions(out=out, processes=processes, fault=fault, only=only)
    view = choose_view(json=json, color=color)
    try:
        report = _run(run_demo, options, view)
    finally:
        view.close()
    view.finish(report)
    return 0 if report.passed else 1


@app.command
def switchboard(
    *,
    listen: Annotated[tuple[str, ...], Parameter(negative="")] = (
        "sip:127.0.0.1:5060;transport=udp",
    ),
    user: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    pages: Path | None = None,
) -> int:
    """Run the embedded switchboard until Ctrl-C: registrar, forking proxy, pages.

    Parameters
    ----------
    listen
        SIP URIs to bind, with ;transport=udp, tcp or ws; port 0 takes a free one.
    user
        name:password of somebody who may register; may be repeated.
    pages
        Folder of web pages served on the ws ports.
    """
    return _run(run_switchboard, listen, user, pages)


def _run(command: Callable[..., Awaitable[T]], *args: object) -> T:
    """Run a command on Trio; what comes out of nurseries comes out as the one thing it means."""
    try:
        return trio.run(command, *args, strict_exception_groups=True)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        only: BaseException = group
        while isinstance(only, BaseExceptionGroup) and len(only.exceptions) == 1:
            only = only.exceptions[0]
        raise only from None


def run() -> None:
    """Parse the command line, run the command, and leave with its exit code."""
    try:
        app()
    except (TrivoxError, OSError) as error:
        Console(stderr=True).print(f"trivox: {error}", style="red", markup=False)
        sys.exit(2)
