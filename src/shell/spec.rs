//! What a shell component is made of, and the command that starts its child.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::error::{CommandLine, ShellError};
use super::process::leash_program;
use crate::component::Declarer;
use crate::tuple::Fields;

/// A shell component as its author described it, and as it travels to other processes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Spec {
    pub argv: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    pub outputs: Vec<Output>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub conf: Map<String, Json>,
}

/// A declared stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Output {
    pub stream: String,
    pub fields: Vec<String>,
    #[serde(default)]
    pub direct: bool,
}

impl Spec {
    pub fn declare(&self, declare: &mut Declarer) {
        for Output { stream, fields, direct } in &self.outputs {
            let fields: Fields = fields.iter().map(String::as_str).collect();
            match direct {
                true => declare.direct(stream.as_str(), fields),
                false => declare.output_to(stream.as_str(), fields),
            };
        }
        for (key, value) in &self.conf {
            declare.conf(key, value.clone());
        }
    }

    /// The words of the command, for messages.
    pub fn line(&self) -> CommandLine {
        CommandLine(self.argv.clone())
    }

    /// Where the child runs: what was given, seen from the resources of the topology where there are
    /// any, else from where this process is.
    pub fn directory(&self, resources: Option<&Path>) -> PathBuf {
        let base = resources.filter(|folder| folder.is_dir()).map(Path::to_owned);
        let base = base.or_else(|| env::current_dir().ok()).unwrap_or_default();
        match &self.directory {
            Some(directory) => base.join(directory),
            None => base,
        }
    }

    /// The command that starts a child in a directory.
    ///
    /// # Errors
    /// If its program is not there, or is none.
    pub fn command(&self, directory: &Path) -> Result<Command, ShellError> {
        let [program, args @ ..] = self.argv.as_slice() else { return Err(ShellError::NoCommand) };
        let path = self.path();
        let found = self.find(program, directory, &path)?;
        let mut command = match leash_program() {
            Some([leash, words @ ..]) => {
                let mut command = Command::new(leash);
                command.args(words).arg(found);
                command
            }
            _ => Command::new(found),
        };
        command.args(args).current_dir(directory).envs(&self.env).env("PATH", path);
        Ok(command)
    }

    /// The search path: this process' own, and the component's appended to it.
    fn path(&self) -> OsString {
        let own = env::var_os("PATH").unwrap_or_default();
        match self.env.get("PATH") {
            Some(more) if own.is_empty() => more.into(),
            Some(more) => [&own, OsStr::new(":"), OsStr::new(more)].into_iter().collect(),
            None => own,
        }
    }

    fn find(&self, program: &str, directory: &Path, path: &OsStr) -> Result<PathBuf, ShellError> {
        let is_executable = |path: &Path| {
            fs::metadata(path)
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        let folders: Vec<PathBuf> = match program.contains('/') {
            true => vec![directory.to_owned()],
            false => env::split_paths(path).map(|folder| directory.join(folder)).collect(),
        };
        let candidates = || folders.iter().map(|folder| folder.join(program));
        if let Some(found) = candidates().find(|candidate| is_executable(candidate)) {
            return Ok(found);
        }
        let (command, directory) = (self.line(), directory.to_owned());
        match candidates().find(|candidate| candidate.exists()) {
            Some(program) => Err(ShellError::NotExecutable { command, directory, program }),
            None => {
                let folders: Vec<_> =
                    folders.iter().map(|folder| folder.display().to_string()).collect();
                let (program, searched) = (program.to_owned(), folders.join(", "));
                Err(ShellError::NotFound { command, directory, program, searched })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(argv: &[&str]) -> Spec {
        Spec { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..Spec::default() }
    }

    #[track_caller]
    fn refused(argv: &[&str], expected: &str) {
        let error = spec(argv).command(Path::new("/etc")).expect_err("it cannot start").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_program_that_cannot_start_is_named_with_where_it_was_looked_for() {
        refused(&[], "has no command");
        refused(
            &["no-such-program", "x"],
            "`no-such-program x` in /etc: there is no program no-such",
        );
        refused(&["./no-such"], "(searched: /etc)");
        refused(&["./passwd"], "/etc/./passwd is not executable");
    }

    #[test]
    fn a_relative_program_is_looked_for_in_the_directory_and_another_on_the_path() {
        let own = spec(&["/bin/sh", "-c", "x"]);
        assert!(own.command(Path::new("/")).is_ok());
        let mut of_path = spec(&["ls"]);
        of_path.env.insert("PATH".to_owned(), "/somewhere".to_owned());
        let command = of_path.command(Path::new("/")).expect("it is there");
        let path = command.get_envs().find(|(key, _)| *key == "PATH").expect("it is set").1;
        let path = path.expect("to something").to_string_lossy().into_owned();
        assert!(path.ends_with(":/somewhere") && path.len() > ":/somewhere".len(), "{path}");
    }

    #[test]
    fn a_spec_travels_as_json() {
        let mut spec = spec(&["python3", "split.py"]);
        spec.outputs.push(Output {
            stream: "default".into(),
            fields: vec!["word".into()],
            direct: false,
        });
        let json = serde_json::to_value(&spec).expect("it is plain");
        let back: Spec = serde_json::from_value(json).expect("it is ours");
        assert_eq!(back, spec);
    }
}
