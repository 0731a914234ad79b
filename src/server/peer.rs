//! Which user of this machine owns the other end of a loopback connection.
//!
//! The kernel is asked for that one socket (`sock_diag`); where it does not answer, `/proc/net/tcp`
//! is searched, which takes the kernel some milliseconds on a large machine.
//!
//! **Not here.** Whether that user may do anything.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

use super::principal::Principal;
use super::users::user_name;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const PROTOCOL_TCP: u8 = 6;
const FAMILY_INET: u8 = 2;
const FAMILY_INET6: u8 = 10;
/// Bytes of the request: netlink's head and `inet_diag_req_v2`.
const REQUEST_BYTES: usize = 16 + 56;
/// Where the user stands in the answer: netlink's head, four bytes, the socket's id, three words.
const UID_AT: usize = 16 + 4 + 48 + 12;

/// Who is at the other end of a connection from `peer` to `local`.
pub(super) fn principal(peer: SocketAddr, local: SocketAddr) -> Principal {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let local_ip = local.ip().to_canonical();
    if !peer.ip().is_loopback() && peer.ip() != local_ip {
        return Principal::Remote { address: peer.ip() };
    }
    let local = SocketAddr::new(local_ip, local.port());
    // A socket of an IPv6 family may hold an IPv4 connection, so both families are asked.
    let uid = [FAMILY_INET, FAMILY_INET6]
        .into_iter()
        .filter(|family| *family == FAMILY_INET6 || peer.is_ipv4())
        .find_map(|family| ask_kernel(family, peer, local).ok().flatten())
        .or_else(|| search_tables(peer, local));
    match uid {
        Some(uid) => Principal::Local { uid, name: user_name(uid) },
        None => Principal::Untold,
    }
}

fn ask_kernel(family: u8, peer: SocketAddr, local: SocketAddr) -> std::io::Result<Option<u32>> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(1)))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &request(family, peer, local), SendFlags::empty(), &kernel)?;
    let mut answer = [0; 512];
    let (received, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    Ok(uid_of_answer(&answer[..received]))
}

/// A question for the socket whose own address is `peer` and whose other end is `local`.
fn request(family: u8, peer: SocketAddr, local: SocketAddr) -> [u8; REQUEST_BYTES] {
    let mut out = [0; REQUEST_BYTES];
    out[..4].copy_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
    out[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    out[16] = family;
    out[17] = PROTOCOL_TCP;
    out[20..24].fill(0xff);
    out[24..26].copy_from_slice(&peer.port().to_be_bytes());
    out[26..28].copy_from_slice(&local.port().to_be_bytes());
    put_address(&mut out[28..44], family, peer.ip());
    put_address(&mut out[44..60], family, local.ip());
    // Any interface, and no cookie.
    out[64..72].fill(0xff);
    out
}

fn put_address(out: &mut [u8], family: u8, address: IpAddr) {
    match address {
        IpAddr::V4(address) if family == FAMILY_INET => {
            out[..4].copy_from_slice(&address.octets());
        }
        IpAddr::V4(address) => out.copy_from_slice(&address.to_ipv6_mapped().octets()),
        IpAddr::V6(address) => out.copy_from_slice(&address.octets()),
    }
}

fn uid_of_answer(answer: &[u8]) -> Option<u32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let uid = answer.get(UID_AT..UID_AT + 4)?.try_into().ok()?;
    (kind == SOCK_DIAG_BY_FAMILY).then_some(u32::from_ne_bytes(uid))
}

fn search_tables(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|path| {
        let table = std::fs::read_to_string(path).ok()?;
        uid_in_table(&table, peer, local)
    })
}

/// The user of the socket from `peer` to `local` in the text of the kernel's table.
fn uid_in_table(table: &str, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (own, other) = (table_address(fields.next()?)?, table_address(fields.next()?)?);
        let uid = fields.nth(4)?;
        (own == peer && other == local).then(|| uid.parse().ok()).flatten()
    })
}

/// Reads `0100007F:1A2B`: words of the host's order in hexadecimal, then the port.
fn table_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_own_user_is_told_for_both_families() {
        let own = rustix::process::getuid().as_raw();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                let mut out = std::io::stdout();
                writeln!(out, "skipped: this machine cannot listen on {address}").expect("said");
                continue;
            };
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("open");
            let (served, peer) = listener.accept().expect("accepted");
            let local = served.local_addr().expect("connected");
            assert!(matches!(principal(peer, local), Principal::Local { uid, .. } if uid == own));
            assert_eq!(search_tables(peer, local), Some(own));
            drop(client);
        }
    }

    #[test]
    fn a_table_is_searched_for_the_pair() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:19E3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n\
             1: 0100007F:C000 0100007F:19E3 01 00000000:00000000 00:00000000 00000000  1000        0 2 1\n";
        let at = |text: &str| text.parse().expect("an address");
        let (peer, local) = (at("127.0.0.1:49152"), at("127.0.0.1:6627"));
        assert_eq!(uid_in_table(table, peer, local), Some(1000));
        assert_eq!(uid_in_table(table, local, peer), None);
    }

    #[test]
    fn another_machine_is_remote() {
        let at = |text: &str| text.parse().expect("an address");
        let told = principal(at("10.0.0.7:4000"), at("10.0.0.1:6627"));
        assert_eq!(told, Principal::Remote { address: "10.0.0.7".parse().expect("an address") });
    }
}
