//! Tests of rules are played: values of stations go through the pure pipeline as if devices sent
//! them, with the clock between them, and what is pending, firing and told is held against what is
//! expected.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::daemon::alerts::script::{Alert, At, Parts, Script, Series, Source};
use crate::daemon::check::{Sound, compiled};
use crate::daemon::edition::Edition;
use crate::daemon::qc::station::{self, OfStation};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject};
use crate::domain::evaluation::{Evaluated, Index};
use crate::domain::fault::Fault;
use crate::domain::input::{Arrival, Condition, Input};
use crate::domain::name::{DatastreamId, NetworkId};
use crate::domain::observation::{Observation, ObservationResult, Period};
use crate::domain::registry::{Registry, Station};
use crate::domain::time::{DAY, Moment, PhenomenonTime, SECOND, Timestamp};
use crate::notify::{Letterhead, notification};
use crate::pipeline::standing::pending;
use crate::pipeline::state::severity;
use crate::pipeline::{Pipeline, Processed};
use crate::seed::{Tables, lay_over, nearest};

/// How often the clock is heard, as in the daemon's tests.
const TICK_MS: i64 = 10 * SECOND;
/// The longest time that a file of tests plays.
pub const PLAYED_DAYS_MAX: i64 = 400;
/// How many rows `every` makes of a series at most; there are none between those beyond.
pub const FILLED_MAX: usize = 1 << 20;

/// What came of a file of tests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// At how many times something was expected.
    pub times: usize,
    /// How many lists were held against what is.
    pub lists: usize,
    /// What is otherwise than expected, a line each.
    pub failures: Vec<String>,
}

/// Plays a file of tests. The seeds are those that it names, else those of the installation.
///
/// # Errors
/// Every fault of the file, of its tables and of the seeds that it makes.
pub fn play(file: &Path, text: String, sound: &Sound) -> Result<Outcome, Vec<Fault>> {
    let source = Source::new(file, text);
    let script = source.script()?;
    let registry = edition(&source, &script, sound)?;
    let Prepared { rows, checks, zone } = prepared(&source, &script, &registry)?;
    let mut stage = Stage::new(&registry, zone, &rows, &checks);
    let mut outcome = Outcome { times: checks.len(), ..Outcome::default() };
    let mut rows = rows.into_iter().peekable();
    for (time, at) in checks {
        while let Some((arrives, row)) = rows.next_if(|(arrives, _)| *arrives <= time) {
            stage.wait_until(arrives);
            stage.hear(&row);
        }
        stage.wait_until(time);
        let line = source.line(at.time.span().start);
        let place = format!("{}:{line}: at {}", source.name, stage.clock(time));
        stage.compare(&place, at, &mut outcome);
    }
    Ok(outcome)
}

