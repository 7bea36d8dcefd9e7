//! Signals: two end the server, one has it describe itself, the others are ignored.

use super::state_report::StateReport;
use rustix::process::Signal;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{self, SignalKind};

/// The signals that end the server in good order.
pub(super) struct Stop {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Stop {
    /// Takes them from now on.
    ///
    /// # Errors
    /// The operating system's, when a handler cannot be installed.
    pub(super) fn new() -> io::Result<Stop> {
        Ok(Stop {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them and returns its name.
    pub(super) async fn wanted(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Signals that would end the process, each with its name. Operators send them to other servers to
/// have files reopened or read again, terminals and the kernel send them by themselves.
const IGNORED: [(Signal, &str); 5] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::ALARM, "SIGALRM"),
    // A limit on the size of files: the write fails then, and that is said where it is made.
    (Signal::XFSZ, "SIGXFSZ"),
];

/// Answers SIGQUIT with the state of the node, from now on, and ignores the others.
///
/// # Errors
/// The operating system's, when a handler cannot be installed.
pub(super) fn answer(state: Arc<StateReport>) -> io::Result<()> {
    // SIGPIPE is ignored by Rust's runtime already; a write to a closed pipe is an error.
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
                tracing::info!("{name} is ignored: settings are read at start; SIGTERM stops");
            }
        });
    }
    Ok(())
}
