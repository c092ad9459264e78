"""For tests of programs: a virtual network, engines in virtual time, a far end, a repeatable clock."""

from trivox.media.native_engine import driven_media
from trivox.testing.clock import run_repeatably
from trivox.testing.fake_engine import fake_media
from trivox.testing.far_end import FarEnd
from trivox.testing.link import Link, LinkHost, LinkStatistics
from trivox.testing.link_faults import LinkFaults

__all__ = [
    "FarEnd",
    "Link",
    "LinkFaults",
    "LinkHost",
    "LinkStatistics",
    "driven_media",
    "fake_media",
    "run_repeatably",
]
