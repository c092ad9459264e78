//! What can be wrong with a call's media, and at which values it is raised and cleared.

/// What can be wrong with a call's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issue {
    /// Seconds of a round trip.
    HighLatency,
    /// Share of the packets expected in the last 5 seconds that did not come.
    PacketLoss,
    /// Share of ours that the far end says it lost.
    RemotePacketLoss,
    /// Interarrival jitter, seconds.
    HighJitter,
    /// Seconds without a packet while receiving is agreed.
    NoAudioReceived,
    /// Seconds of packets that carry silence only.
    NoAudioSignal,
    /// Loudest moment of the last 10 seconds, in dBov, while there is a signal.
    LowLevel,
    /// Packets a second of formats that nobody agreed on.
    CodecMismatch,
    /// Seconds since the ICE path stopped answering.
    IceLost,
}

/// When an issue is raised and when it is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// What it is about.
    pub issue: Issue,
    /// The name programs know.
    pub name: &'static str,
    /// At this value it is a warning.
    pub warning: f64,
    /// At this value it is critical.
    pub critical: f64,
    /// At this value it is over.
    pub clears: f64,
    /// Seconds in a row that raise it.
    pub raise_after: u32,
    /// Seconds in a row that clear it.
    pub clear_after: u32,
}

const fn rule(
    (issue, name): (Issue, &'static str),
    [warning, critical, clears]: [f64; 3],
    [raise_after, clear_after]: [u32; 2],
) -> Rule {
    Rule {
        issue,
        name,
        warning,
        critical,
        clears,
        raise_after,
        clear_after,
    }
}

/// All rules. A rule whose critical value lies below its warning is about something too small.
pub const RULES: [Rule; 9] = [
    rule(
        (Issue::HighLatency, "high_latency"),
        [0.3, 0.6, 0.25],
        [2, 5],
    ),
    rule(
        (Issue::PacketLoss, "packet_loss"),
        [0.03, 0.1, 0.01],
        [2, 5],
    ),
    rule(
        (Issue::RemotePacketLoss, "remote_packet_loss"),
        [0.03, 0.1, 0.01],
        [2, 5],
    ),
    rule(
        (Issue::HighJitter, "high_jitter"),
        [0.03, 0.06, 0.02],
        [2, 5],
    ),
    rule(
        (Issue::NoAudioReceived, "no_audio_received"),
        [3.0, 10.0, 1.0],
        [1, 1],
    ),
    rule(
        (Issue::NoAudioSignal, "no_audio_signal"),
        [10.0, 30.0, 0.0],
        [1, 1],
    ),
    rule(
        (Issue::LowLevel, "low_level"),
        [-45.0, -55.0, -40.0],
        [1, 1],
    ),
    rule(
        (Issue::CodecMismatch, "codec_mismatch"),
        [5.0, 25.0, 0.0],
        [2, 5],
    ),
    rule((Issue::IceLost, "ice_lost"), [1.0, 5.0, 0.0], [1, 1]),
];

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing is raised.
    #[default]
    Fine,
    /// It can be heard.
    Warning,
    /// The call is of little use.
    Critical,
}

impl Level {
    /// The word the Python side knows it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Rule {
    fn is_reached(&self, value: f64, limit: f64) -> bool {
        if self.critical < self.warning {
            value <= limit
        } else {
            value >= limit
        }
    }

    pub(super) fn level(&self, value: f64) -> Level {
        if self.is_reached(value, self.critical) {
            Level::Critical
        } else if self.is_reached(value, self.warning) {
            Level::Warning
        } else {
            Level::Fine
        }
    }

    pub(super) fn is_over(&self, value: f64) -> bool {
        if self.critical < self.warning {
            value >= self.clears
        } else {
            value <= self.clears
        }
    }

    pub(super) fn threshold(&self, level: Level) -> f64 {
        match level {
            Level::Critical => self.critical,
            Level::Warning => self.warning,
            Level::Fine => self.clears,
        }
    }
}
