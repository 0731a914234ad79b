//! What may be typed, and what is said when it is typed wrongly.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Name under which the program speaks.
pub const PROGRAM: &str = "stormd";

/// Exit code for arguments that cannot be understood.
const WRONG_ARGUMENTS: u8 = 2;

/// The daemons of a Storm cluster.
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    version,
    after_help = "Exit codes: 0 done, 1 could not, 2 wrong arguments."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

/// Which part to play.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole local cluster in this process; `stormdeploy up` does it in the background.
    ///
    /// Reads what is wanted from DIR/wanted.json, tells in DIR/daemon.json when it is ready, and
    /// takes requests at DIR/control.sock. Example: stormd local --state ~/.local/state/storm
    Local {
        /// Folder of everything that the cluster keeps.
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
    /// Run Nimbus alone, over ZooKeeper where storm.zookeeper.servers names it, else over an
    /// embedded state in storm.local.dir.
    ///
    /// Example: stormd nimbus -c storm.local.dir=/var/lib/storm
    Nimbus {
        #[command(flatten)]
        daemon: DaemonArgs,
    },
    /// Run one supervisor, which finds its Nimbus and its assignments over ZooKeeper.
    ///
    /// A signal ends it and leaves its workers running; the next one in the same storm.local.dir
    /// adopts them. Example: stormd supervisor --config /etc/storm/storm.yaml
    Supervisor {
        #[command(flatten)]
        daemon: DaemonArgs,
    },
    /// Run a topology of built-in and shell components in this process, from a file of YAML.
    ///
    /// Example: stormd run --flux word-count.yaml; stormd run --help shows the options.
    #[command(disable_help_flag = true)]
    Run {
        /// What a topology binary's run takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Print the components of a topology in a file of YAML, or what is submitted of it.
    #[command(disable_help_flag = true)]
    Describe {
        /// What a topology binary's describe takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run some executors of a submitted topology of built-in components; a supervisor starts this.
    #[command(hide = true, disable_help_flag = true)]
    Worker {
        /// What Storm gives to a worker.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Make a session and become a program.
    #[command(hide = true)]
    Launch {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Print the program's version.
    Version {
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// What a single daemon is told.
#[derive(Debug, clap::Args)]
pub struct DaemonArgs {
    /// A file of configuration, as storm.yaml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A value of the configuration, above those of files; may be repeated.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    pub conf: Vec<String>,
    /// Folder of log files; without it lines go to standard error.
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
}

/// Prints help where it was asked for, else one line about what is wrong.
pub fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to be told when the reader of the help has gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let rendered = error.render().to_string();
    let message = rendered.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = message.trim_start_matches("error:").split_whitespace().collect();
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing".to_owned(),
        _ => words.join(" "),
    };
    let _ = writeln!(io::stderr(), "{PROGRAM}: {message}\n\nhint: {PROGRAM} --help");
    ExitCode::from(WRONG_ARGUMENTS)
}
