//! Reports of arrivals, read by another implementation.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::shared::marshal::Unmarshal;
use trivox_media::video::transport_wide::Arrivals;

#[test]
fn a_report_says_which_packets_came_and_when() {
    let origin = trivox_media::shard::now();
    let mut arrivals = Arrivals::default();
    for (sequence, ms) in [
        (65_534, 1000),
        (65_535, 1010),
        (1, 1020),
        (2, 1300),
        (12, 1290),
    ] {
        arrivals.add(origin + Duration::from_millis(ms), sequence);
    }
    let mut packet = Vec::new();
    arrivals.write(origin + Duration::from_millis(1050), &mut packet, 1, 2);
    assert!(packet.is_empty(), "not due yet");
    arrivals.write(origin + Duration::from_millis(1300), &mut packet, 1, 2);

    let report = TransportLayerCc::unmarshal(&mut &packet[..]).unwrap();
    assert_eq!(
        (report.base_sequence_number, report.packet_status_count),
        (65_534, 15)
    );
    let deltas: Vec<i64> = report.recv_deltas.iter().map(|delta| delta.delta).collect();
    assert_eq!(deltas, [0, 10_000, 10_000, 280_000, -10_000]);
    assert_eq!(packet.len() % 4, 0);
    assert_eq!(arrivals.next_deadline(), None);
}
