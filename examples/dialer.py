"""Call a list of people, a few at a time, and note what each one pressed.

Usage: python examples/dialer.py PEOPLE.txt MESSAGE.wav RESULTS.csv
PEOPLE.txt has a SIP URI a line; each gets a line of RESULTS.csv: URI, what happened, key.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import trio

import trivox

SETTINGS = trivox.CallSettings(ring_timeout=30.0)


class Dialer:
    """Plays one message to many, with `at_once` calls at most and `per_second` new ones."""

    def __init__(
        self,
        client: trivox.Client,
        message: str | Path,
        *,
        at_once: int = 10,
        per_second: float = 2.0,
        settings: trivox.CallSettings = SETTINGS,
    ) -> None:
        self._client = client
        self._message = message
        self._places = trio.Semaphore(at_once)
        self._pause = 1.0 / per_second
        self._settings = settings

    async def run(self, people: list[str]) -> list[tuple[str, str, str]]:
        """Call everybody; return (URI, what happened, key) in the order of the list."""
        said: dict[str, tuple[str, str]] = {}

        async def call_one(uri: str) -> None:
            try:
                said[uri] = await self._ask(uri)
            finally:
                self._places.release()

        async with trio.open_nursery() as nursery:
            for uri in dict.fromkeys(people):  # nobody twice
                await self._places.acquire()
                nursery.start_soon(call_one, uri)
                await trio.sleep(self._pause)
        return [(uri, *said[uri]) for uri in dict.fromkeys(people)]

    async def _ask(self, uri: str) -> tuple[str, str]:
        try:
            async with self._client.dial(uri, self._settings) as call:
                return "answered", await call.collect_dtmf(prompt=self._message, max_digits=1)
        except trivox.CallFailedError as error:  # BusyError, DeclinedError, NoAnswerError, …
            return f"{error.sip_code} {error.reason}", ""
        except trivox.CallEndedError:
            return "hung up", ""


def write_rows(path: str, rows: list[tuple[str, str, str]]) -> None:
    """Write a line for each of those who were called."""
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows(rows)


async def call_all(people: list[str], message: str, results: str) -> None:
    """Call everybody with a client of our own."""
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:
        write_rows(results, await Dialer(client, message).run(people))


if __name__ == "__main__":
    trio.run(call_all, Path(sys.argv[1]).read_text().split(), sys.argv[2], sys.argv[3])
