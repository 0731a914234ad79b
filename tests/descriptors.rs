//! Components whose executor watches descriptors for them, and bolts that take no tuples for a while.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use storm_runtime::prelude::*;

/// Long enough for a slow machine; nothing waits for it where the code is right.
const DEADLINE: Duration = Duration::from_secs(20);

type Once<T> = Arc<Mutex<Option<T>>>;

/// Emits the numbers up to a limit.
struct Numbers(i64, i64);

impl Spout for Numbers {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["number"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.0 == self.1 {
            return Ok(Next::Finished);
        }
        self.0 += 1;
        out.emit_with_id([self.0], self.0);
        Ok(Next::Emitted)
    }
}

/// Emits each byte that comes through a socket.
struct Socket(Once<UnixStream>, Option<UnixStream>);

impl Socket {
    fn read(&mut self) -> Vec<u8> {
        let mut bytes = [0; 64];
        match self.1.as_mut().map(|socket| socket.read(&mut bytes)) {
            Some(Ok(read)) => bytes[..read].to_vec(),
            _ => Vec::new(),
        }
    }

    fn watch(&mut self, context: &TaskContext) -> Result {
        self.1 = self.0.lock().unwrap().take();
        if let Some(socket) = &self.1 {
            socket.set_nonblocking(true)?;
            context.watch_readable(socket)?;
        }
        Ok(())
    }
}

impl Bolt for Socket {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["byte"]);
    }

    fn prepare(&mut self, context: &TaskContext, _handle: BoltHandle) -> Result {
        self.watch(context)
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        out.ack(tuple);
        Ok(())
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        for byte in self.read() {
            out.emit((), [i64::from(byte)]);
        }
        Ok(())
    }
}

impl Spout for Socket {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["byte"]);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        // A spout that has its waker is not asked again before it is woken.
        context.waker();
        self.watch(context)
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        for byte in self.read() {
            out.emit([i64::from(byte)]);
        }
        Ok(Next::Idle)
    }
}

/// Keeps the values of its tuples.
struct Keep(Arc<Mutex<Vec<i64>>>);

impl BasicBolt for Keep {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        self.0.lock().unwrap().push(tuple.i64("byte")?);
        Ok(())
    }
}

fn socket() -> (UnixStream, Once<UnixStream>) {
    let (near, far) = UnixStream::pair().expect("a pair of sockets");
    (near, Arc::new(Mutex::new(Some(far))))
}

/// Writes one byte after the other, each when the last one has arrived.
#[track_caller]
fn check_that_each_byte_wakes(build: impl FnOnce(&mut TopologyBuilder, Once<UnixStream>)) {
    let (mut near, far) = socket();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut builder = TopologyBuilder::new();
    build(&mut builder, far);
    let kept = seen.clone();
    builder.bolt("keep", move || Keep(kept.clone())).shuffle("socket");
    let cluster = LocalCluster::new();
    let running = cluster.submit("sockets", &builder.build().unwrap()).unwrap();
    for byte in 1..=100_u8 {
        near.write_all(&[byte]).unwrap();
        let arrived = |_: &_| seen.lock().unwrap().len() == usize::from(byte);
        assert!(running.wait_until(DEADLINE, arrived), "{:?}", running.errors());
    }
    assert!(cluster.kill("sockets", DEADLINE));
    assert_eq!(*seen.lock().unwrap(), (1..=100).collect::<Vec<i64>>());
}

#[test]
fn a_bolt_is_called_for_each_thing_that_comes_through_its_descriptor() {
    check_that_each_byte_wakes(|builder, far| {
        builder.spout("numbers", || Numbers(0, 0));
        builder.bolt("socket", move || Socket(far.clone(), None)).shuffle("numbers");
    });
}

#[test]
fn a_spout_is_asked_for_each_thing_that_comes_through_its_descriptor() {
    check_that_each_byte_wakes(|builder, far| {
        builder.spout("socket", move || Socket(far.clone(), None));
    });
}

#[test]
fn a_busy_thread_looks_at_descriptors_too() {
    check_that_each_byte_wakes(|builder, far| {
        builder.conf("topology.worker.threads", 1);
        builder.conf("topology.worker.wait.profile", "spin");
        builder.spout("numbers", || Numbers(0, i64::MAX));
        builder.bolt("socket", move || Socket(far.clone(), None)).shuffle("numbers");
    });
}

#[test]
fn a_simulated_cluster_refuses_to_watch() {
    let (_near, far) = socket();
    let mut builder = TopologyBuilder::new();
    builder.spout("socket", move || Socket(far.clone(), None));
    let cluster = LocalCluster::simulated(1);
    let running = cluster.submit("simulated", &builder.build().unwrap()).unwrap();
    assert!(cluster.settle());
    let errors = running.errors();
    assert!(errors[0].message.contains("not in a simulated cluster"), "{errors:?}");
}

/// Takes five tuples, then none before its socket says so.
struct Five {
    socket: Socket,
    taken: usize,
}

impl Bolt for Five {
    fn prepare(&mut self, context: &TaskContext, _handle: BoltHandle) -> Result {
        self.socket.watch(context)
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        self.taken += 1;
        out.hold(self.taken.is_multiple_of(5));
        out.ack(tuple);
        Ok(())
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        if !self.socket.read().is_empty() {
            out.hold(false);
        }
        Ok(())
    }
}

#[test]
fn a_bolt_that_holds_gets_no_tuple_until_it_says_so() {
    let (mut near, far) = socket();
    let mut builder = TopologyBuilder::new();
    builder.spout("numbers", || Numbers(0, 23));
    builder
        .bolt("five", move || Five { socket: Socket(far.clone(), None), taken: 0 })
        .shuffle("numbers");
    let cluster = LocalCluster::new();
    let running = cluster.submit("held", &builder.build().unwrap()).unwrap();
    for round in 1..=4 {
        assert!(running.wait_until(DEADLINE, |stats| stats.executed("five") == 5 * round));
        assert!(!running.wait_until_finished(Duration::from_millis(5)), "it holds the rest back");
        assert_eq!(running.stats().executed("five"), 5 * round);
        near.write_all(b"!").unwrap();
    }
    assert!(running.wait_until_finished(DEADLINE));
    assert_eq!(running.stats().executed("five"), 23);
}
