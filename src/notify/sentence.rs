//! What a sentence about an alert needs to know, looked up; the sentences are a file a language.

mod chinese;
mod english;

pub use self::chinese::clause_zh;

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::alert::{AlertEvent, Subject, Upstream, WeirCondition};
use crate::domain::assessment::{Bound, Limit, WaterClass};
use crate::domain::check::ByCheck;
use crate::domain::evaluation::{Evaluated, Grade, Index};
use crate::domain::name::{NetworkId, StationId};
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::registry::{
    Datastream, ObservedProperty, Place, Registry, RuleKind, Sampling, Station, StationSet,
    Statistic,
};
use crate::domain::time::{DAY, HOUR, MINUTE, PhenomenonTime, SECOND, Timestamp};

/// What an alert warns of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Topic {
    Exceedance,
    Silence,
    Instrument,
    Rise,
    NotAssessable,
    Index,
    Weir(WeirCondition),
}

/// What a value is, as people call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Sample,
    Instant,
    Mean,
    Least,
    Greatest,
    Total,
}

/// How a language writes the day before a time, where it is not the one that is spoken of, and
/// how with the year.
struct Days {
    day: &'static str,
    year: &'static str,
}

/// How much speaks by way of a gateway or network.
#[derive(Clone, Copy, Debug, Default)]
struct Behind {
    devices: usize,
    stations: usize,
}

impl Behind {
    fn new(registry: &Registry, line: Subject, at: Timestamp) -> Self {
        let (mut stations, mut behind) = (BTreeSet::<StationId>::new(), Self::default());
        for (device, assignment) in registry.behind(line, at) {
            // One that sends nothing by itself only passes on.
            if assignment.streams.iter().flatten().next().is_none() {
                continue;
            }
            behind.devices += usize::from(line != Subject::Device(device.id));
            stations.insert(assignment.station);
        }
        Self { stations: stations.len(), ..behind }
    }
}

/// Whom and what an alert's change is about.
pub(super) struct Scene<'a> {
    event: &'a AlertEvent,
    topic: Topic,
    pub(super) datastream: Option<&'a Datastream>,
    /// Whose value it is: also where the alert is about the whole station.
    of: Option<&'a Datastream>,
    pub(super) station: Option<&'a Station>,
    pub(super) place: Option<&'a Place>,
    /// The gateway.
    pub(super) gateway: Option<&'a str>,
    /// How much lies behind the gateway or network.
    behind: Behind,
    pub(super) property: Option<&'a ObservedProperty>,
    limit: Option<&'a Limit>,
    pub(super) unit: &'a str,
    pub(super) network: Option<&'a str>,
    upstream: Option<(&'a Station, Upstream)>,
    /// What the rule watches.
    kind_of_rule: Option<RuleKind>,
    /// What is evaluated, of whom, and the item that decided.
    index: Option<Index>,
    pub(super) set: Option<&'a StationSet>,
    deciding: Option<&'a ObservedProperty>,
    /// Whether the rule warns of what is only near a limit.
    warns: bool,
    /// How often something should come, ms.
    expected_every_ms: Option<i64>,
    /// The zone in which people there read times.
    pub(super) zone: TimeZone,
    /// Whether severity and since when stand beside the sentence of what fires, so that it need not
    /// say them.
    in_row: bool,
}

