//! Storm's shell components as Flux writes them: a command, its streams, and methods that say more.
//!
//! | written | means |
//! |---|---|
//! | `constructorArgs` | the command as a list, then, if wanted, the fields of the default stream |
//! | `setDefaultStream(fields)` | the fields of the default stream |
//! | `setNamedStream(name, fields)` | another stream |
//! | `setDirectStream(name, fields)` | a stream that is emitted to tasks by number; not in Storm |
//! | `addComponentConfig(key, value)` | the component's own configuration |
//! | `setEnv(object)` | variables of the child's environment |
//! | `changeChildCWD(truth)` | whether the child runs in the folder of resources, as it does |

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::arguments::{Beans, Placed};
use super::definition::{At, Object, nearest_ignoring_case};
use super::error::Mistake;
use super::place::Position;
use crate::builtin::{FLUX_SHELL_BOLT, FLUX_SHELL_SPOUT, ShellArgs, ShellStream};
use crate::topology::Named;

const METHODS: [&str; 6] = [
    "setDefaultStream",
    "setNamedStream",
    "setDirectStream",
    "addComponentConfig",
    "setEnv",
    "changeChildCWD",
];

/// Whether a class is one of the two.
pub(super) fn is_shell(class: &str) -> bool {
    [FLUX_SHELL_SPOUT, FLUX_SHELL_BOLT].contains(&class)
}

/// A shell component and its own configuration; `directory` is where its child runs, if that is
/// known already.
///
/// # Errors
/// The first argument that is wrong.
pub(super) fn shell<'a>(
    object: &'a Object,
    beans: &mut Beans<'a>,
    directory: Option<&Path>,
) -> Result<(Named, Vec<(String, Json)>), Placed> {
    let class = &object.class;
    let wrong = |method: &str, takes| Mistake::MethodArguments { method: method.to_owned(), takes };
    let constructor = beans.resolve_all(&object.constructor, object.file)?;
    let takes = "the command as a list of texts, and the fields of its stream as another";
    let wrong_command = || (class.at, wrong(&class.value, takes));
    let (command, fields) = match &*constructor {
        [command] => (command, None),
        [command, fields] => (command, Some(fields)),
        _ => return Err(wrong_command()),
    };
    let command = texts(command).filter(|words| !words.is_empty()).ok_or_else(wrong_command)?;
    let mut shell = Shell { args: ShellArgs::new(command), conf: Vec::new() };
    if let Some(fields) = fields {
        let fields = texts(fields).ok_or_else(wrong_command)?;
        shell.args.streams.insert("default".to_owned(), ShellStream { fields, direct: false });
    }
    // As Storm looks for a setter of each property.
    for property in &object.properties {
        let name = &property.name;
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string());
        let method = format!("set{}{}", first.unwrap_or_default(), letters.as_str());
        let value = beans.resolve_all(std::slice::from_ref(&property.value), object.file)?;
        let at = Position {
            file: object.file,
            line: property.value.line,
            column: property.value.column,
        };
        shell.call(&class.value, &At { value: method, at }, &value)?;
    }
    for method in &object.methods {
        let args = beans.resolve_all(&method.args, object.file)?;
        shell.call(&class.value, &method.name, &args)?;
    }
    if shell.args.change_directory {
        shell.args.directory = directory.map(Path::to_owned);
    }
    Ok((Named::new(class.value.as_str()).args(shell.args), shell.conf))
}

struct Shell {
    args: ShellArgs,
    conf: Vec<(String, Json)>,
}

impl Shell {
    fn call(&mut self, class: &str, name: &At<String>, args: &[Json]) -> Result<(), Placed> {
        let wrong = |takes| {
            let method = name.value.clone();
            (name.at, Mistake::MethodArguments { method, takes })
        };
        match name.value.as_str() {
            "setDefaultStream" => {
                let takes = "the fields as one list of texts";
                let [fields] = args else { return Err(wrong(takes)) };
                self.stream("default", fields, false).ok_or_else(|| wrong(takes))
            }
            method @ ("setNamedStream" | "setDirectStream") => {
                let takes = "the name of a stream, and its fields as one list of texts";
                let [Json::String(stream), fields] = args else { return Err(wrong(takes)) };
                let direct = method == "setDirectStream";
                self.stream(stream, fields, direct).ok_or_else(|| wrong(takes))
            }
            "addComponentConfig" => {
                let [Json::String(key), value] = args else {
                    return Err(wrong("a key of the configuration, and its value"));
                };
                self.conf.push((key.clone(), value.clone()));
                Ok(())
            }
            "setEnv" => {
                let takes = "one object of names and texts";
                let [Json::Object(variables)] = args else { return Err(wrong(takes)) };
                let pairs = variables.iter().map(|(name, value)| match value {
                    Json::String(text) => Some((name.clone(), text.clone())),
                    Json::Number(number) => Some((name.clone(), number.to_string())),
                    _ => None,
                });
                let pairs: Option<BTreeMap<String, String>> = pairs.collect();
                self.args.env.extend(pairs.ok_or_else(|| wrong(takes))?);
                Ok(())
            }
            "changeChildCWD" => {
                let [Json::Bool(change)] = args else { return Err(wrong("true or false")) };
                self.args.change_directory = *change;
                Ok(())
            }
            _ => Err((
                name.at,
                Mistake::UnknownMethod {
                    class: class.to_owned(),
                    name: name.value.clone(),
                    known: METHODS.join(", "),
                    nearest: nearest_ignoring_case(&name.value, &METHODS),
                },
            )),
        }
    }

    fn stream(&mut self, name: &str, fields: &Json, direct: bool) -> Option<()> {
        let fields = texts(fields)?;
        self.args.streams.insert(name.to_owned(), ShellStream { fields, direct });
        Some(())
    }
}

/// A list of texts; numbers count as texts, as they do on a command line.
fn texts(list: &Json) -> Option<Vec<String>> {
    let texts = list.as_array()?.iter().map(|one| match one {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    });
    texts.collect()
}
