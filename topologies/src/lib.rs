//! Ready topologies, each in one file that reads from top to bottom as a tutorial.
//!
//! | topology | file | what it shows |
//! |---|---|---|
//! | `word-count` | [`word_count`] | a spout that replays, fields grouping, ticks, a sliding window, a report |
//! | `word-count-python`, `word-count-javascript` | [`word_count_multilang`] | a bolt in another language |
//! | `const-spout-only` | [`const_spout_only`] | the smallest topology: one spout |
//! | `const-spout-null-bolt` | [`const_spout_null_bolt`] | the smallest bolt, and a subscription |
//! | `const-spout-id-bolt-null-bolt` | [`const_spout_id_bolt_null_bolt`] | a bolt that emits, anchored to its input |
//! | `file-read-word-count` | [`file_read_word_count`] | counting words as fast as it goes |
//! | `low-throughput` | [`low_throughput`] | a spout that emits at given times; latency without excuses |
//!
//! Start with `const_spout_only` and go on with the two after it, which add a bolt each; or with
//! `word_count`, which shows nearly everything. All but `word-count` measure the same as Apache
//! Storm's topologies of the same names (`examples/storm-perf`), so figures can be compared.

use storm_runtime::prelude::*;

pub mod const_spout_id_bolt_null_bolt;
pub mod const_spout_null_bolt;
pub mod const_spout_only;
pub mod file_read_word_count;
pub mod low_throughput;
pub mod text;
pub mod word_count;
pub mod word_count_multilang;

/// The program with all topologies of this package.
pub fn app() -> App {
    let app = App::new()
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs word count and Storm's measuring topologies in this process.");
    let board = word_count::Board::default();
    let app = word_count::add_to(app, &board);
    let app = word_count_multilang::add_to(app, &board);
    let app = const_spout_only::add_to(app);
    let app = const_spout_null_bolt::add_to(app);
    let app = const_spout_id_bolt_null_bolt::add_to(app);
    let app = file_read_word_count::add_to(app);
    low_throughput::add_to(app)
}
