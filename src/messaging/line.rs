//! The way to one peer: where it is, and the connection to it once there is one.
//!
//! The connector's thread brings connections, the exchange's thread takes them and says when one
//! is lost. Neither waits for the other.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::component::Waker;

/// A worker among others: the name of its slot, and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub worker: String,
    pub host: String,
    pub port: u16,
}

/// A connection whose handshake is done.
#[derive(Debug)]
pub(crate) struct Connected {
    /// Non-blocking.
    pub stream: TcpStream,
    /// Counts the connections to this peer, from 1.
    pub number: u64,
    /// What came after the handshake, already read.
    pub read: Vec<u8>,
}

/// What the two threads share of one peer.
#[derive(Debug)]
pub(crate) struct Line {
    pub address: Address,
    /// Put by the connector, taken by the exchange; a newer one replaces it.
    connected: Mutex<Option<Connected>>,
    /// Whether there is something to be taken.
    has_news: AtomicBool,
    /// Number of the last connection that the exchange gave up.
    lost: AtomicU64,
    /// Wakes the exchange.
    waker: Waker,
}

impl Line {
    pub fn new(address: Address, waker: Waker) -> Arc<Self> {
        Arc::new(Self {
            address,
            connected: Mutex::default(),
            has_news: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            waker,
        })
    }

    /// Hands a connection to the exchange.
    pub fn put(&self, connected: Connected) {
        *self.connected.lock().unwrap_or_else(PoisonError::into_inner) = Some(connected);
        self.has_news.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// The newest connection, if there is one that was not taken.
    pub fn take(&self) -> Option<Connected> {
        if !self.has_news.load(Ordering::Relaxed) || !self.has_news.swap(false, Ordering::Acquire) {
            return None;
        }
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes that the exchange gave up the connection of that number.
    pub fn lose(&self, number: u64) {
        self.lost.store(number, Ordering::Release);
    }

    /// The last number that was given up.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }
}
