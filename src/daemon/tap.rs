//! `weir tap`: what comes in and what weir makes of it, message by message, beside a daemon at
//! work and without touching its session.

use std::io::{self, Write as _};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::daemon::check::Sound;
use crate::daemon::clock::Clock;
use crate::domain::assessment::{Assessment, Verdict};
use crate::domain::input::{Arrival, Input, Message, Qos};
use crate::domain::name::{NameKind, Names, NetworkId};
use crate::domain::observation::{ObservationResult, QualifiedObservation, Side};
use crate::domain::registry::Registry;
use crate::mqtt::acknowledgement::AckToken;
use crate::mqtt::connection::{Connection, Session};
use crate::pipeline::{Pipeline, Processed};

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// For people, with colour on a terminal.
    Human {
        /// Whether there are colours.
        colour: bool,
    },
    /// One JSON object a message.
    Json,
}

/// Shows messages until the connection ends or the task is dropped. Without a pattern, those that
/// the seeds subscribe to.
///
/// # Errors
/// A broker refuses or goes away.
pub async fn tap(sound: &Sound, pattern: Option<&str>, style: Style) -> anyhow::Result<()> {
    let mut names = Names::default();
    let registry = sound
        .edition
        .compile(&mut names)
        .map_err(|faults| anyhow::anyhow!("{} faults in the seeds", faults.len()))?;
    let mut taps = tokio::task::JoinSet::new();
    for broker in &sound.config.brokers {
        let network = NetworkId(names.id(NameKind::Network, &broker.network));
        let filters = match pattern {
            Some(pattern) => vec![pattern.to_owned()],
            None => registry.filters(network),
        };
        let (registry, broker) = (Arc::clone(&registry), broker.clone());
        taps.spawn_local(async move {
            let session = Session::Private { purpose: "tap" };
            let (mut connection, _) = Connection::open(&broker, session, &filters, network).await?;
            let mut answered = false;
            let mut view = Tap::new(registry, style, broker.network);
            let acknowledger = connection.acknowledger();
            loop {
                let mut tokens = Vec::new();
                let mut broken = None;
                let mut take = |message: Message<'_>, token: Option<AckToken>| {
                    tokens.extend(token);
                    broken = view.show(&message).err().or(broken.take());
                };
                connection.turn(true, &mut take).await?;
                acknowledger.acknowledge(&mut tokens);
                if !answered && let Some(refused) = connection.refused_filters() {
                    answered = true;
                    for (filter, reason) in refused {
                        tracing::error!(filter, reason, "The broker refuses a filter.");
                    }
                }
                if let Some(error) = broken {
                    return Err(anyhow::Error::from(error));
                }
            }
        });
    }
    match taps.join_next().await {
        Some(ended) => ended?,
        None => Ok(()),
    }
}

struct Tap {
    pipeline: Pipeline,
    clock: Clock,
    style: Style,
    network: String,
    out: Processed,
}

impl Tap {
    fn new(registry: Arc<Registry>, style: Style, network: String) -> Self {
        let clock = Clock::real();
        let pipeline = Pipeline::new(registry, clock.now());
        Self { pipeline, clock, style, network, out: Processed::default() }
    }

    fn show(&mut self, message: &Message<'_>) -> io::Result<()> {
        let at = self.clock.now();
        self.pipeline.process(&Arrival { at, input: Input::Message(*message) }, &mut self.out);
        let mut out = io::stdout().lock();
        match self.style {
            Style::Json => writeln!(out, "{}", self.json(message)),
            Style::Human { colour } => out.write_all(self.text(message, colour).as_bytes()),
        }
    }

    fn json(&self, message: &Message<'_>) -> Value {
        let registry = self.pipeline.registry();
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
                "revision": qualified.revision,
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
            "network": self.network,
            "topic": String::from_utf8_lossy(message.topic),
            "qos": qos(message.qos),
            "retain": message.retain,
            "payload": String::from_utf8_lossy(message.payload),
            "outcome": self.out.fate.map(|fate| format!("{:?}", fate.outcome).to_lowercase()),
            "observations": observations.collect::<Vec<_>>(),
            "rejects": rejects.collect::<Vec<_>>(),
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

    fn text(&self, message: &Message<'_>, colour: bool) -> String {
        let registry = self.pipeline.registry();
        let paint = |code: &'static str| if colour { code } else { "" };
        let (bold, red, dim, plain) =
            (paint("\x1b[1m"), paint("\x1b[31m"), paint("\x1b[2m"), paint("\x1b[0m"));
        // What comes from outside must not drive the terminal.
        let topic = String::from_utf8_lossy(message.topic).escape_debug().to_string();
        let payload: String = String::from_utf8_lossy(message.payload)
            .chars()
            .map(|one| if one.is_control() { ' ' } else { one })
            .take(400)
            .collect();
        let mut text = format!(
            "{bold}{} {topic}{plain} {dim}QoS {}{}{plain}\n  {dim}{payload}{plain}\n",
            self.network,
            qos(message.qos),
            if message.retain { ", retained" } else { "" }
        );
        for qualified in &self.out.observations {
            let Some(stream) = registry.datastream(qualified.observation.datastream) else {
                continue;
            };
            let Some(property) = registry.property(stream.property) else { continue };
            let value = match qualified.observation.result {
                ObservationResult::Value(value) => value.to_string(),
                ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit}"),
                ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit}"),
                ObservationResult::Nil(_) => "no value".to_owned(),
            };
            let flag = qualified.flag().number();
            let told = self.assessment(qualified);
            let exceeds = told.is_some_and(|one| matches!(one.verdict, Verdict::Exceeds { .. }));
            let words = told.map_or_else(String::new, |one| verdict(registry, one.verdict));
            let mark = if exceeds || flag != 1 { red } else { "" };
            text.push_str(&format!(
                "  {mark}{} {value} {} flag {flag} {words}{plain}\n",
                stream.name,
                registry.unit_name(property)
            ));
        }
        for reject in &self.out.rejects {
            let channel = reject.channel.as_deref().unwrap_or("message");
            let words = reject.reason.to_string().escape_debug().to_string();
            text.push_str(&format!("  {red}{channel} rejected: {words}{plain}\n"));
        }
        if self.out.observations.is_empty() && self.out.rejects.is_empty() {
            text.push_str("  held already, or nothing to read in it\n");
        }
        text
    }
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
