//! `word-count`: counts the words of a text, and ranks those that were frequent lately.
//!
//! ```text
//!   lines ──shuffle──▶ split ──fields(word)──▶ rolling-count ──global──▶ top-words ──▶ report
//!     ▲                                             ▲
//!     └── ack, fail                                 └── ticks
//! ```
//!
//! The components follow in the order in which a tuple passes them; below them the topology is put
//! together. The text is a file, or the King James text, or what licences the machine has; see
//! `text`.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Lines as TextLines};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use storm_runtime::app::{Hinted, Report, parse_duration};
use storm_runtime::id::TaskId;
use storm_runtime::prelude::*;
use storm_runtime::topology::IntoBolt;
use storm_runtime::tuple::ValueRef;

use crate::text::Source;

/// Lines that may be pending at once: what is emitted but neither acked nor failed.
const MAX_PENDING: u32 = 1_000;

/// How long the report waits for a ranking of everything.
const LAST_RANKING: Duration = Duration::from_secs(3);

/// Emits the lines of a text, and those that failed again.
pub struct Lines {
    args: LinesArgs,
    text: Option<TextLines<Box<dyn BufRead + Send>>>,
    emitted: u64,
    /// Lines emitted and not acked yet. A long value is shared, not copied, when it is cloned.
    id_to_line: HashMap<u64, Value>,
}

/// What [`Lines`] are made of: serializable, since it travels to the process that runs the spout.
#[derive(Clone, Serialize, Deserialize)]
pub struct LinesArgs {
    source: Source,
    repeat: bool,
}

impl Lines {
    fn new(args: LinesArgs) -> Self {
        Self { args, text: None, emitted: 0, id_to_line: HashMap::new() }
    }
}

impl Spout for Lines {
    /// Every component declares the streams that it emits; here the default one, with one field.
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["line"]);
    }

    /// Called once in the process that runs the spout: the place for files and connections.
    fn open(&mut self, _context: &TaskContext) -> Result {
        self.text = Some(self.args.source.read()?.lines());
        Ok(())
    }

    /// Called again and again, while fewer than `topology.max.spout.pending` lines are pending.
    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let line = match self.text.as_mut().and_then(Iterator::next) {
            Some(line) => Value::from(line?),
            None if self.args.repeat => {
                self.text = Some(self.args.source.read()?.lines());
                return Ok(Next::Emitted);
            }
            // When all lines are acked as well, the program ends.
            None => {
                self.text = None;
                return Ok(Next::Finished);
            }
        };
        // The id is what `ack` or `fail` will say of the line.
        out.emit_with_id([line.clone()], self.emitted);
        self.id_to_line.insert(self.emitted, line);
        self.emitted += 1;
        Ok(Next::Emitted)
    }

    /// Every word of the line was counted.
    fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.id_to_line.remove(&id.as_u64().ok_or("the message id is no number")?);
        Ok(())
    }

    /// Some word of the line was not counted: emit it again, and so count others twice. That is
    /// *at-least-once*, which is what tuple trees give.
    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        let number = id.as_u64().ok_or("the message id is no number")?;
        if let Some(line) = self.id_to_line.get(&number) {
            out.emit_with_id([line.clone()], number);
        }
        Ok(())
    }
}

/// Emits each word of a line in lower case.
#[derive(Default)]
pub struct Split {
    lower: String,
}

/// A [`BasicBolt`] acks each tuple when `execute` answers `Ok`, and fails it when it answers `Err`.
/// What it emits is *anchored* to the tuple: the spout's line is acked only when every word is.
impl BasicBolt for Split {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        for word in words(tuple.str("line")?) {
            self.lower.clear();
            self.lower.extend(word.chars().flat_map(char::to_lowercase));
            out.emit([self.lower.as_str()]);
        }
        Ok(())
    }
}

/// What stands between blanks and punctuation and has no digit, which leaves out the number of a
/// verse.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace()
        .filter(|part| !part.contains(|c: char| c.is_ascii_digit()))
        .flat_map(|part| part.split(|c: char| !c.is_alphabetic() && c != '\''))
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
}

/// Counts each word within a sliding window, and emits a ranking each time the window slides.
///
/// The window is cut into as many slots as it has slides. A word has a count for each slot; when
/// the window slides, the oldest slot is emptied and becomes the newest.
pub struct RollingCount {
    args: CountArgs,
    word_to_slots: HashMap<String, Box<[u64]>, RandomState>,
    newest: usize,
    /// Words counted since the beginning.
    counted: u64,
}

