//! Nimbus from outside: a real client over TCP, supervisors that are played, a store on the disk.
//!
//! | file | what |
//! |---|---|
//! | `bench.rs` | a Nimbus with its folders, clients, played supervisors, small topologies |
//! | `life.rs` | submit, schedule, kill, rebalance, restarts in between |
//! | `statistics.rs` | reports of workers come out in summaries, pages and metrics |

mod bench;

mod life;

mod statistics;
