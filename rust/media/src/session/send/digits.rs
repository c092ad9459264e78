//! Digits that are sent: as events of RTP in place of audio, or as sound in it.

use super::Sender;
use crate::dtmf::{DtmfSender, InbandSender};

impl Sender {
    /// The digits to send; None where the far end takes no telephone-events.
    pub(crate) fn digits(&mut self) -> Option<&mut DtmfSender> {
        let is_agreed = self.settings?.telephone_event.is_some();
        self.dtmf.as_mut().filter(|_| is_agreed)
    }

    /// The digits to send as sound, muted or not.
    pub(crate) fn inband(&mut self) -> &mut InbandSender {
        self.inband.get_or_insert_default()
    }

    /// Whether digits wait or sound.
    pub(super) fn is_sending_digits(&self) -> bool {
        self.dtmf.as_ref().is_some_and(|dtmf| dtmf.is_busy())
            || self.inband.as_ref().is_some_and(|inband| inband.is_busy())
    }

    /// Says whether what is sent may be heard: digits wait while it is not.
    pub(crate) fn let_digits_sound(&mut self, may_sound: bool) {
        self.may_sound = may_sound;
    }

    /// Puts digits over the present frame.
    pub(super) fn write_digits(&mut self, rate_hz: u32) {
        if let Some(inband) = &mut self.inband
            && self.may_sound
            && inband.is_busy()
        {
            inband.write(rate_hz, &mut self.frame);
        }
    }

    /// Sends none of the digits of that request that have not begun.
    pub(crate) fn cancel_digits(&mut self, sending: u64) {
        if let Some(dtmf) = &mut self.dtmf {
            dtmf.cancel(sending);
        }
        if let Some(inband) = &mut self.inband {
            inband.cancel(sending);
        }
    }

    /// The next request whose digits are all sent or dropped.
    pub(crate) fn poll_digits_sent(&mut self) -> Option<u64> {
        let events = self.dtmf.as_mut().and_then(DtmfSender::poll_finished);
        events.or_else(|| self.inband.as_mut()?.poll_finished())
    }
}
