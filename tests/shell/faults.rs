//! What children do wrong, and what becomes of it: the cause is told, their tuples fail at once, a
//! successor goes on, and nothing else of the topology notices.

use storm_runtime::shell::ShellBolt;

use crate::children::{Children, Rig};

/// Has a child misbehave at its first tuple; its successor passes tuples on.
#[track_caller]
fn check(misbehave: &str, expected: &[&str]) {
    check_with(misbehave, |bolt| bolt, expected);
}

#[track_caller]
fn check_with(misbehave: &str, set: impl FnOnce(ShellBolt) -> ShellBolt, expected: &[&str]) {
    let misbehave = misbehave.replace('\n', "\n        ");
    let children = Children::python(&format!(
        r#"
is_first = not os.path.exists("second")
open("second", "w").close()
greet()
for one in tuples():
    if is_first:
        print("about to go wrong", file=sys.stderr, flush=True)
        {misbehave}
    emit(one["tuple"], anchors=[one["id"]])
    ack(one["id"])
"#
    ));
    let rig = Rig::of_bolt(set(children.bolt()));
    rig.feed.send_all(1..=3);
    rig.wait("the tuples are settled", |rig| {
        rig.feed.failed.len() + rig.feed.acked.len() == 3 && rig.feed.failed.len() > 0
    });
    rig.feed.send_all(11..=13);
    rig.wait("a successor goes on", |rig| {
        [11, 12, 13].iter().all(|number| rig.feed.acked.read().contains(number))
    });
    rig.wait("the cause is told", |rig| !rig.errors().is_empty());
    let errors = rig.errors();
    for expected in expected {
        assert!(errors.contains(expected), "{expected:?} is not in:\n{errors}");
    }
    assert!(errors.contains("`python3 child.py` in "), "{errors}");
    assert!(errors.contains(&children.folder().display().to_string()), "{errors}");
}

#[test]
fn a_child_that_exits_is_told_with_its_status_and_its_last_lines() {
    check("sys.exit(7)", &["closed its output", "exit status: 7", "about to go wrong"]);
}

#[test]
fn a_child_that_raises_is_told_with_its_traceback() {
    check("raise KeyError('moon')", &["exit status: 1", "Traceback", "KeyError: 'moon'"]);
}

#[test]
fn a_child_that_is_killed_is_told_with_the_signal() {
    check("os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(60)", &["signal: 9", "about to go"]);
}

#[test]
fn what_is_no_json_ends_the_child() {
    check(
        "print('hello', flush=True)\nprint('end', flush=True)\ntime.sleep(60)",
        &["said what is no message", "hello", "it was ended"],
    );
}

#[test]
fn a_message_without_an_end_is_bounded() {
    let flood = "while True: print('{\"command\":' + ' ' * 10000)";
    let set = |bolt: ShellBolt| bolt.conf("topology.multilang.message.max.bytes", 200_000);
    check_with(flood, set, &["more than 200000 bytes", "topology.multilang.message.max.bytes"]);
}

#[test]
fn a_message_of_a_gigabyte_is_refused_at_the_limit() {
    let flood = "sys.stdout.write('\"')\nfor _ in range(1024): sys.stdout.write('x' * (1 << 20))";
    check(flood, &["more than 16777216 bytes"]);
}

#[test]
fn an_ack_of_an_unknown_id_ends_the_child() {
    check("ack('4711')\ntime.sleep(60)", &["acked the tuple of id 4711", "settle each tuple once"]);
    check("ack(one['id'])\nack(one['id'])\ntime.sleep(60)", &["acked the tuple of id"]);
    check(
        "send({'command': 'fail', 'id': 'nonsense'})\ntime.sleep(60)",
        &["failed the tuple of id"],
    );
}