/// Gives the edition that the file asks for.
fn edition(source: &Source, script: &Script, sound: &Sound) -> Result<Arc<Registry>, Vec<Fault>> {
    let mut tables = match &script.seeds {
        Some(folder) => Tables::read(&source.folder.join(folder))?,
        None => sound.edition.tables.clone(),
    };
    let mut faults = Vec::new();
    for (name, rows) in &script.rows {
        if let Err((found, expected)) = lay_over(&mut tables, name, rows) {
            faults.push(source.fault(None, found, format!("{expected} in [rows]")));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut registry = compiled(&Edition { tables, ..sound.edition.clone() })?;
    // Of a network only some stations are played: as a whole it would be silent.
    Arc::make_mut(&mut registry).line_rules.clear();
    Ok(registry)
}

/// What arrives when, in order of time.
type Rows = Vec<(Timestamp, Vec<Observation>)>;

/// A file whose tables and times were read.
struct Prepared<'s> {
    rows: Rows,
    checks: Vec<(Timestamp, &'s At)>,
    /// That of the first station.
    zone: TimeZone,
}

fn prepared<'s>(
    source: &Source,
    script: &'s Script,
    registry: &Registry,
) -> Result<Prepared<'s>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut rows = Rows::new();
    for series in &script.series {
        match table(source, series, registry) {
            Ok(read) => rows.extend(read),
            Err(more) => faults.extend(more),
        }
    }
    rows.sort_by_key(|(at, _)| *at);
    let first = script.series.first().map(|series| series.station.get_ref());
    let mut stations = registry.stations.iter();
    let zone = first.and_then(|name| stations.find(|one| *one.name == **name));
    let zone = zone.map_or(TimeZone::UTC, |station| station.zone.clone());
    let mut checks: Vec<(Timestamp, &At)> = Vec::new();
    for at in &script.at {
        let line = Some(source.line(at.time.span().start));
        let said = at.time.get_ref();
        let Some(time) = Timestamp::of_text_or_offset(said, &zone) else {
            let expected = "a time such as `2026-06-01 08:00`";
            faults.push(source.fault(line, format!("time `{said}`"), expected));
            continue;
        };
        if checks.last().is_some_and(|(before, _)| *before >= time) {
            faults.push(source.fault(line, format!("time `{said}`"), "one after the one before"));
        }
        checks.push((time, at));
    }
    faults.extend(strangers(source, script, registry));
    let begins = rows.first().map(|(at, _)| *at);
    let ends = checks.last().map(|(at, _)| *at);
    if let (Some(begins), Some(ends)) = (begins, ends)
        && ends.since(begins) > PLAYED_DAYS_MAX * DAY
    {
        let found = format!("{} days from first to last", ends.since(begins) / DAY);
        faults.push(source.fault(None, found, format!("at most {PLAYED_DAYS_MAX}")));
    }
    if rows.is_empty() && faults.is_empty() {
        faults.push(source.fault(None, "no value", "a [[series]] with rows"));
    }
    if faults.is_empty() { Ok(Prepared { rows, checks, zone }) } else { Err(faults) }
}

fn table(source: &Source, series: &Series, registry: &Registry) -> Result<Rows, Vec<Fault>> {
    let line = |span: std::ops::Range<usize>| Some(source.line(span.start));
    let (named, bytes) = match (&series.csv, &series.file) {
        (Some(csv), None) => {
            let named = format!("{}:{}, csv", source.name, source.line(csv.span().start));
            (named, csv.get_ref().as_bytes().to_vec())
        }
        (None, Some(file)) => {
            let path = source.folder.join(file.get_ref());
            let named = path.display().to_string();
            let read = std::fs::read(&path).map_err(|error| {
                let found = format!("`{named}`, which can't be read ({error})");
                vec![source.fault(line(file.span()), found, "a table")]
            });
            (named, read?)
        }
        (None, None) | (Some(_), Some(_)) => {
            let found = "a series with neither or both of `csv` and `file`";
            return Err(vec![source.fault(line(series.station.span()), found, "one of them")]);
        }
    };
    let station = series.station.get_ref().clone();
    let asked =
        OfStation { file: named, station, missing: Vec::new(), keep: Vec::new(), zone: None };
    let mut read = station::rows(registry, &asked, &bytes)?;
    if let Some(every) = &series.every {
        let length: Option<jiff::SignedDuration> = every.get_ref().parse().ok();
        let step = length.and_then(|length| i64::try_from(length.as_millis()).ok());
        let Some(step) = step.filter(|step| *step >= SECOND) else {
            let (said, place) = (format!("every `{}`", every.get_ref()), line(every.span()));
            return Err(vec![source.fault(place, said, "a time such as `60s` or `5m`")]);
        };
        read = filled(&read, step);
    }
    // A mean that is stated comes when its time is over.
    let arrives = |row: &[Observation], at: Timestamp| {
        row.iter().map(|one| one.phenomenon_time.end()).max().unwrap_or(at)
    };
    Ok(read.into_iter().map(|(at, row)| (arrives(&row, at), row)).collect())
}

