//! SIGTERM and SIGINT: the first one asks to end, the second one ends at once.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Receives both signals from now on, for the rest of the process; the socket becomes readable with
/// the first one. The second one ends the process with 128 and its number, as a shell would say.
///
/// # Errors
/// If the system gives no sockets.
pub fn listen() -> io::Result<UnixStream> {
    let (received, sender) = UnixStream::pair()?;
    let seen = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The order counts: the first signal finds the flag down and raises it.
        flag::register_conditional_shutdown(signal, 128 + signal, seen.clone())?;
        flag::register(signal, seen.clone())?;
        low_level::pipe::register(signal, sender.try_clone()?)?;
    }
    Ok(received)
}
