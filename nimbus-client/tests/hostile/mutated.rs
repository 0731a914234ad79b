//! Mutates recorded and made-up messages and decodes them.
//!
//! Deterministic: an iteration's number replays it. `FUZZ_ITERATIONS=20000000` searches longer than
//! the default.

use std::{env, thread};

use nimbus_client::wire::{Limits, message_header};

use crate::base64::base64;
use crate::decoders::{self, Decoder};
use crate::random::Random;
use crate::{dream, fixtures};

const DEFAULT_ITERATIONS: u64 = 200_000;

/// Longest mutated input; splices are cut here.
const MAX_INPUT_BYTES: usize = 4096;

/// Lengths and beginnings of containers that promise much.
const CLAIMS: [&[u8]; 9] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0, 0x0f, 0xff, 0xff],
    &[15, 0, 1, 12, 0, 0, 0x10, 0],
    &[15, 0, 1, 12, 5, 0xf5, 0xe1, 0],
    &[13, 0, 1, 11, 12, 0x7f, 0xff, 0xff, 0xff],
    &[12, 0, 1],
    &[0],
];

/// A message and, for those that are recorded, all decoders may get it.
struct Seed {
    bytes: Vec<u8>,
    decoder: Option<usize>,
}

fn seeds(decoders: &[Decoder]) -> Vec<Seed> {
    let made_up = decoders.iter().enumerate().flat_map(|(at, decoder)| {
        let value = move |seed| Seed { bytes: dream::value_for(decoder, seed), decoder: Some(at) };
        [value(1), value(2)]
    });
    let files = ["nimbus-thrift.jsonl", "nimbus-ui-thrift.jsonl", "supervisor-thrift.jsonl"];
    let recorded = files.into_iter().flat_map(|file| fixtures::json_lines("storm", file));
    let recorded = recorded.map(|(place, row)| {
        let message = base64(row["frame"].as_str().expect("a frame")).expect("base64");
        let header = message_header(&message, &Limits::default());
        let (_, length) = header.unwrap_or_else(|error| panic!("{place}: {error}"));
        Seed { bytes: message[length..].to_vec(), decoder: None }
    });
    made_up.chain(recorded).collect()
}

/// Changes `bytes` once, in one of the ways in which messages break.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len().max(1));
    let end = bytes.len().min(at + 1 + random.below(8));
    match random.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.pick(&[0, 2, 8, 10, 11, 12, 13, 14, 15]),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let repeated = bytes[at..end].repeat(1 + random.below(4));
            drop(bytes.splice(at..at, repeated));
        }
        5 => drop(bytes.splice(at..end, random.pick(&CLAIMS).iter().copied())),
        6 => {
            let nesting = [12, 0, 99].repeat(random.below(100));
            drop(bytes.splice(at..at, nesting));
        }
        _ => {
            let from = random.below(other.len().max(1));
            drop(bytes.splice(at.., other[from.min(other.len())..].iter().copied()));
        }
    }
    bytes.truncate(MAX_INPUT_BYTES);
}

/// Prints the input while a failed iteration unwinds.
struct Culprit<'a> {
    iteration: u64,
    decoder: &'a Decoder,
    bytes: &'a [u8],
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("iteration {}: {} of {:02x?}", self.iteration, self.decoder.name, self.bytes);
        }
    }
}

/// What the one who runs the tests asks for.
#[expect(clippy::disallowed_methods, reason = "a test has no main that could parse arguments")]
fn iterations() -> u64 {
    env::var("FUZZ_ITERATIONS").map_or(DEFAULT_ITERATIONS, |text| {
        text.parse().expect("FUZZ_ITERATIONS is a number of iterations")
    })
}

#[test]
fn mutated_messages_neither_panic_nor_take_much_memory() {
    let decoders = decoders::all();
    let seeds = seeds(&decoders);
    let mut random = Random::new(0);
    let (mut accepted, iterations) = (0, iterations());
    for iteration in 0..iterations {
        let seed = &seeds[random.below(seeds.len())];
        let decoder = seed.decoder.filter(|_| !random.one_in(8));
        let decoder = &decoders[decoder.unwrap_or_else(|| random.below(decoders.len()))];
        let mut bytes = seed.bytes.clone();
        for _ in 0..1 + random.below(3) {
            let other = &seeds[random.below(seeds.len())];
            mutate(&mut bytes, &other.bytes, &mut random);
        }
        let culprit = Culprit { iteration, decoder, bytes: &bytes };
        accepted += u64::from(decoder.check(&bytes).is_ok());
        drop(culprit);
    }
    if iterations >= DEFAULT_ITERATIONS {
        let accepted = accepted * 100 / iterations;
        assert!((5..=60).contains(&accepted), "{accepted} % accepted tells little");
    }
}

#[test]
fn noise_is_refused_or_read_by_every_decoder() {
    let mut random = Random::new(1);
    for decoder in decoders::all() {
        for iteration in 0..20 {
            let length = random.below(200);
            let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            let culprit = Culprit { iteration, decoder: &decoder, bytes: &bytes };
            let _ = decoder.check(&bytes);
            drop(culprit);
        }
    }
}

#[test]
fn whole_messages_of_noise_are_refused_or_read() {
    let mut random = Random::new(2);
    for _ in 0..20_000 {
        let length = random.below(40);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        if random.one_in(2) {
            bytes.splice(0..bytes.len().min(4), [0x80, 1, 0, 1 + random.below(5) as u8]);
        }
        if let Ok((_, used)) = message_header(&bytes, &Limits::default()) {
            assert!(used <= bytes.len());
        }
    }
}