impl<'a> Scene<'a> {
    pub(super) fn new(registry: &'a Registry, event: &'a AlertEvent, home: &TimeZone) -> Self {
        let shortest = |station: &Station| {
            let ids = station.datastreams.iter();
            ids.filter_map(|id| registry.datastream(*id)).map(|one| one.expected_every_ms).min()
        };
        let subject = event.subject;
        let datastream =
            if let Subject::Datastream(id) = subject { registry.datastream(id) } else { None };
        let evaluated = if let Subject::Evaluated { of, index, .. } = subject {
            Some((of, index))
        } else {
            None
        };
        let gateway =
            if let Subject::Device(id) = subject { registry.devices.get(id.index()) } else { None };
        let named = |id: NetworkId| registry.networks.get(id.index());
        let (station, network) = match subject {
            Subject::Datastream(_) => {
                (datastream.and_then(|stream| registry.station(stream.station)), None)
            }
            Subject::Station(id) => (registry.station(id), None),
            Subject::Evaluated { of: Evaluated::Station(id), .. } => (registry.station(id), None),
            Subject::Evaluated { of: Evaluated::Set(_) | Evaluated::Place(_), .. } => (None, None),
            Subject::Weir { network, .. } => (None, network.and_then(named)),
            Subject::Device(_) => (None, gateway.and_then(|one| named(one.network))),
            Subject::Network(id) => (None, named(id)),
        };
        let stands = gateway.and_then(|gateway| gateway.assignment(event.at));
        let stands = stands.and_then(|held| registry.station(held.station));
        let doubted = event.cause.and_then(|cause| registry.datastream(cause.datastream));
        let of = datastream.or(doubted);
        let property = of.and_then(|stream| registry.property(stream.property));
        let upstream = event
            .upstream
            .and_then(|upstream| Some((registry.station(upstream.station)?, upstream)));
        let place = match evaluated {
            Some((Evaluated::Place(id), _)) => Some(id),
            Some((Evaluated::Station(_) | Evaluated::Set(_), _)) | None => {
                station.or(stands).map(|station| station.place)
            }
        };
        let set = match evaluated {
            Some((Evaluated::Set(id), _)) => registry.sets.get(id.index()),
            Some((Evaluated::Station(_) | Evaluated::Place(_), _)) | None => None,
        };
        Self {
            event,
            topic: topic(registry, event),
            kind_of_rule: registry.rule(event.rule).map(|rule| rule.kind),
            index: evaluated.map(|(_, index)| index),
            set,
            deciding: event.deciding.and_then(|id| registry.property(id)),
            datastream,
            of,
            station,
            place: place.and_then(|place| registry.places.get(place.index())),
            gateway: gateway.map(|gateway| &*gateway.name),
            behind: Behind::new(registry, subject, event.at),
            property,
            limit: event.limit.and_then(|id| registry.limit(id)),
            unit: property.map_or("", |property| registry.unit_label(property)),
            network: network.map(|network| &**network),
            upstream,
            warns: registry.rule(event.rule).is_some_and(|rule| rule.warning_share.is_some()),
            expected_every_ms: match datastream {
                Some(datastream) => Some(datastream.expected_every_ms),
                None => station.and_then(shortest),
            },
            zone: station.or(stands).map_or(home, |station| &station.zone).clone(),
            in_row: false,
        }
    }

    /// Has the sentence stand where severity and since when have columns of their own.
    pub(super) fn in_row(self) -> Self {
        Self { in_row: true, ..self }
    }

    /// Gives the limit with its unit, such as `1.5 mg/L`; empty if there is none.
    pub(super) fn limit_text(&self) -> String {
        self.limit_with(" to ")
    }

    /// Gives the limit with its unit; `to` stands between the ends of a range.
    fn limit_with(&self, to: &str) -> String {
        let Some(limit) = self.limit else { return String::new() };
        self.with_unit(match limit.bound {
            Bound::Max(limit) | Bound::Min(limit) => limit.to_string(),
            Bound::Range { low, high } => format!("{low}{to}{high}"),
        })
    }

    /// Gives instrument and clause, such as `GB 3838-2002 table 1`; empty if there is no limit.
    pub(super) fn clause(&self) -> String {
        let Some(limit) = self.limit else { return String::new() };
        format!("{} {}", limit.instrument, limit.clause).trim_end().to_owned()
    }

    /// Gives the value with its unit and the decimals of its property; empty if there is none.
    pub(super) fn value_text(&self) -> String {
        let Some(limit) = self.event.value else { return String::new() };
        self.amount(match self.event.side {
            Some(side) => ObservationResult::Censored { side, limit },
            None => ObservationResult::Value(limit),
        })
    }

    /// Gives the value of the item before, such as `1.410 mg/L`; empty if there is none.
    pub(super) fn before_text(&self) -> String {
        self.event.before.map_or(String::new(), |before| self.amount(before.result))
    }

    fn amount(&self, result: ObservationResult) -> String {
        let (side, number) = match result {
            ObservationResult::Value(value) => ("", value),
            ObservationResult::Censored { side: Side::Below, limit } => ("<", limit),
            ObservationResult::Censored { side: Side::Above, limit } => (">", limit),
            ObservationResult::Nil(_) => return String::new(),
        };
        let decimals = usize::from(self.property.map_or(2, |property| property.decimals));
        self.with_unit(format!("{side}{number:.decimals$}"))
    }

    /// Gives what a check found and what passes: `1.620` and `2.000 ± 0.200 mg/L`, or shares of
    /// what was added, `50 %` and `80 to 120 %`.
    fn check_texts(&self, check: &ByCheck, to: &str) -> (String, String) {
        if let Some((share, low, high)) = check.shares() {
            return (format!("{share:.0} %"), format!("{low:.0}{to}{high:.0} %"));
        }
        let decimals = usize::from(self.property.map_or(2, |property| property.decimals));
        let within = (check.high - check.low) / 2.0;
        let passes = format!("{:.decimals$} ± {within:.decimals$}", check.standard);
        (format!("{:.decimals$}", check.value), self.with_unit(passes))
    }

    /// Gives the span outside of which a test found the value, with its unit.
    fn span_text(&self, to: &str, (low, high): (f64, f64)) -> String {
        self.with_unit(format!("{low}{to}{high}"))
    }

