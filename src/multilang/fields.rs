//! The messages that are maps, as they are in JSON and in MessagePack: their fields in any order.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use smol_str::SmolStr;

use super::{
    Emit, FromChild, FromHost, HEARTBEAT_STREAM, LogLevel, MAX_DEPTH, MAX_VALUES,
    MultilangErrorKind, SYSTEM_TASK, SourceTask, TupleId,
};
use crate::tuple::Value;

/// What a message's values are collected in, kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The values of a tuple.
    pub values: Vec<Value>,
    pub anchors: Vec<TupleId>,
    pub task_ids: Vec<i64>,
    /// Of the source of a tuple.
    pub component: String,
    pub stream: String,
    /// Single values on their way.
    single: Vec<Value>,
    /// Values that the message may still have.
    values_left: usize,
    /// Why a value was refused, if one was.
    pub refused: Option<MultilangErrorKind>,
}

/// The fields of one message; null counts as absent.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    command: Option<Cow<'a, str>>,
    id: Option<Value>,
    component: Option<Cow<'a, str>>,
    stream: Option<Cow<'a, str>>,
    task: Option<i64>,
    has_tuple: bool,
    need_task_ids: Option<bool>,
    text: Option<Cow<'a, str>>,
    level: Option<i64>,
    name: Option<Cow<'a, str>>,
    params: Option<Value>,
    /// The message is no map but a list of task ids.
    is_task_ids: bool,
}

type Kind = MultilangErrorKind;

impl<'a> Fields<'a> {
    /// The message as a child sends it.
    pub fn into_childs(self, scratch: &'a mut Scratch) -> Result<FromChild<'a>, Kind> {
        let missing = |what, field| move || Kind::Missing { what, field };
        if self.is_task_ids {
            return Err(Kind::Syntax("a list, where a command is expected".to_owned()));
        }
        let command = self.command.ok_or_else(missing("a message", "command"))?;
        Ok(match &*command {
            "emit" if self.has_tuple => {
                let task = self.task.filter(|task| *task != 0);
                FromChild::Emit(Emit {
                    values: &mut scratch.values,
                    anchors: &scratch.anchors,
                    stream: self.stream,
                    task,
                    message_id: self.id,
                    need_task_ids: self.need_task_ids.unwrap_or(true) && task.is_none(),
                })
            }
            "emit" => return Err(missing("an emit", "tuple")()),
            "ack" => FromChild::Ack(tuple_id(self.id.ok_or_else(missing("an ack", "id"))?)?),
            "fail" => FromChild::Fail(tuple_id(self.id.ok_or_else(missing("a fail", "id"))?)?),
            "log" => FromChild::Log {
                text: self.text.ok_or_else(missing("a log", "msg"))?,
                level: self.level.map(LogLevel::from_number).unwrap_or_default(),
            },
            "error" => FromChild::Error { text: self.text.ok_or_else(missing("an error", "msg"))? },
            "metrics" => FromChild::Metrics {
                name: self.name.ok_or_else(missing("a metric", "name"))?,
                params: self.params.unwrap_or_default(),
            },
            "sync" => FromChild::Sync,
            _ => FromChild::Unknown { command },
        })
    }

    /// The message as a host sends it.
    pub fn into_hosts(self, scratch: &'a mut Scratch) -> Result<FromHost<'a>, Kind> {
        if self.is_task_ids {
            return Ok(FromHost::TaskIds(&scratch.task_ids));
        }
        let missing = |what, field| move || Kind::Missing { what, field };
        let Some(command) = self.command else {
            let stream = self.stream.ok_or_else(missing("a tuple", "stream"))?;
            let id = tuple_id(self.id.ok_or_else(missing("a tuple", "id"))?)?;
            let task = self.task.ok_or_else(missing("a tuple", "task"))?;
            if stream == HEARTBEAT_STREAM && task == SYSTEM_TASK {
                return Ok(FromHost::Heartbeat(id));
            }
            if !self.has_tuple {
                return Err(missing("a tuple", "tuple")());
            }
            let Scratch { component, stream: kept, values, .. } = scratch;
            set(component, &self.component.ok_or_else(missing("a tuple", "comp"))?);
            set(kept, &stream);
            let source = SourceTask { component, stream: kept, task };
            return Ok(FromHost::Tuple { id, source, values });
        };
        Ok(match &*command {
            "next" => FromHost::Next { calls: 1 },
            "ack" => FromHost::Ack(self.id.unwrap_or_default()),
            "fail" => FromHost::Fail(self.id.unwrap_or_default()),
            "activate" => FromHost::Activate,
            "deactivate" => FromHost::Deactivate,
            _ => return Err(Kind::Syntax(format!("command {command:?}, which is none"))),
        })
    }
}

/// Copies a name without giving up memory.
pub(super) fn set(kept: &mut String, name: &str) {
    kept.clear();
    kept.push_str(name);
}

pub(super) fn tuple_id(id: Value) -> Result<TupleId, Kind> {
    match (id.as_i64(), id.as_str()) {
        (Some(number), _) => Ok(TupleId::Number(number)),
        (_, Some(text)) => Ok(TupleId::Text(SmolStr::new(text))),
        _ => Err(Kind::Field { field: "the id of a tuple", expected: "a text or an integer" }),
    }
}

impl Scratch {
    /// Made ready for another message.
    pub fn clear(&mut self) {
        self.values.clear();
        self.anchors.clear();
        self.task_ids.clear();
        self.single.clear();
        self.values_left = MAX_VALUES;
        self.refused = None;
    }

    /// Reads one value that is no tuple's; null is none.
    fn single<'de, M: MapAccess<'de>>(&mut self, map: &mut M) -> Result<Option<Value>, M::Error> {
        let Self { single, values_left, refused, .. } = self;
        map.next_value_seed(OneValue { values: single, values_left, refused, depth: 0 })?;
        Ok(self.single.pop().filter(|value| !value.is_null()))
    }
}

/// Reads a message into fields; what it answers is in the fields.
pub(super) struct Message<'s, 'de> {
    pub fields: &'s mut Fields<'de>,
    pub scratch: &'s mut Scratch,
}

impl<'de> DeserializeSeed<'de> for Message<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Message<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a message")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.fields.is_task_ids = true;
        while let Some(task) = list.next_element()? {
            self.scratch.task_ids.push(task);
        }
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { fields, scratch } = self;
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "command" => fields.command = text(&mut map)?,
                "id" => fields.id = scratch.single(&mut map)?,
                "comp" => fields.component = text(&mut map)?,
                "stream" => fields.stream = text(&mut map)?,
                "task" => fields.task = map.next_value()?,
                "tuple" => {
                    let Scratch { values, values_left, refused, .. } = &mut *scratch;
                    values.clear();
                    map.next_value_seed(TupleValues { values, values_left, refused })?;
                    fields.has_tuple = true;
                }
                "anchors" => {
                    scratch.anchors.clear();
                    map.next_value_seed(Anchors(&mut scratch.anchors))?;
                }
                "need_task_ids" => fields.need_task_ids = map.next_value()?,
                "msg" => fields.text = text(&mut map)?,
                "level" => fields.level = map.next_value()?,
                "name" => fields.name = text(&mut map)?,
                "params" => fields.params = scratch.single(&mut map)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn text<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Cow<'de, str>>, M::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text))
}

/// A text, borrowed where it stands in the message as it is.
struct Text<'a>(Cow<'a, str>);

