//! Order statistics of a handful of blocks: median, smallest, largest.
//!
//! Pure. Percentiles of latency are not here: they come from histograms, in `quantile`.

/// The middle and the ends of a set of numbers, in the unit of the numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle value; of an even count, the mean of the two middle ones.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

/// The spread of `values`, or nothing where there is no value.
///
/// # Panics
/// On a NaN: a block that measured nothing must not have come here.
#[must_use]
pub fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(|a, b| a.partial_cmp(b).expect("no measured value is NaN"));
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let upper = sorted[sorted.len() / 2];
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(Spread { median: f64::midpoint(lower, upper), min: first, max: last })
}

/// The median of `values`, or 0 where there is no value.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    spread(values).map_or(0.0, |s| s.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], median: f64, min: f64, max: f64) {
        let expected = Spread { median, min, max };
        assert_eq!(spread(values.iter().copied()), Some(expected));
    }

    #[test]
    fn the_median_of_an_odd_count_is_the_middle_value() {
        check(&[9.0, 1.0, 5.0], 5.0, 1.0, 9.0);
        check(&[2.0], 2.0, 2.0, 2.0);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_the_two_middle_values() {
        check(&[4.0, 1.0, 2.0, 100.0], 3.0, 1.0, 100.0);
    }

    #[test]
    fn no_values_have_no_spread() {
        assert_eq!(spread([]), None);
        assert_eq!(median([]), 0.0);
    }
}