/// Puts rows between rows, on the straight line from the one to the other.
fn filled(rows: &Rows, step: i64) -> Rows {
    let mut all = Rows::new();
    for pair in rows.windows(2) {
        let [(from, row), (to, next)] = pair else { continue };
        all.push((*from, row.clone()));
        let mut at = from.plus(step);
        while at < *to && all.len() < FILLED_MAX {
            let share = at.since(*from) as f64 / to.since(*from) as f64;
            all.push((at, row.iter().map(|one| between(one, next, at, share)).collect()));
            at = at.plus(step);
        }
    }
    all.extend(rows.last().cloned());
    all
}

fn between(before: &Observation, next: &[Observation], at: Timestamp, share: f64) -> Observation {
    let after = next.iter().find(|one| one.datastream == before.datastream);
    let result = match (before.result, after.map(|one| one.result)) {
        (ObservationResult::Value(one), Some(ObservationResult::Value(other))) => {
            ObservationResult::Value(one + (other - one) * share)
        }
        (held, _) => held,
    };
    let phenomenon_time = match before.phenomenon_time {
        PhenomenonTime::Instant(_) => PhenomenonTime::Instant(at),
        PhenomenonTime::Interval { start, end } => {
            PhenomenonTime::Interval { start: at, end: at.plus(end.since(start)) }
        }
    };
    Observation { result, phenomenon_time, ..*before }
}

/// Tells what is expected of whom the seeds don't know.
fn strangers(source: &Source, script: &Script, registry: &Registry) -> Vec<Fault> {
    let streams = || registry.datastreams.iter().map(|one| &*one.name);
    let stations = || registry.stations.iter().map(|one| &*one.name);
    let rules = || registry.rules.iter().map(|one| &*one.name);
    let evaluated = |of: &str| {
        let named = |(of, index, period): &(Evaluated, Index, Period)| {
            name(registry, Subject::Evaluated { of: *of, index: *index, period: *period })
        };
        registry.evaluated_rules.keys().any(|key| named(key) == of)
    };
    let mut faults = Vec::new();
    for at in &script.at {
        let line = Some(source.line(at.time.span().start));
        let mut tell = |what: &str, name: &str, near: Option<&str>| {
            let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
            let expected = format!("a {what} of the seeds{near}");
            faults.push(source.fault(line, format!("`{name}`"), expected));
        };
        for Alert { of, parts } in at.alerts() {
            let known = streams().chain(stations()).any(|name| name == of) || evaluated(of);
            if !known {
                tell("datastream or station", of, nearest(of, streams().chain(stations())));
            }
            let rule = parts.rule.as_deref();
            if let Some(rule) = rule.filter(|rule| !rules().any(|name| name == *rule)) {
                tell("rule", rule, nearest(rule, rules()));
            }
        }
    }
    faults
}

/// An alert as it stands, or a change of one as it was told.
#[derive(Clone, Debug)]
struct Found {
    of: String,
    rule: String,
    severity: &'static str,
    route: &'static str,
    reasons: Vec<&'static str>,
    unconfirmed: bool,
    change: &'static str,
    since: Timestamp,
    /// When it was told.
    at: Timestamp,
    says: [String; 2],
}

