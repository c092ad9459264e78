"""User instructions of a call, which other work on the machine does not change.

    python -m benches.instructions [SERVER …]     # "uas", or "floor core" and the like

Needs valgrind (`apt install valgrind`). The kernel's part is not in it, and an instruction of the
interpreter costs more time than one of a tight loop: compare builds with it, not programs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benches import generator, process

CALLS = 200
WARM_UP = 100
WINDOW = 8
LINE = re.compile(r"\s*([\d,]+) \([^)]*\)\s+.*?(?:\[([^\]]*)\])?\s*$")


def main(words: list[str]) -> None:
    """Print the instructions of a call, in all and by shared object."""
    generator.STALL_SECONDS = 60.0  # valgrind takes its time
    with tempfile.TemporaryDirectory() as folder:
        counted = Path(folder, "counted")
        module, *arguments = words
        command = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no",
            f"--callgrind-out-file={counted}",
            sys.executable, "-m", f"benches.servers.{module}", *arguments,
        ]  # fmt: skip
        with process.command(command, core=1) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            _load(port, WARM_UP)
            _control(server.pid, "-i", "on")
            _load(port, CALLS)
            _control(server.pid, "-i", "off")
            _control(server.pid, "-d")
        total, objects = _read(Path(f"{counted}.1"))
    print(f"{' '.join(words):<40}{total / CALLS / 1000:8.1f} thousand instructions a call")
    for name, count in objects.most_common(4):
        print(f"    {name:<36}{count / CALLS / 1000:8.1f}")


def _load(port: int, calls: int) -> None:
    with generator.Generator(("127.0.0.1", port)) as load:
        done = load.run(calls, WINDOW)
    if done.completed != calls:
        raise RuntimeError(f"of {calls} calls {done.completed} were completed")


def _control(pid: int, *words: str) -> None:
    command = ["callgrind_control", *words, str(pid)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _read(counted: Path) -> tuple[int, Counter[str]]:
    words = ["callgrind_annotate", "--threshold=100", "--auto=no", str(counted)]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    total, objects = 0, Counter[str]()
    for line in text.splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        count = int(found[1].replace(",", ""))
        if "PROGRAM TOTALS" in line:
            total = count
        else:
            objects[Path(found[2] or "without a name").name] += count
    return total, objects


if __name__ == "__main__":
    main(sys.argv[1:] or ["uas"])
