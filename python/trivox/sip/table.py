"""The shape of every state table of this package: `{State: {Event: Go(state, actions)}}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)
Action = TypeVar("Action", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Go(Generic[State, Action]):
    """Name the next state and what is done on the way, in this order."""

    state: State
    actions: tuple[Action, ...] = ()


Table: TypeAlias = Mapping[State, Mapping[Event, Go[State, Action]]]

Ignored: TypeAlias = Mapping[str, Mapping[Event, frozenset[State]]]
"""Why a pair may be passed over: the RFC's sentence, then for each event the states it covers."""


def ignored_because(
    ignored: Mapping[str, Mapping[Event, frozenset[State]]], state: State, event: Event
) -> str | None:
    """Return the sentence that lets `event` pass without effect in `state`, or None."""
    for sentence, rows in ignored.items():
        if state in rows.get(event, ()):
            return sentence
    return None
