//! Writes the table of the results, with a row for each size.

use super::size::{Size, Sizes};
use crate::run_context::Occasion;
use std::fmt::Write;

const HEAD: &str = "\
| services | kB a lookup | lookups/s | of the baseline's | MB/s | µs a kB | the baseline's \
 | p50 ms | p99 ms | memory MB | restart after lookups: all shown after s | memory MB \
 | restart after changes: all shown after s | memory MB | data MB |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Returns the table in Markdown, below a sentence that describes the measurement.
pub fn of(sizes: &Sizes, occasion: &Occasion) -> String {
    let mut table = format!(
        "{} clients look up all services on three nodes for {} s at a time, alternating with \
         three servers of the baseline (axum returning the same bytes); medians. \
         Memory and data are the largest node's. Commit {}, {}.\n\n{HEAD}",
        sizes.clients, sizes.seconds, occasion.commit, occasion.date
    );
    for size in &sizes.sizes {
        // Writing to a `String` cannot fail.
        let _ = writeln!(table, "{}", row(size));
    }
    table
}

fn row(size: &Size) -> String {
    let kb = size.kb();
    let rate = size.median(|lookups| lookups.quorate.rate_per_second);
    let of_baseline =
        size.median(|lookups| lookups.quorate.rate_per_second / lookups.baseline.rate_per_second);
    format!(
        "| {} | {kb:.1} | {rate:.0} | {of_baseline:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} \
         | {:.0} | {:.1} | {:.0} | {:.1} | {:.0} | {:.0} |",
        size.services,
        rate * kb / 1e3,
        size.lookup_us() / kb,
        size.baseline_us() / kb,
        size.median(|lookups| lookups.quorate.latency_ms.p50),
        size.median(|lookups| lookups.quorate.latency_ms.p99),
        size.memory_mb,
        size.after_lookups.shown_after_s,
        size.after_lookups.memory_mb,
        size.after_changes.shown_after_s,
        size.after_changes.memory_mb,
        size.after_changes.data_mb,
    )
}