/// What a [`RollingCount`] is made of.
#[derive(Clone, Serialize, Deserialize)]
pub struct CountArgs {
    slots: usize,
    slide: Duration,
    top: usize,
}

impl RollingCount {
    fn new(args: CountArgs) -> Self {
        Self { args, word_to_slots: HashMap::default(), newest: 0, counted: 0 }
    }

    fn count(&mut self, word: &str) {
        self.counted += 1;
        if let Some(slots) = self.word_to_slots.get_mut(word) {
            slots[self.newest] += 1;
        } else {
            // Only a word that is new to the window allocates.
            let mut slots = vec![0; self.args.slots].into_boxed_slice();
            slots[self.newest] = 1;
            self.word_to_slots.insert(word.to_owned(), slots);
        }
    }

    /// The most frequent words of the window.
    fn ranking(&self) -> Vec<Ranked> {
        let counted = self.word_to_slots.iter();
        let mut ranking: Vec<(u64, &str)> =
            counted.map(|(word, slots)| (slots.iter().sum(), word.as_str())).collect();
        ranking.sort_unstable_by(most_frequent_first);
        ranking.truncate(self.args.top);
        ranking.into_iter().map(|(count, word)| Ranked { word: word.to_owned(), count }).collect()
    }

    fn slide(&mut self) {
        self.newest = (self.newest + 1) % self.args.slots;
        let newest = self.newest;
        self.word_to_slots.retain(|_, slots| {
            slots[newest] = 0;
            slots.iter().any(|count| *count > 0)
        });
    }
}

fn most_frequent_first(one: &(u64, &str), other: &(u64, &str)) -> std::cmp::Ordering {
    other.0.cmp(&one.0).then(one.1.cmp(other.1))
}

impl BasicBolt for RollingCount {
    /// A component that asks for *ticks* gets a tuple from the runtime at an interval.
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["counted", "ranking"]).tick_every(self.args.slide);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        if tuple.is_tick() {
            let ranking: Vec<Value> = self.ranking().iter().map(Ranked::to_value).collect();
            out.emit((self.counted as i64, ranking));
            self.slide();
        } else {
            self.count(tuple.str("word")?);
        }
        Ok(())
    }
}

/// Merges the rankings of all counters. A word is counted by one of them alone, so the most frequent
/// words of all are among the most frequent ones of each.
pub struct TopWords {
    top: usize,
    task_to_ranking: BTreeMap<TaskId, (u64, Vec<Ranked>)>,
    board: Board,
}

impl BasicBolt for TopWords {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let counted = tuple.i64("counted")? as u64;
        let ranking = tuple.get("ranking")?.as_list().ok_or("a ranking is a list")?;
        let ranking: Option<Vec<Ranked>> = ranking.iter().map(Ranked::from_value).collect();
        let ranking = ranking.ok_or("a ranking has a word and a count in each place")?;
        self.task_to_ranking.insert(tuple.source_task(), (counted, ranking));

        let all = self.task_to_ranking.values();
        let mut merged: Vec<&Ranked> = all.flat_map(|(_, ranking)| ranking).collect();
        merged.sort_unstable_by(|one, other| {
            most_frequent_first(&(one.count, &one.word), &(other.count, &other.word))
        });
        merged.truncate(self.top);
        let mut shown = self.board.lock();
        shown.counted = self.task_to_ranking.values().map(|(counted, _)| counted).sum();
        shown.ranking = merged.into_iter().cloned().collect();
        Ok(())
    }
}

/// A word in a ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    word: String,
    count: u64,
}

impl Ranked {
    fn to_value(&self) -> Value {
        Value::list([Value::from(&self.word), Value::from(self.count as i64)])
    }

    fn from_value(value: &Value) -> Option<Self> {
        let [word, count] = value.as_list()? else { return None };
        match (word.view(), count.view()) {
            (ValueRef::Str(word), ValueRef::I64(count)) => {
                Some(Self { word: word.to_owned(), count: count as u64 })
            }
            _ => None,
        }
    }
}

/// Where the last bolt shows the ranking to whoever runs the topology, if that is this process.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Shown>>);

