//! The program from the outside: arguments in; output, errors, exit code and processes out.
//!
//! | file | what |
//! |---|---|
//! | `support.rs` | running the program with a state directory, a home and ports of its own |
//! | `fake.rs` | a daemon that speaks the control socket and does nothing else |
//! | `command_line.rs` | help, wrong arguments, version, completions |
//! | `local.rs` | `up`, `status` and `down` with the fake daemon |
//! | `configuration.rs` | `config`: layers, warnings, errors |
//! | `logs.rs` | `logs`: merged, filtered, followed |
//! | `nimbus.rs` | a Nimbus that answers from a list of topologies |
//! | `real.rs` | a whole cluster of the real programs, where they were built |
//! | `topologies.rs` | `submit`, `list`, `kill`, `monitor` and the like against that Nimbus |

mod command_line;
mod configuration;
mod fake;
mod local;
mod logs;
mod nimbus;
mod real;
mod support;
mod topologies;
