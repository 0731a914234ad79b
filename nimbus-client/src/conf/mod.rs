//! Storm's configuration: the table of all known keys, and the layers that their values come from.
//!
//! A value comes from the highest layer that sets its key: defaults < `storm.yaml` < a file named
//! on the command line < `-c key=value` < the topology. Each remembers where it was set.
//!
//! ```
//! use nimbus_client::conf::{Layered, keys};
//!
//! let mut conf = Layered::new();
//! conf.read_yaml("storm.yaml".as_ref(), "nimbus.seeds: [a.example]\nui.port: 8081\n")?;
//! conf.assign("ui.port=8082")?;
//!
//! assert_eq!(conf.reader().port(&keys::UI_PORT), 8082);
//! let seeds = conf.get("nimbus.seeds").unwrap();
//! assert_eq!(seeds.place.to_string(), "storm.yaml:1");
//! # Ok::<(), nimbus_client::conf::LayerErrors>(())
//! ```
//!
//! **Invariants.** A default stands in the table and nowhere else. No environment, no clock, no
//! logging: whoever reads logs the warnings.
//!
//! **Not here.** What a topology's keys mean together: the runtime's own `conf`.

mod error;
mod key;
pub mod keys;
mod layers;
mod nearest;
mod reader;
mod yaml;

pub use error::{ConfError, ConfErrors, ConfWarning};
pub use key::{Fallback, Key, Kind, Origin, Scope, SizeUnit, Unit};
pub use layers::{LayerError, LayerErrors, Layered, Place, Setting, find_storm_yaml};
pub use nearest::{known_key, nearest};
pub use reader::{Reader, check};
