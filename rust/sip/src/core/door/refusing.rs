//! What becomes of a request that is not let in: an answer while this second has any, or nothing.
use super::room::Waiting;
use super::settings::Cause;
use super::{Caller, SipCore, refusal, scan};
use crate::core::types::Origin;

impl SipCore {
    /// Answer 503, or drop when this second has had its answers. Always false.
    pub(super) fn refuse(&mut self, caller: &Caller<'_>, cause: Cause) -> bool {
        if self.is_silent_towards(&caller.source) {
            self.count_silenced();
            return !self.drop_silently(cause);
        }
        let feedback = self.feedback(caller.now);
        let door = &mut self.door;
        if !door.has_answer(caller.now) {
            return !self.drop_silently(cause);
        }
        let stamp = refusal::Stamp {
            mark: &door.mark,
            hash: &self.hash,
            branch: caller.branch,
            retry_after: door.settings.retry_after,
            feedback,
        };
        let is_reliable = self.flows[&caller.flow].is_reliable;
        let Some((to, data)) = refusal::write(caller.data, &stamp, caller.source, is_reliable)
        else {
            return !self.drop_silently(cause);
        };
        door.refusals.answered += 1;
        door.marked_until = caller.now + 64.0 * self.settings.t1;
        self.count(cause);
        self.send(caller.flow, to, data);
        false
    }

    /// Let a request go unanswered. Always true.
    pub(super) fn drop_silently(&mut self, cause: Cause) -> bool {
        self.door.refusals.dropped += 1;
        self.count(cause);
        true
    }

    fn count(&mut self, cause: Cause) {
        let all = &mut self.door.refusals;
        *match cause {
            Cause::Load => &mut all.by_load,
            Cause::Rate => &mut all.by_rate,
            Cause::Calls => &mut all.by_calls,
            Cause::Source => &mut all.by_source,
        } += 1;
        self.counters.refused += 1;
        self.loss.refused += u64::from(cause != Cause::Source);
    }

    /// Refuse what waited: for too long, or for a place that is somebody else's now, or in vain.
    pub(super) fn refuse_waiting(&mut self, waiting: &Waiting, is_late: bool, now: f64) {
        let branch = scan::glance(&waiting.data).and_then(|glance| scan::via_key(glance.via));
        let caller = Caller {
            flow: waiting.flow,
            data: &waiting.data,
            branch: branch.map_or(b"", |(_, branch)| branch),
            key: waiting.key,
            source: Origin::Known(&waiting.source),
            now,
        };
        self.refuse(&caller, if is_late { Cause::Load } else { Cause::Calls });
    }
}
