//! What a process has used: processor time and memory.

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::exit::Failure;

/// The processor time of this process so far, in user and system mode, all threads together.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The most bytes of memory that this process has ever held.
///
/// The kernel's own peak is taken, not that of `getrusage`: the latter begins with the size of the
/// process that started this one.
pub fn peak_memory() -> Result<u64, Failure> {
    memory(Path::new("/proc/self/status"), "VmHWM:")
}

/// The memory of a process: now, and the most so far.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub now_bytes: u64,
    pub peak_bytes: u64,
}

/// # Errors
/// When there is no such process, or no `/proc`.
pub fn memory_of(process: u32) -> Result<Memory, Failure> {
    let status = std::path::PathBuf::from(format!("/proc/{process}/status"));
    let (now_bytes, peak_bytes) = (memory(&status, "VmRSS:")?, memory(&status, "VmHWM:")?);
    Ok(Memory { now_bytes, peak_bytes })
}

fn memory(status: &Path, field: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(status).map_err(Failure::io(status))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse().ok());
    kibibytes.map(|k: u64| k << 10).ok_or_else(|| {
        let place = status.display();
        Failure::environment(format!("{place}: no line {field} in it; this needs Linux"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_and_memory_has_a_peak() {
        let before = processor_time();
        let mut n = 1u64;
        while processor_time() < before + Duration::from_millis(5) {
            n = std::hint::black_box(n.wrapping_mul(3));
        }
        assert!(peak_memory().unwrap() > 1 << 16, "{n}");
    }
}
