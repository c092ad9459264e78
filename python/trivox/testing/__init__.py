"""Fakes for tests of programs that use trivox: a virtual network, a far end, a repeatable clock."""

from trivox.testing.clock import run_repeatably
from trivox.testing.far_end import FarEnd
from trivox.testing.link import Link, LinkHost, LinkStatistics
from trivox.testing.link_faults import LinkFaults

__all__ = ["FarEnd", "Link", "LinkFaults", "LinkHost", "LinkStatistics", "run_repeatably"]
