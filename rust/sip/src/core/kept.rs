//! Server transactions that outlive their end: an INVITE that a proxy has refused, whose branches may
//! succeed yet, and a request that is never answered, whose copies are then none of the user's business.
use super::SipCore;
use crate::transaction::Side;
use crate::transaction::tables::State;

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
        self.kept.insert(server.kept, id);
        if self.kept.len() > self.door.most_kept()
            && let Some((_, oldest)) = self.kept.pop_first()
        {
            self.counters.forgotten += 1;
            self.remove(oldest);
        }
    }
}
