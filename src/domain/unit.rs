//! Units of measurement and the linear conversions between units of one dimension.

use std::collections::HashMap;

use crate::domain::dimension::{Base, Powers};

/// The dimension of shares of the air's volume; its base is one whole.
const VOLUME_SHARE: &str = "volume_share";
/// The dimension of mass in a volume; its base is g/m3.
const MASS_CONCENTRATION: &str = "mass_concentration";
/// Litres in a cubic metre.
const LITRES: f64 = 1000.0;

/// An index into [`Units`] of one edition; units hold no state, so they need no lasting id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UnitIndex(pub u16);

/// One unit: `base = value * multiply / divide + add`, where base is its dimension's own unit.
/// A quotient rather than one factor, so that 1620 ug/L is exactly the double 1.62 mg/L.
#[derive(Clone, PartialEq, Debug)]
pub struct Unit {
    /// The spelling used in output, such as `mg/L`.
    pub name: Box<str>,
    /// What it measures, such as `mass_concentration`.
    pub dimension: Box<str>,
    /// Numerator of the factor to the dimension's base unit.
    pub multiply: f64,
    /// Denominator of that factor.
    pub divide: f64,
    /// What is added after scaling, in the base unit.
    pub add: f64,
}

/// A conversion between two units of one dimension.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conversion {
    multiply: f64,
    divide: f64,
    add: f64,
}

impl Conversion {
    /// Leaves a value as it is.
    pub const IDENTITY: Self = Self { multiply: 1.0, divide: 1.0, add: 0.0 };

    /// Converts a value.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        value * self.multiply / self.divide + self.add
    }

    /// Divides what comes of it, such as by the room a mole of gas takes.
    #[must_use]
    pub fn over(self, divisor: f64) -> Self {
        Self { divide: self.divide * divisor, add: self.add / divisor, ..self }
    }

    /// Puts a scale, such as a device's "tenths", before the conversion.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        let (multiply, divide) = ratio(scale);
        let (multiply, divide) = reduced(self.multiply * multiply, self.divide * divide);
        Self { multiply, divide, add: self.add }
    }
}

/// Splits a factor into numerator and denominator: a factor below one whose inverse is a whole
/// number (0.001, 0.1) divides exactly where it would multiply inexactly.
#[must_use]
pub fn ratio(factor: f64) -> (f64, f64) {
    let inverse = 1.0 / factor;
    let whole = inverse.round();
    if factor.abs() < 1.0 && (inverse - whole).abs() <= whole.abs() * 1e-12 {
        (1.0, whole)
    } else {
        (factor, 1.0)
    }
}

#[expect(clippy::float_cmp, reason = "only exact quotients may be reduced")]
fn reduced(multiply: f64, divide: f64) -> (f64, f64) {
    let quotient = multiply / divide;
    if quotient.fract() == 0.0 && quotient * divide == multiply {
        return (quotient, 1.0);
    }
    let inverse = divide / multiply;
    if inverse.fract() == 0.0 && inverse * multiply == divide {
        (1.0, inverse)
    } else {
        (multiply, divide)
    }
}

/// The unit table of an edition, found by name or alias.
#[derive(Clone, Debug, Default)]
pub struct Units {
    units: Vec<Unit>,
    by_name: HashMap<Box<str>, UnitIndex>,
    bases: Vec<(Box<str>, Base)>,
}

impl Units {
    /// Adds a unit and its aliases. Gives the first name that is taken already, if one is.
    ///
    /// # Errors
    /// The name or alias that another unit has.
    pub fn add(&mut self, unit: Unit, aliases: &[&str]) -> Result<UnitIndex, Box<str>> {
        let index = UnitIndex(u16::try_from(self.units.len()).unwrap_or(u16::MAX));
        let name = unit.name.clone();
        for spelling in std::iter::once(&*name).chain(aliases.iter().copied()) {
            if self.by_name.insert(Box::from(spelling), index).is_some_and(|held| held != index) {
                return Err(Box::from(spelling));
            }
        }
        self.units.push(unit);
        Ok(index)
    }

