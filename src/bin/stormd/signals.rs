//! SIGTERM and SIGINT: the first one asks to end, the second one ends at once.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Exit code after a second signal: 128 and the number of SIGINT, as a shell would say.
const INTERRUPTED: i32 = 130;

/// A socket that becomes readable with the first signal.
pub fn listen() -> io::Result<UnixStream> {
    let (received, sender) = UnixStream::pair()?;
    let seen = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The order counts: the first signal finds the flag down and raises it.
        flag::register_conditional_shutdown(signal, INTERRUPTED, seen.clone())?;
        flag::register(signal, seen.clone())?;
        low_level::pipe::register(signal, sender.try_clone()?)?;
    }
    Ok(received)
}
