//! What the association is set up with.

use std::sync::Arc;

use rtc::sctp::{Endpoint, EndpointConfig, ServerConfig, TimerConfig, TransportConfig};
use rtc::shared::TransportProtocol;

use super::{LONGEST_MESSAGE, MOST_STREAMS, PEER, PORT, WINDOW};

/// Repeats of an INIT, or of the COOKIE-ECHO after it: those of three minutes.
const MOST_BEGINNINGS: usize = 60;

pub(super) fn limits() -> TransportConfig {
    // ICE says when a far end is gone (RFC 8831 §6.2); until then, what is lost is sent again. When
    // its count is used up, the association neither ends nor sends.
    let timers = TimerConfig {
        max_t1_init_retrans: MOST_BEGINNINGS,
        max_t1_cookie_retrans: MOST_BEGINNINGS,
        max_t3_rtx_retrans: usize::MAX,
        max_reconfig_retrans: usize::MAX,
        ..TimerConfig::default()
    };
    TransportConfig::default()
        .with_timer_config(timers)
        .with_sctp_port(PORT)
        .with_max_receive_buffer_size(WINDOW)
        .with_max_message_size(LONGEST_MESSAGE as u32)
        .with_max_num_outbound_streams(MOST_STREAMS)
        .with_max_num_inbound_streams(MOST_STREAMS)
}

pub(super) fn endpoint(is_client: bool) -> Endpoint {
    let server = (!is_client).then(|| Arc::new(ServerConfig::new(limits())));
    Endpoint::new(
        PEER,
        TransportProtocol::UDP,
        Arc::new(EndpointConfig::new()),
        server,
    )
}
