//! What the example seeds say of a property: its unit, its symbol, and its codes in HJ 212.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::seed::example;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Property {
    pub(super) name: String,
    symbol: String,
    pub(super) unit: String,
    codes: [String; 2],
}

/// The properties of the example seeds, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Properties(BTreeMap<String, Property>);

impl Properties {
    /// Reads those that the program carries.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn of_example() -> anyhow::Result<Self> {
        let tables = example::tables();
        let table = tables.get("properties.csv").context("no properties.csv")?;
        let mut reader = csv::Reader::from_reader(table);
        let head = reader.headers()?.clone();
        let mut properties = BTreeMap::new();
        for row in reader.records() {
            let row = row?;
            let cell = |column: &str| {
                let at = head.iter().position(|one| one == column);
                at.and_then(|at| row.get(at)).unwrap_or_default().to_owned()
            };
            let codes = [cell("hj212"), cell("hj212_2005")];
            let (name, symbol, unit) = (cell("property"), cell("symbol"), cell("unit"));
            properties.insert(name.clone(), Property { name, symbol, unit, codes });
        }
        Ok(Self(properties))
    }

    /// Gives the codes of a property in HJ 212 and HJ/T 212-2005, "" where it has none.
    pub(super) fn codes(&self, property: &str) -> [&str; 2] {
        self.0.get(property).map_or(["", ""], |one| one.codes.each_ref().map(String::as_str))
    }

    /// Finds a property by its name or its symbol.
    pub(super) fn find(&self, word: &str) -> Option<&Property> {
        self.0.get(word).or_else(|| {
            let mut of_symbol = self.0.values().filter(|one| one.symbol == word);
            let first = of_symbol.next()?;
            of_symbol.next().is_none().then_some(first)
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
