//! Nimbus from outside: a real client over TCP, supervisors that are played, a store on the disk.
//!
//! | file | what |
//! |---|---|
//! | `bench.rs` | a Nimbus with its folders, clients, played supervisors, small topologies |
//! | `life.rs` | submit, schedule, kill, rebalance, restarts in between |
//! | `methods.rs` | every method answers, and how it refuses |
//! | `hostile.rs` | garbage, truncated and oversized frames, very many connections |
//! | `replay.rs` | the recorded calls of a stock cluster's clients |
//! | `statistics.rs` | reports of workers come out in summaries, pages and metrics |

mod bench;
mod hostile;
mod life;
mod methods;
mod replay;
mod statistics;
