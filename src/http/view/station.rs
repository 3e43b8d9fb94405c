//! What the pages of one station show.

use serde::Serialize;

use crate::http::series::{Column, Drawing};
use crate::http::view::{DoubtView, EvaluationView, Text, ValueView};

/// A station, whole.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct StationPage {
    /// When the numbers were true, in the zone of the station.
    pub at: String,
    /// Its name in tags.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// Where it stands.
    pub place: Text,
    /// The zone of every time on the page, such as `UTC+8`.
    pub zone: String,
    /// The class it must meet, empty if none.
    pub target: Text,
    /// The company that runs it, empty if none is named.
    pub operator: String,
    /// What takes from the weight of what it says: indicative, on trial, not in service.
    pub marks: Vec<Text>,
    /// Whether it is silent as a whole.
    pub silent: bool,
    /// When something of it arrived last, empty if never.
    pub heard: String,
    /// How long ago, s.
    pub heard_age_s: i64,
    /// What it came to.
    pub evaluations: Vec<EvaluationView>,
    /// Why there is none.
    pub unevaluated: Text,
    /// The newest value of each of its datastreams.
    pub values: Vec<LatestView>,
    /// The same of what devices say of themselves.
    pub own_values: Vec<LatestView>,
    /// Its devices.
    pub devices: Vec<DeviceView>,
    /// Calibrations in force.
    pub calibrations: Vec<CalibrationView>,
    /// The last checks of its instruments.
    pub checks: Vec<CheckView>,
    /// What is said of its values and stands.
    pub said: Vec<SaidView>,
    /// What can be said of something by itself: each property, with its name in tags.
    pub properties: Vec<Choice>,
    /// Its positions, if there are several.
    pub positions: Vec<String>,
    /// The days of its coverage, the last first.
    pub days: Vec<String>,
    /// How much came and passed.
    pub coverage: Vec<CoverageView>,
    /// From when to when a form begins with, in the zone of the station.
    pub form: [String; 2],
}

/// The newest value of a datastream.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct LatestView {
    /// The datastream.
    pub series: String,
    /// The value.
    pub value: ValueView,
    /// What it is: a raw value, a sample, the mean of ten minutes …
    pub kind: Text,
    /// Why there is no value, empty if there is one.
    pub missing: Text,
    /// How often one is expected.
    pub every: String,
    /// When the next one is expected at the latest, empty if it is overdue or never came.
    pub next: String,
    /// When it arrived; empty where none did.
    pub received: String,
}

/// A device of a station.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct DeviceView {
    /// Its name.
    pub name: String,
    /// Its network.
    pub network: String,
    /// The gateways by way of which it speaks, the nearest first.
    pub gateways: Vec<String>,
    /// Since when it said that it is gone; empty if it did not.
    pub gone: String,
    /// How many datastreams of the station it feeds.
    pub feeds: usize,
}

/// A calibration in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CalibrationView {
    /// The property.
    pub property: Text,
    /// Where at the station.
    pub position: String,
    /// `1.02 × raw − 0.05 mg/L`.
    pub formula: String,
    /// Since when, empty if always.
    pub from: String,
    /// Until when, empty if for good.
    pub to: String,
}

/// A check of an instrument.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CheckView {
    /// The property.
    pub property: Text,
    /// Where at the station.
    pub position: String,
    /// What was checked.
    pub kind: Text,
    /// When.
    pub at: String,
    /// What it found, and what it should have found.
    pub found: String,
    /// The number of what it says of values, if it failed.
    pub failed: Option<u64>,
}

/// Something that is said of values.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SaidView {
    /// Its number.
    pub id: u64,
    /// Of which property; all if empty.
    pub property: Text,
    /// At which position, empty if at all.
    pub position: String,
    /// From when on.
    pub from: String,
    /// Until before when.
    pub to: String,
    /// Whether they are only in doubt.
    pub suspect: bool,
    /// Who says so.
    pub person: String,
    /// When it was said.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// How much came of a datastream's values, by day.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct CoverageView {
    /// The property.
    pub property: Text,
    /// Where at the station.
    pub position: String,
    /// Each of the page's days.
    pub days: Vec<CoveredView>,
}

/// How much came of a day.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct CoveredView {
    /// How many values were expected; of today, until now.
    pub expected: u32,
    /// How many came.
    pub received: u32,
    /// How many of them passed.
    pub valid: u32,
    /// The share of the expected that passed, %; nothing where nobody knows.
    pub share: Option<f64>,
}

