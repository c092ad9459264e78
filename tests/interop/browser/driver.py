"""Drive the far end in headless Chromium: JSON lines in, JSON lines out.

Runs as a program of its own, so that Playwright's event loop stays out of the test's Trio.
Input {"call": "dial", "args": [...]}; output {"value": ...} or {"error": "..."}. Ends with its input.
"""

from __future__ import annotations

import json
import sys
import tempfile

from playwright.sync_api import sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Without it a page has no candidate on 127.0.0.1.
    "--allow-loopback-in-peer-connection",
    "--mute-audio",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def main(executable: str, page_url: str, *flags: str) -> None:
    """Open the page and carry out one command a line."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=executable, headless=True, args=[*FLAGS, *flags]
        )
        page = context.new_page()
        page.goto(page_url)
        print(json.dumps({"value": "ready"}), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            try:
                value = page.evaluate(
                    "([name, args]) => Promise.resolve(farEnd[name](...args)).then((v) => v ?? null)",
                    [command["call"], command["args"]],
                )
                answer = {"value": value}
            except Exception as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)
        context.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
