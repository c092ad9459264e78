//! What a program may know of data channels.

use super::dcep::ChannelSettings;
use super::{Data, State};
use crate::MediaError;
use crate::transport::sctp::Association;

/// What the program may know of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// How it was opened.
    pub settings: ChannelSettings,
    /// Its stream.
    pub stream: Option<u16>,
    /// Where it is.
    pub state: State,
    /// Bytes queued that the far end has not acknowledged.
    pub unsent: usize,
}

impl Data {
    /// What is known of a channel.
    ///
    /// # Errors
    /// `MediaError::Unknown` for one that has ended and was read to its end.
    pub fn facts(&mut self, number: u64) -> Result<ChannelFacts, MediaError> {
        let channel = self.channel(number)?;
        let (settings, stream) = (channel.settings.clone(), channel.stream);
        let state = channel.state;
        let association = self.association.as_mut();
        let unsent = association.zip(stream);
        let unsent = unsent.map_or(0, |(association, stream)| association.unsent(stream));
        Ok(ChannelFacts {
            settings,
            stream,
            state,
            unsent,
        })
    }

    /// What was passed over of the far end's so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        let association = self.association.as_ref();
        self.refused + association.map_or(0, Association::refused)
    }
}
