//! Runs many seeds on all cores, each in its own process.
//!
//! Separate processes are needed because futures-util's `select!` uses a thread-local random
//! generator that cannot be seeded. The state of this generator is the same only in fresh
//! processes.

use crate::report::SimReport;
use crate::settings::Planted;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Number of trace lines that are shown for a failed seed.
const LINES_SHOWN: usize = 100;

/// Timeout of a seed. A seed takes about a second, so a seed that reaches the timeout is stuck,
/// even on a busy machine.
const LONGEST: Duration = Duration::from_secs(90);

/// The result of a seed: its report, or the last lines of its trace with the error.
pub type Said = Result<SimReport, String>;

/// Runs the program of this package for each of these seeds, and passes each result to `each`.
/// Stops early once `each` returns false.
pub fn run_seeds(
    program: &Path,
    seeds: Range<u64>,
    planted: Planted,
    each: impl Fn(Said) -> bool + Sync,
) {
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let (said, _) = run_apart(program, seed, planted);
                    if !each(said) {
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
}

/// Runs the program of this package for one seed, in a process of its own. Returns its result and
/// its whole output.
pub fn run_apart(program: &Path, seed: u64, planted: Planted) -> (Said, String) {
    let ran = Command::new(program)
        .args([seed.to_string(), format!("{planted:?}")])
        .stdout(Stdio::piped())
        .spawn()
        .and_then(until_ended);
    let (ended_well, text) = match ran {
        Ok(ran) => ran,
        Err(error) => {
            return (
                Err(format!("{}: {error}", program.display())),
                String::new(),
            );
        }
    };
    let report = text.lines().last().and_then(SimReport::parse);
    let said = match report {
        Some(report) if ended_well => Ok(report),
        _ => {
            let lines: Vec<&str> = text.lines().collect();
            let shown = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n");
            Err(format!(
                "{shown}\nseed {seed} failed; to repeat: scripts/sim {seed}"
            ))
        }
    };
    (said, text)
}

/// Waits for a process. Returns whether it succeeded, and its output. Kills a process that runs
/// longer than [`LONGEST`], since the simulated time of such a process no longer advances.
fn until_ended(mut process: Child) -> io::Result<(bool, String)> {
    let (ended, watched) = sync_channel::<()>(1);
    let mut stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut text = Vec::new();
            let read = stdout.read_to_end(&mut text);
            // Sending fails if the receiver has timed out.
            let _ = ended.send(());
            read.map(|_| String::from_utf8_lossy(&text).into_owned())
        });
        if watched.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            process.kill()?;
        }
        let status = process.wait()?;
        let text = reader
            .join()
            .map_err(|_| io::Error::other("the reader panicked"))??;
        Ok((status.success(), text))
    })
}
