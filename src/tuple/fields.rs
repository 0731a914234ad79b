//! Field names of a stream, and what `emit` takes as values.

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use super::{IntoValue, Value};

/// Ordered field names of a stream; cheap to clone.
///
/// Uniqueness is checked when the topology is built, so that all mistakes are told at once.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Fields(Arc<[SmolStr]>);

impl Fields {
    /// Most fields that a stream may have.
    pub const MAX: usize = u8::MAX as usize;

    /// No fields: what a stream without values has.
    pub fn none() -> Self {
        Self::default()
    }

    /// Number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Position of the field of that name.
    ///
    /// # Cost
    /// Linear in the number of fields.
    #[inline]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|field| field == name)
    }

    /// The names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(SmolStr::as_str)
    }
}

impl<N: Into<SmolStr>, const COUNT: usize> From<[N; COUNT]> for Fields {
    fn from(names: [N; COUNT]) -> Self {
        names.into_iter().collect()
    }
}

impl<N: Into<SmolStr>> From<Vec<N>> for Fields {
    fn from(names: Vec<N>) -> Self {
        names.into_iter().collect()
    }
}

impl<N: Into<SmolStr>> FromIterator<N> for Fields {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[")?;
        for (position, field) in self.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(out, "{comma}{field}")?;
        }
        out.write_str("]")
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The values of one emission: an array (`[word]`), a tuple (`(word, 1)`) or a `Vec<Value>`.
pub trait IntoValues {
    /// Appends the values in order and answers how many they were.
    fn append_to(self, values: &mut Vec<Value>) -> usize;
}

impl<T: IntoValue, const COUNT: usize> IntoValues for [T; COUNT] {
    #[inline(always)]
    fn append_to(self, values: &mut Vec<Value>) -> usize {
        for value in self {
            value.push_onto(values);
        }
        COUNT
    }
}

impl IntoValues for Vec<Value> {
    fn append_to(mut self, values: &mut Vec<Value>) -> usize {
        let count = self.len();
        values.append(&mut self);
        count
    }
}

impl IntoValues for std::vec::Drain<'_, Value> {
    fn append_to(self, values: &mut Vec<Value>) -> usize {
        let count = self.len();
        values.extend(self);
        count
    }
}

impl IntoValues for &[Value] {
    fn append_to(self, values: &mut Vec<Value>) -> usize {
        values.extend_from_slice(self);
        self.len()
    }
}

impl IntoValues for () {
    fn append_to(self, _values: &mut Vec<Value>) -> usize {
        0
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)+;)*) => {$(
        impl<$($name: IntoValue),+> IntoValues for ($($name,)+) {
            #[inline(always)]
            fn append_to(self, values: &mut Vec<Value>) -> usize {
                #[allow(non_snake_case, reason = "each type parameter names its own value")]
                let ($($name,)+) = self;
                $($name.push_onto(values);)+
                $count
            }
        }
    )*};
}

tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_tuples_and_lists_of_values_append_in_order() {
        let mut values = Vec::new();
        assert_eq!(["a", "b"].append_to(&mut values), 2);
        assert_eq!(("c", 1i64).append_to(&mut values), 2);
        assert_eq!(vec![Value::null()].append_to(&mut values), 1);
        assert_eq!(().append_to(&mut values), 0);
        assert_eq!(format!("{values:?}"), r#"["a", "b", "c", 1, null]"#);
    }

    #[test]
    fn fields_are_found_by_name_and_shown_in_order() {
        let fields = Fields::from(["word", "count"]);
        assert_eq!(fields.position("count"), Some(1));
        assert_eq!(fields.position("Count"), None);
        assert_eq!(fields.to_string(), "[word, count]");
    }
}
