//! Memory of a process, as the system counts it.

use std::time::Duration;

/// Interval between two checks of a working process.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// Reads the memory of a process; never of another one that reuses its number.
#[derive(Debug)]
pub struct MemoryGauge {
    #[cfg(target_os = "linux")]
    statm: std::fs::File,
}

impl MemoryGauge {
    /// # Errors
    /// If the process has ended.
    #[cfg(target_os = "linux")]
    pub fn new(process: u32) -> std::io::Result<Self> {
        Ok(Self { statm: std::fs::File::open(format!("/proc/{process}/statm"))? })
    }

    /// # Errors
    /// Never.
    #[cfg(not(target_os = "linux"))]
    pub fn new(_: u32) -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Resident anonymous memory in bytes; 0 if unknown, or the process has ended.
    #[cfg(target_os = "linux")]
    pub fn bytes(&self) -> usize {
        use std::os::unix::fs::FileExt;
        let mut text = [0; 128];
        let read = self.statm.read_at(&mut text, 0).unwrap_or_default();
        let text = text.get(..read).and_then(|text| std::str::from_utf8(text).ok());
        pages(text.unwrap_or_default()) * rustix::param::page_size()
    }

    /// Unknown on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn bytes(&self) -> usize {
        0
    }
}

/// Parses `size resident shared …`; shared are the pages of files, such as the program's.
#[cfg(target_os = "linux")]
fn pages(statm: &str) -> usize {
    let mut numbers = statm.split(' ').skip(1).map(|number| number.trim().parse().unwrap_or(0));
    let (resident, shared): (usize, usize) =
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    resident.saturating_sub(shared)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pages_of_files_do_not_count() {
        for (statm, expected) in [
            ("5000 700 200 30 0 900 0\n", 500),
            ("5000 200 700 30 0 900 0\n", 0),
            ("0 0 0 0 0 0 0\n", 0),
            ("", 0),
        ] {
            assert_eq!(pages(statm), expected, "{statm:?}");
        }
    }

    #[test]
    fn written_pages_count() {
        let gauge = MemoryGauge::new(std::process::id()).unwrap();
        let before = gauge.bytes();
        let written = std::hint::black_box(vec![1_u8; 256 << 20]);
        assert!(gauge.bytes() > before + (128 << 20), "{before}, then {}", gauge.bytes());
        drop(written);
    }
}
