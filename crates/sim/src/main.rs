//! Runs simulations: `quorate-sim 4711` prints the trace of one seed, and `quorate-sim 1..1000`
//! prints the result of each seed in the range.

use quorate_sim::{Planted, run, run_seeds};
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let planted = match arguments.get(2) {
        None => Some(Planted::Nothing),
        Some(name) => Planted::named(name),
    };
    let which = arguments.get(1).map(String::as_str);
    match (which, planted) {
        (Some(which), Some(planted)) => match (which.parse(), seeds_of(which)) {
            (Ok(seed), _) => one(seed, planted),
            (_, Some(seeds)) => many(Path::new(&arguments[0]), seeds, planted),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: quorate-sim SEED | FROM..TO [BUG TO PLANT]");
    ExitCode::from(2)
}

/// Runs one seed, and prints its trace and result.
fn one(seed: u64, planted: Planted) -> ExitCode {
    quorate_seeded_getrandom::seed(seed);
    // A panic in any task ends the process, not only that task.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::exit(101);
    }));
    let (ran, lines) = run(seed, planted);
    println!("{}", lines.join("\n"));
    match ran {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("seed {seed}: {what}\nto repeat: scripts/sim {seed}");
            ExitCode::FAILURE
        }
    }
}

/// Runs many seeds, and prints the result of each.
fn many(program: &Path, seeds: Range<u64>, planted: Planted) -> ExitCode {
    let failed = AtomicU64::new(0);
    run_seeds(program, seeds.clone(), planted, |said| {
        match said {
            Ok(report) => println!("{report}"),
            Err(failure) => {
                failed.fetch_add(1, Ordering::Relaxed);
                println!("{failure}");
            }
        }
        true
    });
    let failed = failed.into_inner();
    println!("{} seeds, {failed} failed", seeds.end - seeds.start);
    ExitCode::from(u8::from(failed > 0))
}

/// Parses a range of seeds, such as `1..1000`.
fn seeds_of(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}
