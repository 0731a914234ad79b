//! What `org.apache.storm.testing` has for topologies in YAML, with the fields and the behaviour
//! that it has there. Counts are Java's integers, of 32 bits.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::bolt::{BasicBolt, BasicCollector, Bolt, Collector};
use crate::clock::Clock;
use crate::component::{Declarer, Result, TaskContext};
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::{CustomGrouping, Register};
use crate::tuple::{MessageId, Tuple, TupleRef, Value};

/// How long the test spouts wait between two calls.
const PAUSE: Duration = Duration::from_millis(100);

/// What [`TestWordSpout`] chooses from.
const WORDS: [&str; 5] = ["nathan", "mike", "jackson", "golda", "bertels"];

/// Key by which a spout that is not distributed asks for a single task.
const ONE_TASK: &str = "topology.max.task.parallelism";

/// Storm's folder of these classes, as a macro since constants cannot be joined otherwise.
macro_rules! testing {
    ($name:literal) => {
        concat!("org.apache.storm.testing.", $name)
    };
}

pub(super) fn add_to(register: &mut Register) {
    register.add(testing!("TestWordSpout"), |args: Option<(bool,)>| TestWordSpout {
        distributed: args.is_none_or(|(distributed,)| distributed),
        clock: Clock::system(),
        random: 0,
    });
    register.add(testing!("TestPlannerSpout"), PlannerSpout::new);
    register.add(testing!("TestEventLogSpout"), |(total,): (u64,)| EventLogSpout::new(total));
    register.add(testing!("TestWordCounter"), |(): ()| WordCounter::default());
    register.add(testing!("TestWordBytesCounter"), |(): ()| WordCounter::default());
    register.add(testing!("TestGlobalCount"), |(): ()| GlobalCount(0));
    register.add(testing!("TestAggregatesCounter"), |(): ()| AggregatesCounter::default());
    register.add(testing!("TestConfBolt"), |args: Option<(Map<String, Json>,)>| ConfBolt {
        own: args.map(|(own,)| own).unwrap_or_default(),
        conf: Map::new(),
    });
    register.add(testing!("TestPlannerBolt"), |(): ()| PlannerBolt);
    register.add(testing!("TestEventOrderCheckBolt"), |(): ()| EventOrderCheck::default());
    register.add(testing!("IdentityBolt"), |(fields,): (Vec<String>,)| Identity(fields));
    register
        .add_grouping(testing!("NGrouping"), |(tasks,): (usize,)| NGrouping { tasks, targets: 0 });
}

/// Emits a word, chosen by chance, every tenth of a second, without a message id.
struct TestWordSpout {
    distributed: bool,
    clock: Clock,
    random: u64,
}

impl Spout for TestWordSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
        if !self.distributed {
            declare.conf(ONE_TASK, 1);
        }
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        self.clock = context.clock().clone();
        self.random = self.clock.now().as_nanos() ^ u64::from(context.task().0);
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        // Constants of Knuth's generator; its upper bits are the random ones.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let chosen = (self.random >> 33) as usize % WORDS.len();
        out.emit([Value::static_str(WORDS[chosen])]);
        Ok(Next::IdleUntil(self.clock.now() + PAUSE))
    }
}

/// Arguments of [`PlannerSpout`]: its fields, whether it is distributed, or both.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum PlannerArgs {
    Distributed((bool,)),
    Fields((Vec<String>,)),
    Both(Vec<String>, bool),
}

/// Declares fields and emits nothing.
struct PlannerSpout {
    fields: Vec<String>,
    distributed: bool,
}

impl PlannerSpout {
    fn new(args: PlannerArgs) -> Self {
        let usual = || vec!["field1".to_owned(), "field2".to_owned()];
        let (fields, distributed) = match args {
            PlannerArgs::Distributed((distributed,)) => (usual(), distributed),
            PlannerArgs::Fields((fields,)) => (fields, true),
            PlannerArgs::Both(fields, distributed) => (fields, distributed),
        };
        Self { fields, distributed }
    }
}

impl Spout for PlannerSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(fields(&self.fields));
        if !self.distributed {
            declare.conf(ONE_TASK, 1);
        }
    }

    fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
        Ok(Next::Idle)
    }
}

fn fields(names: &[String]) -> crate::tuple::Fields {
    names.iter().map(String::as_str).collect()
}

/// Emits numbers from 1 on, its share of so many, with the number as message id.
struct EventLogSpout {
    total: u64,
    mine: u64,
    source: i32,
    emitted: u64,
}

