//! What the standards' own tables and worked examples say, a file a standard.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::float_cmp,
    reason = "a test may panic"
)]

mod black_odour;
mod cwqi;
mod evaluation_2011;
mod gb_3838;
mod trophic;

use std::path::Path;

use weir::domain::evaluation::Item;
use weir::domain::judgement::Judgement;
use weir::domain::name::{Names, PropertyId};
use weir::domain::observation::{ObservationResult, Side};
use weir::domain::registry::{Registry, Station};
use weir::domain::time::{PhenomenonTime, Timestamp};
use weir::seed::{Tables, compile};

/// Compiles the example seeds.
fn registry() -> Registry {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    let tables = Tables::read(&folder).unwrap();
    compile(&tables, Judgement::default(), &networks, &mut Names::default()).unwrap()
}

/// Compiles them with some texts of a table put for others.
fn registry_with(table: &str, changes: &[(&str, &str)]) -> Registry {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    let mut tables = Tables::read(&folder).unwrap();
    let mut text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{table} does not hold `{old}`");
        text = text.replace(old, new);
    }
    tables.put(table, text.into_bytes());
    compile(&tables, Judgement::default(), &networks, &mut Names::default()).unwrap()
}

fn property(registry: &Registry, name: &str) -> PropertyId {
    registry.properties.iter().find(|one| &*one.name == name).unwrap().id
}

fn station<'a>(registry: &'a Registry, name: &str) -> &'a Station {
    registry.stations.iter().find(|one| &*one.name == name).unwrap()
}

/// Gives a time of the summer of 2026.
fn summer() -> PhenomenonTime {
    PhenomenonTime::Instant(Timestamp(1_783_000_000_000))
}

/// Gives items by the names of their properties, in canonical units.
fn items(registry: &Registry, values: &[(&str, f64)]) -> Vec<Item> {
    let item = |(name, value): &(&str, f64)| Item {
        property: property(registry, name),
        result: ObservationResult::Value(*value),
        suspect: false,
    };
    values.iter().map(item).collect()
}

/// Gives an item known only to lie on one side of a number.
fn censored(registry: &Registry, name: &str, side: Side, limit: f64) -> Item {
    let result = ObservationResult::Censored { side, limit };
    Item { property: property(registry, name), result, suspect: false }
}
