//! Arguments of the measurements.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::clock::parse_span;

/// Measure a cluster.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy bench latency --rate 10000 --duration 30s --workers 2")]
pub struct Bench {
    /// What is measured.
    #[command(subcommand)]
    pub what: What,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum What {
    Latency(Latency),
    #[command(hide = true)]
    TcpEcho,
    #[command(hide = true)]
    TcpLoad(TcpLoad),
}

/// Send messages to an echo at a fixed rate: a part of `bench latency`, which starts it.
#[derive(Debug, Args)]
pub struct TcpLoad {
    /// Where the echo listens, on loopback.
    #[arg(long)]
    pub port: u16,
    /// Messages per second.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// How long messages count.
    #[arg(long, value_parser = parse_span)]
    pub duration: Duration,
}

/// Measure how long tuples take at a fixed rate.
///
/// Submits a topology whose spout emits by an open loop: each tuple has a time at which it is due,
/// and its latency counts from that time, whatever became of the ones before it. After a warm-up,
/// latencies are collected from the workers for the duration, and the topology is killed. Then the
/// same rate goes through a bare TCP echo of two processes on this machine: the limit of what a
/// cluster on it could reach.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy bench latency --rate 10000 --duration 30s --workers 2
  stormdeploy bench latency --html latency.html --json > latency.json")]
pub struct Latency {
    /// Tuples per second.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// How long latencies are collected.
    #[arg(long, value_name = "TIME", value_parser = parse_span, default_value = "30s")]
    pub duration: Duration,
    /// How long the topology runs before that.
    #[arg(long, value_name = "TIME", value_parser = parse_span, default_value = "5s")]
    pub warm_up: Duration,
    /// How long the limit is measured, a bare TCP echo at the same rate; 0s leaves it out.
    #[arg(long, value_name = "TIME", value_parser = parse_span, default_value = "10s")]
    pub limit: Duration,
    /// Number of worker processes.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: u32,
    /// Topology binary [default: `topologies` beside this program].
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Topology in the binary; it takes --rate.
    #[arg(long, value_name = "NAME", default_value = "low-throughput")]
    pub topology: String,
    /// Also write a page with charts to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
