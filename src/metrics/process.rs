//! The series about the process itself, with the names that all Prometheus clients use. They come
//! from `/proc`, so a system without it has none of them.

use super::exposition::Exposition;
use prometheus_client::metrics::counter::ConstCounter;
use std::fs;

/// Number of clock ticks in a second, the unit in which Linux counts processor time.
const TICKS_PER_S: f64 = 100.0;

/// The values of this process at one moment. A value that the system does not give is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProcessSample {
    processor_s: Option<f64>,
    resident_bytes: Option<f64>,
    descriptors: Option<f64>,
    descriptors_max: Option<f64>,
    threads: Option<f64>,
    started_s: Option<f64>,
}

impl ProcessSample {
    /// Reads the values. Blocks for some milliseconds if there are many descriptors.
    pub fn read() -> ProcessSample {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (stat, status) = (read("/proc/self/stat"), read("/proc/self/status"));
        // The listing itself takes one descriptor.
        let descriptors =
            fs::read_dir("/proc/self/fd").map(|listed| listed.count().saturating_sub(1));
        let booted_s = field(&read("/proc/stat"), "btime ");
        ProcessSample {
            processor_s: processor_s(&stat),
            resident_bytes: field(&status, "VmRSS:").map(|kb| kb * 1024.0),
            descriptors: descriptors.ok().map(|count| count as f64),
            descriptors_max: field(&read("/proc/self/limits"), "Max open files"),
            threads: field(&status, "Threads:"),
            started_s: booted_s
                .zip(started_s(&stat))
                .map(|(boot, after)| boot + after),
        }
    }

    /// Adds the series to a scrape.
    pub fn collect(&self, exposition: &mut Exposition) {
        if let Some(seconds) = self.processor_s {
            exposition.metric(
                "process_cpu_seconds",
                "Processor time in user mode and in the kernel",
                ConstCounter::new(seconds),
            );
        }
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Resident memory",
                self.resident_bytes,
            ),
            (
                "process_open_fds",
                "Open file descriptors",
                self.descriptors,
            ),
            (
                "process_max_fds",
                "Limit of open file descriptors",
                self.descriptors_max,
            ),
            ("process_threads", "Threads", self.threads),
            (
                "process_start_time_seconds",
                "Time of the start, in seconds since 1970",
                self.started_s,
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                exposition.gauge(name, help, value);
            }
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
        assert_eq!(
            field("cpu 1\nbtime 1700000000\n", "btime "),
            Some(1_700_000_000.0)
        );
        let limits = "Limit  Soft  Hard\nMax open files            1024   4096  files\n";
        assert_eq!(field(limits, "Max open files"), Some(1024.0));
    }

    /// On Linux, all series of a process exist.
    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_series() {
        let mut exposition = Exposition::default();
        ProcessSample::read().collect(&mut exposition);
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
