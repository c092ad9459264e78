"""The call's table is total, closed and ends."""

from __future__ import annotations

from collections import deque

import pytest

from trivox.call.states import (
    IGNORED,
    PHASE_STATE,
    TABLE,
    Action,
    CallState,
    Phase,
    Trigger,
)

PAIRS = [(phase, trigger) for phase in Phase for trigger in Trigger]


@pytest.mark.parametrize(("phase", "trigger"), PAIRS)
def test_every_pair_is_a_transition_or_ignored_for_a_reason(phase: Phase, trigger: Trigger) -> None:
    is_transition = trigger in TABLE[phase]
    is_ignored = trigger in IGNORED[phase]

    assert is_transition != is_ignored


def test_every_phase_has_a_row_and_a_state() -> None:
    assert set(TABLE) == set(IGNORED) == set(PHASE_STATE) == set(Phase)


@pytest.mark.parametrize("phase", [p for p in Phase if PHASE_STATE[p].is_terminal])
def test_nothing_leaves_a_terminal_phase(phase: Phase) -> None:
    assert TABLE[phase] == {}


GOES = [(phase, trigger) for phase, row in TABLE.items() for trigger in row]


@pytest.mark.parametrize(("phase", "trigger"), GOES)
def test_finish_happens_exactly_on_entering_a_terminal_phase(
    phase: Phase, trigger: Trigger
) -> None:
    go = TABLE[phase][trigger]

    assert (Action.FINISH in go.actions) == PHASE_STATE[go.to].is_terminal


@pytest.mark.parametrize("phase", [p for p in Phase if not PHASE_STATE[p].is_terminal])
def test_hangup_brings_every_call_to_its_end(phase: Phase) -> None:
    queue = deque([TABLE[phase][Trigger.HANGUP].to if Trigger.HANGUP in TABLE[phase] else phase])
    last = queue.popleft()
    if not PHASE_STATE[last].is_terminal:
        last = TABLE[last][Trigger.FINISHED].to

    assert PHASE_STATE[last].is_terminal


def test_connected_is_reached_from_both_directions_by_media() -> None:
    assert TABLE[Phase.ESTABLISHING][Trigger.MEDIA_UP].to is Phase.CONNECTED
    assert TABLE[Phase.OUT_INVITING][Trigger.ANSWERED].to is Phase.ESTABLISHING
    assert TABLE[Phase.IN_ANSWERED][Trigger.ACKNOWLEDGED].to is Phase.ESTABLISHING


def test_media_is_released_once_on_every_way_out() -> None:
    ways = [go for row in TABLE.values() for go in row.values()]
    leaving = [go for go in ways if go.to in (Phase.ENDING, Phase.FAILING)]

    assert all(Action.RELEASE_MEDIA in go.actions for go in leaving)
    assert CallState.RECONNECTING not in PHASE_STATE.values()
