//! The connections of nodes that are no members: few, and none for long.

use crate::locks::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::oneshot;

/// Guests at once. Every node of the largest inventory may look for its group several times at the
/// same moment.
const MAX_GUESTS: usize = 256;

/// The guests that are here. At the limit the one that has been here longest makes room.
#[derive(Default)]
pub(crate) struct Guests {
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    came: u64,
    /// By their number: the oldest first.
    guests: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A guest's place, until it is dropped.
pub(crate) struct Guest<'a> {
    guests: &'a Guests,
    number: u64,
    sent_away: oneshot::Receiver<()>,
}

impl Guests {
    /// Gives a new guest a place.
    pub(crate) fn admit(&self) -> Guest<'_> {
        let (sender, sent_away) = oneshot::channel();
        let mut present = lock(&self.present);
        present.came += 1;
        let number = present.came;
        if present.guests.len() >= MAX_GUESTS {
            // Its receiver learns that the sender is gone.
            present.guests.pop_first();
        }
        present.guests.insert(number, sender);
        Guest {
            guests: self,
            number,
            sent_away,
        }
    }
}

impl Guest<'_> {
    /// Resolves when this guest has to make room. Cancel-safe.
    pub(crate) async fn sent_away(&mut self) {
        // Nothing is ever sent: that the sender is dropped is the message.
        let _ = (&mut self.sent_away).await;
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        lock(&self.guests.present).guests.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// Past the limit the guest that came first makes room, and one that leaves gives its place
    /// back.
    #[tokio::test]
    async fn the_first_guest_makes_room() {
        let guests = Guests::default();
        let mut present: Vec<_> = (0..MAX_GUESTS).map(|_| guests.admit()).collect();
        drop(present.pop());
        let _last = guests.admit();
        assert!(present[0].sent_away().now_or_never().is_none());
        let _one_more = guests.admit();
        assert!(present[0].sent_away().now_or_never().is_some());
        assert!(present[1].sent_away().now_or_never().is_none());
    }
}
