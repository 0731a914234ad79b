//! Bolts that ask to be called at a time, on a simulated clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use storm_runtime::clock::Time;
use storm_runtime::prelude::*;

/// When which task was called.
type Calls = Arc<Mutex<Vec<(u64, usize)>>>;

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

/// Emits each number at that many milliseconds.
struct Numbers(Vec<u64>);

impl Spout for Numbers {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["number"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        match self.0.first() {
            Some(at) if out.now() < ms(*at) => return Ok(Next::IdleUntil(ms(*at))),
            Some(_) => out.emit([self.0.remove(0) as i64]),
            None => return Ok(Next::IdleUntil(Time::NEVER)),
        }
        Ok(Next::Emitted)
    }
}

/// Asks at each tuple for what `ask` answers, and writes down when it is called.
struct Sleeper {
    ask: fn(i64, &mut Collector),
    task: usize,
    calls: Calls,
}

impl Bolt for Sleeper {
    fn prepare(&mut self, context: &TaskContext, _handle: BoltHandle) -> Result {
        self.task = context.task_index();
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        (self.ask)(tuple.i64("number")?, out);
        out.ack(tuple);
        Ok(())
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        let at_ms = out.now().since(Time::ZERO).as_millis() as u64;
        self.calls.lock().unwrap().push((at_ms, self.task));
        assert_ne!(at_ms, 13, "an unlucky time");
        Ok(())
    }
}

#[track_caller]
fn check(numbers: &[u64], tasks: usize, ask: fn(i64, &mut Collector), expected: &[(u64, usize)]) {
    let (numbers, calls) = (numbers.to_vec(), Calls::default());
    let mut builder = TopologyBuilder::new();
    builder.spout("numbers", move || Numbers(numbers.clone()));
    let shared = calls.clone();
    let sleeper = move || Sleeper { ask, task: 0, calls: shared.clone() };
    builder.bolt("sleeper", sleeper).tasks(tasks).all("numbers");
    let cluster = LocalCluster::simulated(3);
    cluster.submit("timers", &builder.build().unwrap()).unwrap();
    assert!(cluster.advance(Duration::from_secs(10), 1_000));
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[test]
fn a_bolt_is_called_once_at_the_time_it_asked_for() {
    check(&[100], 1, |_, out| out.call_at(ms(250)), &[(250, 0)]);
}

#[test]
fn a_later_request_replaces_the_one_before_and_never_takes_it_back() {
    let ask = |number, out: &mut Collector| match number {
        200 => out.call_at(ms(900)),
        500 => out.call_at(Time::NEVER),
        _ => out.call_at(ms(300)),
    };
    check(&[100, 200], 1, ask, &[(900, 0)]);
    check(&[100, 500], 1, ask, &[(300, 0)]);
    check(&[100, 200, 500], 1, ask, &[]);
}

#[test]
fn a_time_that_has_passed_comes_at_once() {
    check(&[100], 1, |_, out| out.call_at(ms(1)), &[(100, 0)]);
}

#[test]
fn each_task_of_an_executor_has_its_own_time() {
    // Both tasks get the tuple at 100 ms; the first asks for 200 ms, the second for 300 ms.
    let ask = |_, out: &mut Collector| {
        static ASKED: Mutex<u64> = Mutex::new(0);
        let mut asked = ASKED.lock().unwrap();
        *asked += 1;
        out.call_at(ms(100 + *asked * 100));
    };
    check(&[100], 2, ask, &[(200, 0), (300, 1)]);
}

#[test]
fn the_time_of_an_instance_that_panicked_goes_with_it() {
    let ask = |number, out: &mut Collector| out.call_at(ms(if number < 13 { 13 } else { 50 }));
    check(&[10, 20], 1, ask, &[(13, 0), (50, 0)]);
    check(&[10], 1, ask, &[(13, 0)]);
}