impl EventLogSpout {
    fn new(total: u64) -> Self {
        Self { total, mine: 0, source: 0, emitted: 0 }
    }
}

impl Spout for EventLogSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["source", "eventId"]);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        self.source = i32::from(context.task().0);
        self.mine = self.total / context.task_count().max(1) as u64;
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.emitted >= self.mine {
            return Ok(Next::Finished);
        }
        self.emitted += 1;
        let event = self.emitted as i64;
        out.emit_with_id((self.source, event), self.emitted);
        Ok(Next::Emitted)
    }

    fn fail(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
        // Storm's counts it and does not emit it again.
        Ok(())
    }
}

/// Counts each word; a word is the first value, a text or the bytes of one.
#[derive(Default)]
struct WordCounter {
    counts: HashMap<String, i32>,
}

impl BasicBolt for WordCounter {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word", "count"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let word = match tuple.get(0)?.as_bytes() {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => tuple.str(0)?.to_owned(),
        };
        let value = Value::from(word.as_str());
        let count = self.counts.entry(word).or_insert(0);
        *count = count.wrapping_add(1);
        out.emit((value, *count));
        Ok(())
    }
}

/// Counts everything.
struct GlobalCount(i32);

impl BasicBolt for GlobalCount {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["global-count"]);
    }

    fn execute(&mut self, _tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        self.0 = self.0.wrapping_add(1);
        out.emit([self.0]);
        Ok(())
    }
}

/// Adds up the newest count of each word.
#[derive(Default)]
struct AggregatesCounter {
    counts: HashMap<String, i64>,
    sum: i64,
}

impl BasicBolt for AggregatesCounter {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["agg-global"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let count = tuple.i64(1)?;
        let old = self.counts.insert(tuple.str(0)?.to_owned(), count);
        self.sum = self.sum.wrapping_add(count).wrapping_sub(old.unwrap_or(0));
        out.emit([self.sum as i32]);
        Ok(())
    }
}

/// Answers the name of a configuration key with its value.
struct ConfBolt {
    own: Map<String, Json>,
    conf: Map<String, Json>,
}

impl BasicBolt for ConfBolt {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["conf", "value"]);
        for (key, value) in &self.own {
            declare.conf(key, value.clone());
        }
    }

    fn prepare(&mut self, context: &TaskContext) -> Result {
        self.conf = context.conf().as_map().clone();
        Ok(())
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let key = tuple.str(0)?;
        out.emit((key, self.conf.get(key).map_or(Value::null(), value)));
        Ok(())
    }
}

/// A value of JSON as a tuple carries it.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::null(),
        Json::Bool(truth) => (*truth).into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Json::String(text) => text.into(),
        Json::Array(list) => list.iter().map(value).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, one)| (Value::from(key), value(one)));
            Value::map(pairs.collect::<Vec<_>>())
        }
    }
}

/// Declares two fields, and neither emits nor acks: its inputs' trees time out, as they do in Storm.
struct PlannerBolt;

impl Bolt for PlannerBolt {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["field1", "field2"]);
    }

    fn execute(&mut self, _tuple: Tuple, _out: &mut Collector) -> Result {
        Ok(())
    }
}

/// Emits an error when the events of a source are not in order.
#[derive(Default)]
struct EventOrderCheck {
    source_to_event: BTreeMap<i64, i64>,
}

impl BasicBolt for EventOrderCheck {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["error"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let (source, event) = (tuple.i64(0)?, tuple.i64(1)?);
        let last = self.source_to_event.insert(source, event);
        if let Some(last) = last.filter(|last| event <= *last) {
            out.emit([format!("event {event} of source {source} came after event {last}")]);
        }
        Ok(())
    }
}

/// Emits what it gets, under fields of its own.
struct Identity(Vec<String>);

impl BasicBolt for Identity {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(fields(&self.0));
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        out.emit(tuple.values());
        Ok(())
    }
}

/// Sends every tuple to the first so many tasks.
struct NGrouping {
    tasks: usize,
    targets: usize,
}

impl CustomGrouping for NGrouping {
    fn prepare(&mut self, _stream: &crate::tuple::StreamSchema, targets: usize) {
        self.targets = targets;
    }

    fn choose(&mut self, _values: &[Value], chosen: &mut Vec<usize>) {
        chosen.extend(0..self.tasks.min(self.targets));
    }
}
