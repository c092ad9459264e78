//! `MediaEngine`: data channels.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use trivox_media::MediaError;
use trivox_media::data::dcep::ChannelSettings;
use trivox_media::transport::sctp::{Content, Reliability};

use super::engine::MediaEngine;
use super::errors::raise;

type MessageTuple<'py> = (bool, Bound<'py, PyBytes>);
type FactsTuple = (String, String, bool, i64, i64, i64, &'static str, usize);

fn reliability(retransmits: i64, lifetime_ms: i64) -> Result<Reliability, MediaError> {
    let number = |value: i64| u32::try_from(value).ok();
    match (number(retransmits), number(lifetime_ms)) {
        (None, None) => Ok(Reliability::Full),
        (Some(times), None) => Ok(Reliability::Retransmits(times)),
        (None, Some(time)) => Ok(Reliability::LifetimeMs(time)),
        (Some(_), Some(_)) => Err(MediaError::Argument(
            "a channel has max_retransmits or max_packet_lifetime, not both".to_owned(),
        )),
    }
}

#[pymethods]
impl MediaEngine {
    fn accept_channels(&self, py: Python<'_>, session: u64, accepts: bool) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.accept_channels(accepts);
            Ok(())
        })
    }

    #[pyo3(signature = (session, label, *, protocol, ordered, max_retransmits, max_lifetime_ms, id))]
    #[allow(clippy::too_many_arguments)]
    fn open_channel(
        &self,
        py: Python<'_>,
        session: u64,
        label: String,
        protocol: String,
        ordered: bool,
        max_retransmits: i64,
        max_lifetime_ms: i64,
        id: i64,
    ) -> PyResult<u64> {
        let settings = ChannelSettings {
            label,
            protocol,
            is_unordered: !ordered,
            reliability: reliability(max_retransmits, max_lifetime_ms).map_err(raise)?,
            negotiated: (id >= 0).then(|| u16::try_from(id).unwrap_or(u16::MAX)),
        };
        py.detach(|| {
            self.engine
                .command(session, |open, now| open.open_channel(now, settings))
        })
        .map_err(raise)
    }

    fn has_data_line(&self, py: Python<'_>, session: u64) -> PyResult<bool> {
        self.run(py, session, |open| Ok(open.has_data_line()))
    }

    fn send_on_channel(
        &self,
        py: Python<'_>,
        session: u64,
        channel: u64,
        text: bool,
        data: &[u8],
    ) -> PyResult<bool> {
        py.detach(|| {
            self.engine.command(session, |open, now| {
                open.send_on_channel(now, channel, text, data)
            })
        })
        .map_err(raise)
    }

    fn take_from_channel<'py>(
        &self,
        py: Python<'py>,
        session: u64,
        channel: u64,
        limit: usize,
    ) -> PyResult<Vec<MessageTuple<'py>>> {
        let taken = py.detach(|| {
            self.engine.command(session, |open, now| {
                Ok(open.take_from_channel(now, channel, limit))
            })
        });
        let made = taken.map_err(raise)?.into_iter().map(|message| {
            let data = PyBytes::new(py, &message.data);
            (message.content == Content::Text, data)
        });
        Ok(made.collect())
    }

    fn close_channel(&self, py: Python<'_>, session: u64, channel: u64) -> PyResult<()> {
        py.detach(|| {
            self.engine.command(session, |open, now| {
                open.close_channel(now, channel);
                Ok(())
            })
        })
        .map_err(raise)
    }

    fn channel_facts(&self, py: Python<'_>, session: u64, channel: u64) -> PyResult<FactsTuple> {
        let facts = self.run(py, session, |open| open.channel_facts(channel))?;
        let (retransmits, lifetime) = match facts.settings.reliability {
            Reliability::Full => (-1, -1),
            Reliability::Retransmits(times) => (i64::from(times), -1),
            Reliability::LifetimeMs(time) => (-1, i64::from(time)),
        };
        Ok((
            facts.settings.label,
            facts.settings.protocol,
            !facts.settings.is_unordered,
            retransmits,
            lifetime,
            facts.stream.map_or(-1, i64::from),
            facts.state.as_str(),
            facts.unsent,
        ))
    }
}