#[test]
fn an_emission_that_cannot_be_ends_the_child() {
    check("emit([1], stream='side')\ntime.sleep(60)", &["an emission that cannot be", "side"]);
    check("emit([1, 2])\ntime.sleep(60)", &["an emission that cannot be"]);
    check("emit([1], task=4711)\ntime.sleep(60)", &["an emission that cannot be"]);
    check("emit([1], task=1 << 40)\ntime.sleep(60)", &["which is no task"]);
    check(
        "emit([1], anchors=['99'])\ntime.sleep(60)",
        &["anchored an emission to the tuple of id 99"],
    );
}

#[test]
fn a_child_that_closes_its_output_but_lives_is_ended() {
    check("os.close(1)\ntime.sleep(600)", &["closed its output", "it was ended"]);
}

#[test]
fn a_child_that_floods_its_standard_error_is_heard_and_goes_on() {
    let children = Children::python(
        r#"
greet()
for one in tuples():
    for _ in range(20000):
        print("x" * 100, file=sys.stderr)
    emit(one["tuple"], anchors=[one["id"]])
    ack(one["id"])
"#,
    );
    let rig = Rig::of_bolt(children.bolt());
    rig.feed.send_all(1..=3);
    rig.wait("it is not stuck", |rig| rig.feed.acked.len() == 3);
    assert_eq!(rig.errors(), "");
}

fn soon(bolt: ShellBolt) -> ShellBolt {
    bolt.conf("topology.subprocess.timeout.secs", 0.5)
}

#[test]
fn a_child_that_hangs_without_using_the_processor_is_ended() {
    check_with("time.sleep(600)", soon, &["said nothing", "topology.subprocess.timeout.secs"]);
}

#[test]
fn a_child_that_stops_reading_is_ended_and_the_bolt_takes_no_more_meanwhile() {
    let children = Children::python("greet()\nread()\ntime.sleep(600)");
    let rig = Rig::of_bolt(soon(children.bolt()).conf("topology.shellbolt.max.pending", 10));
    rig.feed.send_all(0..50_000);
    rig.wait("it is found out", |rig| rig.errors().contains("said nothing"));
    // What fits into a pipe, and ten more per child, and no more.
    let most = 4_000 * (1 + rig.running.errors().len());
    assert!(rig.feed.failed.len() < most, "{}", rig.feed.failed.len());
    assert_eq!(rig.feed.acked.len(), 0);
}

#[test]
fn a_child_that_computes_for_long_lives() {
    let children = Children::python(
        r#"
greet()
for one in tuples():
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        sum(range(1000))
    emit(one["tuple"], anchors=[one["id"]])
    ack(one["id"])
"#,
    );
    let rig = Rig::of_bolt(soon(children.bolt()));
    rig.feed.send_all(1..=2);
    rig.wait("it is given the time", |rig| rig.feed.acked.len() == 2);
    assert_eq!(rig.errors(), "");
}

#[test]
fn a_child_that_only_spins_is_ended_in_the_end() {
    let set = |bolt: ShellBolt| bolt.conf("topology.subprocess.timeout.secs", 0.2);
    check_with("while True: pass", set, &["busy without a word for 2 s"]);
}

#[test]
fn an_idle_child_answers_heartbeats_and_lives() {
    let children = Children::python(
        r#"
greet()
beats = 0
while True:
    one = read()
    if one["stream"] == "__heartbeat":
        beats += 1
        open("beats", "w").write(str(beats))
        send({"command": "sync"})
"#,
    );
    let rig = Rig::of_bolt(soon(children.bolt()));
    let beats = || std::fs::read_to_string(children.path("beats")).unwrap_or_default();
    rig.wait("it is asked again and again", |_| {
        beats().parse::<u32>().is_ok_and(|beats| beats > 8)
    });
    assert_eq!(rig.errors(), "");
}

#[track_caller]
fn check_start(bolt: ShellBolt, expected: &[&str]) {
    let rig = Rig::of_bolt(bolt);
    rig.wait("the cause is told, more than once", |rig| rig.running.errors().len() >= 2);
    let errors = rig.errors();
    for expected in expected {
        assert!(errors.contains(expected), "{expected:?} is not in:\n{errors}");
    }
}

