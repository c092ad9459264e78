"""The table of a branch: total, and every ignored pair has its reason."""

from __future__ import annotations

import itertools

import pytest

from trivox.switchboard.branch_table import IGNORED, TABLE, BranchEvent, BranchState


@pytest.mark.parametrize(("state", "event"), [*itertools.product(BranchState, BranchEvent)])
def test_each_pair_has_a_row_or_a_reason(state, event):
    assert (event in TABLE[state]) != ((state, event) in IGNORED)


def test_nothing_leaves_done():
    assert TABLE[BranchState.DONE] == {}
