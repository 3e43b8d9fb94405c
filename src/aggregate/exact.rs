//! A sum that does not depend on the order of its terms: fixed point in 128 bits.

/// Fractional bits: a term is rounded once, to 2^-64 (5e-20), and then added exactly.
const FRACTION: i32 = 64;
/// The largest term: 2^50 (1e15). A thousand million of them still fit.
const TERM_MAX: f64 = 1_125_899_906_842_624.0;

/// An exact sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExactSum(i128);

impl ExactSum {
    /// Turns a number into a term; `None` if it is too large to be summed exactly.
    #[must_use]
    pub fn term(value: f64) -> Option<Self> {
        if value.is_nan() || value.abs() > TERM_MAX {
            return None;
        }
        let whole = value.trunc();
        // Scaling by a power of two is exact.
        let fraction = ((value - whole) * 2_f64.powi(FRACTION)).round();
        Some(Self(((whole as i128) << FRACTION) + fraction as i128))
    }

    /// Adds a term.
    pub fn add(&mut self, term: Self) {
        self.0 = self.0.saturating_add(term.0);
    }

    /// Gives the sum as a number.
    #[must_use]
    pub fn total(self) -> f64 {
        self.mean(1)
    }

    /// Gives the mean of `count` terms.
    #[must_use]
    pub fn mean(self, count: u32) -> f64 {
        let count = i128::from(count.max(1));
        let (whole, rest) = (self.0.div_euclid(count), self.0.rem_euclid(count));
        let unit = 2_f64.powi(-FRACTION);
        let (high, low) = (whole >> FRACTION, whole & ((1 << FRACTION) - 1));
        high as f64 + (low as f64 + rest as f64 / count as f64) * unit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for value in values {
            sum.add(ExactSum::term(*value).unwrap());
        }
        sum
    }

    #[test]
    fn a_mean_of_equal_values_is_the_value() {
        for value in [0.1, 1.62, 7.3, -0.5, 1.0e9, 0.00005] {
            assert!((sum(&[value; 60]).mean(60) - value).abs() <= value.abs() * 1e-15);
        }
    }

    #[test]
    fn what_is_too_large_is_no_term() {
        assert_eq!(ExactSum::term(1e300), None);
        assert_eq!(ExactSum::term(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut values in proptest::collection::vec(-1e6..1e6_f64, 1..50)) {
            let forward = sum(&values);
            values.reverse();
            prop_assert_eq!(forward, sum(&values));
        }
    }
}
