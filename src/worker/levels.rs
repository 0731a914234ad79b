//! Log levels as Nimbus sets them.

use nimbus_client::thrift::{LogConfig, LogLevelAction};
use tracing_subscriber::filter::LevelFilter;

use crate::logs::Levels;

/// Level of what is not named.
const DEFAULT: LevelFilter = LevelFilter::INFO;
/// Storm's name of the logger above all others.
const ROOT: &str = "ROOT";

/// Logs by `config`, or by default where there is none. Nimbus takes a level back when its time is
/// over.
pub(super) fn apply(levels: &Levels, config: Option<&LogConfig>) {
    let (root, loggers) = wanted(config);
    levels.set(root, &loggers);
}

fn wanted(config: Option<&LogConfig>) -> (LevelFilter, Vec<(String, LevelFilter)>) {
    let named = config.and_then(|config| config.named_logger_level.as_ref());
    let set = named.into_iter().flatten().filter_map(|(name, level)| {
        let is_set = level.action != LogLevelAction::REMOVE;
        let target = level.target_log_level.as_deref().and_then(filter);
        Some((name.clone(), target.filter(|_| is_set)?))
    });
    let (root, loggers): (Vec<_>, Vec<_>) =
        set.partition(|(name, _)| name.is_empty() || name == ROOT);
    (root.first().map_or(DEFAULT, |(_, level)| *level), loggers)
}

/// Storm's level as ours; none if there is no such level.
fn filter(level: &str) -> Option<LevelFilter> {
    Some(match level.to_ascii_uppercase().as_str() {
        "ALL" | "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use nimbus_client::thrift::LogLevel;

    use super::*;

    #[track_caller]
    fn check(
        set: &[(&str, LogLevelAction, &str)],
        root: LevelFilter,
        loggers: &[(&str, LevelFilter)],
    ) {
        let level = |(name, action, level): &(&str, LogLevelAction, &str)| {
            let level = LogLevel::new(*action, (*level).to_owned(), None, None, None);
            ((*name).to_owned(), level)
        };
        let named: BTreeMap<_, _> = set.iter().map(level).collect();
        let config = LogConfig::new(named);
        let expected = loggers.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        assert_eq!(wanted(Some(&config)), (root, expected));
    }

    #[test]
    fn the_root_logger_is_told_from_the_others() {
        use LogLevelAction as A;
        check(&[], DEFAULT, &[]);
        check(&[("ROOT", A::UPDATE, "debug")], LevelFilter::DEBUG, &[]);
        check(
            &[("a.b", A::UPDATE, "ALL"), ("c", A::REMOVE, "OFF"), ("d", A::UPDATE, "LOUD")],
            DEFAULT,
            &[("a.b", LevelFilter::TRACE)],
        );
    }
}
