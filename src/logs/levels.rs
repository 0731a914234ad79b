//! Levels by target, changed while the process runs.

use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::reload::{self, Handle};

/// Changes what is logged; clones change the same.
#[derive(Clone, Debug)]
pub struct Levels(Handle<Targets, Registry>);

impl Levels {
    pub(super) fn new() -> (reload::Layer<Targets, Registry>, Self) {
        let (layer, handle) = reload::Layer::new(targets(LevelFilter::INFO, &[]));
        (layer, Self(handle))
    }

    /// Logs up to `root`, and below each named logger up to its own level.
    ///
    /// A logger is the path of a module. Storm's dots are understood: `a.b` is `a::b`.
    pub fn set(&self, root: LevelFilter, loggers: &[(String, LevelFilter)]) {
        // Fails only when the process' subscriber is gone, and then nothing is logged at all.
        let _ = self.0.reload(targets(root, loggers));
    }
}

fn targets(root: LevelFilter, loggers: &[(String, LevelFilter)]) -> Targets {
    let of = |(name, level): &(String, LevelFilter)| (name.replace('.', "::"), *level);
    Targets::new().with_default(root).with_targets(loggers.iter().map(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter as L;

    #[test]
    fn a_logger_has_its_own_level_and_the_others_the_root_one() {
        let levels = targets(L::WARN, &[("storm_runtime.worker".to_owned(), L::DEBUG)]);
        assert!(levels.would_enable("storm_runtime::worker::report", &tracing::Level::DEBUG));
        assert!(!levels.would_enable("storm_runtime::transfer", &tracing::Level::INFO));
        assert!(levels.would_enable("storm_runtime::transfer", &tracing::Level::WARN));
    }
}
