//! Which rule watches each datastream of a station, and why that one: the rules in whose scope it
//! is, its limits in force, and whom an alert calls.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::assessment::{Bound, Limit};
use crate::domain::evaluation::Evaluated;
use crate::domain::name::RuleId;
use crate::domain::registry::{
    Datastream, Persistence, Registry, Rule, RuleKind, Slope, Station, StationStage,
};
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};
use crate::notify;
use crate::seed::{Candidate, Tables, watching};

/// An installation, and of what it is asked.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The configuration, for its channels.
    pub config: &'a Config,
    /// The seeds.
    pub tables: &'a Tables,
    /// What they are compiled to.
    pub registry: &'a Registry,
    /// Of when the limits are.
    pub at: Timestamp,
}

/// A datastream and what watches it.
struct Watched<'a> {
    stream: &'a Datastream,
    unit: &'a str,
    candidates: Vec<Candidate>,
    limits: Vec<&'a Limit>,
}

impl<'a> Asked<'a> {
    fn watched(&self, stream: &'a Datastream) -> Watched<'a>
    where
        Self: 'a,
    {
        let property = self.registry.property(stream.property);
        let unit = property.map_or("", |property| self.registry.unit_label(property));
        let limits = stream.limits.iter().filter_map(|id| self.registry.limit(*id));
        let mut candidates = watching(self.tables, self.registry, stream);
        // It watches what a station comes to.
        candidates.retain(|one| one.kind != "index");
        candidates.sort_by(|one, other| one.kind.cmp(&other.kind));
        Watched {
            stream,
            unit,
            candidates,
            limits: limits.filter(|limit| limit.in_force.holds(self.at)).collect(),
        }
    }

    fn channels(&self, rule: &Rule) -> Vec<String> {
        let all = self.config.channels.iter().map(notify::Config::taker);
        let takes = all.filter(|taker| taker.routes.contains(&rule.route));
        let named = takes.map(|taker| match taker.step {
            0 => taker.channel.to_string(),
            step => format!("{} from step {step} on", taker.channel),
        });
        named.collect()
    }
}

/// Says whether a rule is the one that watches.
fn watches(registry: &Registry, stream: &Datastream, candidate: &Candidate) -> Option<RuleId> {
    let own = [
        stream.exceedance_rule,
        stream.silence_rule,
        stream.instrument_rule,
        stream.rise_rule,
        stream.not_assessable_rule,
    ];
    own.into_iter()
        .flatten()
        .find(|id| registry.rule(*id).is_some_and(|rule| *rule.name == *candidate.rule))
}

/// Writes it as lines.
#[must_use]
pub fn lines(asked: &Asked<'_>, station: &Station, streams: &[&Datastream]) -> String {
    let Asked { registry, .. } = asked;
    let mut out = format!("{} ({})\n", station.name, station.name_en);
    if station.stage == StationStage::Trial {
        out.push_str("The station is on trial: no rule watches it, nobody is called.\n");
    }
    for stream in streams {
        let watched = asked.watched(stream);
        out.push_str(&format!("\n{}\n", stream.name));
        if watched.candidates.is_empty() {
            out.push_str("  no rule\n");
        }
        for candidate in &watched.candidates {
            // Writing into memory can't fail.
            watched.write(&mut out, asked, candidate).unwrap_or_default();
        }
        if watched.limits.is_empty() {
            out.push_str("  no limit in force\n");
        }
        for limit in &watched.limits {
            let (bound, clause) = (bound(limit, watched.unit), clause(registry, limit));
            out.push_str(&format!("  limit {bound}, {clause}\n"));
        }
    }
    let indexed = indexed(registry, station);
    if !indexed.is_empty() {
        out.push_str(&format!("\n{}, what its items come to\n", station.name));
    }
    for rule in indexed {
        let channels = asked.channels(rule);
        let channels =
            if channels.is_empty() { "no channel".to_owned() } else { channels.join(", ") };
        let (severity, route) = (rule.severity.word(), rule.route.word());
        out.push_str(&format!("  * index       {}\n      {}\n", rule.name, terms(rule)));
        out.push_str(&format!("      {severity}, route {route}: {channels}\n"));
    }
    out.push_str("\n* watches; the others are wider and stand back\n");
    out
}

/// Gives the rules that watch what the items of a station come to.
fn indexed<'a>(registry: &'a Registry, station: &Station) -> Vec<&'a Rule> {
    let own = registry.evaluated_rules.iter();
    let own = own.filter(|((of, ..), _)| *of == Evaluated::Station(station.id));
    let mut rules: Vec<&Rule> = own.filter_map(|(_, id)| registry.rule(*id)).collect();
    rules.sort_by_key(|rule| rule.id);
    rules.dedup_by_key(|rule| rule.id);
    rules
}

impl Watched<'_> {
    fn write(
        &self,
        out: &mut String,
        asked: &Asked<'_>,
        candidate: &Candidate,
    ) -> Result<(), std::fmt::Error> {
        let Candidate { kind, rule: name, scope, line } = candidate;
        let watching = watches(asked.registry, self.stream, candidate);
        let rule = watching.and_then(|id| asked.registry.rule(id));
        let Some(rule) = rule else {
            return writeln!(out, "    {kind:<11} {name} ({scope}, rules.csv:{line})");
        };
        let channels = asked.channels(rule);
        let channels =
            if channels.is_empty() { "no channel".to_owned() } else { channels.join(", ") };
        writeln!(out, "  * {kind:<11} {name} ({scope}, rules.csv:{line})")?;
        writeln!(out, "      {}", terms(rule))?;
        writeln!(out, "      {}, route {}: {channels}", rule.severity.word(), rule.route.word())
    }
}

