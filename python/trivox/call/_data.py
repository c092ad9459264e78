"""The face of a call for data channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call._video import CallVideo
from trivox.call.data_channel import ChannelOptions
from trivox.call.data_events import DataChannelOpened
from trivox.call.events import Originator
from trivox.call.leg_data import LegData
from trivox.call.wish import OfferData

if TYPE_CHECKING:
    from trivox.call.data_channel import DataChannel


class CallData(CallVideo):
    """What a call does with messages beside its media."""

    def create_data_channel(
        self,
        label: str,
        *,
        protocol: str = "",
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_lifetime: float | None = None,
        id: int | None = None,  # noqa: A002 (as browsers call it)
    ) -> DataChannel:
        """Make a data channel to the far end, and return it before it is open.

        Made before the call starts, it goes into the first offer; later the far end is asked, unless
        it has agreed on such a line before. The channel tells when it is open, or that it is over
        because the far end takes none. It needs ICE: `media="webrtc"`, or an offer of that kind.

        Args:
            label: Its name for the far end, up to 1024 bytes of UTF-8.
            protocol: What is spoken on it, for the far end to read; as long.
            ordered: Deliver messages in the order they were sent in.
            max_retransmits: Send a lost message again so often and no more; None: no limit.
            max_packet_lifetime: Try to deliver a message for so many seconds; None: no limit.
            id: The channel's id, 0 to 1023, where both ends make the same channel and nothing is
                said of it on the wire ("negotiated" in browsers); None: it is announced.

        Raises:
            InvalidArgumentsError: A limit, the id or a name is of no use.
            EngineError: The call has no ICE, or 64 channels.
            CallEndedError: The call is over.
        """
        self._refuse_ended()
        options = ChannelOptions(
            label=label,
            protocol=protocol,
            ordered=ordered,
            max_retransmits=max_retransmits,
            max_packet_lifetime=max_packet_lifetime,
            id=id,
        )
        channel = self._data().create(options)
        self._offer_data()
        return channel

    @property
    def data_channels(self) -> tuple[DataChannel, ...]:
        """The data channels that are not over, oldest first."""
        return () if self._leg.data is None else self._leg.data.channels

    def _data(self) -> LegData:
        if self._leg.data is None:
            self._leg.data = LegData(self._leg, self._tell_channel)
        return self._leg.data

    def _tell_channel(self, channel: DataChannel) -> None:
        self._emit(DataChannelOpened, Originator.REMOTE, channel=channel)

    def _prepare_video(self) -> None:
        super()._prepare_video()
        self._prepare_data()

    def _prepare_data(self) -> None:
        accepts = self.settings.receive_data_channels or self._has_listener(DataChannelOpened)
        if accepts or self._leg.data is not None:
            self._data().begin(accepts=accepts)

    def _answer_reinvite(self, tx: int, body: bytes) -> None:
        self._prepare_data()
        super()._answer_reinvite(tx, body)

    def _settle_data(self, data: LegData) -> None:
        """Offer a line, after a negotiation, for channels that have found none in it."""
        data.is_offered = False
        self._offer_data()

    def _offer_data(self) -> None:
        """Offer a line for channels that have found none in the descriptions so far."""
        data = self._data()
        is_described = bool(self._leg.local_sdp and self._leg.remote_sdp)
        if is_described and data.needs_line and self._renegotiation().is_idle:
            self._renegotiation().ask(OfferData(data.note_offered))

    def _refuse_change(self, error: Exception) -> None:
        data = self._leg.data
        was_offered = data is not None and data.is_offered
        super()._refuse_change(error)
        if data is not None and was_offered:
            data.give_up(str(error))