/// Gives whose alerts are looked at: datastreams of which values are played, and their stations. A
/// station that says more often what is not played would be silent as a whole.
fn heard(registry: &Registry, rows: &Rows) -> BTreeSet<Subject> {
    let played: BTreeSet<DatastreamId> =
        rows.iter().flat_map(|(_, row)| row).map(|one| one.datastream).collect();
    let often = |id: &DatastreamId| registry.datastream(*id).map(|one| one.expected_every_ms);
    let whole = |station: &&Station| {
        let own = || station.datastreams.iter().filter(|id| played.contains(*id));
        let most = station.datastreams.iter().filter_map(often).min();
        own().next().is_some() && own().filter_map(often).min() == most
    };
    // What is derived of them alone is theirs.
    let derived = registry.datastreams.iter().filter(|stream| {
        let mut inputs = registry
            .datastreams
            .iter()
            .filter(|one| one.feeds.iter().any(|feed| feed.derived == stream.id));
        !stream.formulas.is_empty() && inputs.all(|one| played.contains(&one.id))
    });
    let derived = derived.map(|stream| Subject::Datastream(stream.id));
    let stations = registry.stations.iter().filter(whole);
    let stations = stations.map(|station| Subject::Station(station.id));
    // So is what it comes to.
    let evaluated = registry.evaluated_rules.keys().filter(|(of, ..)| match of {
        Evaluated::Station(id) => registry.station(*id).is_some_and(|station| {
            station.datastreams.iter().any(|stream| played.contains(stream))
        }),
        Evaluated::Set(_) | Evaluated::Place(_) => false,
    });
    let evaluated = evaluated.map(|(of, index, period)| Subject::Evaluated {
        of: *of,
        index: *index,
        period: *period,
    });
    let streams = played.iter().map(|id| Subject::Datastream(*id));
    streams.chain(derived).chain(stations).chain(evaluated).collect()
}

/// The pipeline as it plays.
struct Stage {
    pipeline: Pipeline,
    out: Processed,
    now: Moment,
    zone: TimeZone,
    /// Whose alerts are looked at: the stations and datastreams of which values are played.
    heard: BTreeSet<Subject>,
    firing: BTreeMap<AlertId, Found>,
    /// What was told since the last time that something was expected.
    told: Vec<Found>,
    /// How each alert ended last, by whom it is about.
    ended: BTreeMap<String, Found>,
}

impl Stage {
    fn new(
        registry: &Arc<Registry>,
        zone: TimeZone,
        rows: &Rows,
        checks: &[(Timestamp, &At)],
    ) -> Self {
        let first = rows.first().map(|(at, _)| *at).into_iter();
        let first = first.chain(checks.first().map(|(at, _)| *at)).min().unwrap_or_default();
        let now = Moment { wall: first, elapsed_ms: 0 };
        let pipeline = Pipeline::new(Arc::clone(registry), now);
        let out = Processed::default();
        let (firing, told, ended) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let heard = heard(registry, rows);
        let mut stage = Self { pipeline, out, now, zone, heard, firing, told, ended };
        for place in 0..registry.networks.iter().count() {
            let network = NetworkId(u32::try_from(place).unwrap_or(u32::MAX));
            stage.take(Input::Condition(Condition::Connected(network)));
        }
        stage
    }

    fn clock(&self, at: Timestamp) -> String {
        at.rfc3339(&self.zone)
    }

    fn take(&mut self, input: Input<'_>) {
        self.pipeline.process(&Arrival { at: self.now, input }, &mut self.out);
        self.note();
    }

    fn hear(&mut self, row: &[Observation]) {
        self.pipeline.hear_row(row, self.now, &mut self.out);
        self.note();
    }

    fn wait_until(&mut self, time: Timestamp) {
        while self.now.wall < time {
            let step = TICK_MS.min(time.since(self.now.wall));
            let Moment { wall, elapsed_ms } = self.now;
            self.now = Moment { wall: wall.plus(step), elapsed_ms: elapsed_ms + step };
            self.take(Input::Tick);
        }
    }

    /// Notes what the last input had to be told.
    fn note(&mut self) {
        let registry = Arc::clone(self.pipeline.registry());
        for event in std::mem::take(&mut self.out.alerts) {
            if !self.heard.contains(&event.subject) {
                continue;
            }
            let found = self.found(&registry, &event);
            self.told.push(found.clone());
            match event.change {
                AlertChange::Fired | AlertChange::Changed => {
                    self.firing.insert(event.alert, found);
                }
                AlertChange::Resolved | AlertChange::Withdrawn | AlertChange::Past => {
                    self.firing.remove(&event.alert);
                    self.ended.insert(found.of.clone(), found);
                }
            }
        }
    }

