//! What a tapped message looks like: raw, as readings, as observations with flags and verdicts.

use std::io::{self, Write as _};
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::daemon::clock::Clock;
use crate::daemon::tap::heard::{Ear, Heard};
use crate::daemon::tap::{Style, evaluated};
use crate::daemon::terminal::plain;
use crate::daemon::threshold;
use crate::domain::assessment::{Assessment, Verdict};
use crate::domain::evaluation::Evaluation;
use crate::domain::input::{Arrival, Input, Message, Qos};
use crate::domain::name::{MarkId, NetworkId};
use crate::domain::observation::{
    NilReason, Observation, ObservationResult, Period, QualifiedObservation, Side,
};
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{Datastream, Registry};
use crate::pipeline::{Pipeline, Processed};

/// How much of a payload is shown to people, characters.
const PAYLOAD_SHOWN: usize = 400;

/// One connection's view: what it shows comes out of a pipeline of its own.
pub(super) struct Tap {
    pipeline: Pipeline,
    ear: Ear,
    clock: Clock,
    style: Style,
    networks: Vec<NetworkId>,
    heard: Vec<Heard>,
    out: Processed,
    /// What changed in what several items together come to, of what came since the message before.
    evaluations: Vec<Evaluation>,
}

impl Tap {
    pub(super) fn new(registry: Arc<Registry>, style: Style, networks: Vec<NetworkId>) -> Self {
        let clock = Clock::real();
        let ear = Ear::new(Arc::clone(&registry));
        let pipeline = Pipeline::new(registry, clock.now());
        let (heard, out, evaluations) = (Vec::new(), Processed::default(), Vec::new());
        Self { pipeline, ear, clock, style, networks, heard, out, evaluations }
    }

    pub(super) fn show(&mut self, message: &Message<'_>) -> io::Result<()> {
        let shown = self.shown(message);
        io::stdout().lock().write_all(shown.as_bytes())
    }

    fn shown(&mut self, message: &Message<'_>) -> String {
        let network = self.ear.network(&self.networks, message.topic);
        let network = network.or(self.networks.first().copied()).unwrap_or(message.network);
        let message = Message { network, ..*message };
        let at = self.clock.now();
        self.heard = self.ear.hear(&message, at.wall);
        self.evaluations.clear();
        // Hours and days are given out by the clock, so it goes first.
        for input in [Input::Tick, Input::Message(message)] {
            self.pipeline.process(&Arrival { at, input }, &mut self.out);
            self.evaluations.extend(self.out.evaluations.drain(..).filter(|one| one.changed));
        }
        match self.style {
            Style::Json => format!("{}\n", self.json(&message)),
            Style::Human { colour } => self.text(&message, colour),
        }
    }

    fn network_name(&self, network: NetworkId) -> &str {
        self.pipeline.registry().networks.get(network.index()).map_or("", |name| name)
    }

    fn json(&self, message: &Message<'_>) -> Value {
        let registry = self.pipeline.registry();
        let readings = self.heard.iter().map(|heard| {
            json!({
                "channel": &*heard.channel,
                "value": heard.result.number(),
                "unit": &*heard.unit,
                "mark": heard.mark.map(|mark| marked(registry, mark)),
                "device_time_ms": heard.device_time.map(|time| time.millis()),
            })
        });
        let observations = self.out.observations.iter().filter_map(|qualified| {
            let stream = registry.datastream(qualified.observation.datastream)?;
            let property = registry.property(stream.property)?;
            let assessment = self.assessment(qualified);
            Some(json!({
                "datastream": &*stream.name,
                "time_ms": qualified.observation.phenomenon_time.start().millis(),
                "value": qualified.observation.result.number(),
                "unit": registry.unit_name(property),
                "flag": qualified.flag().number(),
                "flags": flags(qualified),
                "mark": qualified.observation.mark.map(|mark| marked(registry, mark)),
                "thresholds": thresholds(registry, stream, qualified),
                "revision": qualified.revision,
                "flag_only": qualified.flag_only,
                "verdict": assessment.map(|assessment| verdict(registry, assessment.verdict)),
            }))
        });
        let rejects = self.out.rejects.iter().map(|reject| {
            json!({
                "stage": reject.stage.word(),
                "code": reject.reason.code(),
                "channel": reject.channel.as_deref(),
                "device": reject.device.as_deref(),
                "words": reject.reason.to_string(),
            })
        });
        json!({
            "network": self.network_name(message.network),
            "topic": String::from_utf8_lossy(message.topic),
            "qos": qos(message.qos),
            "retain": message.retain,
            "payload": String::from_utf8_lossy(message.payload),
            "outcome": self.out.fate.map(|fate| format!("{:?}", fate.outcome).to_lowercase()),
            "readings": readings.collect::<Vec<_>>(),
            "observations": observations.collect::<Vec<_>>(),
            "rejects": rejects.collect::<Vec<_>>(),
            "evaluations": self
                .evaluations
                .iter()
                .map(|one| evaluated::json(registry, one))
                .collect::<Vec<_>>(),
        })
    }