impl<'de> de::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// The ids to which a tuple is anchored: a list, one id, or null.
struct Anchors<'s>(&'s mut Vec<TupleId>);

impl<'de> DeserializeSeed<'de> for Anchors<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anchors<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ids of tuples")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.0.push(TupleId::Number(number));
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        let number = number.try_into().map_err(|_| E::custom("an id out of range"))?;
        self.visit_i64(number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.0.push(TupleId::Text(SmolStr::new(text)));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Anchors(self.0))?.is_some() {
            if self.0.len() > MAX_VALUES {
                return Err(de::Error::custom(Kind::TooManyValues));
            }
        }
        Ok(())
    }
}

/// The values of a tuple, which is a list.
struct TupleValues<'s> {
    values: &'s mut Vec<Value>,
    values_left: &'s mut usize,
    refused: &'s mut Option<Kind>,
}

impl<'de> DeserializeSeed<'de> for TupleValues<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TupleValues<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the list of a tuple's values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { values, values_left, refused } = self;
        loop {
            let one = OneValue { values, values_left, refused, depth: 0 };
            if list.next_element_seed(one)?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Reads one value onto the end of `values`, where the elements of a list wait as well until all
/// are there.
pub(super) struct OneValue<'s> {
    values: &'s mut Vec<Value>,
    values_left: &'s mut usize,
    refused: &'s mut Option<Kind>,
    depth: usize,
}

impl OneValue<'_> {
    fn push<E: de::Error>(mut self, value: Value) -> Result<(), E> {
        self.claim()?;
        self.values.push(value);
        Ok(())
    }

    fn claim<E: de::Error>(&mut self) -> Result<(), E> {
        match self.values_left.checked_sub(1) {
            Some(left) => *self.values_left = left,
            None => return Err(self.refuse(Kind::TooManyValues)),
        }
        Ok(())
    }

    fn deeper<E: de::Error>(&mut self) -> Result<OneValue<'_>, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(Kind::TooDeep));
        }
        let Self { values, values_left, refused, depth } = self;
        Ok(OneValue { values, values_left, refused, depth: *depth + 1 })
    }

    #[cold]
    fn refuse<E: de::Error>(&mut self, kind: Kind) -> E {
        let error = E::custom(&kind);
        *self.refused = Some(kind);
        error
    }
}

impl<'de> DeserializeSeed<'de> for OneValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneValue<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.push(Value::null())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.push(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.push(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.push(value.into()),
            Err(_) => self.push((value as f64).into()),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.push(value.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.push(text.into())
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<(), E> {
        self.push(Value::bytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.claim()?;
        let start = self.values.len();
        while list.next_element_seed(self.deeper()?)?.is_some() {}
        push_list(self.values, start);
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        self.claim()?;
        let start = self.values.len();
        while map.next_key_seed(self.deeper()?)?.is_some() {
            map.next_value_seed(self.deeper()?)?;
        }
        push_map(self.values, start);
        Ok(())
    }
}

/// Makes one list of the values from `start` on.
pub(super) fn push_list(values: &mut Vec<Value>, start: usize) {
    let list: std::sync::Arc<[Value]> = values.drain(start..).collect();
    values.push(Value::list(list));
}

/// Makes one map of the keys and values from `start` on.
pub(super) fn push_map(values: &mut Vec<Value>, start: usize) {
    let mut each = values.drain(start..);
    let pairs: Vec<_> = std::iter::from_fn(|| Some((each.next()?, each.next()?))).collect();
    drop(each);
    values.push(Value::map(pairs));
}
