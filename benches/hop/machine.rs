//! What the machine says about itself and about this process: CPU, switches, memory, gaps.
//!
//! The parsers are pure and take the text of a file in `/proc`; thin readers stand around them.
//! **Runs on** Linux.

use std::fs;
use std::time::Duration;

use super::clock;

/// Length of one tick of `/proc/stat`; every Linux reports hundredths of a second there.
pub const TICK: Duration = Duration::from_millis(10);

/// A pause in a spinning thread that is longer than this counts as a gap.
const GAP_NS: u64 = 20_000;

/// CPU time of the whole machine since boot, summed over its cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineCpu {
    /// Time in which a core ran anything, idle and I/O wait excluded.
    pub busy: Duration,
    /// Time that the hypervisor gave to somebody else.
    pub steal: Duration,
}

/// What this process has used since it started, all threads and reaped children included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnUsage {
    /// User and system time.
    pub cpu: Duration,
    /// Switches because a thread went to sleep.
    pub voluntary_switches: u64,
    /// Switches because the scheduler took the core away.
    pub involuntary_switches: u64,
}

/// Resident memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Now (`VmRSS`).
    pub now_kib: u64,
    /// At its largest (`VmHWM`).
    pub peak_kib: u64,
}

/// Time that went missing in a thread that did nothing but read the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gaps {
    /// Pauses longer than 20 µs.
    pub count: u64,
    /// The longest pause.
    pub longest: Duration,
    /// Sum of these pauses by the length of the watch, 0 to 1.
    pub lost: f64,
}

/// Usage of machine and process at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    at_ns: u64,
    machine: MachineCpu,
    own: OwnUsage,
}

/// What happened between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Wall time between the readings.
    pub elapsed: Duration,
    /// This process.
    pub own: OwnUsage,
    /// CPU time of everybody else on the machine; exact to one or two [`TICK`]s.
    pub others: Duration,
    /// CPU time that the hypervisor took.
    pub steal: Duration,
}

impl Usage {
    /// Own CPU time as per cent of one core.
    #[must_use]
    pub fn own_cpu_percent(&self) -> f64 {
        100.0 * self.own.cpu.as_secs_f64() / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Own context switches, of either kind, per second.
    #[must_use]
    pub fn switches_per_second(&self) -> f64 {
        let switches = self.own.voluntary_switches + self.own.involuntary_switches;
        switches as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

impl Reading {
    /// Reads `/proc/stat` and the process's resource usage.
    #[must_use]
    pub fn take() -> Self {
        Self {
            at_ns: clock::now_ns(),
            machine: machine_cpu(&read("/proc/stat")).unwrap_or_default(),
            own: own_usage(),
        }
    }

    /// What happened since `self`.
    #[must_use]
    pub fn until(self, later: Self) -> Usage {
        let own = OwnUsage {
            cpu: later.own.cpu.saturating_sub(self.own.cpu),
            voluntary_switches: later.own.voluntary_switches - self.own.voluntary_switches,
            involuntary_switches: later.own.involuntary_switches - self.own.involuntary_switches,
        };
        let busy = later.machine.busy.saturating_sub(self.machine.busy);
        Usage {
            elapsed: Duration::from_nanos(later.at_ns - self.at_ns),
            own,
            others: busy.saturating_sub(own.cpu),
            steal: later.machine.steal.saturating_sub(self.machine.steal),
        }
    }

    /// What happened since `self`, up to now.
    #[must_use]
    pub fn until_now(self) -> Usage {
        self.until(Self::take())
    }
}

/// Resident memory of this process.
#[must_use]
pub fn resident() -> Resident {
    resident_of(&read("/proc/self/status"))
}

/// Resident memory of process `pid`; zeros where it is gone.
#[must_use]
pub fn resident_of_process(pid: u32) -> Resident {
    resident_of(&read(&format!("/proc/{pid}/status")))
}

/// Watches the clock for `length` on each of `cores` threads at once and returns the worst of them.
#[must_use]
pub fn gaps(length: Duration, cores: usize) -> Gaps {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(|| gaps_here(length))).collect();
        let here = gaps_here(length);
        let others = others.into_iter().map(|t| t.join().expect("watching does not panic"));
        others.fold(here, |worst, gaps| if gaps.lost > worst.lost { gaps } else { worst })
    })
}

