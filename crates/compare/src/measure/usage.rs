//! Reads the processor time and the memory of processes from /proc.

use rustix::param::clock_ticks_per_second;
use std::fs;

const KB_PER_MB: f64 = 1_000.0 / 1.024;
/// Indexes of user and system time in `/proc/PID/stat` (proc(5)), among the fields after the
/// process's name, which is in parentheses.
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

/// Returns the highest peak of resident memory among the processes, in megabytes. The peak of a
/// process is counted since its start.
pub fn peak_memory_mb(pids: &[u32]) -> f64 {
    let peaks = pids.iter().filter_map(|pid| memory_mb(*pid, "VmHWM:"));
    peaks.fold(0.0, f64::max)
}

/// Returns the current resident memory of a process, in megabytes; `None` on systems without /proc.
pub fn resident_memory_mb(pid: u32) -> Option<f64> {
    memory_mb(pid, "VmRSS:")
}

/// Returns the value of a line of `/proc/PID/status` (proc(5)), converted to megabytes.
fn memory_mb(pid: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / KB_PER_MB)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The usage of a running process, the test itself, is read from /proc and is not zero.
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
