//! A session's statistics, by the names `StatisticsReport` has in Python.

use std::net::SocketAddr;

use super::Session;
use super::send::FRAME;
use crate::jitter::JitterBuffer;
use crate::quality::{QualityInput, burst_ratio, mean_opinion_score, rating};
use crate::transport::keys::Suite;
use crate::transport::{DtlsState, Transport};

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number; seconds, shares and counts.
    Number(f64),
    /// A word.
    Word(&'static str),
    /// Where media leaves from or goes to; its text is made for who looks.
    Address(SocketAddr),
}

impl Session {
    /// What is counted and measured so far.
    pub fn statistics(&self) -> Vec<(&'static str, Value)> {
        let mut report = Vec::with_capacity(28);
        let mut number = |name, value: f64| report.push((name, Value::Number(value)));
        let (received, bytes, lost) = self.receiver.totals();
        number("packets_sent", self.sender.packets() as f64);
        number("bytes_sent", self.sender.bytes() as f64);
        number("packets_received", received as f64);
        number("bytes_received", bytes as f64);
        number("packets_lost", lost as f64);
        let loss = lost as f64 / ((received + lost).max(1)) as f64;
        number("loss", loss);
        number("packets_malformed", self.receiver.malformed() as f64);
        number("level_received_dbov", self.receiver.level_dbov());
        number("level_sent_dbov", self.sender.level_dbov());
        number("jitter", self.receiver.interarrival_jitter().as_secs_f64());
        let counted = self
            .receiver
            .jitter()
            .map(JitterBuffer::statistics)
            .unwrap_or_default();
        number("buffer_delay", counted.delay);
        number("packets_late", counted.late as f64);
        let concealed = counted.concealed_samples as f64 / counted.samples.max(1) as f64;
        number("concealed", concealed);
        number("concealed_last_second", counted.last_second_concealed);
        number("concealed_seconds", counted.concealed_seconds as f64);
        let remote = self.rtcp.remote();
        let round_trip = remote.and_then(|remote| remote.round_trip);
        if let Some(remote) = remote {
            let clock = self.codec.map_or(8000, |codec| codec.rtp_clock_hz());
            number("remote_packets_lost", f64::from(remote.lost.max(0)));
            number("remote_loss", remote.loss);
            number("remote_jitter", f64::from(remote.jitter) / f64::from(clock));
        }
        if let Some(round_trip) = round_trip {
            number("round_trip", round_trip.as_secs_f64());
        }
        if received > 0
            && let Some(codec) = self.receiver.codec()
        {
            let frame = u64::from(codec.sample_rate_hz() / 50);
            let (made_up, all) = (counted.concealed_samples / frame, counted.samples / frame);
            let trip = round_trip.map_or(0.0, |trip| trip.as_secs_f64() / 2.0);
            let quality = QualityInput {
                codec,
                loss: concealed,
                burst_ratio: burst_ratio(made_up, counted.concealments, all),
                // What the far end's packet holds, the way, and our buffer.
                delay: FRAME.as_secs_f64() + trip + counted.delay,
            };
            number("mos", mean_opinion_score(&quality));
            number("rating", rating(&quality));
        }
        if let Some(counts) = self.refused() {
            number("refused_source", counts.refused_source as f64);
            number("refused_stun", counts.refused_stun as f64);
            number("refused_srtp", counts.refused_srtp as f64);
            number("refused_candidates", counts.refused_candidates as f64);
            number("datagrams_malformed", counts.malformed as f64);
        }
        if let Some(data) = &self.data {
            number("refused_data", data.refused() as f64);
        }
        report.extend(self.words());
        report
    }

    /// What it speaks and how it travels.
    fn words(&self) -> [(&'static str, Value); 7] {
        let facts = self.transport.as_ref().map(Transport::facts);
        let facts = facts.unwrap_or_default();
        let address = |at: Option<SocketAddr>| at.map_or(Value::Word(""), Value::Address);
        let transport = self.transport.as_ref().map_or("", Transport::name);
        let codec = self.codec.map_or("", |codec| codec.name());
        [
            ("codec", Value::Word(codec)),
            ("ice_state", Value::Word(self.path_state())),
            ("transport", Value::Word(transport)),
            (
                "local_address",
                address(facts.route.map(|(local, _)| local)),
            ),
            (
                "remote_address",
                address(facts.route.map(|(_, remote)| remote)),
            ),
            (
                "srtp_profile",
                Value::Word(facts.suite.map_or("", Suite::as_str)),
            ),
            (
                "dtls_state",
                Value::Word(facts.dtls.map_or("", DtlsState::as_str)),
            ),
        ]
    }
}