    fn found(&self, registry: &Registry, event: &AlertEvent) -> Found {
        let rule = registry.rule(event.rule);
        let body = notification(registry, event, &Letterhead::plain(self.zone.clone())).body;
        let says = ["summary_en", "summary_zh"].map(|key| {
            let text = body.pointer(&format!("/alerts/0/annotations/{key}"));
            text.and_then(|text| text.as_str()).unwrap_or_default().to_owned()
        });
        Found {
            of: name(registry, event.subject),
            rule: rule.map_or(String::new(), |rule| rule.name.to_string()),
            severity: severity(registry, event).word(),
            route: rule.map_or("", |rule| rule.route.word()),
            reasons: event.reasons.iter().map(reason).collect(),
            unconfirmed: event.unconfirmed,
            change: event.change.word(),
            since: event.since,
            at: self.now.wall,
            says,
        }
    }

    fn pending(&self) -> Vec<Found> {
        let registry = self.pipeline.registry();
        let all = pending(registry, self.pipeline.state()).into_iter();
        let found = all.filter(|one| self.heard.contains(&one.subject)).map(|one| {
            let rule = registry.rule(one.rule);
            Found {
                of: name(registry, one.subject),
                rule: rule.map_or(String::new(), |rule| rule.name.to_string()),
                severity: rule.map_or("", |rule| rule.severity.word()),
                route: rule.map_or("", |rule| rule.route.word()),
                reasons: Vec::new(),
                unconfirmed: false,
                change: "pending",
                since: one.since,
                at: self.now.wall,
                says: Default::default(),
            }
        });
        found.collect()
    }

    /// Holds what is against what is expected.
    fn compare(&mut self, place: &str, at: &At, outcome: &mut Outcome) {
        let told = std::mem::take(&mut self.told);
        let resolved: Vec<Found> =
            told.iter().filter(|one| one.change == "resolved").cloned().collect();
        let lists = [
            ("pending", &at.pending, self.pending()),
            ("firing", &at.firing, self.firing.values().cloned().collect()),
            ("resolved", &at.resolved, resolved),
            ("notified", &at.notified, told),
        ];
        for (list, expected, found) in lists {
            let Some(expected) = expected else { continue };
            outcome.lists += 1;
            for words in self.differences(list, expected, found) {
                outcome.failures.push(format!("{place}: {list}: {words}"));
            }
        }
    }

    fn differences(&self, list: &str, expected: &[Alert], found: Vec<Found>) -> Vec<String> {
        let mut words = Vec::new();
        let mut rest = found;
        for alert in expected {
            let fits = |one: &Found| alert.may_be(one);
            let exact = |one: &Found| fits(one) && self.differs(&alert.parts, one).is_empty();
            let place = rest.iter().position(exact).or_else(|| rest.iter().position(fits));
            let Some(place) = place else {
                let of = &alert.of;
                let change = alert.parts.change.as_ref().or(alert.parts.rule.as_ref());
                let what = change.map_or(of.clone(), |what| format!("{of} ({what})"));
                words.push(format!("expected {what}; found {}", self.stands(of)));
                continue;
            };
            let one = rest.remove(place);
            let differ = self.differs(&alert.parts, &one);
            if !differ.is_empty() {
                words.push(format!("{}: {}", one.of, differ.join("; ")));
            }
        }
        words.extend(rest.iter().map(|one| {
            let when = if list == "notified" || list == "resolved" {
                format!("{} at {}", one.change, self.clock(one.at))
            } else {
                format!("since {}", self.clock(one.since))
            };
            format!(
                "found {} ({}, {}, {when}), expected nothing of it",
                one.of, one.rule, one.severity
            )
        }));
        words
    }

