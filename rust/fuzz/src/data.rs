//! Packets of a far end on the association of data channels.

use trivox_media::data::Data;
use trivox_media::data::dcep::Control;

use crate::cut::Pieces;
use crate::world::ORIGIN;

/// Packets that are looked at: some open channels, some answer, some are neither.
const MOST: usize = 64;

/// Tag 7, a window, streams, chunks from 1 on, and that RE-CONFIG and FORWARD TSN are known.
const INIT: &[u8] = &[
    1, 0, 0, 28, 0, 0, 0, 7, 0, 16, 0, 0, 255, 255, 255, 255, 0, 0, 0, 1, 0x80, 8, 0, 6, 130, 192,
    0, 0,
];

/// Gives data channels packets whose checksum is made right, as a far end makes it.
///
/// Before them it shakes hands, so that what the bytes say is about an association that is there.
pub fn data(bytes: &[u8]) {
    if let Some(control) = Control::read_untrusted(bytes) {
        assert_eq!(Control::read_untrusted(&control.write()), Some(control));
    }
    let now = *ORIGIN;
    let mut own = Data::default();
    own.accept(true);
    own.begin(now, false);
    own.handle_packet(now, &packet([0; 4], INIT));
    let answer = own.poll_transmit().expect("an INIT is answered");
    let tag = answer[16..20].try_into().expect("four bytes");
    let cookie = usize::from(u16::from_be_bytes([answer[34], answer[35]]));
    let mut echo = vec![10, 0];
    echo.extend((cookie as u16).to_be_bytes());
    echo.extend(&answer[36..32 + cookie]);
    own.handle_packet(now, &packet(tag, &echo));
    let mut sent = 0;
    for (_, piece) in Pieces::new(bytes).take(MOST) {
        own.handle_packet(now, &packet(tag, piece));
        while own.poll_transmit().is_some() {
            sent += 1;
        }
        while own.poll_event().is_some() {}
        if let Some(due) = own.next_deadline() {
            own.handle_timeout(due);
        }
    }
    // Each chunk has 4 bytes at least, and an answer or two.
    assert!(
        sent <= 16 + bytes.len(),
        "{sent} packets for {}",
        bytes.len()
    );
}

/// Ports, our tag, the checksum, and what the bytes say.
fn packet(tag: [u8; 4], chunks: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x13, 0x88, 0x13, 0x88];
    packet.extend(tag);
    packet.extend([0; 4]);
    packet.extend(chunks);
    let sum = crc32c::crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&sum);
    packet
}
