"""Where the CPU of a call goes, by thread and by module: `python -m benches.split [CALLS]`.

The threads' figures come from the kernel. The modules' come from py-spy, if it is installed
(`pip install py-spy`), in a second run: the share of samples whose innermost frame lies there, so
that time in the extension and in system calls counts for the line that called them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benches import process
from benches.generator import Generator

CALLS = 10_000
WARM_UP = 500
WINDOW = 32
PLACES = (
    ("MediaLeg.open", "media engine: open"),
    ("MediaLeg.answer", "media engine: sockets, offer, answer"),
    ("MediaLeg.release", "media engine: close, sockets"),
    ("DatagramFlows.send_ready", "kernel: send"),
    ("Intake.datagrams_wait", "SIP core and kernel: receive"),
    ("EpollIOManager.get_events", "kernel: wait"),
    ("Endpoint.respond", "SIP core: respond"),
    ("trio/", "Trio"),
    ("trivox/call/", "Python: call"),
    ("trivox/sip/", "Python: sip"),
    ("trivox/client/", "Python: client"),
    ("trivox/actor/", "Python: actor (listeners, events)"),
    ("trivox/net/", "Python: net"),
    ("trivox/media/", "Python: media"),
)


def main(calls: int) -> None:
    """Print both tables."""
    process.pin(0)
    with process.module("benches.servers.uas", core=1) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        _load(port, WARM_UP)
        before = _threads(server.pid)
        _load(port, calls)
        for name, (seconds, switches) in _threads(server.pid).items():
            was, had = before.get(name, (0.0, 0))
            used, slept = (seconds - was) / calls * 1e6, (switches - had) / calls
            print(f"{name:<40}{used:8.1f} us a call {slept:6.2f} waits a call")
        spy = shutil.which("py-spy", path=Path(sys.executable).parent) or shutil.which("py-spy")
        if spy is not None:
            _sample(spy, server.pid, port, calls)


def _load(port: int, calls: int) -> None:
    with Generator(("127.0.0.1", port)) as generator:
        generator.run(calls, WINDOW)


def _threads(pid: int) -> dict[str, tuple[float, int]]:
    """Return CPU seconds and voluntary waits of each thread."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        nanoseconds = int((task / "schedstat").read_text().split()[0])
        waits = int(status["voluntary_ctxt_switches"])
        found[status["Name"].strip()] = (nanoseconds / 1e9, waits)
    return found


def _sample(spy: str, pid: int, port: int, calls: int) -> None:
    with tempfile.NamedTemporaryFile() as file:
        words = [spy, "record", "-r", "250", "-f", "raw", "-d", "600", "-o", file.name]
        sampler = subprocess.Popen([*words, "-p", str(pid)], stdout=subprocess.DEVNULL)
        time.sleep(1.0)
        _load(port, calls)
        sampler.send_signal(2)
        sampler.wait()
        places: Counter[str] = Counter()
        for line in Path(file.name).read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            innermost = stack.rpartition(";")[2]
            place = next((place for mark, place in PLACES if mark in innermost), "the rest")
            places[place] += int(count)
    for place, count in places.most_common():
        print(f"{place:<40}{count / places.total():8.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS)