fn gaps_here(length: Duration) -> Gaps {
    let (mut count, mut longest_ns, mut lost_ns) = (0, 0, 0);
    let start_ns = clock::now_ns();
    let mut last_ns = start_ns;
    while last_ns - start_ns < clock::ns(length) {
        let now = clock::now_ns();
        let gap = now.saturating_sub(last_ns);
        if gap > GAP_NS {
            count += 1;
            lost_ns += gap;
            longest_ns = longest_ns.max(gap);
        }
        last_ns = now.max(last_ns);
    }
    Gaps {
        count,
        longest: Duration::from_nanos(longest_ns),
        lost: lost_ns as f64 / (last_ns - start_ns).max(1) as f64,
    }
}

/// The first line of `/proc/stat`: user nice system idle iowait irq softirq steal, in ticks.
fn machine_cpu(stat: &str) -> Option<MachineCpu> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u32> = line.split_ascii_whitespace().map_while(|t| t.parse().ok()).collect();
    let &[user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks.as_slice() else {
        return None;
    };
    Some(MachineCpu { busy: TICK * (user + nice + system + irq + softirq), steal: TICK * steal })
}

fn resident_of(status: &str) -> Resident {
    let kib = |field: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(field))?;
        value.split_ascii_whitespace().next()?.parse().ok()
    };
    Resident { now_kib: kib("VmRSS:").unwrap_or(0), peak_kib: kib("VmHWM:").unwrap_or(0) }
}

fn own_usage() -> OwnUsage {
    let (own, children) = (rusage(libc::RUSAGE_SELF), rusage(libc::RUSAGE_CHILDREN));
    OwnUsage {
        cpu: own.cpu + children.cpu,
        voluntary_switches: own.voluntary_switches + children.voluntary_switches,
        involuntary_switches: own.involuntary_switches + children.involuntary_switches,
    }
}

fn rusage(who: libc::c_int) -> OwnUsage {
    let mut raw = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the structure that the pointer leads to; all zeros is valid too.
    let raw = unsafe {
        libc::getrusage(who, raw.as_mut_ptr());
        raw.assume_init()
    };
    let length = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    OwnUsage {
        cpu: length(raw.ru_utime) + length(raw.ru_stime),
        voluntary_switches: raw.ru_nvcsw as u64,
        involuntary_switches: raw.ru_nivcsw as u64,
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_leaves_out_idle_io_wait_and_steal() {
        let cpu = machine_cpu("cpu  100 10 50 9000 700 3 2 7 0 0\ncpu0 1 1 1 1 1 1 1 1\n");
        let expected =
            MachineCpu { busy: Duration::from_millis(1650), steal: Duration::from_millis(70) };
        assert_eq!(cpu, Some(expected));
    }

    #[test]
    fn a_stat_file_without_the_total_line_says_nothing() {
        assert_eq!(machine_cpu("cpu0 1 2 3 4 5 6 7 8\n"), None);
        assert_eq!(machine_cpu("cpu  1 2 3\n"), None);
    }

    #[test]
    fn resident_memory_is_read_by_name() {
        let status = "Name:\thop\nVmHWM:\t    4321 kB\nVmRSS:\t    1234 kB\n";
        let expected = Resident { now_kib: 1234, peak_kib: 4321 };
        assert_eq!(resident_of(status), expected);
        assert_eq!(resident_of(""), Resident::default());
    }

    #[test]
    fn others_are_what_the_machine_did_and_this_process_did_not() {
        let at = |at_ns, busy_ms, own_ms| Reading {
            at_ns,
            machine: MachineCpu { busy: Duration::from_millis(busy_ms), steal: Duration::ZERO },
            own: OwnUsage { cpu: Duration::from_millis(own_ms), ..OwnUsage::default() },
        };
        let usage = at(0, 1000, 10).until(at(1_000_000_000, 1900, 510));
        assert_eq!(usage.others, Duration::from_millis(400));
        assert_eq!(usage.own_cpu_percent(), 50.0);
        let rounded = at(0, 1000, 10).until(at(1_000_000_000, 1490, 510));
        assert_eq!(rounded.others, Duration::ZERO);
    }
}
