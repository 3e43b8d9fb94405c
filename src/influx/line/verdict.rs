//! Points of verdicts and alerts. Rare beside values, so names are looked up as they come.

use crate::domain::alert::{AlertEvent, Subject};
use crate::domain::assessment::{Assessment, Verdict};
use crate::domain::evaluation::Evaluated;
use crate::domain::name::LimitId;
use crate::domain::observation::{Coverage, Period};
use crate::domain::registry::{Datastream, Registry, Station};

use super::text::{push_float, push_integer, push_name, push_quoted};
use super::{end_line, field_name, period_name, push_tag};

/// The fields of one line that is being written.
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    before: u8,
}

impl<'a> Fields<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, before: b' ' }
    }

    fn key(&mut self, key: &str) {
        self.out.push(std::mem::replace(&mut self.before, b','));
        push_name(self.out, key);
        self.out.push(b'=');
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        push_quoted(self.out, value);
    }

    pub(super) fn integer(&mut self, key: &str, value: i64) {
        self.key(key);
        push_integer(self.out, value);
        self.out.push(b'i');
    }

    pub(super) fn truth(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(super) fn float(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.key(key);
            push_float(self.out, value);
        }
    }
}

/// Appends an assessment; `false` if the edition does not have its datastream.
pub(super) fn push_assessment(
    registry: &Registry,
    assessment: &Assessment,
    out: &mut Vec<u8>,
) -> bool {
    let Some(datastream) = registry.datastream(assessment.datastream) else { return false };
    let station = registry.station(datastream.station);
    let period = period_name(datastream, assessment.period);
    out.extend_from_slice(b"assessment");
    push_tag(out, "period", period.as_deref().unwrap_or("native"));
    push_tag(out, "place", place_name(registry, station));
    push_tag(out, "position", &datastream.position);
    push_tag(out, "station", station.map_or("", |station| &station.name));
    push_tag(out, "subject", &field_name(registry, datastream));

    let (verdict, limit, multiple, reason) = match assessment.verdict {
        Verdict::Within { limit } => ("within", Some(limit), None, ""),
        Verdict::Exceeds { limit, multiple } => ("exceeds", Some(limit), multiple, ""),
        Verdict::NotAssessable(reason) => ("not_assessable", None, None, reason.word()),
    };
    let mut fields = Fields::new(out);
    fields.text("verdict", verdict);
    fields.text("limit", &limit_name(registry, limit));
    fields.text("class", assessment.class.map_or("", |class| class.name()));
    fields.float("multiple", multiple);
    fields.float("value", assessment.value);
    fields.text("reason", reason);
    if let Some(near) = assessment.near {
        fields.float("share", assessment.share);
        fields.truth("near", near);
    }
    fields.truth("unconfirmed", assessment.unconfirmed);
    fields.text("edition", &registry.digest);
    end_line(out, assessment.phenomenon_time.start().millis());
    true
}

/// Appends how much of a day came; `false` if the edition does not have its datastream.
pub(super) fn push_coverage(registry: &Registry, coverage: &Coverage, out: &mut Vec<u8>) -> bool {
    let Some(datastream) = registry.datastream(coverage.datastream) else { return false };
    let station = registry.station(datastream.station);
    let period = period_name(datastream, Period::Native);
    out.extend_from_slice(b"coverage");
    push_tag(out, "period", period.as_deref().unwrap_or("native"));
    push_tag(out, "place", place_name(registry, station));
    push_tag(out, "position", &datastream.position);
    push_tag(out, "station", station.map_or("", |station| &station.name));
    push_tag(out, "subject", &field_name(registry, datastream));
    let mut fields = Fields::new(out);
    fields.integer("expected", i64::from(coverage.expected));
    fields.integer("received", i64::from(coverage.received));
    fields.integer("valid", i64::from(coverage.valid));
    let flagged = &coverage.flagged;
    fields.integer("suspect", i64::from(flagged.suspect));
    fields.integer("failed", i64::from(flagged.failed));
    fields.integer("missing", i64::from(flagged.missing));
    for (test, count) in flagged.tests() {
        fields.integer(&format!("flagged_{}", test.name()), i64::from(count));
    }
    end_line(out, coverage.phenomenon_time.start().millis());
    true
}

