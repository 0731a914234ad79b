//! The handshake of two workers: who they are, that they belong together, and that both know the
//! topology's secret.
//!
//! ```text
//! dialer                                  listener
//!   | hello: topology, from, to, nonce ------> |
//!   | <-- welcome: generation, nonce, proof -- |   proof over hello and nonce
//!   | proof ---------------------------------> |   over hello and welcome
//! ```
//!
//! Each proof is an HMAC-SHA256 keyed with the topology's secret over all that was said before, so
//! nobody without the secret can take a worker's place and nothing can be played back. What follows
//! on the connection is neither encrypted nor authenticated.
//!
//! **Invariants.** Pure. A frame of a handshake has at most [`LIMIT`] bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::frame::{self, FrameError, Reader, code};

/// Bytes of the longest payload in a handshake.
pub(crate) const LIMIT: usize = 4096;
/// Version of everything that two workers say to each other.
pub(crate) const VERSION: u16 = 2;

const MAGIC: [u8; 4] = *b"SRTW";
const NONCE_BYTES: usize = 16;
const PROOF_BYTES: usize = 32;

/// A number that is not used twice.
pub(crate) type Nonce = [u8; NONCE_BYTES];

/// What a worker is, to its peers.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Id of the topology.
    pub topology: String,
    /// Name of the worker: its slot, supervisor and port.
    pub worker: String,
    /// A number of this process, so that its restart is noticed.
    pub generation: u64,
    /// A digest of the topology's tasks and streams; two workers with different ones would
    /// misunderstand each other's numbers.
    pub shape: u64,
    /// What only the topology's workers know.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "worker {} of {}, generation {:x}", self.worker, self.topology, self.generation)
    }
}

/// What a dialer says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    pub topology: String,
    /// The worker that dials.
    pub from: String,
    /// The worker that is meant.
    pub to: String,
    pub generation: u64,
    pub shape: u64,
    pub nonce: Nonce,
}

/// Why a peer is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it does not speak the workers' language")]
    Magic,
    #[error("it speaks version {found}, this worker version {VERSION}: run both with one binary")]
    Version { found: u16 },
    #[error("it belongs to topology {found}, this worker to {own}")]
    Topology { own: String, found: String },
    #[error("it wants worker {wanted}, this is {own}")]
    Worker { own: String, wanted: String },
    #[error("worker {0} built other tasks or streams from the topology: run both with one binary")]
    Shape(String),
    #[error("it does not know the topology's secret")]
    Secret,
}

impl Hello {
    /// The frame of a hello to worker `to`, or of a knock.
    pub fn frame(own: &Identity, to: &str, nonce: Nonce, code: i16) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let frame = frame::open(&mut out, code);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        for text in [&own.topology, &own.worker, to] {
            frame::put_text(&mut out, text);
        }
        out.extend_from_slice(&own.generation.to_le_bytes());
        out.extend_from_slice(&own.shape.to_le_bytes());
        out.extend_from_slice(&nonce);
        frame.close(&mut out);
        out
    }

    /// Reads a payload, and checks that this worker is meant.
    ///
    /// # Errors
    /// [`Stranger`].
    pub fn read(payload: &[u8], own: &Identity) -> Result<Self, Stranger> {
        let mut reader = Reader::new(payload, "a hello");
        if reader.array()? != MAGIC {
            return Err(Stranger::Magic);
        }
        let found = reader.u16()?;
        if found != VERSION {
            return Err(Stranger::Version { found });
        }
        let topology = reader.text()?.to_owned();
        let (from, to) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let (generation, shape) = (reader.u64()?, reader.u64()?);
        let nonce = reader.array()?;
        reader.end()?;
        if topology != own.topology {
            return Err(Stranger::Topology { own: own.topology.clone(), found: topology });
        }
        if to != own.worker {
            return Err(Stranger::Worker { own: own.worker.clone(), wanted: to });
        }
        if shape != own.shape {
            return Err(Stranger::Shape(from));
        }
        Ok(Self { topology, from, to, generation, shape, nonce })
    }
}

/// The frame that answers the payload of a hello.
pub(crate) fn welcome(own: &Identity, hello: &[u8], nonce: Nonce) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let frame = frame::open(&mut out, code::WELCOME);
    let start = out.len();
    out.extend_from_slice(&own.generation.to_le_bytes());
    out.extend_from_slice(&nonce);
    let proof = mac(own, &[b"welcome", hello, &out[start..]]).finalize().into_bytes();
    out.extend_from_slice(&proof);
    frame.close(&mut out);
    out
}

