//! Memory use of a large registry. Requested bytes are counted in the allocator, so that the result
//! is the same on every machine.

use allocation_counter::measure;
use quorate::model::Lookup;
use quorate_costs::registry;
use std::hint::black_box;

const NODES: usize = 100_000;
/// Maximum memory for 100,000 services, including their rendered lookups.
const MOST_BYTES: u64 = 200 << 20;

/// 100,000 services with all three lookups rendered fit in 200 MB.
#[test]
fn a_hundred_thousand_services_fit() {
    let pool = Lookup::TypeAndPool("presto".to_owned(), "general".to_owned());
    let lookups = [Lookup::All, Lookup::Type("presto".to_owned()), pool];
    let mut held = None;
    let info = measure(|| {
        let registry = registry(NODES);
        let shown = lookups.map(|lookup| registry.lookup(&lookup));
        held = Some(black_box((registry, shown)));
    });
    println!(
        "{} MB, at most {}",
        info.bytes_current >> 20,
        info.bytes_max >> 20
    );
    assert!(info.bytes_max < MOST_BYTES, "{info:?}");
}