#[test]
fn a_child_that_cannot_start_is_told_with_what_is_missing() {
    let folder = std::env::temp_dir();
    check_start(
        ShellBolt::new(["no-such-program", "x"]).output(["n"]),
        &["cannot start `no-such-program x` in ", "there is no program no-such-program"],
    );
    check_start(ShellBolt::new(["/etc/passwd"]).output(["n"]), &["/etc/passwd is not executable"]);
    let nowhere = ShellBolt::new(["sh"]).directory(folder.join("nowhere at all")).output(["n"]);
    check_start(nowhere, &["nowhere at all: the directory does not exist"]);
}

#[test]
fn a_child_that_exits_before_it_greets_is_told() {
    check_start(
        ShellBolt::new(["sh", "-c", "echo ouch >&2; exit 3"]).output(["n"]),
        &["`sh -c 'echo ouch >&2; exit 3'` in ", "exit status: 3", "ouch"],
    );
}

#[test]
fn a_child_that_never_greets_is_told() {
    check_start(
        soon(ShellBolt::new(["sleep", "600"]).output(["n"])),
        &["did not answer the handshake within 0 s"],
    );
}

#[test]
fn a_child_that_greets_wrongly_is_told() {
    let children = Children::python("read()\nsend({'pid': 'x'})\ntime.sleep(60)");
    check_start(children.bolt(), &["said what is no message", "pid"]);
    let children = Children::python("read()\nsend({'pid': 1, 'framing': 'morse'})\ntime.sleep(60)");
    check_start(children.bolt(), &["chose the framing \"morse\""]);
}

#[test]
fn no_child_outlives_its_topology() {
    let children =
        Children::python("open('pid', 'w').write(str(os.getpid()))\ngreet()\nsignal.pause()");
    let rig = Rig::of_bolt(children.bolt());
    let pid = || std::fs::read_to_string(children.path("pid")).ok()?.parse::<u32>().ok();
    rig.wait("it is there", |_| pid().is_some());
    let process = format!("/proc/{}", pid().expect("it was there"));
    rig.cluster.kill("shell", std::time::Duration::ZERO);
    rig.wait("it is gone", |_| !std::path::Path::new(&process).exists());
}

/// Set for the process that is killed, to the folder of its child.
const DOOMED: &str = "STORM_TEST_DOOMED_HOST";

#[test]
fn no_child_outlives_a_process_that_is_killed() {
    if std::env::var_os(DOOMED).is_some() {
        doomed();
    }
    let has_setpriv = std::process::Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "true"])
        .status()
        .is_ok_and(|status| status.success());
    // Without it only the end of its input ends a child.
    let last = if has_setpriv { "signal.pause()" } else { "sys.stdin.read()" };
    let children = Children::python(&format!(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ngreet()\n\
         open('part', 'w').write(str(os.getpid()))\nos.rename('part', 'pid')\n{last}"
    ));
    let mut host = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "faults::no_child_outlives_a_process_that_is_killed"])
        .env(DOOMED, children.folder())
        .current_dir(children.folder())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let rig = Rig::of_bolt(ShellBolt::new(["cat"]).output(["n"]));
    let pid = || std::fs::read_to_string(children.path("pid")).ok()?.parse::<u32>().ok();
    rig.wait("its child is there", |_| pid().is_some());
    host.kill().expect("it runs");
    host.wait().expect("it was ours");
    let stat = format!("/proc/{}/stat", pid().expect("it was there"));
    // Nobody reaps it in a container without an init.
    let is_gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    rig.wait("its child is gone", |_| is_gone());
}

/// Runs the child of the current folder until this process is killed.
fn doomed() {
    let bolt = ShellBolt::new([crate::children::PYTHON, "child.py"]).output(["n"]);
    let rig = Rig::of_bolt(bolt);
    rig.running.wait_until(crate::children::DEADLINE, |_| false);
    std::process::exit(1);
}
