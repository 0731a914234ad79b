//! `config`: what counts, and where it was set.

use nimbus_client::conf::{Setting, keys, known_key};
use serde_json::{Value, json};

use crate::args::Config;
use crate::error::Error;
use crate::output::Table;
use crate::session::Session;

/// What is shown in place of a secret.
const HIDDEN: &str = "********";

/// A key was asked for that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("{key} is not a known key, and nothing sets it")]
pub struct ConfigError {
    key: String,
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match known_key(&self.key) {
            Some(near) => format!("did you mean {near}?"),
            None => "stormdeploy config --defaults lists all keys that something reads".to_owned(),
        }
    }
}

/// Shows the configuration.
pub fn config(session: &Session, wanted: &Config) -> Result<(), Error> {
    if wanted.keys.is_empty() {
        list(session, wanted.defaults)
    } else {
        explain(session, &wanted.keys)
    }
}

fn list(session: &Session, defaults: bool) -> Result<(), Error> {
    let all = session.conf.all();
    let shown = all.iter().filter(|(key, _)| defaults || !session.conf.layers(key).is_empty());
    if session.output.json {
        let shown: Vec<Value> = shown
            .map(|(key, setting)| {
                json!({"key": key, "value": told(key, setting), "from": setting.place.to_string()})
            })
            .collect();
        return Ok(session.output.document(&shown)?);
    }
    let mut table = Table::new(&["key", "value", "from"]);
    for (key, setting) in shown {
        table.row([key.clone(), told(key, setting).to_string(), setting.place.to_string()]);
    }
    if table.is_empty() {
        session.output.remark("nothing is set: every key has its default, see --defaults");
        return Ok(());
    }
    Ok(session.output.data(&table.render())?)
}

fn explain(session: &Session, names: &[String]) -> Result<(), Error> {
    let mut documents = Vec::new();
    let mut text = String::new();
    for name in names {
        let layers = session.conf.layers(name);
        let key = keys::find(name);
        if layers.is_empty() && !keys::is_known(name) {
            return Err(ConfigError { key: name.clone() }.into());
        }
        let counts = session.conf.get(name);
        let value = counts.as_ref().map(|setting| told(name, setting));
        let default = key.and_then(|key| key.default.to_value());
        let from = counts.as_ref().map(|setting| setting.place.to_string());
        documents.push(json!({
            "key": name, "value": value, "from": from, "default": default,
            "accepts": key.map(|key| key.kind.accepted()), "unit": key.and_then(|key| key.kind.unit()),
            "meaning": key.map(|key| key.meaning),
            "layers": layers.iter().map(|setting| json!({"value": told(name, setting), "from": setting.place.to_string()})).collect::<Vec<_>>(),
        }));
        let shown =
            |value: &Option<Value>| value.as_ref().map_or("unset".to_owned(), Value::to_string);
        text += &format!("{name} = {}\n", shown(&value));
        for setting in layers.iter().rev() {
            text += &format!("  {}  {}\n", told(name, setting), setting.place);
        }
        text += &format!("  {}  default\n", shown(&default));
        match key {
            Some(key) => text += &format!("  {}\n  accepts {}\n", key.meaning, key.kind.accepted()),
            None if keys::is_known(name) => text += "  A key of Storm's that nothing here reads.\n",
            None => text += "  A key of your own.\n",
        }
    }
    if session.output.json {
        return Ok(session.output.document(&documents)?);
    }
    Ok(session.output.data(&text)?)
}

/// The value, unless it is a secret.
fn told(key: &str, setting: &Setting) -> Value {
    let secret = ["password", "payload", "secret"].iter().any(|word| key.ends_with(word));
    if secret && !setting.value.is_null() { HIDDEN.into() } else { setting.value.clone() }
}