    fn assessment(&self, qualified: &QualifiedObservation) -> Option<&Assessment> {
        let of = &qualified.observation;
        self.out.assessments.iter().find(|one| {
            one.datastream == of.datastream
                && one.period == of.period
                && one.phenomenon_time == of.phenomenon_time
        })
    }

    /// What comes from outside is made plain: it must not drive the terminal.
    fn text(&self, message: &Message<'_>, colour: bool) -> String {
        let paint = |code: &'static str| if colour { code } else { "" };
        let (bold, red, dim, end) =
            (paint("\x1b[1m"), paint("\x1b[31m"), paint("\x1b[2m"), paint("\x1b[0m"));
        let topic = plain(&String::from_utf8_lossy(message.topic));
        let payload: String =
            plain(&String::from_utf8_lossy(message.payload)).chars().take(PAYLOAD_SHOWN).collect();
        let mut text = format!(
            "{bold}{} {topic}{end} {dim}QoS {}{}{end}\n  {dim}{payload}{end}\n",
            self.network_name(message.network),
            qos(message.qos),
            if message.retain { ", retained" } else { "" }
        );
        for heard in &self.heard {
            let time = heard.device_time.map_or_else(
                || "no time of its own".to_owned(),
                |time| time.rfc3339(&TimeZone::UTC),
            );
            let registry = self.pipeline.registry();
            let mark = heard
                .mark
                .map_or_else(String::new, |mark| format!(", mark {}", marked(registry, mark)));
            let (value, unit) = (number(heard.result), &heard.unit);
            let said = format!("{} = {value} {unit}{mark}, {time}", heard.channel);
            text.push_str(&format!("  {dim}said{end} {}\n", plain(&said)));
        }
        for qualified in &self.out.observations {
            let (line, marked) = self.observation(qualified);
            let mark = if marked { red } else { "" };
            text.push_str(&format!("  {mark}{}{end}\n", plain(&line)));
        }
        for control in &self.out.controls {
            text.push_str(&format!("  {dim}{}{end}\n", plain(&self.control(control))));
        }
        for evaluation in &self.evaluations {
            let (line, marked) = evaluated::line(self.pipeline.registry(), evaluation);
            let mark = if marked { red } else { bold };
            text.push_str(&format!("  {mark}{}{end}\n", plain(&line)));
        }
        for reject in &self.out.rejects {
            let channel = reject.channel.as_deref().unwrap_or("message");
            let line = format!("{channel} rejected: {}", reject.reason);
            text.push_str(&format!("  {red}{}{end}\n", plain(&line)));
        }
        let nothing = self.out.observations.is_empty() && self.out.controls.is_empty();
        if nothing && self.out.rejects.is_empty() {
            text.push_str("  held already, or nothing to read in it\n");
        }
        text
    }

    /// Gives the line of what a check of an instrument gave.
    fn control(&self, control: &Observation) -> String {
        let registry = self.pipeline.registry();
        let name = registry.datastream(control.datastream).map_or("", |stream| &*stream.name);
        let mark = control.mark.map_or_else(String::new, |mark| marked(registry, mark));
        format!("{name} {}, a check of the instrument: {mark}", number(control.result))
    }

