//! The limit on the number of connections from nodes that are not members.

use crate::locks::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::oneshot;

/// Maximum number of non-members at a time. Every node of the largest inventory may look for its
/// group several times at the same moment.
const MAX_NON_MEMBERS: usize = 256;

/// The connected non-members. At the maximum number, a new non-member displaces the oldest one.
#[derive(Default)]
pub(crate) struct NonMembers {
    open: Mutex<OpenNonMembers>,
}

#[derive(Default)]
struct OpenNonMembers {
    admitted: u64,
    /// The connected non-members. The key is the number that each got on admission, so the oldest
    /// comes first.
    non_members: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A non-member's slot, which is freed on drop.
pub(crate) struct NonMember<'a> {
    non_members: &'a NonMembers,
    number: u64,
    sent_away: oneshot::Receiver<()>,
}

impl NonMembers {
    /// Admits a new non-member.
    pub(crate) fn admit(&self) -> NonMember<'_> {
        let (sender, sent_away) = oneshot::channel();
        let mut open = lock(&self.open);
        open.admitted += 1;
        let number = open.admitted;
        if open.non_members.len() >= MAX_NON_MEMBERS {
            // Dropping the sender notifies the non-member (`NonMember::sent_away`).
            open.non_members.pop_first();
        }
        open.non_members.insert(number, sender);
        NonMember {
            non_members: self,
            number,
            sent_away,
        }
    }
}

impl NonMember<'_> {
    /// Resolves when this non-member must be disconnected for a newer one. Cancel-safe.
    pub(crate) async fn sent_away(&mut self) {
        // No message is ever sent: the drop of the sender is the signal.
        let _ = (&mut self.sent_away).await;
    }
}

impl Drop for NonMember<'_> {
    fn drop(&mut self) {
        lock(&self.non_members.open)
            .non_members
            .remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// At the maximum number, the oldest non-member is disconnected for a new one. A non-member
    /// that leaves frees its slot.
    #[tokio::test]
    async fn the_oldest_non_member_makes_room() {
        let non_members = NonMembers::default();
        let mut open: Vec<_> = (0..MAX_NON_MEMBERS).map(|_| non_members.admit()).collect();
        drop(open.pop());
        let _last = non_members.admit();
        assert!(open[0].sent_away().now_or_never().is_none());
        let _one_more = non_members.admit();
        assert!(open[0].sent_away().now_or_never().is_some());
        assert!(open[1].sent_away().now_or_never().is_none());
    }
}
