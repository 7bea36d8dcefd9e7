//! Signal handling. Two signals stop the server, one signal logs its state, and the signals in
//! [`IGNORED`] only log a line.

use super::state_report::StateReport;
use rustix::process::Signal;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{self, SignalKind};

/// The signals that stop the server gracefully.
pub(super) struct StopSignals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl StopSignals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// Returns the operating system's error when a handler cannot be installed.
    pub(super) fn new() -> io::Result<StopSignals> {
        Ok(StopSignals {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of the signals and returns its name.
    pub(super) async fn wanted(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Signals that are ignored, with their names. By default these signals would end the process.
/// Operators may send some of them, because other servers reopen or reread files on these signals.
/// Terminals and the kernel also send some of them.
const IGNORED: [(Signal, &str); 5] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::ALARM, "SIGALRM"),
    // The limit on the size of files is exceeded. The write fails, and its caller reports that.
    (Signal::XFSZ, "SIGXFSZ"),
];

/// Installs the handlers that log the state of the node on SIGQUIT and ignore the [`IGNORED`]
/// signals.
///
/// # Errors
/// Returns the operating system's error when a handler cannot be installed.
pub(super) fn answer(state: Arc<StateReport>) -> io::Result<()> {
    // SIGPIPE needs no handler, since Rust's runtime ignores it: a write to a closed pipe is an
    // error.
    let mut quit = unix::signal(SignalKind::quit())?;
    tokio::spawn(async move {
        while quit.recv().await.is_some() {
            state.log().await;
        }
    });
    for (signal, name) in IGNORED {
        let mut ignored = unix::signal(SignalKind::from_raw(signal.as_raw()))?;
        tokio::spawn(async move {
            while ignored.recv().await.is_some() {
                tracing::info!(
                    "{name} is ignored: settings are read only at start; use SIGTERM to stop"
                );
            }
        });
    }
    Ok(())
}
