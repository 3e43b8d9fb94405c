//! The percentile of HJ 663: below which value so many of a hundred days lie.

/// Gives a percentile of a year's valid daily values (HJ 663-2013 annex A).
///
/// The values are put in rising order, `X1` to `Xn`. The place of the percentile `p` is
/// `k = 1 + (n - 1) * p / 100`; with `s` its whole part, the percentile is
/// `Xs + (Xs+1 - Xs) * (k - s)`. So it is reckoned in practice under both editions, by one public
/// source; the number of the annex and its letters are from memory.
///
/// Nothing without values, or for more than a hundred per cent. What is no number is put behind
/// all numbers.
#[must_use]
pub fn percentile(values: &[f64], percent: u8) -> Option<f64> {
    if percent > 100 {
        return None;
    }
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let steps = values.len().checked_sub(1)?.checked_mul(usize::from(percent))?;
    // In whole numbers, so that the last day of a hundred is that day and not a hair beside it.
    let (place, rest) = (steps / 100, steps % 100);
    let low = *values.get(place)?;
    match values.get(place + 1) {
        Some(high) if rest > 0 => Some(low + (high - low) * (rest as f64 / 100.0)),
        Some(_) | None => Some(low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], percent: u8, want: Option<f64>) {
        assert_eq!(percentile(values, percent), want);
    }

    #[test]
    fn a_percentile_between_two_days_is_interpolated() {
        check(&[4.0, 1.0, 3.0, 2.0], 50, Some(2.5));
        check(&[10.0, 20.0], 90, Some(19.0));
    }

    #[test]
    fn the_ends_are_the_least_and_the_greatest() {
        check(&[3.0, 1.0, 2.0], 0, Some(1.0));
        check(&[3.0, 1.0, 2.0], 100, Some(3.0));
        check(&[7.0], 98, Some(7.0));
    }

    #[test]
    fn no_day_has_no_percentile() {
        check(&[], 90, None);
        check(&[1.0], 101, None);
    }
}