    /// Gives the line of an observation, and whether somebody should look at it.
    fn observation(&self, qualified: &QualifiedObservation) -> (String, bool) {
        let registry = self.pipeline.registry();
        let stream = registry.datastream(qualified.observation.datastream);
        let property = stream.and_then(|stream| registry.property(stream.property));
        let (name, unit) = (
            stream.map_or("", |stream| &*stream.name),
            property.map_or("", |property| registry.unit_name(property)),
        );
        let value = number(qualified.observation.result);
        let flag = qualified.flag().number();
        let told = self.assessment(qualified);
        let exceeds = told.is_some_and(|one| matches!(one.verdict, Verdict::Exceeds { .. }));
        let words = told.map_or_else(String::new, |one| verdict(registry, one.verdict));
        let thresholds = stream.map(|stream| thresholds(registry, stream, qualified));
        let thresholds = thresholds.unwrap_or_default();
        let tests = flags(qualified).as_object().map_or_else(String::new, |flags| {
            let each = flags.iter().map(|(test, flag)| match thresholds.get(test) {
                Some(threshold) => {
                    format!("{test} {flag}: {}", threshold.as_str().unwrap_or_default())
                }
                None => format!("{test} {flag}"),
            });
            format!(" ({})", each.collect::<Vec<_>>().join(", "))
        });
        let revision = match (qualified.revision, qualified.flag_only) {
            (true, true) => ", the flag of a value told before",
            (true, false) => ", a revision",
            (false, _) => "",
        };
        let line = format!("{name} {value} {unit} flag {flag}{tests}{revision} {words}");
        (line.trim_end().to_owned(), exceeds || flag != 1)
    }
}

fn number(result: ObservationResult) -> String {
    match result {
        ObservationResult::Value(value) => value.to_string(),
        ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit}"),
        ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit}"),
        ObservationResult::Nil(NilReason::Missing) => "no value".to_owned(),
        ObservationResult::Nil(NilReason::Incomplete) => "no value: too few".to_owned(),
        ObservationResult::Nil(NilReason::NoInput) => "no value: an input is missing".to_owned(),
        ObservationResult::Nil(NilReason::Undefined) => {
            "no value: the expression gives none".to_owned()
        }
    }
}

/// Gives a mark with its cause and vocabulary.
fn marked(registry: &Registry, mark: MarkId) -> String {
    registry.marks.get(mark).map_or_else(String::new, |mark| match &*mark.cause {
        "" => format!("{} of {}", mark.text, mark.vocabulary),
        cause => format!("{} ({cause}) of {}", mark.text, mark.vocabulary),
    })
}

/// Gives the flag of each test that ran.
fn flags(qualified: &QualifiedObservation) -> Value {
    let ran = Test::ALL.into_iter().filter_map(|test| {
        let flag = qualified.quality.flag(test);
        (flag != Flag::NotEvaluated).then(|| (test.name().to_owned(), Value::from(flag.number())))
    });
    Value::Object(ran.collect())
}

/// Gives the thresholds of the tests that doubt a value or call it wrong, as far as they have any.
fn thresholds(
    registry: &Registry,
    datastream: &Datastream,
    qualified: &QualifiedObservation,
) -> Map<String, Value> {
    let unit = registry.property(datastream.property).map_or("", |one| registry.unit_label(one));
    // Those of averages are their members' doubts.
    let own = qualified.observation.period == Period::Native;
    let flags = [Flag::Fail, Flag::Suspect].into_iter().filter(|_| own);
    let tests = flags.flat_map(|flag| qualified.quality.tests(flag));
    let told = tests.filter_map(|test| {
        let words = threshold::threshold(datastream, test, unit)?;
        Some((test.name().to_owned(), Value::from(words.en)))
    });
    told.collect()
}

fn qos(qos: Qos) -> u8 {
    match qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    }
}

