//! The program from the outside: arguments in; output, errors and exit code out.

use std::process::{Command, Stdio};

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn stormdeploy(args: &[&str]) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_stormdeploy"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[track_caller]
fn check_wrong_arguments(args: &[&str], message: &str) {
    let outcome = stormdeploy(args);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    let expected = format!("stormdeploy: {message}\n\nhint: stormdeploy --help\n");
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
    for part in ["version", "completions", "Exit codes:"] {
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
    check_wrong_arguments(&[], "a command is missing");
    check_wrong_arguments(&["fly"], "unrecognized subcommand 'fly'");
    check_wrong_arguments(&["version", "--fast"], "unexpected argument '--fast' found");
    check_wrong_arguments(
        &["completions"],
        "the following required arguments were not provided: <SHELL>",
    );
    check_wrong_arguments(
        &["completions", "tcsh"],
        "invalid value 'tcsh' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]",
    );
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
