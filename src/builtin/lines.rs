//! A spout that emits the lines of a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use serde::Deserialize;

use crate::component::{ComponentError, Declarer, Result, TaskContext};
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::Register;
use crate::tuple::{MessageId, Value};

/// Longest line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 20;

pub(super) fn add_to(register: &mut Register) {
    register.add("storm.lines", Lines::new);
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesArgs {
    file: PathBuf,
    #[serde(default)]
    repeat: bool,
}

/// Emits each line of a file, again when it fails. Of several tasks, each emits every so manieth.
struct Lines {
    args: LinesArgs,
    text: Option<BufReader<File>>,
    /// Lines that this task has seen, whether or not they are its own.
    seen: u64,
    tasks: u64,
    index: u64,
    pending: BTreeMap<u64, Value>,
    next_id: u64,
}

impl Lines {
    fn new(args: LinesArgs) -> Self {
        Self { args, text: None, seen: 0, tasks: 1, index: 0, pending: BTreeMap::new(), next_id: 0 }
    }

    fn start(&mut self) -> Result {
        let path = &self.args.file;
        let file = File::open(path).map_err(|error| {
            ComponentError::from(format!("the file {} cannot be read: {error}", path.display()))
        })?;
        self.text = Some(BufReader::new(file));
        self.seen = 0;
        Ok(())
    }

    /// The next line, whoever emits it.
    fn line(&mut self) -> Result<Option<String>> {
        let Some(text) = &mut self.text else { return Ok(None) };
        let mut line = String::new();
        text.by_ref().take(MAX_LINE_BYTES).read_line(&mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        line.truncate(line.trim_end_matches(['\n', '\r']).len());
        self.seen += 1;
        Ok(Some(line))
    }
}

impl Spout for Lines {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["line"]);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        (self.tasks, self.index) = (context.task_count() as u64, context.task_index() as u64);
        self.start()
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        match self.line()? {
            Some(line) => {
                if (self.seen - 1) % self.tasks == self.index {
                    let value = Value::from(line);
                    out.emit_with_id([value.clone()], self.next_id);
                    self.pending.insert(self.next_id, value);
                    self.next_id += 1;
                }
                Ok(Next::Emitted)
            }
            // An empty file is not read again and again.
            None if self.args.repeat && self.seen > 0 => {
                self.start()?;
                Ok(Next::Emitted)
            }
            None => Ok(Next::Finished),
        }
    }

    fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        id.as_u64().map(|id| self.pending.remove(&id));
        Ok(())
    }

    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        if let Some((id, line)) = id.as_u64().and_then(|id| Some((id, self.pending.get(&id)?))) {
            out.emit_with_id([line.clone()], id);
        }
        Ok(())
    }
}