#[derive(Default)]
struct Shown {
    /// Words that the ranking takes into account, those that have left the window included.
    counted: u64,
    ranking: Vec<Ranked>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Words that the ranking takes into account.
    #[cfg(test)]
    pub(crate) fn counted(&self) -> u64 {
        self.lock().counted
    }

    /// The most frequent words and how often they were counted.
    #[cfg(test)]
    pub(crate) fn ranking(&self) -> Vec<(String, u64)> {
        self.lock().ranking.iter().map(|one| (one.word.clone(), one.count)).collect()
    }
}

/// Count the words of a text and rank the most frequent ones of the last seconds.
#[derive(Args)]
pub struct WordCountArgs {
    /// Text to read [default: the King James text of Debian's package bible-kjv]
    file: Option<PathBuf>,
    /// Read the text again and again, until --duration or Ctrl-C
    #[arg(long)]
    repeat: bool,
    /// Words in the ranking
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Length of the window
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    window: Duration,
    /// Time after which the window slides
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = parse_duration)]
    slide: Duration,
    /// Executors of split
    #[arg(long, value_name = "N", default_value_t = 2)]
    splits: usize,
    /// Executors of rolling-count
    #[arg(long, value_name = "N", default_value_t = 2)]
    counts: usize,
}

/// Registers the components, so that the topology can name them, and adds the topology.
pub fn add_to(app: App, board: &Board) -> App {
    let (board, shown) = (board.clone(), board.clone());
    let top_words =
        move |top| TopWords { top, task_to_ranking: BTreeMap::new(), board: board.clone() };
    app.register("lines", Lines::new)
        .register("split", |(): ()| Split::default())
        .register("rolling-count", RollingCount::new)
        .register("top-words", top_words)
        .topology("word-count", build)
        .report("word-count", move |running, report| tell(running, &shown, report))
}

fn build(builder: &mut TopologyBuilder, args: WordCountArgs) -> Result {
    assemble(builder, args, Named::new("split"))
}

/// The topology with any bolt that emits words for lines.
pub(crate) fn assemble<Kind>(
    builder: &mut TopologyBuilder,
    args: WordCountArgs,
    split: impl IntoBolt<Kind>,
) -> Result {
    if args.slide.is_zero() || args.window < args.slide {
        let what = format!("a window of {:?} cannot slide by {:?}", args.window, args.slide);
        return Err(Hinted::new(what, "give a --slide above 0 and up to --window").into());
    }
    let slots = args.window.as_nanos().div_ceil(args.slide.as_nanos());
    let lines = LinesArgs { source: Source::choose(args.file)?, repeat: args.repeat };
    let count = CountArgs { slots: slots as usize, slide: args.slide, top: args.top };
    builder.conf("topology.max.spout.pending", MAX_PENDING);

    builder.spout("lines", Named::new("lines").args(lines));
    builder.bolt("split", split).parallelism(args.splits).shuffle("lines");
    // Equal words go to the same task, or each task would have a part of their count.
    builder
        .bolt("rolling-count", Named::new("rolling-count").args(count))
        .parallelism(args.counts)
        .fields("split", ["word"]);
    // One task sees all rankings.
    builder.bolt("top-words", Named::new("top-words").args(args.top)).global("rolling-count");
    Ok(())
}

/// Shows the ranking; at the end one that takes every word into account.
pub(crate) fn tell(running: &RunningTopology, board: &Board, report: &mut Report) {
    if !report.is_final() {
        let shown = board.lock();
        let three: Vec<&str> = shown.ranking.iter().take(3).map(|one| &*one.word).collect();
        report.progress(three.join(", "));
        return;
    }
    // Ticks go on while the topology is deactivated, so the last words are ranked soon.
    running
        .wait_until(LAST_RANKING, |stats| board.lock().counted == stats.executed("rolling-count"));
    let shown = board.lock();
    let width = shown.ranking.iter().map(|one| one.word.chars().count()).max().unwrap_or(0);
    for Ranked { word, count } in &shown.ranking {
        report.line(format!("{word:width$}  {count:>9}"));
    }
    let ranking = shown.ranking.iter().map(|one| json!({ "word": one.word, "count": one.count }));
    report.value("top_words", ranking.collect::<Json>());
    report.value("words", shown.counted);
}