    fn with_unit(&self, number: String) -> String {
        if self.unit.is_empty() { number } else { format!("{number} {}", self.unit) }
    }

    /// Gives a number in the unit of the item, such as `0.5 mg/L`.
    fn number_text(&self, number: f64) -> String {
        self.with_unit(number.to_string())
    }

    /// Gives the number of an index: to the decimals that people give it with.
    fn index_number(&self, value: f64) -> String {
        match self.index {
            Some(Index::Aqi) => format!("{value:.0}"),
            Some(Index::Trophic | Index::Balance | Index::WaterReuse) => format!("{value:.1}"),
            Some(_) | None => format!("{value:.2}"),
        }
    }

    /// Gives by how many times the limit is exceeded, to two decimals; none where there is no
    /// multiple or it would read 0.00.
    pub(super) fn multiple(&self) -> Option<String> {
        let text = format!("{:.2}", self.event.multiple?);
        (text != "0.00").then_some(text)
    }

    /// Gives which share of the limit is used, such as `87 %`, where that is what is warned of.
    pub(super) fn share(&self) -> Option<String> {
        // Never more than it is: 99.6 % is not 100.
        Some(format!("{} %", (self.event.share? * 100.0 + 1e-9).floor()))
    }

    /// Says what kind of value the event is about.
    fn kind(&self) -> Kind {
        let Some(datastream) = self.of else { return Kind::Instant };
        let counts = self.property.is_some_and(|property| property.combine.is_total());
        match (self.event.span, datastream.statistic, datastream.sampling) {
            (Some(PhenomenonTime::Interval { .. }), Statistic::Min, _) => Kind::Least,
            (Some(PhenomenonTime::Interval { .. }), Statistic::Max, _) => Kind::Greatest,
            (Some(PhenomenonTime::Interval { .. }), Statistic::Total, _) => Kind::Total,
            (
                Some(PhenomenonTime::Interval { .. }),
                Statistic::Instant | Statistic::Sample | Statistic::Mean,
                _,
            ) => match counts {
                true => Kind::Total,
                false => Kind::Mean,
            },
            (Some(PhenomenonTime::Instant(_)) | None, Statistic::Sample, _)
            | (Some(PhenomenonTime::Instant(_)) | None, _, Sampling::Sampled { .. }) => {
                Kind::Sample
            }
            (Some(PhenomenonTime::Instant(_)) | None, _, Sampling::Continuous) => Kind::Instant,
        }
    }

    /// Gives the other reasons for which the alert fires.
    fn beside(&self) -> impl Iterator<Item = Period> {
        self.event.reasons.iter().filter(|period| *period != self.event.period)
    }

    /// Says whether the alert ends because what it was about does not count any more: no limit is
    /// met.
    fn counts_no_more(&self) -> bool {
        self.event.limit.is_none()
    }

    /// Gives until when that lasted which the alert is about: it is kept for a while after.
    fn until(&self) -> Timestamp {
        self.event.well_since.unwrap_or(self.event.at)
    }

    /// Says whether the end is a revision of the very value that began it.
    fn is_taken_back(&self) -> bool {
        self.event.span.is_some_and(|span| span.start() <= self.event.since)
    }

    /// Gives the time of the next sample, where one alone is what is told and none confirmed it.
    fn next_sample(&self) -> Option<Timestamp> {
        match self.of?.sampling {
            Sampling::Sampled { cycle_ms, .. } => Some(self.event.span?.start().plus(cycle_ms)),
            Sampling::Continuous => None,
        }
    }

    fn civil(&self, at: Timestamp) -> Option<DateTime> {
        let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
        Some(self.zone.to_datetime(at))
    }

