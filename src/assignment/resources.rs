//! Amounts of resources by Storm's names, added up and carried through; nothing here limits them.

use std::collections::BTreeMap;

/// Memory of a worker's own objects, in megabytes.
pub const ON_HEAP_MB: &str = "onheap.memory.mb";
/// Memory outside of the heap, in megabytes.
pub const OFF_HEAP_MB: &str = "offheap.memory.mb";
/// Processor time; 100 is one core.
pub const CPU_PERCENT: &str = "cpu.pcore.percent";

/// Amounts by resource name.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Amounts(pub BTreeMap<String, f64>);

impl Amounts {
    /// The amount of one resource, 0 if it is not named.
    pub fn of(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Adds another set of amounts, resource by resource.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_default() += amount;
        }
    }
}

impl<const N: usize> From<[(&str, f64); N]> for Amounts {
    fn from(amounts: [(&str, f64); N]) -> Self {
        Self(amounts.into_iter().map(|(name, amount)| (name.to_owned(), amount)).collect())
    }
}

/// What one worker may use.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SlotResources {
    /// The sum over the worker's executors.
    pub own: Amounts,
    /// What its components share.
    pub shared: Amounts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_add_up_resource_by_resource() {
        let mut sum = Amounts::from([(ON_HEAP_MB, 128.0), (CPU_PERCENT, 10.0)]);
        sum.add(&Amounts::from([(ON_HEAP_MB, 64.0), ("gpu.count", 1.0)]));
        let expected =
            Amounts::from([(ON_HEAP_MB, 192.0), (CPU_PERCENT, 10.0), ("gpu.count", 1.0)]);
        assert_eq!(sum, expected);
        assert!(sum.of(OFF_HEAP_MB).abs() < f64::EPSILON);
    }
}
