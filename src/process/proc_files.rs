//! What `/proc` tells of processes.

use std::fs;
use std::time::Duration;

use super::ProcessId;

/// What a process has used since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Time on a core, in user mode and in the kernel together.
    pub cpu: Duration,
    /// Memory that is in RAM, shared pages included.
    pub resident_bytes: u64,
}

/// The fields of `/proc/<pid>/stat` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    state: char,
    pub group: u32,
    pub session: u32,
    cpu_ticks: u64,
    pub start_time: u64,
    resident_pages: u64,
}

impl Stat {
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses, and may hold anything, also spaces
    /// and parentheses.
    fn parse(text: &str) -> Option<Self> {
        let after_name = text.rsplit_once(')')?.1;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        // The first one here is the third of the file.
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |of: usize| field(of)?.parse::<u64>().ok();
        Some(Self {
            state: field(3)?.chars().next()?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            cpu_ticks: number(14)? + number(15)?,
            start_time: number(22)?,
            resident_pages: number(24)?,
        })
    }

    /// Ended and not reaped yet.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    pub fn usage(&self) -> Usage {
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        let page_bytes = rustix::param::page_size() as u64;
        Usage {
            cpu: Duration::from_nanos(
                self.cpu_ticks.saturating_mul(1_000_000_000 / ticks_per_second),
            ),
            resident_bytes: self.resident_pages.saturating_mul(page_bytes),
        }
    }
}

/// All processes that this process may see.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Processes whose arguments contain all of `wanted`, each as one whole argument.
pub fn find_by_arguments(wanted: &[&str]) -> Vec<ProcessId> {
    let has_all = |pid: &u32| {
        let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let args: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        wanted.iter().all(|wanted| args.contains(&wanted.as_bytes()))
    };
    pids().filter(has_all).filter_map(ProcessId::of).collect()
}

/// Which start of the machine this is: no process outlives it.
pub fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = "71 (a) b (c)) S 1 70 69 0 -1 4194304 9 9 9 9 30 12 0 0 20 0 3 0 4711 99999 \
                    512 18446744073709551615 1 1 0";
        let stat = Stat::parse(text).expect("it is understood");
        let wanted = Stat {
            state: 'S',
            group: 70,
            session: 69,
            cpu_ticks: 42,
            start_time: 4711,
            resident_pages: 512,
        };
        assert_eq!(stat, wanted);
        assert_eq!(Stat::parse("71 (cut"), None);
        assert_eq!(Stat::parse("71 (cut) S 1"), None);
    }

    #[test]
    fn a_process_knows_itself_and_a_recycled_pid_is_another() {
        let own = ProcessId::own();
        assert!(own.is_alive());
        assert!(own.usage().is_some_and(|usage| usage.resident_bytes > 0));
        let before = ProcessId { start_time: own.start_time + 1, ..own };
        assert!(!before.is_alive());
        assert_eq!(before.usage(), None);
    }
}
