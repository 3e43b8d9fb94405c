//! For the tests of formats: what a payload says, a line a reading, so that a rule and what comes
//! of it stand side by side.

use std::sync::LazyLock;

use jiff::tz::TimeZone;

use super::*;
use crate::domain::name::{NetworkId, PropertyId, TopicId};
use crate::domain::observation::ObservationResult;
use crate::domain::registry::{Channel, Level, Options, Pointers, Statistic, TimeUnit};
use crate::domain::unit::Unit;

/// 2026-05-01T00:00:00Z, when the messages of the tests come.
pub(super) const RECEIVED: i64 = 1_777_593_600_000;

/// What a topic and a device are in a test.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) rule: TopicRule,
    pub(super) profile: Profile,
    pub(super) units: Units,
    pub(super) channel: Option<&'static str>,
    pub(super) kind: Option<&'static str>,
    pub(super) topic: &'static str,
    pub(super) retained: bool,
}

impl Desk {
    /// A device with these channels. One whose name has `ignored` in it, or ends in `*`, is not
    /// wanted; one with `text` in it comes as text.
    pub(super) fn new(format: Format, channels: &[&str]) -> Self {
        let channel = |name: &&str| Channel {
            name: (*name).into(),
            property: (!name.contains("ignored") && !name.ends_with('*')).then_some(PropertyId(0)),
            unit: None,
            scale: 1.0,
            text: name.contains("text"),
            statistic: Statistic::Instant,
            period_ms: None,
            detection_limit: None,
            mark: "".into(),
            marks: None,
        };
        let mut units = Units::default();
        for (name, dimension) in [("mg/L", "mass_concentration"), ("Cel", "temperature")] {
            let (name, dimension) = (name.into(), dimension.into());
            units.add(Unit { name, dimension, multiply: 1.0, divide: 1.0, add: 0.0 }, &[]).unwrap();
        }
        Self {
            rule: TopicRule {
                id: TopicId(0),
                network: NetworkId(0),
                pattern: "water/{device}".into(),
                levels: vec![Level::Literal("water".into()), Level::Device],
                formats: vec![format],
                time_unit: TimeUnit::Milliseconds,
                pointers: Pointers::default(),
                options: Options::default(),
                marks: None,
            },
            profile: Profile {
                name: "test".into(),
                channels: channels.iter().map(channel).collect(),
            },
            units,
            channel: None,
            kind: None,
            topic: "",
            retained: false,
        }
    }

    pub(super) fn context(&self) -> Context<'_> {
        static MARKS: LazyLock<Marks> = LazyLock::new(Marks::default);
        static ZONE: TimeZone = TimeZone::fixed(jiff::tz::offset(8));
        Context {
            profile: &self.profile,
            rule: &self.rule,
            zone: &ZONE,
            units: &self.units,
            marks: &MARKS,
            device: None,
            channel: self.channel,
            kind: self.kind,
            topic: self.topic,
            device_name: "device",
            received: Timestamp(RECEIVED),
            retained: self.retained,
        }
    }

    /// Tells what a payload says: `record channel=value unit @time`, the times in seconds after
    /// [`RECEIVED`]; what is refused after it; of a whole payload that is refused the reason.
    pub(super) fn told(&self, payload: impl AsRef<[u8]>) -> String {
        self.told_after(&mut Arc::default(), payload)
    }

    /// Tells what a payload says after what devices announced.
    pub(super) fn told_after(
        &self,
        announced: &mut Arc<Announced>,
        payload: impl AsRef<[u8]>,
    ) -> String {
        let plans = plans(&self.rule, &self.profile);
        let mut decoded = Decoded::default();
        match decode(&plans, self.context(), payload.as_ref(), announced, &mut decoded) {
            Ok(()) => self.lines(&decoded).join("\n"),
            Err(reason) => reason.to_string(),
        }
    }

    pub(super) fn lines(&self, decoded: &Decoded) -> Vec<String> {
        let readings = decoded.readings.iter().map(|one| {
            let name = &self.profile.channels[usize::from(one.channel)].name;
            let result = match one.result {
                ObservationResult::Value(value) => value.to_string(),
                ObservationResult::Censored { side, limit } => format!("{side:?} {limit}"),
                ObservationResult::Nil(reason) => format!("{reason:?}"),
            };
            let unit = one.unit.and_then(|unit| self.units.get(unit));
            let unit = unit.map_or_else(String::new, |unit| format!(" {}", unit.name));
            let seconds = |at: Timestamp| (at.millis() - RECEIVED) as f64 / 1_000.0;
            let time = one.device_time.map(|at| format!(" @{}", seconds(at)));
            format!("{} {name}={result}{unit}{}", one.record, time.unwrap_or_default())
        });
        let rejects = decoded
            .rejects
            .iter()
            .map(|one| format!("{} {} refused: {}", one.record, one.channel, one.reason));
        readings.chain(rejects).collect()
    }

    /// Holds what a payload says against the lines expected, and a payload that is packed in the
    /// three ways against the same.
    #[track_caller]
    pub(super) fn check(&self, payload: impl AsRef<[u8]>, want: &[&str]) {
        assert_eq!(self.told(&payload), want.join("\n"));
        let packed = zstd::encode_all(payload.as_ref(), 3).unwrap();
        assert_eq!(self.told(packed), want.join("\n"), "packed by zstd");
    }

    /// Holds that a part of what is told contains these words.
    #[track_caller]
    pub(super) fn says(&self, payload: impl AsRef<[u8]>, words: &str) {
        let told = self.told(payload);
        assert!(told.contains(words), "{told}");
    }
}
