//! What a sentence about an alert needs to know, looked up; the sentences are a file a language.

mod chinese;
mod english;

use jiff::tz::TimeZone;

use crate::domain::alert::{AlertEvent, Subject, WeirCondition};
use crate::domain::assessment::{Bound, Limit};
use crate::domain::registry::{Datastream, ObservedProperty, Place, Registry, RuleKind, Station};
use crate::domain::time::Timestamp;

/// What an alert warns of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Topic {
    Exceedance,
    Silence,
    Weir(WeirCondition),
}

/// Whom and what an alert's change is about.
pub(super) struct Scene<'a> {
    event: &'a AlertEvent,
    topic: Topic,
    pub(super) datastream: Option<&'a Datastream>,
    pub(super) station: Option<&'a Station>,
    pub(super) place: Option<&'a Place>,
    pub(super) property: Option<&'a ObservedProperty>,
    limit: Option<&'a Limit>,
    unit: &'a str,
    network: Option<&'a str>,
    upstream: Option<(&'a Station, Timestamp)>,
    /// How often something should come, ms.
    expected_every_ms: Option<i64>,
    /// The zone in which people there read times.
    pub(super) zone: TimeZone,
}

impl<'a> Scene<'a> {
    pub(super) fn new(registry: &'a Registry, event: &'a AlertEvent, home: &TimeZone) -> Self {
        let of = |station: &Station| {
            let ids = station.datastreams.iter();
            ids.filter_map(|id| registry.datastream(*id)).map(|one| one.expected_every_ms).min()
        };
        let datastream = match event.subject {
            Subject::Datastream(id) => registry.datastream(id),
            Subject::Station(_) | Subject::Weir { .. } => None,
        };
        let (station, network) = match event.subject {
            Subject::Datastream(_) => {
                (datastream.and_then(|stream| registry.station(stream.station)), None)
            }
            Subject::Station(id) => (registry.station(id), None),
            Subject::Weir { network, .. } => {
                (None, network.and_then(|id| registry.networks.get(id.index())))
            }
        };
        let property = datastream.and_then(|stream| registry.property(stream.property));
        let upstream = event
            .upstream
            .and_then(|upstream| Some((registry.station(upstream.station)?, upstream.since)));
        Self {
            event,
            topic: topic(registry, event),
            datastream,
            station,
            place: station.and_then(|station| registry.places.get(station.place.index())),
            property,
            limit: event.limit.and_then(|id| registry.limit(id)),
            unit: property.map_or("", |property| registry.unit_label(property)),
            network: network.map(|network| &**network),
            upstream,
            expected_every_ms: match datastream {
                Some(datastream) => Some(datastream.expected_every_ms),
                None => station.and_then(of),
            },
            zone: station.map_or(home, |station| &station.zone).clone(),
        }
    }

    /// Gives the limit with its unit, such as `1.5 mg/L`; empty if there is none.
    pub(super) fn limit_text(&self) -> String {
        let Some(limit) = self.limit else { return String::new() };
        self.with_unit(match limit.bound {
            Bound::Max(limit) | Bound::Min(limit) => limit.to_string(),
            Bound::Range { low, high } => format!("{low} to {high}"),
        })
    }

    /// Gives instrument and clause, such as `GB 3838-2002 table 1`; empty if there is no limit.
    pub(super) fn clause(&self) -> String {
        let Some(limit) = self.limit else { return String::new() };
        format!("{} {}", limit.instrument, limit.clause).trim_end().to_owned()
    }

    /// Gives the value with its unit and the decimals of its property; empty if there is none.
    pub(super) fn value_text(&self) -> String {
        let Some(value) = self.event.value else { return String::new() };
        let decimals = usize::from(self.property.map_or(2, |property| property.decimals));
        self.with_unit(format!("{value:.decimals$}"))
    }

    fn with_unit(&self, number: String) -> String {
        if self.unit.is_empty() { number } else { format!("{number} {}", self.unit) }
    }

    /// Gives by how many times the limit is exceeded, to two decimals; none where there is no
    /// multiple or it would read 0.00.
    fn multiple(&self) -> Option<String> {
        let text = format!("{:.2}", self.event.multiple?);
        (text != "0.00").then_some(text)
    }

    /// Writes a time as people there read it, with its day where that is not the event's.
    fn clock(&self, at: Timestamp) -> String {
        let zoned = |at: Timestamp| {
            let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
            Some(self.zone.to_datetime(at))
        };
        let (Some(at), Some(now)) = (zoned(at), zoned(self.event.at)) else {
            return at.rfc3339(&self.zone);
        };
        let form = if at.date() == now.date() {
            "%H:%M"
        } else if at.year() == now.year() {
            "%m-%d %H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        at.strftime(form).to_string()
    }
}

/// Finds what an alert warns of; a rule that left with an edition is known by its traces.
fn topic(registry: &Registry, event: &AlertEvent) -> Topic {
    if let Subject::Weir { condition, .. } = event.subject {
        return Topic::Weir(condition);
    }
    match registry.rule(event.rule).map(|rule| rule.kind) {
        Some(RuleKind::Exceedance { .. }) => Topic::Exceedance,
        Some(RuleKind::Silence { .. }) => Topic::Silence,
        Some(RuleKind::Weir(condition)) => Topic::Weir(condition),
        None if event.limit.is_some() => Topic::Exceedance,
        None => Topic::Silence,
    }
}