/// Checks a welcome, and answers the listener's generation and the dialer's last frame.
///
/// # Errors
/// [`Stranger`].
pub(crate) fn answer(
    own: &Identity,
    hello: &[u8],
    welcome: &[u8],
) -> Result<(u64, Vec<u8>), Stranger> {
    let mut reader = Reader::new(welcome, "a welcome");
    let generation = reader.u64()?;
    let _nonce: Nonce = reader.array()?;
    let proof: [u8; PROOF_BYTES] = reader.array()?;
    reader.end()?;
    let said = &welcome[..welcome.len() - PROOF_BYTES];
    mac(own, &[b"welcome", hello, said]).verify_slice(&proof).map_err(|_| Stranger::Secret)?;
    let mut out = Vec::with_capacity(64);
    let frame = frame::open(&mut out, code::PROOF);
    out.extend_from_slice(&mac(own, &[b"proof", hello, welcome]).finalize().into_bytes());
    frame.close(&mut out);
    Ok((generation, out))
}

/// Checks the dialer's proof.
///
/// # Errors
/// [`Stranger::Secret`].
pub(crate) fn check_proof(
    own: &Identity,
    hello: &[u8],
    welcome: &[u8],
    proof: &[u8],
) -> Result<(), Stranger> {
    mac(own, &[b"proof", hello, welcome]).verify_slice(proof).map_err(|_| Stranger::Secret)
}

fn mac(own: &Identity, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&own.secret).expect("a key may have any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str, secret: &str) -> Identity {
        Identity {
            topology: "words-1".to_owned(),
            worker: name.to_owned(),
            generation: name.len() as u64,
            shape: 7,
            secret: secret.as_bytes().to_vec(),
        }
    }

    fn payload(frame: &[u8]) -> &[u8] {
        frame::next(frame, LIMIT).unwrap().unwrap().0.payload
    }

    fn shake(dialer: &Identity, listener: &Identity, to: &str) -> Result<(), Stranger> {
        let hello = Hello::frame(dialer, to, [1; 16], code::HELLO);
        let read = Hello::read(payload(&hello), listener)?;
        assert_eq!((read.from, read.generation), (dialer.worker.clone(), dialer.generation));
        let welcome = welcome(listener, payload(&hello), [2; 16]);
        let (generation, proof) = answer(dialer, payload(&hello), payload(&welcome))?;
        assert_eq!(generation, listener.generation);
        check_proof(listener, payload(&hello), payload(&welcome), payload(&proof))
    }

    #[test]
    fn two_workers_with_one_secret_know_each_other() {
        assert_eq!(shake(&worker("a:1", "s"), &worker("bb:2", "s"), "bb:2"), Ok(()));
    }

    #[test]
    fn whoever_has_another_secret_topology_or_name_is_a_stranger() {
        let own = worker("bb:2", "s");
        assert_eq!(shake(&worker("a:1", "t"), &own, "bb:2"), Err(Stranger::Secret));
        let wanted = Stranger::Worker { own: "bb:2".to_owned(), wanted: "c:3".to_owned() };
        assert_eq!(shake(&worker("a:1", "s"), &own, "c:3"), Err(wanted));
        let other = Identity { topology: "other".to_owned(), ..worker("a:1", "s") };
        assert!(matches!(shake(&other, &own, "bb:2"), Err(Stranger::Topology { .. })));
        let other = Identity { shape: 8, ..worker("a:1", "s") };
        assert!(matches!(shake(&other, &own, "bb:2"), Err(Stranger::Shape(_))));
    }

    #[test]
    fn a_proof_is_of_no_use_in_another_handshake() {
        let (dialer, listener) = (worker("a:1", "s"), worker("bb:2", "s"));
        let hello = Hello::frame(&dialer, "bb:2", [1; 16], code::HELLO);
        let first = welcome(&listener, payload(&hello), [2; 16]);
        let (_, proof) = answer(&dialer, payload(&hello), payload(&first)).unwrap();
        let second = welcome(&listener, payload(&hello), [3; 16]);
        let checked = check_proof(&listener, payload(&hello), payload(&second), payload(&proof));
        assert_eq!(checked, Err(Stranger::Secret));
    }
}
