//! Splitting texts into words.

use serde::Deserialize;

use crate::bolt::{BasicBolt, BasicCollector};
use crate::component::{Declarer, Result};
use crate::topology::Register;
use crate::tuple::TupleRef;

pub(super) fn add_to(register: &mut Register) {
    register.add("storm.split", |args: SplitArgs| Split { lower_case: args.lower_case });
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitArgs {
    #[serde(rename = "lowerCase", default)]
    lower_case: bool,
}

/// Emits each word of its input's first value; what parts words is neither letter, digit nor
/// apostrophe.
struct Split {
    lower_case: bool,
}

impl BasicBolt for Split {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let words = tuple.str(0)?.split(|c: char| !c.is_alphanumeric() && c != '\'');
        for word in words.filter(|word| !word.is_empty()) {
            match self.lower_case {
                true => out.emit([word.to_lowercase()]),
                false => out.emit([word]),
            }
        }
        Ok(())
    }
}
