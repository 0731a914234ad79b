//! Who holds a TCP port.

use std::fmt;
use std::fs;

use super::proc_files::pids;

/// State of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its pid; `None` if it belongs to another user and cannot be seen.
    pub pid: Option<u32>,
    /// Name of its program.
    pub program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(out, "process {pid} ({})", self.program),
            None => out.write_str("a process of another user"),
        }
    }
}

/// Who listens on a TCP port of this machine; `None` if nobody does.
pub fn holder_of_port(port: u16) -> Option<Holder> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|table| listening_inode(&table, port))?;
    let socket = format!("socket:[{inode}]");
    let pid = pids().find(|pid| holds(*pid, &socket));
    let name = |pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let program = pid.and_then(name).map(|name| name.trim().to_owned()).unwrap_or_default();
    Some(Holder { pid, program })
}

/// Inode of the socket that listens on a port, by the table's columns `local_address`, `st` and
/// `inode`.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local_port) = columns.get(1)?.rsplit_once(':')?;
        let is_it =
            u16::from_str_radix(local_port, 16) == Ok(port) && columns.get(3) == Some(&LISTENING);
        is_it.then(|| columns.get(9)?.parse().ok()).flatten()
    })
}

fn holds(pid: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|link| link.as_os_str() == socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_process_that_listens_on_a_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let holder = holder_of_port(port).expect("somebody listens");
        assert_eq!(holder.pid, Some(std::process::id()));
        assert!(holder.to_string().starts_with("process "), "{holder}");
        drop(listener);
        // A process that another test is starting has the socket too until it is its own program.
        let is_held = (0..10_000).all(|_| {
            std::thread::yield_now();
            holder_of_port(port).is_some()
        });
        assert!(!is_held, "nobody listens any more");
    }
}
