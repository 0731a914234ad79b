//! An author's log lines say whose they are.
//!
//! Alone in its process, since what is logged is settled for a whole process: the first use of a
//! line while another thread sets up a subscriber could have it left out.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storm_runtime::prelude::*;
use tracing::level_filters::LevelFilter;

/// Held while a subscriber is in force, so that there is one at a time.
static SUBSCRIBED: Mutex<()> = Mutex::new(());

/// Logs wherever a spout's code is called.
#[derive(Default)]
struct LoggingSpout {
    emitted: i64,
}

impl Spout for LoggingSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["n"]);
    }

    fn open(&mut self, _context: &TaskContext) -> Result {
        tracing::info!("spout open");
        Ok(())
    }

    fn activate(&mut self) {
        tracing::info!("spout activate");
    }

    fn deactivate(&mut self) {
        tracing::info!("spout deactivate");
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        tracing::info!("spout next_tuple");
        if self.emitted == 2 {
            return Ok(Next::Finished);
        }
        out.emit_with_id([self.emitted], self.emitted);
        self.emitted += 1;
        Ok(Next::Emitted)
    }

    fn ack(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
        tracing::info!("spout ack");
        Ok(())
    }

    fn fail(&mut self, _id: MessageId, out: &mut SpoutCollector) -> Result {
        tracing::info!("spout fail");
        out.report_error("spout error");
        Ok(())
    }

    fn close(&mut self) {
        tracing::info!("spout close");
    }
}

/// Logs wherever a bolt's code is called, and fails the number 1.
struct LoggingBolt;

impl BasicBolt for LoggingBolt {
    fn prepare(&mut self, _context: &TaskContext) -> Result {
        tracing::info!("bolt prepare");
        Ok(())
    }

    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        tracing::info!("bolt execute");
        if tuple.i64("n")? == 1 { Err("bolt error".into()) } else { Ok(()) }
    }

    fn cleanup(&mut self) {
        tracing::info!("bolt cleanup");
    }
}

/// What a subscriber writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines that the logging topology writes up to a level, from its start to its end.
fn logged(level: LevelFilter, bolt_executors: usize) -> Vec<String> {
    let _alone = SUBSCRIBED.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut builder = TopologyBuilder::new();
        // Tasks: __acker 1, fussy 2 to 4, numbers 5.
        builder.spout("numbers", LoggingSpout::default);
        let bolt = builder.bolt("fussy", || LoggingBolt);
        bolt.parallelism(bolt_executors).tasks(3).global("numbers");
        let topology = builder.build().expect("the topology is sound");
        // All on this thread, whose subscriber it is.
        let cluster = LocalCluster::simulated(11);
        let running = cluster.submit("authoring", &topology).expect("it starts");
        assert!(cluster.settle());
        running.deactivate();
        assert!(cluster.settle());
        assert!(cluster.kill("authoring", Duration::ZERO));
    });
    let text = String::from_utf8(lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
        .expect("lines are UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn check_line(lines: &[String], end: &str, expected: &str) {
    let line = lines.iter().find(|line| line.ends_with(end));
    let line = line.unwrap_or_else(|| panic!("nothing of {end} in {lines:#?}"));
    assert!(line.contains(expected), "no {expected} in {line}");
    assert_eq!(line.matches("component=").count(), 1, "{line}");
}

#[test]
fn an_authors_log_lines_say_which_topology_component_and_task_they_are_of() {
    let lines = logged(LevelFilter::INFO, 3);
    let spout = r#"executor{topology="authoring" component="numbers" task=5}"#;
    let calls = ["open", "activate", "deactivate", "next_tuple", "ack", "fail", "close", "error"];
    for call in calls {
        check_line(&lines, &format!("spout {call}"), spout);
    }
    let bolt = r#"executor{topology="authoring" component="fussy" task=2}"#;
    for call in ["prepare", "execute", "cleanup", "error"] {
        check_line(&lines, &format!("bolt {call}"), bolt);
    }
}

#[test]
fn an_error_says_whose_it_is_also_where_nothing_but_errors_is_logged() {
    let lines = logged(LevelFilter::ERROR, 3);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    check_line(&lines, "bolt error", r#"component="fussy" task=2}: bolt error"#);
    check_line(&lines, "spout error", r#"component="numbers" task=5}: spout error"#);
}

#[test]
fn an_executor_of_several_tasks_names_them_and_its_errors_name_the_one() {
    let lines = logged(LevelFilter::INFO, 1);
    check_line(&lines, "bolt execute", r#"component="fussy" tasks=2-4}"#);
    let error = lines.iter().find(|line| line.contains("bolt error")).expect("it is logged");
    assert!(error.contains(r#"tasks=2-4}: bolt error task=2"#), "{error}");
}
