"""Sleep 20 ms again and again until the input ends, then print by how much that was late (p99, ms)."""

from __future__ import annotations

import select
import sys
import time

SLEEP = 0.02


def main() -> None:
    """Measure; a line says when it has begun."""
    late = []
    print("begun", flush=True)
    is_over = False
    while not is_over:
        begin = time.perf_counter()
        time.sleep(SLEEP)
        late.append((time.perf_counter() - begin - SLEEP) * 1e3)
        is_over = bool(select.select([sys.stdin], [], [], 0)[0])
    print(sorted(late)[int(len(late) * 0.99)], flush=True)


if __name__ == "__main__":
    main()
