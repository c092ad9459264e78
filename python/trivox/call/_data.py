"""The data channels of a call: when a line for them is offered, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.data_events import DataChannelOpened
from trivox.call.wish import OfferData

if TYPE_CHECKING:
    from trivox.call._core import CallCore
    from trivox.call.data_channel import ChannelOptions, DataChannel


def create_channel(call: CallCore, options: ChannelOptions) -> DataChannel:
    """Make a channel, and offer a line for it if there is none: see `Call.create_data_channel`."""
    channel = call._data().create(options)
    _offer_line(call)
    return channel


def prepare_data(call: CallCore) -> None:
    """Make the engine ready for the line that a description is about to have, or to answer."""
    accepts = call.settings.receive_data_channels or call._has_listener(DataChannelOpened)
    if accepts or call._leg.data is not None:
        call._data().begin(accepts=accepts)


def settle_data(call: CallCore) -> None:
    """Offer a line, after a negotiation, for channels that have found none in it."""
    call._data().is_offered = False
    _offer_line(call)


def _offer_line(call: CallCore) -> None:
    """Offer a line for channels that have found none in the descriptions so far."""
    data = call._data()
    is_described = bool(call._leg.local_sdp and call._leg.remote_sdp)
    if is_described and data.needs_line and call._renegotiation().is_idle:
        call._renegotiation().ask(OfferData(data.note_offered))
