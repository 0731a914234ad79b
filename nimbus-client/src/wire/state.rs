//! State that Storm keeps outside of a process: a struct in Thrift's binary protocol, compressed
//! with gzip. What is not compressed is read as well.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Limits, TSerializable, WireError, from_bytes, to_bytes};

/// First bytes of whatever gzip makes; no struct in Thrift's binary protocol begins so.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A value as it stands in the shared state or in a file.
///
/// # Errors
/// Only for texts and containers of more than 2 GiB.
pub fn state_to_bytes<T: TSerializable>(value: &T) -> Result<Vec<u8>, WireError> {
    to_bytes(value).map(|bytes| gzip(&bytes))
}

/// Reads what [`state_to_bytes`] or Storm wrote; `limits.frame_bytes` bounds what it unpacks to.
///
/// # Errors
/// If the bytes are broken, or are more than the limit, or are no `T`.
pub fn state_from_bytes<T: TSerializable>(bytes: &[u8], limits: &Limits) -> Result<T, WireError> {
    if bytes.starts_with(&GZIP_MAGIC) {
        from_bytes(&gunzip(bytes, limits.frame_bytes)?, limits)
    } else {
        from_bytes(bytes, limits)
    }
}

/// Compresses `bytes`.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("writing into memory does not fail")
}

/// Decompresses what gzip made, to at most `limit` bytes.
///
/// # Errors
/// If the bytes are broken, or if there would be more than the limit.
pub fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, WireError> {
    let mut unpacked = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    let read = decoder.read_to_end(&mut unpacked);
    read.map_err(|why: io::Error| WireError::Uncompressible { why })?;
    if unpacked.len() > limit {
        return Err(WireError::TooLarge { bytes: unpacked.len(), limit });
    }
    Ok(unpacked)
}
