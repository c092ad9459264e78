"""The data channels of a call: when a line for them is offered, and what becomes of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from trivox.actor.correlation import log_fields
from trivox.call.data_events import DataChannelOpened
from trivox.call.sdp import is_refusing_data
from trivox.call.wish import OfferData

if TYPE_CHECKING:
    from trivox.call._core import CallCore
    from trivox.call.data_channel import ChannelOptions, DataChannel

_LOGGER: Final = logging.getLogger("trivox.call")


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
    data, leg = call._data(), call._leg
    data.is_offered = False
    if data.accepts and is_refusing_data(leg.local_sdp, leg.remote_sdp):
        _LOGGER.warning(
            "call %s: the far end's data channels are refused: they are taken over ICE, in the "
            "bundle of the audio (a=group:BUNDLE)",
            call.id,
            extra=log_fields(call.id),
        )
    _offer_line(call)


def _offer_line(call: CallCore) -> None:
    """Offer a line for channels that have found none in the descriptions so far."""
    data = call._data()
    is_described = bool(call._leg.local_sdp and call._leg.remote_sdp)
    if is_described and data.needs_line and call._renegotiation().is_idle:
        call._renegotiation().ask(OfferData(data.note_offered))
