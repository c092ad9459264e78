"""Chromium with JsSIP or SIP.js: a page in a browser of its own, asked and told over a pipe."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

HERE = Path(__file__).parent.parent / "browser"


def built_page(target: Path) -> Path:
    """Bundle the page with its libraries (locked) and put what a server serves into `target`."""
    if not (HERE / "node_modules" / ".bin" / "esbuild").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=HERE, check=True)
    subprocess.run(["npm", "run", "--silent", "bundle"], cwd=HERE, check=True)
    target.mkdir(exist_ok=True)
    for name in ("index.html", "bundle.js"):
        shutil.copy(HERE / name, target / name)
    return target


class Browser:
    """One page with one user agent."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._unread = b""

    async def call(self, name: str, *args: Any) -> Any:
        """Call a function of the page's `farEnd` and return what it returns."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(
            json.dumps({"call": name, "args": args}).encode() + b"\n"
        )
        return await self.answer()

    async def answer(self) -> Any:
        """Read one answer of the driver."""
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            chunk = await self._process.stdout.receive_some(65536)
            assert chunk, "the browser driver ended early"
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    async def until(self, name: str, is_so: Callable[[Any], bool], within: float = 30) -> Any:
        """Ask `name` again and again until the answer is as wanted."""
        last: Any = None
        with trio.move_on_after(within):
            while True:
                last = await self.call(name)
                if is_so(last):
                    return last
                await trio.sleep(0.05)
        raise AssertionError(f"{name} was not as wanted within {within} s; it was {last}")

    async def hears(self, hz: float, within: float = 30) -> None:
        """Wait until the page hears that tone."""
        await self.until(
            "heard", lambda heard: abs(heard["hz"] - hz) < 12 and heard["rms"] > 0.01, within
        )

    async def hears_nothing(self, within: float = 30) -> None:
        """Wait until the page hears silence."""
        await self.until("heard", lambda heard: heard["rms"] < 0.002, within)

    async def status(self, wanted: str, within: float = 30) -> None:
        """Wait until the page's call is in that state."""
        await self.until("look", lambda look: look["status"] == wanted, within)

    async def noted(self, name: str, within: float = 30) -> dict[str, Any]:
        """Wait until the page has noted something by that name, and return the first of them."""
        look = await self.until(
            "look", lambda look: any(entry["name"] == name for entry in look["log"]), within
        )
        return next(entry for entry in look["log"] if entry["name"] == name)

    async def register(self, *, ws: str, uri: str, password: str, **options: Any) -> None:
        """Start the user agent and wait until it is registered.

        Args:
            ws: URL of the server's WebSocket.
            uri: Address of record.
            password: For digest.
            options: `library` (jssip, sipjs), `answerHz`, `refuse` (a status), `rings` (no answer),
                `relay` (its port, username and credential: media go by it only; jssip), `bundles`
                (false: it reads no BUNDLE in what it is offered; jssip).
        """
        await self.call("start", {"ws": ws, "uri": uri, "password": password, **options})
        await self.until("look", lambda look: look["registered"])


@asynccontextmanager
async def open_browser(page_url: str, *flags: str) -> AsyncIterator[Browser]:
    """Start Chromium on the page, and end it on leaving."""
    executable = shutil.which("chromium")
    assert executable is not None
    command = [sys.executable, str(HERE / "driver.py"), executable, page_url, *flags]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            lambda task_status: trio.run_process(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                check=False,
                task_status=task_status,
            )
        )
        browser = Browser(process)
        with trio.fail_after(60):
            assert await browser.answer() == "ready"
        try:
            yield browser
        finally:
            with trio.CancelScope(shield=True):
                await process.stdin.aclose()
                with trio.move_on_after(10):
                    await process.wait()
            nursery.cancel_scope.cancel()