#[cfg(test)]
mod tests {
    use storm_runtime::local::{MockSources, complete_topology};

    use super::*;

    /// A text that every checkout has.
    const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/word_count.rs");

    #[test]
    fn a_line_is_split_into_words_in_lower_case_without_punctuation_and_numbers() {
        let topology = crate::app().build("word-count", &[TEXT]).unwrap();
        let line = "Ge1:9 And God said, \"Let the dry land appear: and it was so.\" 'Tis God's";
        let completed =
            complete_topology(&topology, &MockSources::new().tuples("lines", [[line]])).unwrap();
        let words = completed.tuples("split").iter().map(|tuple| tuple[0].as_str().unwrap());
        let expected = "and god said let the dry land appear and it was so tis god's";
        assert_eq!(words.collect::<Vec<_>>().join(" "), expected);
        assert_eq!(completed.stats.acked("lines"), 1);
    }

    #[test]
    fn every_word_of_a_text_is_counted_and_the_most_frequent_are_ranked() {
        let board = Board::default();
        let app = add_to(App::new(), &board);
        let topology = app.build("word-count", &[TEXT, "--top", "3", "--counts", "3"]).unwrap();
        let cluster = LocalCluster::simulated(7);
        let running = cluster.submit("word-count", &topology).unwrap();
        assert!(cluster.pass(Duration::from_secs(1)));

        let mut word_to_count: HashMap<String, u64> = HashMap::new();
        let text = std::fs::read_to_string(TEXT).unwrap().to_lowercase();
        for word in text.lines().flat_map(words) {
            *word_to_count.entry(word.to_owned()).or_default() += 1;
        }
        let mut expected: Vec<(u64, &str)> =
            word_to_count.iter().map(|(word, count)| (*count, word.as_str())).collect();
        expected.sort_unstable_by(most_frequent_first);
        expected.truncate(3);

        let shown = board.lock();
        let ranking: Vec<(u64, &str)> =
            shown.ranking.iter().map(|one| (one.count, one.word.as_str())).collect();
        assert_eq!(ranking, expected);
        assert_eq!(shown.counted, word_to_count.values().sum::<u64>());
        assert_eq!(running.stats().acked("lines"), text.lines().count() as u64);
    }

    #[test]
    fn words_leave_the_ranking_when_the_window_has_passed_them() {
        let board = Board::default();
        let app = add_to(App::new(), &board);
        let topology = app.build("word-count", &[TEXT, "--window", "5s", "--slide", "1s"]).unwrap();
        let cluster = LocalCluster::simulated(7);
        cluster.submit("word-count", &topology).unwrap();
        assert!(cluster.pass(Duration::from_secs(5)));
        assert!(!board.lock().ranking.is_empty());
        assert!(cluster.pass(Duration::from_secs(1)));
        assert_eq!(board.lock().ranking, []);
    }

    /// Fails each line the first time that it comes.
    #[derive(Default)]
    struct FailOnce(std::collections::HashSet<String>);

    impl BasicBolt for FailOnce {
        fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
            let is_new = self.0.insert(tuple.str("line")?.to_owned());
            if is_new { Err("not the first time".into()) } else { Ok(()) }
        }
    }

    #[test]
    fn lines_that_fail_are_emitted_again_until_they_are_acked() {
        let lines = LinesArgs { source: Source::File(TEXT.into()), repeat: false };
        let mut builder = TopologyBuilder::new();
        builder.spout("lines", move || Lines::new(lines.clone()));
        builder.bolt("fail-once", FailOnce::default).shuffle("lines");
        let cluster = LocalCluster::simulated(7);
        let running = cluster.submit("fail-once", &builder.build().unwrap()).unwrap();
        assert!(cluster.settle());

        let text = std::fs::read_to_string(TEXT).unwrap();
        let different: std::collections::HashSet<&str> = text.lines().collect();
        assert_eq!(running.stats().failed("lines"), different.len() as u64);
        assert_eq!(running.stats().acked("lines"), text.lines().count() as u64);
        assert!(running.stats().is_finished());
    }

    #[test]
    fn a_window_shorter_than_its_slide_is_refused() {
        let error = crate::app().build("word-count", &[TEXT, "--window", "1s", "--slide", "2s"]);
        let error = error.unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.hint().unwrap().contains("--slide"), "{error}");
    }
}
