"""The names of packages in Recv-Info and Info-Package (RFC 6086 §8)."""

from __future__ import annotations

import pytest

from trivox.sip.info_packages import packages_untrusted


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((), set()),
        (("",), set()),
        (("trickle-ice",), {"trickle-ice"}),
        (("Trickle-ICE;x=1, foo", " bar ,"), {"trickle-ice", "foo", "bar"}),
    ],
)
def test_names_are_read_from_all_lines_without_parameters(values, names) -> None:
    assert packages_untrusted(values) == names
