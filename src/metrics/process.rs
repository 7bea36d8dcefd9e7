//! The series about the process itself, with the names that all Prometheus clients use. They come
//! from `/proc`, so a system without it has none of them.

use super::exposition::Exposition;
use std::fs;

/// Number of clock ticks in a second, the unit in which Linux counts processor time.
const TICKS_PER_S: f64 = 100.0;

/// Adds the series about this process to a scrape.
pub fn collect(exposition: &mut Exposition) {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else {
        return;
    };
    let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let system = fs::read_to_string("/proc/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(seconds) = processor_s(&stat) {
        exposition.metric(
            "process_cpu_seconds",
            "Processor time in user mode and in the kernel",
            prometheus_client::metrics::counter::ConstCounter::new(seconds),
        );
    }
    let kilobytes = field(&status, "VmRSS:").map(|kb| kb * 1024.0);
    let started = boot_s(&system).zip(started_s(&stat));
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Resident memory",
            kilobytes,
        ),
        (
            "process_open_fds",
            "Open file descriptors",
            Some(descriptors as f64),
        ),
        (
            "process_max_fds",
            "Limit of open file descriptors",
            field(&limits, "Max open files"),
        ),
        ("process_threads", "Threads", field(&status, "Threads:")),
        (
            "process_start_time_seconds",
            "Time of the start, in seconds since 1970",
            started.map(|(boot, after_boot)| boot + after_boot),
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            exposition.gauge(name, help, value);
        }
    }
}

/// Returns the number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Returns a field of `/proc/self/stat`, counted from the first after the name of the process,
/// which stands in parentheses.
fn stat_field(stat: &str, index: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split_whitespace().nth(index)?.parse().ok()
}

/// Returns the processor time in seconds.
fn processor_s(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 11)? + stat_field(stat, 12)?) / TICKS_PER_S)
}

/// Returns the time from the boot of the system to the start of the process, in seconds.
fn started_s(stat: &str) -> Option<f64> {
    Some(stat_field(stat, 19)? / TICKS_PER_S)
}

/// Returns the time at which the system booted, in seconds since 1970.
fn boot_s(system: &str) -> Option<f64> {
    field(system, "btime ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Format;

    /// The fields are found whatever characters the name of the process contains.
    #[test]
    fn a_line_of_a_process_is_parsed() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 1234 0";
        assert_eq!(processor_s(stat), Some(3.0));
        assert_eq!(started_s(stat), Some(12.34));
        assert_eq!(processor_s("7 (a) S"), None);
        assert_eq!(boot_s("cpu 1\nbtime 1700000000\n"), Some(1_700_000_000.0));
        let limits = "Limit  Soft  Hard\nMax open files            1024   4096  files\n";
        assert_eq!(field(limits, "Max open files"), Some(1024.0));
    }

    /// On Linux, all series of a process exist.
    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_series() {
        let mut exposition = Exposition::default();
        collect(&mut exposition);
        let text = exposition.text(Format::Prometheus).expect("text");
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_threads",
            "process_start_time_seconds",
        ] {
            assert!(text.contains(&format!("\n{name} ")), "{name}: {text}");
        }
    }
}