    /// Writes a time with its day and year.
    fn date(&self, at: Timestamp) -> String {
        let civil = self.civil(at);
        civil.map_or_else(|| at.rfc3339(&self.zone), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
    }

    /// Writes a time as people there read it, with its day where that is not the event's or the
    /// event is about days.
    fn clock(&self, at: Timestamp, days: &Days) -> String {
        self.clock_span(PhenomenonTime::Instant(at), days)
    }

    /// Writes the time of a value so: the instant, or both ends of the interval.
    fn clock_span(&self, span: PhenomenonTime, days: &Days) -> String {
        let (Some(at), Some(now)) = (self.civil(span.start()), self.civil(self.event.at)) else {
            return span.start().rfc3339(&self.zone);
        };
        let day = if self.event.period.is_evaluated() || at.year() != now.year() {
            days.year
        } else if at.date() == now.date() {
            ""
        } else {
            days.day
        };
        format!("{}{}", at.strftime(day), span.clock_span(&self.zone))
    }
}

/// Gives place and station as one name, and nothing twice: `Puhe River` and `Puhe at Daoyi` are
/// `Puhe at Daoyi`, 沈阳经济技术开发区 and 开发区空气站 are 沈阳经济技术开发区空气站.
fn one_name(place: &str, station: &str, between: &str) -> String {
    let ends = place.char_indices().map(|(at, _)| place.get(at..).unwrap_or_default());
    let mut shared = ends.filter(|end| end.chars().nth(1).is_some());
    if let Some(rest) = shared.find_map(|end| station.strip_prefix(end)) {
        return format!("{place}{rest}");
    }
    let first = place.split(' ').next().unwrap_or_default();
    // Chinese names have no words to tell apart: two characters are one.
    let alike = place.chars().zip(station.chars()).take_while(|(a, b)| a == b).count();
    if station.split(' ').any(|word| word == first) || !place.is_ascii() && alike > 1 {
        return station.to_owned();
    }
    format!("{place}{between}{station}")
}

/// Writes how long something lasts, in the two greatest units that say it; `units` are those of
/// days, hours, minutes and seconds, `between` stands between the two.
fn lasting(millis: i64, units: [&str; 4], between: &str) -> String {
    let mut rest = millis.unsigned_abs();
    let mut said = Vec::new();
    for (unit, name) in [DAY, HOUR, MINUTE, SECOND].into_iter().zip(units) {
        let count = rest / unit.unsigned_abs();
        rest %= unit.unsigned_abs();
        if count > 0 || !said.is_empty() {
            said.push((count, name));
        }
    }
    let said = said.into_iter().take(2).filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, name)| format!("{count}{name}")).collect();
    if said.is_empty() { format!("0{}", units[3]) } else { said.join(between) }
}

/// Gives how far a clock is off as people say it: to the minute where it is minutes.
fn clock_off(millis: i64) -> i64 {
    let off = millis.saturating_abs();
    if off < MINUTE { off } else { (off.saturating_add(MINUTE / 2)) / MINUTE * MINUTE }
}

/// Gives the grade of a number of an index that has grades.
fn grade_word(index: Index, number: u8) -> Option<Grade> {
    match index {
        Index::WaterClass => {
            let classes = WaterClass::WITH_LIMITS.into_iter().chain([WaterClass::WorseThanV]);
            classes.map(Grade::Water).find(|grade| grade.number() == number)
        }
        Index::Aqi => Some(Grade::Air(number)),
        Index::Trophic => Some(Grade::Trophic(number)),
        Index::BlackOdour => Some(Grade::BlackOdour(number)),
        Index::RiverGrade | Index::Cwqi => Some(Grade::River(number)),
        Index::SupplyQuality
        | Index::PowerFactor
        | Index::Balance
        | Index::WaterReuse
        | Index::Intensity
        | Index::VoltageUnbalance
        | Index::StandardCoal
        | Index::CarbonDioxide => None,
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
        Some(RuleKind::Instrument { .. }) => Topic::Instrument,
        Some(RuleKind::Rise { .. }) => Topic::Rise,
        Some(RuleKind::NotAssessable { .. }) => Topic::NotAssessable,
        Some(RuleKind::Index { .. }) => Topic::Index,
        Some(RuleKind::Weir(condition)) => Topic::Weir(condition),
        None if matches!(event.subject, Subject::Evaluated { .. }) => Topic::Index,
        None if event.limit.is_some() => Topic::Exceedance,
        None if event.cause.is_some() => Topic::Instrument,
        None => Topic::Silence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_is_said_in_two_units() {
        let check = |millis, want: &str| {
            assert_eq!(lasting(millis, [" d", " h", " min", " s"], " "), want);
        };
        check(12 * HOUR, "12 h");
        check(HOUR + 5 * MINUTE + 7 * SECOND, "1 h 5 min");
        check(-(2 * DAY + 30 * MINUTE), "2 d");
        check(90 * SECOND, "1 min 30 s");
        check(400, "0 s");
    }

    #[test]
    fn a_place_is_not_named_twice() {
        let check = |place, station, want: &str| assert_eq!(one_name(place, station, ", "), want);
        check("Puhe River", "Puhe at Daoyi", "Puhe at Daoyi");
        check("Nanhu Park Lake", "Nanhu Park Lake buoy", "Nanhu Park Lake buoy");
        check("East Development Zone", "Development Zone air", "East Development Zone air");
        check("Hunnan Park", "Hunnan air station", "Hunnan air station");
        check("Puhe River", "Weir 3", "Puhe River, Weir 3");
        check("蒲河", "蒲河道义", "蒲河道义");
        check("浑南高新技术产业园", "浑南空气站", "浑南空气站");
        check("蒲河", "三号站", "蒲河, 三号站");
        check("沈阳经济技术开发区", "开发区空气站", "沈阳经济技术开发区空气站");
    }
}
