//! Processor time and memory of processes, as Linux reports them in /proc.

use rustix::param::clock_ticks_per_second;
use std::fs;

const KB_PER_MB: f64 = 1_000.0 / 1.024;
/// Indexes of user and system time among the fields of `/proc/PID/stat` after the name in
/// parentheses (proc(5)).
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;

/// Returns the processor time that the processes have used so far in total, in seconds; 0 on
/// systems without /proc.
pub fn processor_s(pids: &[u32]) -> f64 {
    let ticks = |pid: &u32| -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = after_name.split(' ').collect();
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(field(USER_TIME)? + field(SYSTEM_TIME)?)
    };
    let ticks: u64 = pids.iter().filter_map(ticks).sum();
    ticks as f64 / clock_ticks_per_second() as f64
}

/// Returns the peak resident memory since its start of the largest process, in megabytes.
pub fn peak_memory_mb(pids: &[u32]) -> f64 {
    let peaks = pids.iter().filter_map(|pid| memory_mb(*pid, "VmHWM:"));
    peaks.fold(0.0, f64::max)
}

/// Returns the current resident memory of a process, in megabytes; `None` on systems without /proc.
pub fn resident_memory_mb(pid: u32) -> Option<f64> {
    memory_mb(pid, "VmRSS:")
}

/// Returns the value of a line of `/proc/PID/status` (proc(5)), in megabytes.
fn memory_mb(pid: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / KB_PER_MB)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// This process has used memory and processor time.
    #[test]
    fn usage_is_read() {
        let own = [std::process::id()];
        assert!(peak_memory_mb(&own) > 0.5, "{}", peak_memory_mb(&own));
        assert!(resident_memory_mb(own[0]).is_some_and(|mb| mb > 0.5));
        let mut sum = 0u64;
        while processor_s(&own) == 0.0 {
            sum = (0..1_000_000).fold(sum, u64::wrapping_add);
        }
        assert!(processor_s(&own) < 600.0, "{sum}");
        assert_eq!(processor_s(&[u32::MAX]), 0.0);
    }
}
