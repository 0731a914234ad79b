//! Latency histograms of a worker, added up over its reports.
//!
//! **Invariants.** At most [`KINDS`] histograms per worker and [`BYTES`] bytes for one on the wire;
//! what is more, or cannot be read, is dropped and logged once per process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use nimbus_client::native::LatencyHistogram;

/// Most histograms of one worker.
const KINDS: usize = 256;
/// Most bytes of one histogram.
const BYTES: usize = 1 << 20;
/// Where the number of digits stands in the V2 encoding.
const DIGITS_AT: usize = 12;
/// Most decimal digits that a value may keep: with 3, a histogram takes less than half a megabyte.
const DIGITS: u32 = 3;

/// Histograms by component and kind; clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct Histograms(Arc<BTreeMap<(String, String), Histogram<u64>>>);

impl Histograms {
    /// Adds the histograms of a report.
    pub fn add(&mut self, reported: &[LatencyHistogram]) {
        if reported.is_empty() {
            return;
        }
        let all = Arc::make_mut(&mut self.0);
        for new in reported {
            let key = (new.component_id.clone(), new.kind.clone());
            let has_room = all.len() < KINDS || all.contains_key(&key);
            match read(&new.hdr_v2).filter(|_| has_room) {
                Some(read) => match all.get_mut(&key) {
                    Some(sum) => sum.add(&read).unwrap_or_else(|_| complain(new)),
                    None => {
                        all.insert(key, read);
                    }
                },
                None => complain(new),
            }
        }
    }

    /// All of them, as they go over the wire.
    pub fn to_wire(&self) -> Vec<LatencyHistogram> {
        let write = |((component, kind), histogram): (&(String, String), &Histogram<u64>)| {
            let mut bytes = Vec::new();
            V2Serializer::new().serialize(histogram, &mut bytes).ok()?;
            Some(LatencyHistogram {
                component_id: component.clone(),
                kind: kind.clone(),
                hdr_v2: bytes,
            })
        };
        self.0.iter().filter_map(write).collect()
    }
}

fn read(bytes: &[u8]) -> Option<Histogram<u64>> {
    // The head says how many digits a value keeps, and with that how many counters are made.
    let digits = u32::from_be_bytes(bytes.get(DIGITS_AT..DIGITS_AT + 4)?.try_into().ok()?);
    if bytes.len() > BYTES || digits > DIGITS {
        return None;
    }
    let mut rest = bytes;
    let mut histogram: Histogram<u64> = Deserializer::new().deserialize(&mut rest).ok()?;
    histogram.auto(true);
    Some(histogram)
}

fn complain(dropped: &LatencyHistogram) {
    static COMPLAINED: AtomicBool = AtomicBool::new(false);
    if !COMPLAINED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "dropped latencies {} of {}: too many, too large or unreadable (said once)",
            dropped.kind,
            dropped.component_id
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(kind: &str, values: &[u64]) -> LatencyHistogram {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits");
        values.iter().for_each(|value| histogram.record(*value).expect("resizes"));
        let mut hdr_v2 = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut hdr_v2).expect("serializes");
        LatencyHistogram { component_id: "sink".to_owned(), kind: kind.to_owned(), hdr_v2 }
    }

    #[test]
    fn intervals_add_up() {
        let mut sum = Histograms::default();
        sum.add(&[reported("hop", &[1, 2])]);
        sum.add(&[reported("hop", &[1_000_000]), reported("complete", &[5])]);
        let wire = sum.to_wire();
        assert_eq!(wire.len(), 2);
        let hop = read(&wire[1].hdr_v2).expect("readable");
        assert_eq!((hop.len(), hop.min()), (3, 1));
    }

    #[test]
    fn what_is_no_histogram_is_dropped() {
        let mut sum = Histograms::default();
        let hdr_v2 = vec![0x1c, 0x84, 0x93, 0x13, 0x7f, 0xff, 0xff, 0xff];
        let broken = LatencyHistogram { hdr_v2, ..reported("hop", &[]) };
        sum.add(&[broken]);
        assert!(sum.to_wire().is_empty());
    }
}
