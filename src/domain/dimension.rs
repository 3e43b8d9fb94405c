//! Of what a dimension is made: powers of gram, metre, second, ampere and a count, so that a
//! product of two quantities has a dimension too.

use std::fmt;

/// The symbols that powers are written in.
const SYMBOLS: [&str; 5] = ["g", "m", "s", "A", "count"];

/// Powers of the symbols; all zero is a plain number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Powers([i8; SYMBOLS.len()]);

impl Powers {
    /// A plain number.
    pub const NUMBER: Self = Self([0; SYMBOLS.len()]);

    /// Gives the powers of a product; nothing if a power leaves the range.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        self.with(other, i8::checked_add)
    }

    /// Gives the powers of a quotient; nothing if a power leaves the range.
    #[must_use]
    pub fn over(self, other: Self) -> Option<Self> {
        self.with(other, i8::checked_sub)
    }

    /// Gives the powers of a square root; nothing if one of them is odd.
    #[must_use]
    pub fn root(self) -> Option<Self> {
        self.0.iter().all(|power| power % 2 == 0).then(|| Self(self.0.map(|power| power / 2)))
    }

    fn with(mut self, other: Self, make: impl Fn(i8, i8) -> Option<i8>) -> Option<Self> {
        for (power, by) in self.0.iter_mut().zip(other.0) {
            *power = make(*power, by)?;
        }
        Some(self)
    }
}

impl fmt::Display for Powers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (symbol, power) in SYMBOLS.iter().zip(self.0).filter(|(_, power)| *power != 0) {
            write!(out, "{between}{symbol}")?;
            if power != 1 {
                write!(out, "{power}")?;
            }
            between = " ";
        }
        if between.is_empty() { out.write_str("a plain number") } else { Ok(()) }
    }
}

/// What the own unit of a dimension is: so many times a product of powers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Base {
    /// The powers.
    pub powers: Powers,
    /// How many times their product.
    pub scale: f64,
}

impl Base {
    /// Reads a text such as `g m-3`, `kg m-1 s-2`, `1000 count m-3` or `1`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut base = Self { powers: Powers::NUMBER, scale: 1.0 };
        for (place, word) in text.split_whitespace().enumerate() {
            let number = word.parse::<f64>().ok().filter(|number| place == 0 && *number > 0.0);
            if let Some(number) = number.filter(|number| number.is_finite()) {
                base.scale = number;
                continue;
            }
            let digits = word.find(|one: char| one == '-' || one.is_ascii_digit());
            let (symbol, power) = word.split_at(digits.unwrap_or(word.len()));
            let power: i8 = if power.is_empty() { 1 } else { power.parse().ok()? };
            let symbol = if symbol == "kg" {
                base.scale *= 1000_f64.powi(i32::from(power));
                "g"
            } else {
                symbol
            };
            let place = SYMBOLS.iter().position(|known| *known == symbol)?;
            let held = base.powers.0.get_mut(place)?;
            *held = held.checked_add(power)?;
        }
        let sound = !text.trim().is_empty() && base.scale.is_finite() && base.scale > 0.0;
        sound.then_some(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<(&str, f64)>) {
        let base = Base::read(text).map(|base| (base.powers.to_string(), base.scale));
        assert_eq!(base, want.map(|(powers, scale)| (powers.to_owned(), scale)));
    }

    #[test]
    fn a_base_is_a_product_of_powers() {
        check("g m-3", Some(("g m-3", 1.0)));
        check("kg m-1 s-2", Some(("g m-1 s-2", 1000.0)));
        check("1000 count m-3", Some(("m-3 count", 1000.0)));
        check("1", Some(("a plain number", 1.0)));
    }

    #[test]
    fn what_is_no_product_of_powers_is_none() {
        for text in ["", "mol", "m-", "m1000", "0", "-1 g", "inf", "g 1000", "kg127"] {
            check(text, None);
        }
    }

    #[test]
    fn powers_multiply_and_have_roots_where_even() {
        let powers = |text| Base::read(text).unwrap().powers;
        let (flow, concentration) = (powers("m3 s-1"), powers("g m-3"));
        assert_eq!(flow.times(concentration), Some(powers("g s-1")));
        assert_eq!(flow.over(flow), Some(Powers::NUMBER));
        assert_eq!(powers("m2").root(), Some(powers("m")));
        assert_eq!(flow.root(), None);
        assert_eq!(powers("m127").times(powers("m")), None);
    }
}
