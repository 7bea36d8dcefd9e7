//! Limits for connections of nodes that are not members: they are few and short.

use crate::locks::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::oneshot;

/// Maximum number of guests at a time. Every node of the largest inventory may look for its group
/// several times at the same moment.
const MAX_NON_MEMBERS: usize = 256;

/// The current guests. At the limit, the oldest guest makes room.
#[derive(Default)]
pub(crate) struct NonMembers {
    present: Mutex<OpenNonMembers>,
}

#[derive(Default)]
struct OpenNonMembers {
    came: u64,
    /// The guests by number, so the oldest comes first.
    guests: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A guest's slot, which is freed on drop.
pub(crate) struct NonMember<'a> {
    guests: &'a NonMembers,
    number: u64,
    sent_away: oneshot::Receiver<()>,
}

impl NonMembers {
    /// Admits a new guest.
    pub(crate) fn admit(&self) -> NonMember<'_> {
        let (sender, sent_away) = oneshot::channel();
        let mut present = lock(&self.present);
        present.came += 1;
        let number = present.came;
        if present.guests.len() >= MAX_NON_MEMBERS {
            // The drop of the sender notifies the guest's receiver.
            present.guests.pop_first();
        }
        present.guests.insert(number, sender);
        NonMember {
            guests: self,
            number,
            sent_away,
        }
    }
}

impl NonMember<'_> {
    /// Resolves when this guest has to make room. Cancel-safe.
    pub(crate) async fn sent_away(&mut self) {
        // No message is ever sent: the drop of the sender is the signal.
        let _ = (&mut self.sent_away).await;
    }
}

impl Drop for NonMember<'_> {
    fn drop(&mut self) {
        lock(&self.guests.present).guests.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// At the limit, the oldest guest makes room. A guest that leaves frees its slot.
    #[tokio::test]
    async fn the_first_guest_makes_room() {
        let guests = NonMembers::default();
        let mut present: Vec<_> = (0..MAX_NON_MEMBERS).map(|_| guests.admit()).collect();
        drop(present.pop());
        let _last = guests.admit();
        assert!(present[0].sent_away().now_or_never().is_none());
        let _one_more = guests.admit();
        assert!(present[0].sent_away().now_or_never().is_some());
        assert!(present[1].sent_away().now_or_never().is_none());
    }
}
