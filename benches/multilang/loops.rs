//! The plain loop: batches there and back, one at a time.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use storm_runtime::clock::Clock;

use super::python::Scripts;
use super::topology::{TEXT, WARM_UP, median_us};

struct Loop {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    frame: Vec<u8>,
    reply: Vec<u8>,
}

impl Loop {
    fn start(scripts: &Scripts, batch: usize) -> Self {
        let mut command = scripts.plain_loop();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 is there");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut frame = vec![0; 4];
        for number in 0..batch as u32 {
            frame.extend(number.to_be_bytes());
            frame.extend((TEXT.len() as u16).to_be_bytes());
            frame.extend(TEXT.as_bytes());
        }
        let body = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&body.to_be_bytes());
        let reply = vec![0; frame.len()];
        let (stdin, stdout) = (stdin.expect("it is piped"), stdout.expect("it is piped"));
        Self { child, stdin, stdout, frame, reply }
    }

    fn once(&mut self) {
        self.stdin.write_all(&self.frame).expect("the loop reads");
        self.stdout.read_exact(&mut self.reply).expect("the loop answers");
        assert_eq!(self.reply, self.frame);
    }

    fn end(self) {
        let Self { mut child, stdin, stdout, .. } = self;
        drop((stdin, stdout));
        let _ = child.wait();
    }
}

/// Tuples per second in batches.
pub fn throughput(scripts: &Scripts, batch: usize, length: Duration) -> f64 {
    let clock = Clock::system();
    let mut one = Loop::start(scripts, batch);
    let warm = clock.now() + WARM_UP;
    while clock.now() < warm {
        one.once();
    }
    let (start, mut rounds) = (clock.now(), 0);
    while clock.now().since(start) < length {
        one.once();
        rounds += 1;
    }
    let took = clock.now().since(start);
    one.end();
    (rounds * batch) as f64 / took.as_secs_f64()
}

/// The median time there and back of one tuple each millisecond.
pub fn latency_us(scripts: &Scripts, length: Duration) -> f64 {
    let clock = Clock::system();
    let mut one = Loop::start(scripts, 1);
    one.once();
    let (start, mut next) = (clock.now(), clock.now());
    let mut all = Vec::new();
    while clock.now().since(start) < length {
        next = next + Duration::from_millis(1);
        while clock.now() < next {
            std::thread::park_timeout(next.since(clock.now()));
        }
        let sent = clock.now();
        one.once();
        all.push(clock.now().since(sent).as_nanos() as u64);
    }
    one.end();
    median_us(&mut all)
}