/// Appends an alert's change. A rule or subject that left with an edition is named by its number.
pub(super) fn push_alert(registry: &Registry, event: &AlertEvent, out: &mut Vec<u8>) {
    let rule = match registry.rule(event.rule) {
        Some(rule) => rule.name.to_string(),
        None => event.rule.0.to_string(),
    };
    let (datastream, station) = of_subject(registry, event.subject);
    let (place, set) = around(registry, event.subject, station);
    out.extend_from_slice(b"alert");
    push_tag(out, "place", place);
    push_tag(out, "position", datastream.map_or("", |datastream| &datastream.position));
    push_tag(out, "rule", &rule);
    push_tag(out, "set", set);
    push_tag(out, "station", station.map_or("", |station| &station.name));
    push_tag(out, "subject", &subject_name(registry, event.subject, datastream));

    let upstream = event.upstream.and_then(|upstream| registry.station(upstream.station));
    let mut fields = Fields::new(out);
    fields.text("state", event.change.word());
    fields.integer("alert", i64::try_from(event.alert.0).unwrap_or(i64::MAX));
    fields.float("value", event.value);
    fields.text("limit", &limit_name(registry, event.limit));
    fields.float("multiple", event.multiple);
    fields.integer("since", event.since.millis());
    if let Some(well) = event.well_since {
        fields.integer("well_since", well.millis());
    }
    fields.text("upstream", upstream.map_or("", |station| &station.name));
    fields.truth("unconfirmed", event.unconfirmed);
    let route = registry.rule(event.rule).map_or("", |rule| rule.route.word());
    fields.text("route", route);
    if let Some(severity) = event.severity {
        fields.text("severity", severity.word());
    }
    if event.confirmed {
        fields.truth("confirmed", true);
    }
    if let Some(cause) = event.cause {
        fields.text("cause", cause.test.name());
        fields.integer("cause_flag", i64::from(cause.flag.number()));
        fields.integer("cause_since", cause.since.millis());
    }
    if let Subject::Evaluated { .. } = event.subject {
        fields.text("period", event.period.word());
        fields.text("class", event.grade.map_or("", |grade| grade.word()));
        let deciding = event.deciding.and_then(|id| registry.property(id));
        fields.text("deciding", deciding.map_or("", |property| &property.name));
    }
    if let Some(reason) = event.reason {
        fields.text("reason", reason.word());
    }
    if let Some(offline) = event.offline {
        fields.integer("offline_since", offline.millis());
    }
    if let Some(until) = event.until {
        fields.integer("until", until.millis());
    }
    if let (Some(span), Some(datastream)) = (event.span, datastream) {
        let period = period_name(datastream, event.period);
        let reasons: Vec<&str> = event.reasons.iter().map(Period::word).collect();
        let before = event.before.and_then(|before| before.result.number());
        fields.text("period", period.as_deref().unwrap_or("native"));
        fields.integer("value_from", span.start().millis());
        fields.text("class", event.class.map_or("", |class| class.name()));
        fields.float("before", before);
        fields.float("share", event.share);
        fields.text("reasons", &reasons.join(" "));
    }
    end_line(out, event.at.millis());
}

/// Gives the datastream and the station that an alert is about.
fn of_subject(registry: &Registry, subject: Subject) -> (Option<&Datastream>, Option<&Station>) {
    match subject {
        Subject::Datastream(id) => {
            let datastream = registry.datastream(id);
            (datastream, datastream.and_then(|stream| registry.station(stream.station)))
        }
        Subject::Station(id) | Subject::Evaluated { of: Evaluated::Station(id), .. } => {
            (None, registry.station(id))
        }
        Subject::Evaluated { of: Evaluated::Set(_) | Evaluated::Place(_), .. }
        | Subject::Weir { .. }
        | Subject::Device(_)
        | Subject::Network(_) => (None, None),
    }
}

/// Gives the place, or the set of stations.
fn around<'a>(
    registry: &'a Registry,
    subject: Subject,
    station: Option<&Station>,
) -> (&'a str, &'a str) {
    match subject {
        Subject::Evaluated { of: Evaluated::Place(id), .. } => {
            (registry.places.get(id.index()).map_or("", |place| &place.name), "")
        }
        Subject::Evaluated { of: Evaluated::Set(id), .. } => {
            ("", registry.sets.get(id.index()).map_or("", |set| &set.name))
        }
        Subject::Evaluated { of: Evaluated::Station(_), .. }
        | Subject::Datastream(_)
        | Subject::Station(_)
        | Subject::Weir { .. }
        | Subject::Device(_)
        | Subject::Network(_) => (place_name(registry, station), ""),
    }
}

fn subject_name(registry: &Registry, subject: Subject, datastream: Option<&Datastream>) -> String {
    match (subject, datastream) {
        (Subject::Datastream(_), Some(datastream)) => field_name(registry, datastream),
        (Subject::Datastream(id), None) => format!("datastream {}", id.0),
        (Subject::Station(id), _) => match registry.station(id) {
            Some(_) => String::from("station"),
            None => format!("station {}", id.0),
        },
        (Subject::Evaluated { index, .. }, _) => index.word().to_owned(),
        (Subject::Device(id), _) => match registry.devices.get(id.index()) {
            Some(device) => {
                let network = registry.networks.get(device.network.index());
                format!("gateway/{}/{}", network.map_or("", |name| name), device.name)
            }
            None => format!("gateway {}", id.0),
        },
        (Subject::Network(id), _) => match registry.networks.get(id.index()) {
            Some(network) => format!("network/{network}"),
            None => format!("network {}", id.0),
        },
        (Subject::Weir { condition, network }, _) => {
            let network = network.and_then(|id| registry.networks.get(id.index()));
            match network {
                Some(network) => format!("{}/{network}", condition.word()),
                None => condition.word().to_owned(),
            }
        }
    }
}

pub(super) fn place_name<'a>(registry: &'a Registry, station: Option<&Station>) -> &'a str {
    station
        .and_then(|station| registry.places.get(station.place.index()))
        .map_or("", |place| &place.name)
}

/// Gives instrument, clause and class of a limit, such as `GB 3838-2002 table 1 IV`.
fn limit_name(registry: &Registry, limit: Option<LimitId>) -> String {
    let Some(limit) = limit.and_then(|id| registry.limit(id)) else { return String::new() };
    let words = [&*limit.instrument, &*limit.clause, &*limit.class];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
