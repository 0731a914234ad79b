//! Runs that repeat, and topologies that are run to their end.

use super::*;

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let (feed, record) = (Feed::new(number), Record::default());
        let run = check_seeded(seed, |builder| {
            builder.spout("feed", feed.spout()).parallelism(2);
            builder.bolt("pass", pass()).parallelism(3).shuffle("feed");
            builder.bolt("record", record.bolt()).parallelism(3).fields("pass", ["n"]);
        });
        feed.send_all(0..300);
        run.settle();
        record.got.read()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2), "another seed runs executors in another order");
}

#[test]
fn a_completed_topology_tells_what_every_component_emitted() {
    let mut builder = TopologyBuilder::new();
    builder.spout("words", Feed::new(|declare| _ = declare.output(["word"])).spout());
    struct Count(std::collections::BTreeMap<String, i64>);
    impl BasicBolt for Count {
        fn declare(&self, declare: &mut Declarer) {
            declare.output(["word", "count"]);
        }
        fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
            let word = tuple.str("word")?;
            let count = self.0.entry(word.to_owned()).or_default();
            *count += 1;
            out.emit((word, *count));
            Ok(())
        }
    }
    builder.bolt("count", || Count(Default::default())).parallelism(4).fields("words", ["word"]);
    let topology = builder.build().expect("sound");
    let sources = MockSources::new().tuples("words", WORDS.map(|word| [word]));
    let completed = complete_topology(&topology, &sources).expect("it ends");
    let mut counted: Vec<String> = completed
        .tuples("count")
        .iter()
        .map(|values| format!("{} {}", values[0], values[1]))
        .collect();
    counted.sort();
    assert_eq!(
        counted,
        ["cow 1", "cow 2", "jumped 1", "moon 1", "over 1", "the 1", "the 2", "the 3"]
    );
    assert_eq!(completed.tuples("words").len(), 8);
    assert_eq!(completed.stats.acked("words"), 8);
    assert!(completed.errors.is_empty());
}

#[test]
fn a_topology_with_failures_and_panics_completes_too() {
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", Feed::new(number).spout());
    let picky = basic(number, |tuple, out| match tuple.i64(0)? {
        3 => Err("no three".into()),
        4 => panic!("no four"),
        number => {
            out.emit([number]);
            Ok(())
        }
    });
    builder.bolt("picky", picky).shuffle("feed");
    builder.bolt("lazy", owned(nothing, |_tuple, _| Ok(()))).shuffle("picky");
    let sources = MockSources::new().tuples("feed", (0..6).map(|number: i64| [number]));
    let completed = complete_topology(&builder.build().expect("sound"), &sources).expect("it ends");
    assert_eq!(completed.tuples("picky").len(), 4);
    assert_eq!(completed.stats.failed("feed"), 6, "two by the bolt, four by timeout");
    assert_eq!(completed.errors.len(), 2);
}

#[test]
fn a_topology_that_cannot_complete_says_why() {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.enable.message.timeouts", false);
    builder.spout("feed", Feed::new(number).spout());
    builder.bolt("lazy", owned(nothing, |_tuple, _| Ok(()))).shuffle("feed");
    let topology = builder.build().expect("sound");
    let error =
        complete_topology(&topology, &MockSources::new().tuples("lazy", [[1]])).unwrap_err();
    assert_eq!(error.to_string(), "lazy is mocked, but it is no spout of the topology: feed are");
    let error =
        complete_topology(&topology, &MockSources::new().tuples("feed", [[1]])).unwrap_err();
    assert!(matches!(error, Incomplete::StillBusy { pending: 1 }), "{error}");
}
