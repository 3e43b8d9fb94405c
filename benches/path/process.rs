//! What a process takes of the machine, as Linux counts it.

use std::fs;
use std::time::Duration;

/// What a process has spent of CPU, all threads together.
pub fn cpu(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks = after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    // Linux counts them in hundredths of a second on every machine that it runs on.
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// What a process has resident now, and the most it had, MB.
pub fn memory(id: u32) -> (u64, u64) {
    (status_kb(id, "VmRSS:") / 1_024, status_kb(id, "VmHWM:") / 1_024)
}

/// What a process has resident now, kB.
pub fn memory_kb(id: u32) -> u64 {
    status_kb(id, "VmRSS:")
}

fn status_kb(id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How many bytes a process has sent towards disks.
pub fn written(id: u32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{id}/io")).unwrap();
    let line = io.lines().find(|line| line.starts_with("write_bytes:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What the calling thread has spent of CPU, in nanoseconds.
pub fn own_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}
