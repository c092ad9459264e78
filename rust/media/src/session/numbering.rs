//! Where the numbers of a session's packets begin.

use super::Session;

impl Session {
    /// Has the next packet carry these numbers, for tests of what happens when they wrap.
    ///
    /// A call takes 22 minutes to its first wrap of the sequence number and up to a day to that of
    /// the timestamp; what it sends before is not to be taken for a jump, so call it before the
    /// first packet.
    pub fn begin_at(&mut self, sequence: u16, timestamp: u32) {
        self.sender.begin_at(sequence, timestamp);
    }
}
