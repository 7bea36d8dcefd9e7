//! The tickets by which clients resume sessions.
//!
//! A ticket is the state of a session, encrypted by a key that only this process knows. Each
//! listener has a new key, and so has it after each change of its settings. A session therefore
//! ends with the certificates under which it began.
//!
//! With a trust store, no session is resumed: rustls takes the client's certificate from the ticket
//! without verifying it again, even if it has expired since. That costs nothing with a P-256 key,
//! where a whole handshake is as fast as a resumed one; with RSA it takes four times as long.

use quorate_planted::{Bug, is_planted};
use rustls::TicketRotator;
use rustls::crypto::GetRandomFailed;
use rustls::crypto::ring::Ticketer;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::{Error, ServerConfig};
use std::sync::{Arc, OnceLock};

/// Sets how sessions are resumed. A timeout of zero disables it, and one of more than 12 hours is
/// 12 hours, the lifetime of the keys that rustls makes.
pub(super) fn set_resumption(
    config: &mut ServerConfig,
    timeout_s: u32,
    verifies_clients: bool,
) -> Result<(), Error> {
    // Sessions in memory have no timeout in rustls.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if is_planted(Bug::TicketOutlivesTrust) {
        static OF_ALL: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
        let shared = ticketer(timeout_s.max(1))?;
        config.ticketer = OF_ALL.get_or_init(|| shared).clone();
        return Ok(());
    }
    match timeout_s > 0 && !verifies_clients {
        true => config.ticketer = ticketer(timeout_s)?,
        false => config.send_tls13_tickets = 0,
    }
    Ok(())
}

/// Returns a ticketer that changes its key. A key makes tickets for half of the timeout, and reads
/// them for the other half.
fn ticketer(timeout_s: u32) -> Result<Arc<dyn ProducesTickets>, Error> {
    let half_s = timeout_s.div_ceil(2);
    Ok(Arc::new(TicketRotator::new(half_s, || {
        let key = Ticketer::new().map_err(|_| GetRandomFailed)?;
        Ok(Box::new(RandomTicketKey(key)))
    })?))
}

/// The ticketer of rustls, whose own lifetime cannot be set.
#[derive(Debug)]
struct RandomTicketKey(Arc<dyn ProducesTickets>);

impl ProducesTickets for RandomTicketKey {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(cipher)
    }
}