/// Writes it as JSON: a list of datastreams.
#[must_use]
pub fn json(asked: &Asked<'_>, station: &Station, streams: &[&Datastream]) -> Value {
    let registry = asked.registry;
    let of = |stream: &&Datastream| {
        let watched = asked.watched(stream);
        let candidates = watched.candidates.iter().map(|one| {
            let rule = watches(registry, stream, one).and_then(|id| registry.rule(id));
            json!({
                "kind": one.kind, "rule": one.rule, "scope": one.scope, "line": one.line,
                "watches": rule.is_some(),
                "terms": rule.map(terms),
                "severity": rule.map(|rule| rule.severity.word()),
                "route": rule.map(|rule| rule.route.word()),
                "channels": rule.map(|rule| asked.channels(rule)),
            })
        });
        let limits = watched.limits.iter().map(|limit| {
            json!({
                "limit": bound(limit, watched.unit), "instrument": &*limit.instrument,
                "clause": &*limit.clause, "class": &*limit.class,
                "averaging": limit.averaging.word(),
            })
        });
        json!({
            "datastream": &*stream.name,
            "rules": candidates.collect::<Vec<_>>(),
            "limits": limits.collect::<Vec<_>>(),
        })
    };
    let trial = station.stage == StationStage::Trial;
    let indexed = indexed(registry, station).into_iter().map(|rule| {
        json!({
            "rule": &*rule.name, "terms": terms(rule), "severity": rule.severity.word(),
            "route": rule.route.word(), "channels": asked.channels(rule),
        })
    });
    json!({
        "station": &*station.name, "trial": trial, "index": indexed.collect::<Vec<_>>(),
        "datastreams": streams.iter().map(of).collect::<Vec<_>>(),
    })
}

fn clause(registry: &Registry, limit: &Limit) -> String {
    let averaging = match limit.averaging.word() {
        "any" => String::new(),
        word => format!(", of {word} values"),
    };
    let class =
        if limit.class.is_empty() { String::new() } else { format!(" class {}", limit.class) };
    let station = limit.station.and_then(|id| registry.station(id));
    let of = station.map_or(String::new(), |station| format!(" for {}", station.name));
    format!("{} {}{class}{of}{averaging}", limit.instrument, limit.clause)
}

fn bound(limit: &Limit, unit: &str) -> String {
    let bound = match limit.bound {
        Bound::Max(max) => format!("<= {max}"),
        Bound::Min(min) => format!(">= {min}"),
        Bound::Range { low, high } => format!("{low} to {high}"),
    };
    format!("{bound} {unit}").trim_end().to_owned()
}

/// Says what a rule asks for.
fn terms(rule: &Rule) -> String {
    let mut words = match rule.kind {
        RuleKind::Exceedance { of, pending, keep, hysteresis } => {
            let of: Vec<&str> = of.iter().map(super::trial::reason).collect();
            let mut words = format!(
                "of {}; fires after {}, ends after {}",
                of.join(" "),
                lasts(pending),
                lasts(keep)
            );
            if hysteresis > 0.0 {
                words
                    .push_str(&format!(" at least {} % better than the limit", hysteresis * 100.0));
            }
            words
        }
        RuleKind::Silence { intervals } => format!("fires after {intervals} expected intervals"),
        RuleKind::Instrument { pending, keep, .. } => {
            format!("fires after {}, ends after {}", lasts(pending), lasts(keep))
        }
        RuleKind::Rise { slope, over_ms, pending, keep } => {
            let by = match slope {
                Slope::Rises(by) => format!("rises by more than {by}"),
                Slope::Falls(by) => format!("falls by more than {by}"),
                Slope::Times(times) => format!("is more than {times} times what it was"),
            };
            let over = lasts(Persistence::Millis(over_ms));
            let (pending, keep) = (lasts(pending), lasts(keep));
            format!("{by} within {over}; fires after {pending}, ends after {keep}")
        }
        RuleKind::NotAssessable { of, pending, keep } => {
            let of = super::trial::reason(of);
            format!("of {of}; fires after {}, ends after {}", lasts(pending), lasts(keep))
        }
        RuleKind::Index { index, of, pending, keep, .. } => {
            let (index, of) = (index.word(), super::trial::reason(of));
            let (pending, keep) = (lasts(pending), lasts(keep));
            format!("{index} of {of}; fires after {pending}, ends after {keep}")
        }
        RuleKind::Weir(condition) => condition.word().to_owned(),
    };
    if let Some(share) = rule.warning_share {
        words.push_str(&format!("; warns from {} % of the limit on", share * 100.0));
    }
    words
}

fn lasts(persistence: Persistence) -> String {
    match persistence {
        Persistence::Values(1) => "1 value".to_owned(),
        Persistence::Values(values) => format!("{values} values"),
        Persistence::Of { need, of } => format!("{need} of the last {of} values"),
        Persistence::Millis(ms) => {
            let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
            let whole = units.into_iter().find(|(unit, _)| ms % unit == 0 && ms > 0);
            whole.map_or(format!("{ms} ms"), |(unit, word)| format!("{} {word}", ms / unit))
        }
    }
}