/// The classes of a station, by day.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct StripView {
    /// What is shown of it: water class, AQI.
    pub index: Text,
    /// The days, in order.
    pub days: Vec<StripDayView>,
    /// Why there are no more of them, empty if there is nothing to say.
    pub note: Text,
}

/// The class of one day.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StripDayView {
    /// The date.
    pub date: String,
    /// The class or grade in words, empty if there is none.
    pub grade: Text,
    /// The same, as short as it fits into a strip.
    pub short: Text,
    /// Its colour.
    pub colour: Option<String>,
    /// Why there is none.
    pub reason: Text,
}

/// Something that can be chosen.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Choice {
    /// What is sent.
    pub id: String,
    /// What it is called.
    pub name: Text,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// A series, drawn.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SeriesView {
    /// The datastream.
    pub series: String,
    /// Its property.
    pub property: Text,
    /// Where at the station.
    pub position: String,
    /// What its values are.
    pub kind: Text,
    /// The unit.
    pub unit: String,
    /// From when to when.
    pub from: String,
    /// Until before when.
    pub to: String,
    /// Which datastreams there are.
    pub choices: Vec<Choice>,
    /// Which values there are of this one.
    pub periods: Vec<Choice>,
    /// How long a time may be.
    pub spans: Vec<Choice>,
    /// The time until which was asked for, empty if until now.
    pub until: String,
    /// How many values there are.
    pub count: usize,
    /// How many of them are not good.
    pub flagged: usize,
    /// How many took another's place.
    pub revised: usize,
    /// The least and the greatest value, as people write them; empty without any.
    pub extremes: Option<[String; 2]>,
    /// What is to be known of where the values come from.
    pub notes: Vec<Text>,
    /// The drawing.
    pub drawing: Drawing,
    /// The rows of the table of the same numbers, the newest first; empty if it is not asked for.
    pub rows: Vec<Column>,
    /// Which part of the rows, from 1, and of how many; nothing if the table is not asked for.
    pub part: Option<[usize; 2]>,
    /// The query that leads here, without the parts that others below change.
    pub here: String,
    /// The query of the time before.
    pub earlier: String,
    /// The query of the time after; empty if that is not begun.
    pub later: String,
    /// The query of the CSV.
    pub csv: String,
    /// The query of the raw message of a point, but for its time.
    pub raw: String,
}

/// The raw message of a value.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct RawPage {
    /// The station's name in tags.
    pub station: String,
    /// The station.
    pub name: Text,
    /// The datastream.
    pub series: String,
    /// Its property.
    pub property: Text,
    /// The time of the value.
    pub at: String,
    /// The zone of every time on the page.
    pub zone: String,
    /// Why there is no message to show; empty if there is one.
    pub absent: Text,
    /// Since when messages are kept.
    pub since: String,
    /// The flag of the value; nothing where weir no longer remembers how it was judged.
    pub flag: Option<u8>,
    /// The tests that doubt it.
    pub doubts: Vec<DoubtView>,
    /// The messages that said it, the first one first: a later one revised it, or said it again.
    pub messages: Vec<RawMessage>,
}

/// A message, and how it became a value.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct RawMessage {
    /// Its topic.
    pub topic: String,
    /// Its network.
    pub network: String,
    /// Its device.
    pub device: String,
    /// At which QoS.
    pub qos: u8,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// Whether it says that it came before.
    pub dup: bool,
    /// When it arrived.
    pub arrived: String,
    /// How many bytes its payload has.
    pub bytes: usize,
    /// The beginning of the payload as text; empty where it is none.
    pub text: String,
    /// The beginning of the payload, byte by byte: offset, hex, letters.
    pub hex: Vec<[String; 3]>,
    /// Whether the payload is longer than what is shown.
    pub cut: bool,
    /// The channel of the reading, as the device names it.
    pub channel: String,
    /// The number as it was sent, with its unit.
    pub said: String,
    /// The time that the device stated; empty if none.
    pub device_time: String,
    /// The number in the canonical unit, before calibration.
    pub converted: String,
    /// The calibration; empty if there was none.
    pub calibration: String,
    /// The value that came of it.
    pub value: String,
    /// What became of it, seen alone: the first value, or the one that took its place.
    pub edition: String,
}
