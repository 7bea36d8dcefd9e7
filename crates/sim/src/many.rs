//! Many seeds, on all cores, each in a process of its own.
//!
//! A process each, because futures-util draws for its `select!` from a generator of the thread that nobody can seed: only
//! in a fresh process is it the same again.

use crate::report::Report;
use crate::settings::Planted;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The lines of a trace that are shown of a seed that failed.
const LINES_SHOWN: usize = 100;

/// A seed takes about a second; one that takes this long on a busy machine is stuck.
const LONGEST: Duration = Duration::from_secs(90);

/// What the program of this package says of a seed: its report, or the last lines of its trace with what is wrong.
pub type Said = Result<Report, String>;

/// Lets the program of this package run these seeds, and shows what it said of each. `each` says whether to go on.
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

/// Lets the program of this package run a seed. What it said, and all of it.
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
    let report = text.lines().last().and_then(Report::parse);
    let said = match report {
        Some(report) if ended_well => Ok(report),
        _ => {
            let lines: Vec<&str> = text.lines().collect();
            let shown = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n");
            Err(format!(
                "{shown}\nseed {seed} ended badly; again: scripts/sim {seed}"
            ))
        }
    };
    (said, text)
}

/// What a process said, and whether it ended well. One that goes on for too long is killed: time stands still in it.
fn until_ended(mut process: Child) -> io::Result<(bool, String)> {
    let (ended, watched) = sync_channel::<()>(1);
    let mut stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut text = Vec::new();
            let read = stdout.read_to_end(&mut text);
            // Whoever watches may have given up.
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
