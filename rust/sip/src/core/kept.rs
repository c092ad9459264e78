//! Server transactions that outlive their end: an INVITE that a proxy has refused, whose branches may
//! succeed yet, and a request that is never answered, whose copies are then none of the user's business.
use std::collections::BTreeMap;

use super::SipCore;
use crate::transaction::Side;
use crate::transaction::tables::State;

/// Serials of their last timers, the oldest first, and whose each is. Strangers, who are not answered, have
/// a table of their own: however many they are, no refusal of a caller's is forgotten for them.
#[derive(Default)]
pub(super) struct Kept {
    refused: BTreeMap<u64, u64>,
    unanswered: BTreeMap<u64, u64>,
}

impl Kept {
    pub(super) fn len(&self) -> usize {
        self.refused.len() + self.unanswered.len()
    }

    pub(super) fn forget(&mut self, serial: u64) {
        if self.refused.remove(&serial).is_none() {
            self.unanswered.remove(&serial);
        }
    }

    /// Take one, and return which has to go for it.
    fn take(&mut self, serial: u64, id: u64, is_refused: bool, most: usize) -> Option<u64> {
        let table = if is_refused {
            &mut self.refused
        } else {
            &mut self.unanswered
        };
        table.insert(serial, id);
        if table.len() <= most {
            return None;
        }
        table.pop_first().map(|(_, oldest)| oldest)
    }
}

impl SipCore {
    /// Count a transaction among those that are kept. Beyond the bound the oldest is forgotten, as if its
    /// 64·T1 were over: whoever sends what is never answered takes nothing from who comes later.
    pub(super) fn keep(&mut self, id: u64) {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        let Side::Server(server) = &mut transaction.side else {
            return;
        };
        if transaction.state == State::Terminated {
            return;
        }
        server.kept = transaction.limit;
        let (serial, is_refused) = (server.kept, transaction.is_proxied);
        let most = self.door.most_kept();
        if let Some(oldest) = self.kept.take(serial, id, is_refused, most) {
            self.counters.forgotten += 1;
            self.remove(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn strangers_make_room_among_themselves() {
        let mut kept = Kept::default();

        assert_eq!(kept.take(1, 10, true, 1), None);
        assert_eq!(kept.take(2, 20, false, 1), None);
        assert_eq!(kept.take(3, 30, false, 1), Some(20));
        assert_eq!(kept.take(4, 40, true, 1), Some(10));

        kept.forget(3);
        kept.forget(4);
        assert_eq!(kept.len(), 0);
    }
}
