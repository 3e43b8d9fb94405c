//! `weir limits`: which limits are in force at a date, everywhere or at one station.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use crate::daemon::check::{self, Sound};
use crate::daemon::clock::Clock;
use crate::domain::assessment::{Averaging, Bound, Limit, WaterClass};
use crate::domain::condition::Condition;
use crate::domain::name::{LimitId, PropertyId};
use crate::domain::registry::{Datastream, Registry, Station, StationGrade};
use crate::domain::time::{SECOND, Timestamp};

/// What is asked of `weir limits`.
#[derive(Debug, clap::Args)]
pub struct Limits {
    /// The date, such as 2026-03-01 or `2026-03-01 08:30`, in the configured zone; today without.
    #[arg(long, value_name = "DATE")]
    at: Option<String>,
    /// Only what holds at this station: by its section, target and further classes.
    #[arg(long, value_name = "STATION")]
    station: Option<String>,
    /// Only this property, by its name or symbol.
    #[arg(long, value_name = "PROPERTY")]
    property: Option<String>,
    /// The configuration whose seeds are read.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// What the limits are looked up by.
struct Asked<'a> {
    registry: &'a Registry,
    at: Timestamp,
    zone: TimeZone,
    property: Option<PropertyId>,
}

/// The head of the table of limits.
const HEAD: [&str; 11] = [
    "instrument",
    "clause",
    "property",
    "class",
    "averaging",
    "limit",
    "condition",
    "where",
    "from",
    "to",
    "source",
];

