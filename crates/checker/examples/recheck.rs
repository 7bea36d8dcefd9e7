//! Judges a recorded history again.
//!
//! Usage: `recheck HISTORY MAX_AGE_MS [LOG [TOKEN_PROPERTY]]`. LOG is the output of `quorate log
//! DIR`. TOKEN_PROPERTY is the service property that contains the token (`token` by default). The
//! exit code is 0 if both layers of the checker (`groups` and `certificate`) accept the history.
//! The program has no time limit, so a run that takes too long must be stopped by hand.

use quorate_checker::MaxAge;
use quorate_checker::certificate::certify;
use quorate_checker::groups::check_groups;
use quorate_checker::history;
use quorate_checker::log::CommittedLog;
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, max_age_ms, rest @ ..] = &arguments[..] else {
        return Err("usage: recheck HISTORY MAX_AGE_MS [LOG [TOKEN_PROPERTY]]".into());
    };
    let max_age_ms: u64 = max_age_ms.parse()?;
    let max_age = MaxAge::from_ns(max_age_ms.saturating_mul(1_000_000));
    let operations = history::read(BufReader::new(File::open(path)?))?;
    let token_property = rest.get(1).map_or("token", String::as_str);
    let log = match rest.first() {
        Some(path) => Some(CommittedLog::read(
            BufReader::new(File::open(path)?),
            token_property,
        )?),
        None => None,
    };

    let certificate = certify(&operations, log.as_ref(), max_age);
    println!(
        "by index: {} changes, {} lookups, {} unknown changes placed, {} expiries, {} violations",
        certificate.writes,
        certificate.lookups,
        certificate.unknown_placed,
        certificate.expiries,
        certificate.violation_count
    );
    print!("{}", certificate.explain(&operations));
    let report = check_groups(&operations, max_age, &mut || false);
    println!(
        "by search: {} operations in {} groups, {} broken",
        report.calls,
        report.groups,
        report.broken.len()
    );
    print!("{}", report.explain(&operations));
    let passes = certificate.holds() && report.is_linearizable();
    Ok(ExitCode::from(u8::from(!passes)))
}
