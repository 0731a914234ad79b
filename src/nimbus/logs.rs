//! Log levels and debug sampling of running topologies.

use std::collections::BTreeMap;

use nimbus_client::thrift as storm;

use super::base::DebugSampling;
use super::core::Core;
use super::error::NimbusError;
use super::topologies::Entry;
use super::views;
use crate::clock::unix_time_ms;
use crate::id::ComponentId;

/// Log levels, from the quietest; Storm's own names.
const LEVELS: [&str; 8] = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"];

impl Core {
    /// The log levels that were set for a topology and have not run out.
    ///
    /// # Errors
    /// The shared state failed.
    pub fn log_config(&self, entry: &Entry) -> Result<storm::LogConfig, NimbusError> {
        let found = self.shared.with(|state| state.log_config(&entry.id, None))?;
        Ok(found.map_or_else(storm::LogConfig::default, |found| found.value))
    }

    /// Changes log levels as Storm does: what is not named stays as it is.
    ///
    /// # Errors
    /// A level is none, or the shared state failed.
    pub fn set_log_config(
        &self,
        entry: &Entry,
        wanted: storm::LogConfig,
    ) -> Result<(), NimbusError> {
        let _decisions = self.decide();
        let mut levels = self.log_config(entry)?.named_logger_level.unwrap_or_default();
        for level in levels.values_mut() {
            level.action = storm::LogLevelAction::UNCHANGED;
        }
        merge(&mut levels, wanted, unix_time_ms())?;
        let config = storm::LogConfig { named_logger_level: Some(levels) };
        Ok(self.shared.with(|state| state.put_log_config(&entry.id, &config))?)
    }

    /// Takes out levels whose time is over, so that workers go back.
    ///
    /// # Errors
    /// The shared state failed.
    pub fn expire_log_levels(&self) -> Result<(), NimbusError> {
        let now_ms = unix_time_ms() as i64;
        for entry in self.topologies.all() {
            let Some(found) = self.shared.with(|state| state.log_config(&entry.id, None))? else {
                continue;
            };
            let mut levels = found.value.named_logger_level.unwrap_or_default();
            let before = levels.len();
            let is_over = |level: &storm::LogLevel| {
                level.reset_log_level_timeout_epoch.is_some_and(|at| at > 0 && at <= now_ms)
            };
            levels.retain(|_, level| !is_over(level));
            if levels.len() < before {
                let _decisions = self.decide();
                let config = storm::LogConfig { named_logger_level: Some(levels) };
                self.shared.with(|state| state.put_log_config(&entry.id, &config))?;
                tracing::info!("{}: log levels are as they were before", entry.id);
            }
        }
        Ok(())
    }

    /// Switches the sampling of a component's tuples, or of all components'.
    ///
    /// # Errors
    /// There is no such component, the percentage is none, or the shared state failed.
    pub fn debug(
        &self,
        entry: &Entry,
        component: &str,
        enabled: bool,
        percent: f64,
    ) -> Result<(), NimbusError> {
        if enabled && !(0.0..=100.0).contains(&percent) {
            let why = format!("a sampling of {percent} % is impossible: name 0 to 100");
            return Err(NimbusError::invalid(why));
        }
        let known = component.is_empty() || entry.plan.components.contains_key(component);
        if !known {
            return Err(views::unknown_component(entry, component));
        }
        let _decisions = self.decide();
        let entry = self
            .topologies
            .get(&entry.id)
            .ok_or_else(|| NimbusError::not_alive(&entry.base.name))?;
        let mut base = entry.base.clone();
        let id = entry.id.to_string();
        let key = if component.is_empty() { id.as_str() } else { component };
        let before = base.component_to_debug.get(key).copied().unwrap_or_default();
        let percent = if enabled { percent } else { before.percent };
        base.component_to_debug.insert(ComponentId::from(key), DebugSampling { enabled, percent });
        self.store_base(&entry, base)?;
        Ok(())
    }
}

fn merge(
    levels: &mut BTreeMap<String, storm::LogLevel>,
    wanted: storm::LogConfig,
    now_ms: u64,
) -> Result<(), NimbusError> {
    for (logger, mut level) in wanted.named_logger_level.unwrap_or_default() {
        match level.action {
            storm::LogLevelAction::UPDATE => {
                for name in level.target_log_level.iter().chain(&level.reset_log_level) {
                    if !LEVELS.contains(&name.to_ascii_uppercase().as_str()) {
                        let why =
                            format!("{name} is no log level: use one of {}", LEVELS.join(", "));
                        return Err(NimbusError::invalid(why));
                    }
                }
                let secs = level.reset_log_level_timeout_secs.filter(|secs| *secs > 0);
                level.reset_log_level_timeout_epoch =
                    secs.map(|secs| now_ms as i64 + i64::from(secs) * 1000);
                levels.insert(logger, level);
            }
            storm::LogLevelAction::REMOVE => {
                levels.remove(&logger);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(action: storm::LogLevelAction, secs: Option<i32>) -> storm::LogLevel {
        storm::LogLevel {
            action,
            target_log_level: Some("DEBUG".to_owned()),
            reset_log_level_timeout_secs: secs,
            reset_log_level_timeout_epoch: None,
            reset_log_level: None,
        }
    }

    fn config(logger: &str, level: storm::LogLevel) -> storm::LogConfig {
        storm::LogConfig { named_logger_level: Some(BTreeMap::from([(logger.to_owned(), level)])) }
    }

    #[test]
    fn an_update_says_when_it_ends_and_a_removal_takes_it_out() {
        let mut levels = BTreeMap::new();
        let update = level(storm::LogLevelAction::UPDATE, Some(30));
        merge(&mut levels, config("ROOT", update), 1000).expect("merged");
        assert_eq!(levels["ROOT"].reset_log_level_timeout_epoch, Some(31_000));
        let remove = level(storm::LogLevelAction::REMOVE, None);
        merge(&mut levels, config("ROOT", remove), 1000).expect("merged");
        assert!(levels.is_empty());
    }

    #[test]
    fn what_is_no_level_is_refused() {
        let mut loud = level(storm::LogLevelAction::UPDATE, None);
        loud.target_log_level = Some("LOUD".to_owned());
        let error = merge(&mut BTreeMap::new(), config("ROOT", loud), 0).expect_err("refused");
        assert!(error.to_string().starts_with("LOUD is no log level: use one of OFF"), "{error}");
    }
}