/// Prints the limits in force.
///
/// # Errors
/// A date, station or property that is none.
pub(super) fn run(limits: &Limits) -> anyhow::Result<ExitCode> {
    let sound = match check::edition(&limits.config) {
        Ok(sound) => sound,
        Err(faults) => return Ok(super::tell(&faults)?),
    };
    let told = told(limits, &sound)?;
    io::stdout().lock().write_all(told.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn told(limits: &Limits, sound: &Sound) -> anyhow::Result<String> {
    let registry = &*sound.registry;
    let zone = sound.config.home();
    let at = match &limits.at {
        // To the second, since it is shown.
        None => Timestamp(Clock::real().now().wall.millis() / SECOND * SECOND),
        Some(text) => Timestamp::of_text_or_offset(text, &zone).with_context(|| {
            format!("`{text}` is no date such as 2026-03-01 or `2026-03-01 08:30`")
        })?,
    };
    let property = match &limits.property {
        None => None,
        Some(name) => {
            Some(registry.property_called(name).map(|found| found.id).with_context(|| {
                format!(
                    "`{name}` is no property of properties.csv, by name such as ph or symbol such \
                     as TP"
                )
            })?)
        }
    };
    let asked = Asked { registry, at, zone, property };
    let mut out = String::new();
    match &limits.station {
        None => {
            writeln!(out, "Limits in force at {}:\n", at.rfc3339(&asked.zone))?;
            let rows: Vec<&Limit> =
                registry.limits.iter().filter(|limit| asked.is_in_force(limit)).collect();
            asked.write_limits(&mut out, &rows, false)?;
        }
        Some(name) => {
            let mut stations = registry.stations.iter();
            let station = stations.find(|station| *station.name == **name);
            let station = station.with_context(|| {
                format!("`{name}` is no station of stations.csv; `weir limits` shows all limits")
            })?;
            asked.write_station(&mut out, station)?;
        }
    }
    Ok(out)
}

impl Asked<'_> {
    fn is_in_force(&self, limit: &Limit) -> bool {
        limit.in_force.holds(self.at)
            && self.property.is_none_or(|property| property == limit.property)
    }

    fn write_station(&self, out: &mut String, station: &Station) -> Result<(), std::fmt::Error> {
        let Self { registry, at, zone, .. } = self;
        let or_none =
            |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        writeln!(
            out,
            "{} ({}): section {}, target class {}, further classes {}\n",
            station.name,
            station.name_en,
            or_none(&station.section),
            or_none(&station.target_class),
            or_none(&station.other_classes.join(" ")),
        )?;
        if station.grade == StationGrade::Indicative {
            writeln!(
                out,
                "The station is indicative: it gets no legal verdict, so no limit holds."
            )?;
            return Ok(());
        }
        writeln!(out, "Limits in force there at {}:\n", at.rfc3339(zone))?;
        let streams: Vec<&Datastream> =
            station.datastreams.iter().filter_map(|id| registry.datastream(*id)).collect();
        let mut ids: Vec<LimitId> =
            streams.iter().flat_map(|stream| stream.limits.iter()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let limits = ids.iter().filter_map(|id| registry.limit(*id));
        let rows: Vec<&Limit> = limits.filter(|limit| self.is_in_force(limit)).collect();
        self.write_limits(out, &rows, true)?;
        self.write_classes(out, &streams)
    }

    /// Writes limits as a table; at a station, which of several is the stricter.
    fn write_limits(
        &self,
        out: &mut String,
        limits: &[&Limit],
        stricter: bool,
    ) -> Result<(), std::fmt::Error> {
        if limits.is_empty() {
            return writeln!(out, "none");
        }
        let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
        let mut marked = false;
        for limit in limits {
            let mut row = self.cells(limit);
            if stricter && is_strictest(limit, limits) {
                marked = true;
                if let Some(bound) = row.get_mut(5) {
                    bound.push_str(" *");
                }
            }
            rows.push(row);
        }
        write_table(out, &rows)?;
        if marked {
            writeln!(out, "\n* the stricter of those that hold for the property")?;
        }
        Ok(())
    }

    fn cells(&self, limit: &Limit) -> Vec<String> {
        let registry = self.registry;
        let name = registry.property(limit.property).map_or_else(String::new, |property| {
            if property.symbol == property.name {
                property.name.to_string()
            } else {
                format!("{} {}", property.symbol, property.name)
            }
        });
        let class = [&*limit.class, &*limit.section].join(" ").trim().to_owned();
        let station = limit.station.and_then(|id| registry.station(id)).map(|of| &of.name);
        let place = limit.place.and_then(|id| registry.places.get(id.index())).map(|of| &of.name);
        let day = |at: Option<Timestamp>| at.map_or_else(String::new, |at| self.day(at));
        vec![
            limit.instrument.to_string(),
            limit.clause.to_string(),
            name,
            class,
            limit.averaging.word().to_owned(),
            self.bound(limit),
            self.condition(limit.condition),
            station.or(place).map_or_else(String::new, |name| name.to_string()),
            day(limit.in_force.from),
            day(limit.in_force.to),
            limit.source.to_string(),
        ]
    }

    fn bound(&self, limit: &Limit) -> String {
        let property = self.registry.property(limit.property);
        let unit = property.map_or("", |property| self.registry.unit_label(property));
        let bound = match limit.bound {
            Bound::Max(max) => format!("<= {max}"),
            Bound::Min(min) => format!(">= {min}"),
            Bound::Range { low, high } => format!("{low} to {high}"),
        };
        format!("{bound} {unit}").trim_end().to_owned()
    }

    fn condition(&self, condition: Condition) -> String {
        match condition {
            Condition::Always => String::new(),
            Condition::Beside { property, comparison, number } => {
                let property = self.registry.property(property);
                let unit = property.map_or("", |property| self.registry.unit_label(property));
                let name = property.map_or("", |property| &property.name);
                format!("{name} {} {number} {unit}", comparison.sign()).trim_end().to_owned()
            }
            Condition::Hours { from, to } => {
                let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                format!("{}-{}", clock(from), clock(to))
            }
        }
    }

    /// Writes a date, with its time where it is no midnight.
    fn day(&self, at: Timestamp) -> String {
        let text = at.rfc3339(&self.zone);
        match text.split_once('T') {
            Some((date, clock)) if clock.starts_with("00:00:00") => date.to_owned(),
            Some(_) | None => text,
        }
    }

    /// Writes what each water class allows, of the properties that the station measures.
    fn write_classes(
        &self,
        out: &mut String,
        streams: &[&Datastream],
    ) -> Result<(), std::fmt::Error> {
        let classes = WaterClass::WITH_LIMITS;
        let mut head = vec!["property".to_owned()];
        head.extend(classes.map(|class| class.name().to_owned()));
        let mut rows = vec![head];
        for stream in streams {
            let of = |class: WaterClass| {
                let mut limits = stream.class_limits.iter().filter(|(one, _)| *one == class);
                limits.find_map(|(_, id)| {
                    self.registry.limit(*id).filter(|limit| self.is_in_force(limit))
                })
            };
            let cells =
                classes.map(|class| of(class).map_or_else(String::new, |limit| self.bound(limit)));
            if cells.iter().all(String::is_empty) {
                continue;
            }
            let name = self.registry.property(stream.property).map_or("", |held| &held.name);
            let mut row = vec![name.to_owned()];
            row.extend(cells);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        if rows.len() > 1 {
            writeln!(out, "\nWhat each water class allows there:\n")?;
            write_table(out, &rows)?;
        }
        Ok(())
    }
}

/// Says whether others hold for the same thing whenever a limit does, and it is stricter than they.
fn is_strictest(limit: &Limit, limits: &[&Limit]) -> bool {
    let beside = |other: &&&Limit| {
        other.id != limit.id
            && other.property == limit.property
            && (other.averaging == limit.averaging
                || [other.averaging, limit.averaging].contains(&Averaging::Any))
            && (other.condition == Condition::Always || other.condition == limit.condition)
    };
    let mut others = limits.iter().filter(beside).peekable();
    others.peek().is_some() && others.all(|other| other.bound.tighter(limit.bound) == Some(false))
}

/// Writes rows as columns; the last one is as long as it is.
fn write_table(out: &mut String, rows: &[Vec<String>]) -> Result<(), std::fmt::Error> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            write!(line, "{cell:<width$}  ")?;
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