    /// Finds a unit by its name or an alias.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<UnitIndex> {
        self.by_name.get(name).copied()
    }

    /// Gives a unit.
    #[must_use]
    pub fn get(&self, index: UnitIndex) -> Option<&Unit> {
        self.units.get(usize::from(index.0))
    }

    /// Gives every spelling, for messages that name the nearest one.
    pub fn spellings(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }

    /// Says of what a dimension's own unit is made.
    ///
    /// # Errors
    /// What was said of it before, if that differs.
    pub fn set_base(&mut self, dimension: &str, base: Base) -> Result<(), Base> {
        match self.base(dimension) {
            Some(held) if held != base => return Err(held),
            Some(_) => {}
            None => self.bases.push((dimension.into(), base)),
        }
        Ok(())
    }

    /// Gives of what a dimension's own unit is made; nothing where it has no part in products.
    #[must_use]
    pub fn base(&self, dimension: &str) -> Option<Base> {
        self.bases.iter().find(|(name, _)| **name == *dimension).map(|(_, base)| *base)
    }

    /// Gives the names of the dimensions that are made of these powers.
    pub fn dimensions(&self, powers: Powers) -> impl Iterator<Item = &str> {
        let of_powers = self.bases.iter().filter(move |(_, base)| base.powers == powers);
        of_powers.map(|(name, _)| &**name)
    }

    /// Gives the conversion between two units; `None` if their dimensions differ, because a mg/L
    /// never becomes a degree.
    #[must_use]
    pub fn conversion(&self, from: UnitIndex, to: UnitIndex) -> Option<Conversion> {
        if from == to {
            return Some(Conversion::IDENTITY);
        }
        let (from, to) = (self.get(from)?, self.get(to)?);
        if from.dimension != to.dimension {
            return None;
        }
        let (multiply, divide) = reduced(from.multiply * to.divide, from.divide * to.multiply);
        Some(Conversion { multiply, divide, add: (from.add - to.add) * to.divide / to.multiply })
    }

    /// Gives the conversion from a share of the air's volume, such as ppb, to a concentration of
    /// mass, for a gas of which a mole weighs this much (g/mol). What it gives is still to be
    /// divided by the molar volume (L/mol), which depends on the state a concentration is stated
    /// for; nothing between other dimensions.
    #[must_use]
    pub fn by_volume(&self, from: UnitIndex, to: UnitIndex, molar_mass: f64) -> Option<Conversion> {
        let (from, to) = (self.get(from)?, self.get(to)?);
        if &*from.dimension != VOLUME_SHARE || &*to.dimension != MASS_CONCENTRATION {
            return None;
        }
        // The base of mass concentration is mg/L, which is 1 g/m3, and a m3 has 1000 L.
        let (multiply, divide) =
            reduced(from.multiply * to.divide * LITRES, from.divide * to.multiply);
        Some(Conversion { multiply: multiply * molar_mass, divide, add: 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units() -> Units {
        let mut units = Units::default();
        for (name, dimension, factor, add) in [
            ("mg/L", "mass_concentration", 1.0, 0.0),
            ("ug/L", "mass_concentration", 0.001, 0.0),
            ("Cel", "temperature", 1.0, 0.0),
            ("ug/m3", "mass_concentration", 1e-6, 0.0),
            ("mg/m3", "mass_concentration", 1e-3, 0.0),
            ("ppb", "volume_share", 1e-9, 0.0),
            ("ppm", "volume_share", 1e-6, 0.0),
            ("degF", "temperature", 5.0 / 9.0, -160.0 / 9.0),
        ] {
            let (multiply, divide) = ratio(factor);
            let unit =
                Unit { name: name.into(), dimension: dimension.into(), multiply, divide, add };
            units.add(unit, &[]).unwrap();
        }
        units
    }

    #[track_caller]
    fn check(value: f64, from: &str, to: &str, want: Option<f64>) {
        let units = units();
        let conversion = units.conversion(units.find(from).unwrap(), units.find(to).unwrap());
        assert_eq!(conversion.map(|conversion| conversion.apply(value)), want);
    }

    #[test]
    fn micrograms_become_milligrams_without_a_stray_bit() {
        check(1620.0, "ug/L", "mg/L", Some(1.62));
        check(0.3, "ug/L", "mg/L", Some(0.0003));
        check(0.274, "mg/L", "ug/L", Some(274.0));
    }

    #[test]
    fn fahrenheit_has_an_offset() {
        let units = units();
        let conversion = units.conversion(units.find("degF").unwrap(), units.find("Cel").unwrap());
        assert!((conversion.unwrap().apply(212.0) - 100.0).abs() < 1e-12);
    }

    #[test]
    fn a_concentration_never_becomes_a_degree() {
        check(1.0, "mg/L", "Cel", None);
    }

    #[track_caller]
    fn check_gas(value: f64, from: &str, to: &str, molar_mass: f64, want: Option<f64>) {
        let units = units();
        let (from, to) = (units.find(from).unwrap(), units.find(to).unwrap());
        let got = units.by_volume(from, to, molar_mass).map(|one| one.over(24.465).apply(value));
        assert_eq!(got, want);
    }

    #[test]
    fn a_share_of_volume_weighs_what_its_gas_weighs() {
        check_gas(24.465, "ppb", "ug/m3", 48.0, Some(48.0));
        check_gas(24.465, "ppm", "ug/m3", 48.0, Some(48_000.0));
        check_gas(24.465, "ppm", "mg/m3", 28.0, Some(28.0));
    }

    #[test]
    fn only_a_share_of_volume_is_weighed() {
        check_gas(1.0, "ug/m3", "mg/m3", 48.0, None);
        check_gas(1.0, "ppb", "Cel", 48.0, None);
    }

    #[test]
    fn a_scale_of_tenths_divides() {
        let conversion = Conversion::IDENTITY.scaled(0.1);
        assert!((conversion.apply(73.0) - 7.3).abs() < f64::EPSILON);
    }
}
