"""A switchboard, a handler registered there and a browser registered there."""

from __future__ import annotations

from contextlib import asynccontextmanager

import trio

import trivox

from .far_ends.browser import open_browser

PATIENCE = 30
"""Seconds for what takes milliseconds where nothing else runs."""


@asynccontextmanager
async def house(
    page,
    handler,
    *flags,
    listen=("sip:127.0.0.1:0;transport=udp",),
    guest=None,
    ice_servers=(),
    **options,
):
    """Open all of it. Yields browser, client and its address.

    Args:
        page: Folder of the page.
        handler: Serves the calls of the client; None: nobody does.
        flags: Of Chromium.
        listen: Of the client.
        guest: Serves the calls of a second client, registered as carol; None: there is none.
        ice_servers: Of the client.
        options: Those of `Browser.register`.
    """
    board_listen = ["sip:127.0.0.1:0;transport=udp", "sip:127.0.0.1:0;transport=ws"]
    users = {"alice": "wonder", "handler": "secret", "carol": "third"}
    async with trivox.open_switchboard(listen=board_listen, users=users, pages=page) as board:
        web = trivox.sip.Uri.parse(
            next(str(uri) for uri in board.listening_on if "transport=ws" in str(uri))
        )
        account = board.account("handler")
        async with (
            trivox.open_client(
                listen=listen, accounts=[account], ice_servers=ice_servers
            ) as client,
            next(iter(client.accounts.values())).registered(),
            trio.open_nursery() as nursery,
        ):
            if handler is not None:
                nursery.start_soon(client.serve, handler)
            if guest is not None:
                await nursery.start(_serve_guest, board.account("carol"), guest)
            async with open_browser(f"http://127.0.0.1:{web.port}/index.html", *flags) as browser:
                await browser.register(
                    ws=f"ws://127.0.0.1:{web.port}",
                    uri=uri_of("alice", account.uri),
                    password="wonder",
                    **options,
                )
                yield browser, client, account.uri
            nursery.cancel_scope.cancel()


async def _serve_guest(account, handler, task_status=trio.TASK_STATUS_IGNORED) -> None:
    listen = ["sip:127.0.0.1:0;transport=udp"]
    async with (
        trivox.open_client(listen=listen, accounts=[account]) as client,
        next(iter(client.accounts.values())).registered(),
    ):
        await client.serve(handler, task_status=task_status)


def uri_of(user: str, other: str) -> str:
    """Return the address of another user of the same domain."""
    return f"sip:{user}@{other.partition('@')[2]}"


class Handler:
    """Answers, records, plays 880 Hz until told to stop; keeps what it saw."""

    def __init__(self, recording, seconds: float = 120, settings=None) -> None:
        self.settings: trivox.CallSettings | None = settings
        self.recording = str(recording)
        self.seconds = seconds
        self.digits = ""
        self.end: trivox.CallEnd | None = None
        self.ended = trio.Event()

    async def __call__(self, call: trivox.Call) -> None:
        self.call = call
        call.add_event_listener(trivox.DtmfReceived, self._digit)
        try:
            async with call:
                await call.answer(self.settings)
                async with call.cancel_on_end(), call.recording(self.recording):
                    with trio.move_on_after(self.seconds):
                        await call.play(trivox.ToneSource((880.0,)))
        finally:
            self.end = call.end
            self.ended.set()

    def _digit(self, event: trivox.DtmfReceived) -> None:
        self.digits += event.tone
