//! What this process takes of its machine.

use std::fs;

/// Processor time and memory of this process, as the kernel counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
}

impl Usage {
    /// Reads it; zeros where there is no `/proc`.
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        Self::parse(&stat, ticks_per_second, rustix::param::page_size() as u64).unwrap_or_default()
    }

    /// Fields 14, 15 and 24 of `stat`; the second field may hold blanks and brackets itself.
    fn parse(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Self> {
        let after_name = &stat[stat.rfind(')')? + 1..];
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ticks = number(14)? + number(15)?;
        Some(Self {
            cpu_seconds: ticks as f64 / ticks_per_second as f64,
            resident_bytes: number(24)? * page_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_pages_are_found_behind_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 5 0 12345 9000000 250 1";
        let expected = Usage { cpu_seconds: 2.0, resident_bytes: 250 * 4096 };
        assert_eq!(Usage::parse(stat, 100, 4096), Some(expected));
        assert_eq!(Usage::parse("", 100, 4096), None);
    }

    #[test]
    fn a_process_takes_some_memory() {
        assert!(Usage::read().resident_bytes > 0);
    }
}
