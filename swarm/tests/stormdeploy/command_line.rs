//! Help, wrong arguments, version, completions.

use std::process::Command;

use crate::support::{Outcome, Place};

fn stormdeploy(args: &[&str]) -> Outcome {
    Place::new().run(args)
}

#[track_caller]
fn check_wrong_arguments(args: &[&str], message: &str, hint: &str) {
    let outcome = stormdeploy(args);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    let expected = format!("stormdeploy: {message}\n\nhint: {hint}\n");
    assert_eq!(outcome.stderr, expected);
}

#[test]
fn version_is_one_line_of_data() {
    for args in [&["version"], &["--version"]] {
        let outcome = stormdeploy(args);
        assert_eq!(outcome.code, Some(0));
        let expected = concat!("stormdeploy ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(outcome.stdout, expected);
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let outcome = stormdeploy(&["--help"]);
    assert_eq!(outcome.code, Some(0));
    for part in ["up", "down", "status", "logs", "config", "version", "completions", "Exit codes:"]
    {
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_completion_script_names_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = stormdeploy(&["completions", shell]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(outcome.stdout.contains("stormdeploy"));
        assert!(outcome.stdout.contains("completions"));
    }
}

#[test]
fn wrong_arguments_are_told_in_one_line() {
    check_wrong_arguments(&[], "a command is missing", "stormdeploy --help");
    check_wrong_arguments(&["fly"], "unrecognized subcommand 'fly'", "stormdeploy --help");
    check_wrong_arguments(&["stat"], "unrecognized subcommand 'stat'", "did you mean status?");
    check_wrong_arguments(
        &["version", "--fast"],
        "unexpected argument '--fast' found",
        "stormdeploy version --help",
    );
    check_wrong_arguments(
        &["up", "--supervisor", "3"],
        "unexpected argument '--supervisor' found",
        "did you mean --supervisors?",
    );
    check_wrong_arguments(
        &["up", "--supervisors", "0"],
        "invalid value '0' for '--supervisors <N>': 0 is not in 1..=1000",
        "stormdeploy up --help",
    );
    check_wrong_arguments(
        &["status", "--nimbus", "a:b"],
        "invalid value 'a:b' for '--nimbus <HOST:PORT>': 'a:b' is no address: write HOST or \
         HOST:PORT, an IPv6 number as [::1]:6627",
        "stormdeploy status --help",
    );
    check_wrong_arguments(
        &["completions"],
        "the following required arguments were not provided: <SHELL>",
        "stormdeploy completions --help",
    );
    check_wrong_arguments(
        &["completions", "tcsh"],
        "invalid value 'tcsh' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]",
        "stormdeploy completions --help",
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    let all = stormdeploy(&["--help"]).stdout;
    let commands = all.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    let names = commands.expect("a list").lines().filter_map(|line| {
        line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split_whitespace().next()
    });
    for name in names.filter(|name| *name != "help") {
        let help = stormdeploy(&[name, "--help"]);
        assert_eq!(help.code, Some(0));
        assert!(help.stdout.contains("Example"), "{name}: {}", help.stdout);
        assert!(
            help.stdout.contains(&format!("\n  stormdeploy {name}")),
            "{name}: {}",
            help.stdout
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = Command::new(env!("CARGO_BIN_EXE_stormdeploy"))
        .arg("version")
        .stdout(full)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).expect("the program speaks UTF-8");
    assert!(stderr.starts_with("stormdeploy: cannot write to standard output:"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}
