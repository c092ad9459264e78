"""Fakes for tests of programs that use trivox: a virtual network and a repeatable clock."""

from trivox.testing.clock import run_repeatably
from trivox.testing.link import Link, LinkHost, LinkStatistics

__all__ = ["Link", "LinkHost", "LinkStatistics", "run_repeatably"]
