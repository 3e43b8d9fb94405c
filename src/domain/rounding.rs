//! Rounding as GB/T 8170-2008 has it: 四舍六入五成双, half to even, on the decimal digits that people
//! see and not on the binary number behind them.

/// Digits of a number that are looked at. What stands behind them is the noise of binary
/// arithmetic: a mean of 28.8 and 28.9 is 28.85 and not 28.849999999999998.
const DIGITS: usize = 12;

/// Rounds a number to decimals, half to even (GB/T 8170-2008, 3.2).
///
/// What is no finite number is given back as it is.
#[must_use]
pub fn half_even(value: f64, decimals: u8) -> f64 {
    if !value.is_finite() || value == 0.0 {
        return value;
    }
    // `-1.23456789012e-3`: its digits, and the place of the first of them.
    let text = format!("{value:.*e}", DIGITS - 1);
    let Some((mantissa, exponent)) = text.split_once('e') else { return value };
    let Ok(exponent) = exponent.parse::<i32>() else { return value };
    let mut digits: Vec<u8> =
        mantissa.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    let kept = exponent + 1 + i32::from(decimals);
    let Ok(kept) = usize::try_from(kept) else { return 0.0_f64.copysign(value) };
    if kept >= digits.len() {
        return value;
    }
    let rest = digits.split_off(kept);
    let up = match rest.split_first() {
        Some((5, behind)) if behind.iter().all(|digit| *digit == 0) => {
            digits.last().is_some_and(|last| last % 2 == 1)
        }
        Some((first, _)) => *first >= 5,
        None => false,
    };
    let mut whole = digits.iter().fold(0_i64, |whole, digit| whole * 10 + i64::from(*digit));
    whole += i64::from(up);
    // Through text, so that 0.1 is the 0.1 that everybody writes.
    format!("{}{whole}e-{decimals}", if value < 0.0 { "-" } else { "" }).parse().unwrap_or(value)
}

/// Rounds like [`half_even`]; what would become 0 keeps one digit that counts, as evaluations of
/// water do, so that a trace is not nothing.
#[must_use]
pub fn half_even_but_not_to_zero(value: f64, decimals: u8) -> f64 {
    let rounded = half_even(value, decimals);
    if rounded != 0.0 || value == 0.0 || !value.is_finite() {
        return rounded;
    }
    // The first digit that counts stands this far behind the point.
    let first = -value.abs().log10().floor();
    half_even(value, first.clamp(0.0, 200.0) as u8)
}

/// Rounds like [`half_even`] and counts in the last decimal: 2.15 to one decimal is 22. Whole
/// numbers can be reckoned with exactly. Nothing for what is too large to be one.
#[must_use]
pub fn counted(value: f64, decimals: u8) -> Option<i64> {
    let count = (half_even(value, decimals) * 10_f64.powi(i32::from(decimals))).round();
    // Up to here every whole number is a double, too.
    (count.abs() < 2_f64.powi(53)).then_some(count as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, decimals: u8, want: f64) {
        assert_eq!(half_even(value, decimals).to_bits(), want.to_bits(), "{value} to {decimals}");
    }

    #[test]
    fn half_goes_to_the_even_digit() {
        check(2.765, 2, 2.76);
        check(28.85, 1, 28.8);
        check(0.25, 1, 0.2);
        check(0.35, 1, 0.4);
        check(6.05, 1, 6.0);
        check(60.5, 0, 60.0);
        check(0.5, 0, 0.0);
        check(1.5, 0, 2.0);
        check(-2.5, 0, -2.0);
    }

    #[test]
    fn more_than_half_goes_up() {
        check(6.051, 1, 6.1);
        check(60.6, 0, 61.0);
        check(0.05001, 1, 0.1);
        check(9.96, 1, 10.0);
        check(0.96, 1, 1.0);
    }

    #[test]
    fn less_than_the_last_place_is_nothing() {
        check(0.04, 1, 0.0);
        check(0.004, 1, 0.0);
        check(-0.004, 1, -0.0);
    }

    #[test]
    fn what_has_fewer_decimals_stays() {
        check(7.0, 3, 7.0);
        check(1e300, 2, 1e300);
        check(f64::INFINITY, 2, f64::INFINITY);
        assert!(half_even(f64::NAN, 2).is_nan());
    }

    #[test]
    fn the_noise_of_binary_arithmetic_is_not_looked_at() {
        check(28.849_999_999_999_998, 1, 28.8);
        check((0.1 + 0.2) / 2.0, 1, 0.2);
    }

    #[test]
    fn a_count_is_of_the_last_decimal() {
        assert_eq!(counted(60.5, 0), Some(60));
        assert_eq!(counted(2.15, 1), Some(22));
        assert_eq!(counted(-0.35, 1), Some(-4));
        for huge in [1e300, f64::INFINITY, f64::NAN] {
            assert_eq!(counted(huge, 1), None, "{huge}");
        }
    }

    #[test]
    fn a_trace_is_not_nothing() {
        assert_eq!(half_even_but_not_to_zero(0.000_04, 3).to_bits(), 0.000_04_f64.to_bits());
        assert_eq!(half_even_but_not_to_zero(0.004_6, 2).to_bits(), 0.005_f64.to_bits());
        assert_eq!(half_even_but_not_to_zero(0.46, 1).to_bits(), 0.5_f64.to_bits());
        assert_eq!(half_even_but_not_to_zero(0.0, 1).to_bits(), 0.0_f64.to_bits());
    }
}