    /// Tells where a found alert is otherwise than expected.
    fn differs(&self, expected: &Parts, one: &Found) -> Vec<String> {
        let Parts { rule, severity, route, reasons, unconfirmed, change, since, says } = expected;
        let mut differ = Vec::new();
        let texts = [
            ("rule", rule, one.rule.as_str()),
            ("severity", severity, one.severity),
            ("route", route, one.route),
            ("change", change, one.change),
        ];
        for (key, expected, found) in texts {
            if let Some(expected) = expected.as_ref().filter(|expected| *expected != found) {
                differ.push(format!("{key} is {found}, expected {expected}"));
            }
        }
        if let Some(expected) = reasons.as_ref().filter(|expected| **expected != one.reasons) {
            let (found, expected) = (one.reasons.join(" "), expected.join(" "));
            differ.push(format!("reasons are `{found}`, expected `{expected}`"));
        }
        if let Some(expected) = unconfirmed.filter(|expected| *expected != one.unconfirmed) {
            differ.push(format!("unconfirmed is {}, expected {expected}", one.unconfirmed));
        }
        if let Some(expected) = since {
            let at = Timestamp::of_text_or_offset(expected, &self.zone);
            if at != Some(one.since) {
                differ.push(format!("since {}, expected {expected}", self.clock(one.since)));
            }
        }
        if let Some(expected) = says
            && !one.says.iter().any(|said| said.contains(expected))
        {
            let found = one.says.first().map_or("", String::as_str);
            differ.push(format!("it says `{found}`, expected `{expected}` in it"));
        }
        differ
    }

    /// Says how it stands with whom something was expected of.
    fn stands(&self, of: &str) -> String {
        let pending = self.pending();
        let all = self.firing.values().chain(&pending).filter(|one| one.of == of);
        let mut words: Vec<String> = all
            .map(|one| {
                let word = if one.change == "pending" { "pending" } else { "firing" };
                format!("it {word} since {} by {}", self.clock(one.since), one.rule)
            })
            .collect();
        if let Some(ended) = self.ended.get(of).filter(|_| words.is_empty()) {
            let (change, at) = (ended.change, self.clock(ended.at));
            words.push(format!("nothing of it now, {change} at {at}"));
        }
        if words.is_empty() { "nothing of it".to_owned() } else { words.join(", and ") }
    }
}

impl Alert {
    /// Says whether a found alert is the one that is meant.
    fn may_be(&self, one: &Found) -> bool {
        let Parts { rule, change, .. } = &self.parts;
        self.of == one.of
            && rule.as_ref().is_none_or(|rule| *rule == one.rule)
            && change.as_ref().is_none_or(|change| *change == one.change)
    }
}

/// Writes a period as rules.csv does.
pub(super) fn reason(period: Period) -> &'static str {
    if period == Period::Native { "raw" } else { period.word() }
}

/// Names whom an alert is about.
pub(in crate::daemon) fn name(registry: &Registry, subject: Subject) -> String {
    match subject {
        Subject::Datastream(id) => {
            registry.datastream(id).map_or(String::new(), |one| one.name.to_string())
        }
        Subject::Station(id) => {
            registry.station(id).map_or(String::new(), |one| one.name.to_string())
        }
        Subject::Evaluated { of, index, period } => {
            format!("{}/{} {}", registry.evaluated_name(of), index.word(), period.word())
        }
        Subject::Device(id) => {
            let device = registry.devices.get(id.index());
            device.map_or(String::new(), |one| format!("device {}", one.name))
        }
        Subject::Network(id) => {
            let network = registry.networks.get(id.index());
            network.map_or(String::new(), |one| format!("network {one}"))
        }
        Subject::Weir { condition, network } => {
            let network = network.and_then(|id| registry.networks.get(id.index()));
            let of = network.map_or(String::new(), |network| format!(" {network}"));
            format!("weir {}{of}", condition.word())
        }
    }
}
