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
mod gb_12325;
mod gb_18918;
mod gb_3095;
mod gb_3096;
mod gb_3838;
mod gb_3838_tables;
mod gb_t_2589;
mod hj_633;
mod hj_663;
mod qartod;
mod supply_quality;
mod trophic;

use std::path::Path;

use weir::assess::{self, Last};
use weir::domain::assessment::{Assessment, Bound, Limit, Verdict};
use weir::domain::evaluation::Item;
use weir::domain::judgement::Judgement;
use weir::domain::name::{Names, PropertyId};
use weir::domain::observation::{
    Observation, ObservationResult, Period, QualifiedObservation, Side,
};
use weir::domain::quality::{Flag, Quality};
use weir::domain::registry::{Registry, Station};
use weir::domain::time::{HOUR, PhenomenonTime, Timestamp};
use weir::seed::{Tables, compile};

/// Compiles the example seeds.
fn registry() -> Registry {
    registry_with(&[])
}

/// Compiles the example seeds with more rows in some tables.
fn registry_with(rows: &[(&str, &str)]) -> Registry {
    let mut tables = tables();
    for (table, more) in rows {
        let held = tables.get(table).unwrap();
        let laid = [held, more.as_bytes(), b"\n"].concat();
        tables.put(table, laid);
    }
    compiled(&tables)
}

/// Gives the tables of the example seeds.
fn tables() -> Tables {
    Tables::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")).unwrap()
}

fn compiled(tables: &Tables) -> Registry {
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    compile(tables, Judgement::default(), &networks, &mut Names::default()).unwrap()
}

/// Gives a time that is written as RFC 3339.
fn time(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Gives the limits of one instrument for a property and class that are in force at a time.
fn in_force<'a>(
    registry: &'a Registry,
    instrument: &str,
    (property, class, averaging): (&str, &str, &str),
    at: &str,
) -> Vec<&'a Limit> {
    let property = registry.properties.iter().find(|one| &*one.name == property).unwrap().id;
    let at = time(at);
    let limits = registry.limits.iter().filter(|limit| {
        &*limit.instrument == instrument
            && limit.property == property
            && &*limit.class == class
            && limit.averaging.word() == averaging
            && limit.in_force.holds(at)
    });
    limits.collect()
}

/// Holds a value of a datastream against its limits; `beside` is what any other property is there.
fn judged(
    registry: &Registry,
    datastream: &str,
    (period, value, at): (Period, f64, &str),
    beside: Option<f64>,
) -> Assessment {
    let datastream = registry.datastreams.iter().find(|one| &*one.name == datastream).unwrap();
    let start = time(at);
    let phenomenon_time = if period == Period::Native {
        PhenomenonTime::Instant(start)
    } else {
        PhenomenonTime::Interval { start, end: start.plus(HOUR) }
    };
    let observation = Observation {
        datastream: datastream.id,
        period,
        phenomenon_time,
        result: ObservationResult::Value(value),
        raw: None,
        clock: Flag::NotEvaluated,
        mark: None,
    };
    let quality = Quality::default();
    let qualified = QualifiedObservation {
        observation,
        quality,
        revision: false,
        completeness: None,
        flag_only: false,
    };
    assess::assess(registry, datastream, &qualified, &|_| beside, &mut Last::default())
}

/// Says in words what an assessment comes to: verdict, the number of the limit, and the multiple.
fn words(registry: &Registry, assessment: Assessment) -> String {
    let number = |limit| match registry.limit(limit).unwrap().bound {
        Bound::Max(value) | Bound::Min(value) => value.to_string(),
        Bound::Range { low, high } => format!("{low}-{high}"),
    };
    match assessment.verdict {
        Verdict::Within { limit } => format!("within {}", number(limit)),
        Verdict::Exceeds { limit, multiple: None } => format!("exceeds {}", number(limit)),
        Verdict::Exceeds { limit, multiple: Some(multiple) } => {
            format!("exceeds {} by {multiple:.3}", number(limit))
        }
        Verdict::NotAssessable(reason) => reason.word().to_owned(),
    }
}

/// Compiles them with some texts of a table put for others.
fn registry_changed(table: &str, changes: &[(&str, &str)]) -> Registry {
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
