//! Sessions by name: bounded in number, and over when they were idle for too long.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::BlobError;
use crate::clock::{Clock, Time};

/// Sessions of one kind.
#[derive(Debug)]
pub struct Sessions<T> {
    what: &'static str,
    limit: usize,
    idle: Duration,
    clock: Clock,
    open: Mutex<HashMap<String, Session<T>>>,
}

#[derive(Debug)]
struct Session<T> {
    /// Used by one call at a time; calls of other sessions do not wait for it.
    held: Arc<Mutex<T>>,
    used: Time,
}

impl<T> Sessions<T> {
    pub fn new(what: &'static str, limit: usize, idle: Duration, clock: Clock) -> Self {
        Self { what, limit, idle, clock, open: Mutex::default() }
    }

    /// Opens a session under a name.
    pub fn open(&self, name: String, held: T) -> Result<(), BlobError> {
        self.expire();
        let used = self.clock.now();
        let mut open = self.lock();
        if open.len() >= self.limit {
            return Err(BlobError::TooManySessions { what: self.what, limit: self.limit });
        }
        open.insert(name, Session { held: Arc::new(Mutex::new(held)), used });
        Ok(())
    }

    /// Does something in a session.
    pub fn with<R>(
        &self,
        name: &str,
        act: impl FnOnce(&mut T) -> Result<R, BlobError>,
    ) -> Result<R, BlobError> {
        self.expire();
        let held = {
            let mut open = self.lock();
            let session = open.get_mut(name).ok_or_else(|| no_session(name))?;
            session.used = self.clock.now();
            Arc::clone(&session.held)
        };
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut held)
    }

    /// Ends a session and hands out what it held. A call that is under way in it fails this one.
    pub fn close(&self, name: &str) -> Result<T, BlobError> {
        self.expire();
        let session = self.lock().remove(name).ok_or_else(|| no_session(name))?;
        let held = Arc::into_inner(session.held).ok_or_else(|| no_session(name))?;
        Ok(held.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends sessions that were idle for too long; answers how many.
    pub fn expire(&self) -> usize {
        let now = self.clock.now();
        let idle = |session: &Session<T>| now.since(session.used) > self.idle;
        let expired: Vec<_> =
            self.lock().extract_if(|_, session| idle(session)).map(|(_, ended)| ended).collect();
        // Files are closed and removed without the lock.
        expired.len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session<T>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_session(name: &str) -> BlobError {
    BlobError::NoSession { session: name.to_owned() }
}

/// A name that cannot be guessed, in the form of a random UUID.
pub fn random_name() -> Result<String, BlobError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| BlobError::io("read", source, error))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;

    #[test]
    fn a_session_lives_as_long_as_it_is_used() {
        let clock = SimulatedClock::new();
        let sessions = Sessions::new("uploads", 2, Duration::from_secs(10), clock.clock());
        sessions.open("a".into(), 1).expect("there is room");
        for _ in 0..5 {
            clock.advance(Duration::from_secs(10));
            let with = sessions.with("a", |held| {
                *held += 1;
                Ok(*held)
            });
            with.expect("it was used in time");
        }
        clock.advance(Duration::from_secs(10));
        assert_eq!(sessions.expire(), 0);
        clock.advance(Duration::from_nanos(1));
        let gone = sessions.with("a", |_| Ok(()));
        assert!(matches!(gone, Err(BlobError::NoSession { .. })), "{gone:?}");
    }

    #[test]
    fn the_number_of_sessions_is_bounded_and_the_limit_told() {
        let clock = SimulatedClock::new();
        let sessions = Sessions::new("uploads", 2, Duration::from_secs(10), clock.clock());
        sessions.open("a".into(), ()).expect("there is room");
        sessions.open("b".into(), ()).expect("there is room");
        let text = sessions.open("c".into(), ()).expect_err("no room").to_string();
        assert!(text.contains("2 uploads"), "{text}");
        clock.advance(Duration::from_secs(11));
        sessions.open("c".into(), ()).expect("the others have expired");
        assert!(sessions.close("a").is_err());
        sessions.close("c").expect("it is open");
    }

    #[test]
    fn random_names_differ_and_look_like_uuids() {
        let (a, b) = (random_name().expect("a name"), random_name().expect("a name"));
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!(a.as_bytes()[14], b'4');
    }
}