fn verdict(registry: &Registry, verdict: Verdict) -> String {
    let name = |id| {
        registry.limit(id).map_or_else(String::new, |limit| {
            format!("{} {} class {}", limit.instrument, limit.clause, limit.class)
        })
    };
    match verdict {
        Verdict::Within { limit } => format!("meets {}", name(limit)),
        Verdict::Exceeds { limit, multiple: None } => format!("exceeds {}", name(limit)),
        Verdict::Exceeds { limit, multiple: Some(multiple) } => {
            format!("exceeds {} {multiple:.2} times", name(limit))
        }
        Verdict::NotAssessable(reason) => format!("not assessable: {}", reason.word()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::daemon::check;

    use super::*;

    fn tap(style: Style) -> Tap {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.toml");
        let registry = check::check(&file).unwrap().registry;
        let networks = (0..registry.networks.len()).map(|id| NetworkId(id as u32)).collect();
        Tap::new(registry, style, networks)
    }

    fn message<'a>(topic: &'a str, payload: &'a str) -> Message<'a> {
        Message {
            network: NetworkId(0),
            packet_id: 1,
            dup: false,
            retain: false,
            qos: Qos::AtLeastOnce,
            topic: topic.as_bytes(),
            payload: payload.as_bytes(),
            fault: None,
        }
    }

    #[test]
    fn a_name_that_a_device_made_up_cannot_drive_the_terminal() {
        let mut tap = tap(Style::Human { colour: false });
        let record = r#"{"name":"x\u001b[2J\u009b3m","value":1,"unit":"ppm"}"#;
        let payload = &format!("{{\"records\":[{record}],\"time\":1}}");
        let shown = tap.shown(&message("air/air-setdz/records", payload));
        assert!(shown.contains("x[2J3m rejected: "), "{shown:?}");
        assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown:?}");
        let shown = tap.shown(&message("air/\u{1b}[2J\u{202e}/records", "\u{1b}[2J\u{7}{}"));
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
    }

    #[test]
    fn readings_are_shown_as_the_device_said_them() {
        let mut tap = tap(Style::Json);
        let now = Clock::real().now().wall.millis();
        let payload = format!("{{\"ts\":{now},\"temp\":18.5,\"do\":7.5,\"ec\":0.72}}");
        let shown = tap.shown(&message("water/sonde-01/data", &payload));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["network"], "rivers");
        let said = &shown["readings"][0];
        assert_eq!(said["channel"], "/temp");
        assert_eq!((said["value"].as_f64(), said["unit"].as_str()), (Some(18.5), Some("Cel")));
        assert_eq!(said["device_time_ms"].as_i64(), Some(now));
        assert_eq!(shown["observations"][0]["flags"]["gross_range"], 1);
    }

    #[test]
    fn a_test_that_doubts_is_shown_with_its_threshold_and_a_flag_told_anew_as_one() {
        let now = Clock::real().now().wall.millis();
        let payload = |minute: i64, oxygen: f64| {
            format!("{{\"ts\":{},\"do\":{oxygen}}}", now + (minute - 3) * 60_000)
        };
        let mut tap = tap(Style::Human { colour: false });
        tap.shown(&message("water/sonde-01/data", &payload(0, 7.0)));
        let shown = tap.shown(&message("water/sonde-01/data", &payload(1, 21.0)));
        assert!(shown.contains("gross_range 3: fail outside 0 to 50 mg/L, "), "{shown}");
        let mut tap = self::tap(Style::Human { colour: false });
        // Within its noise it is no jump, but it stands out.
        for (minute, oxygen) in [(0, 7.0), (1, 7.1), (2, 7.2)] {
            tap.shown(&message("water/sonde-01/data", &payload(minute, oxygen)));
        }
        let late = format!("{{\"ts\":{},\"do\":2.0}}", now - 90_000);
        let shown = tap.shown(&message("water/sonde-01/data", &late));
        assert!(shown.contains(", the flag of a value told before"), "{shown}");
    }

    #[test]
    fn a_class_that_changes_is_shown_with_what_decided_it() {
        let now = Clock::real().now().wall.millis();
        let cabinet = format!("{{\"ts\":{now},\"nh3n\":1.62,\"tp\":100,\"codmn\":4.0}}");
        let sonde = format!("{{\"ts\":{now},\"temp\":18.5,\"ph\":7.6,\"do\":7.8}}");
        let mut tap = tap(Style::Human { colour: false });
        tap.shown(&message("water/sonde-02/data", &sonde));
        let shown = tap.shown(&message("water/cabinet-02/data", &cabinet));
        assert!(shown.contains("puhe-daoyi water_class now: class V, "), "{shown}");
        assert!(shown.contains("decided by ammonia_nitrogen 1.62 mg/L 0.08 times"), "{shown}");
    }
}
