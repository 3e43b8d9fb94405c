//! What a kind of device sends, channel by channel.

use crate::domain::name::{DatastreamId, PropertyId};
use crate::domain::registry::{
    Channel, ChannelStream, FIELD, Field, Profile, ProfileIndex, Sampling, Statistic,
    VocabularyIndex,
};
use crate::domain::time::HOUR;
use crate::domain::unit::Conversion;
use crate::seed::draft::{Draft, Known};
use crate::seed::format::pointer;
use crate::seed::quantity::{Units, unit};
use crate::seed::sheet::{Cells, PROFILES, Sheets, UNITS};

/// What [`Channel`] leaves to the datastream, for a channel that is not ignored.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// Its place among the channels of its profile.
    pub(super) channel: usize,
    pub(super) property: PropertyId,
    pub(super) position: Box<str>,
    pub(super) conversion: Conversion,
    pub(super) by_volume: bool,
    pub(super) sampling: Sampling,
    pub(super) statistic: Statistic,
    pub(super) period_ms: Option<i64>,
    /// Whether the device's hour is the official one, and not the one weir could make.
    pub(super) official: bool,
    pub(super) expected_every_ms: i64,
}

impl Sender {
    /// Leads the channel to a datastream.
    pub(super) fn stream(&self, datastream: DatastreamId) -> ChannelStream {
        ChannelStream { datastream, conversion: self.conversion, by_volume: self.by_volume }
    }

    fn is_same_stream(&self, other: &Self) -> bool {
        let key = |sender: &Self| {
            let statistic = match sender.statistic {
                Statistic::Sample => Statistic::Instant,
                plain @ (Statistic::Instant
                | Statistic::Mean
                | Statistic::Min
                | Statistic::Max
                | Statistic::Total) => plain,
            };
            (sender.property, sender.position.clone(), statistic, sender.period_ms)
        };
        key(self) == key(other)
    }
}

/// Reads `profiles.csv`.
pub(super) fn profiles(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&PROFILES);
    draft.profiles.whole = sheet.whole;
    draft.datastreams.whole &= sheet.whole;
    let whole = sheets.get(&UNITS).whole;
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let before = cells.faults.len();
        let name = cells.name("profile");
        let fresh = ProfileIndex(u16::try_from(draft.registry.profiles.len()).unwrap_or(u16::MAX));
        let index = *draft.profiles.ids.entry(name.into()).or_insert(fresh);
        if index == fresh {
            draft.registry.profiles.push(Profile { name: name.into(), channels: Vec::new() });
            draft.senders.push(Vec::new());
        }
        let place = usize::from(index.0);
        let (Some(profile), Some(senders)) =
            (draft.registry.profiles.get_mut(place), draft.senders.get_mut(place))
        else {
            cells.fault("one profile more", "at most 65535 profiles");
            continue;
        };
        if profile.channels.iter().any(|channel| *channel.name == *cells.text("channel")) {
            cells.refuse("channel", "each channel of a profile once");
        }
        let property = match cells.text("property") {
            "ignored" => None,
            _ => cells.find("property", &draft.properties),
        };
        let units = Units { units: &draft.registry.units, whole };
        let mut channel = channel(&mut cells, property, &units, &draft.marks);
        if let Some(property) = property {
            let canonical = draft.registry.properties.get(property.index());
            let mut sender = sender(&mut cells, property, &channel);
            sender.channel = profile.channels.len();
            if let (Some(canonical), Some(sent)) = (canonical, channel.unit) {
                let plain = units.units.conversion(sent, canonical.unit);
                let gas = draft.registry.air.molar_mass(property);
                let by_volume =
                    gas.and_then(|mass| units.units.by_volume(sent, canonical.unit, mass));
                sender.by_volume = plain.is_none();
                match plain.or(by_volume) {
                    Some(conversion) => sender.conversion = conversion.scaled(channel.scale),
                    None => {
                        let name = units.units.get(canonical.unit).map_or("", |unit| &unit.name);
                        let gas = if gas.is_some() { ", or a share of volume," } else { "" };
                        let expected = format!("a unit that can become `{name}`{gas}");
                        cells.refuse("unit", expected);
                    }
                }
            }
            channel.statistic = sender.statistic;
            channel.period_ms = sender.period_ms;
            if senders.iter().any(|earlier| earlier.is_same_stream(&sender)) {
                let found = format!("`{}` again", cells.text("property"));
                cells.fault(found, "one source of a datastream: position or statistic must differ");
            }
            senders.push(sender);
        }
        profile.channels.push(channel);
        draft.datastreams.whole &= draft.faults.len() == before;
    }
}

fn channel(
    cells: &mut Cells<'_>,
    property: Option<PropertyId>,
    units: &Units<'_>,
    marks: &Known<VocabularyIndex>,
) -> Channel {
    let name: Box<str> = cells.required("channel").into();
    if Field::is_meant(&name) && Field::read(&name).is_none() {
        cells.refuse("channel", FIELD);
    }
    let mut channel = Channel {
        name,
        property,
        unit: None,
        scale: 1.0,
        text: false,
        statistic: Statistic::Instant,
        period_ms: None,
        detection_limit: None,
        mark: "".into(),
        marks: None,
    };
    if property.is_none() {
        cells.empty(&["mark", "marks"], "a channel that is ignored");
        return channel;
    }
    channel.unit = unit(cells, "unit", units);
    channel.scale = cells.optional_number("scale").unwrap_or(1.0);
    if channel.scale == 0.0 {
        cells.refuse("scale", "a number other than zero");
        channel.scale = 1.0;
    }
    channel.detection_limit = detection_limit(cells).map(|limit| limit / channel.scale);
    channel.mark = pointer(cells, "mark");
    if !cells.text("marks").is_empty() {
        channel.marks = cells.find("marks", marks);
    }
    channel.text = cells.word("as", ("number", false), &[("text", true)]);
    channel
}

/// Reads the detection limit, which is in the unit of the channel.
fn detection_limit(cells: &mut Cells<'_>) -> Option<f64> {
    let limit = cells.optional_number("detection_limit")?;
    if limit <= 0.0 {
        cells.refuse("detection_limit", "a number above zero");
        return None;
    }
    Some(limit)
}

fn sender(cells: &mut Cells<'_>, property: PropertyId, channel: &Channel) -> Sender {
    let position = cells.text("position");
    if !position.is_empty() {
        cells.name("position");
    }
    let statistic = cells.word(
        "statistic",
        ("instant", Statistic::Instant),
        &[
            ("sample", Statistic::Sample),
            ("mean", Statistic::Mean),
            ("min", Statistic::Min),
            ("max", Statistic::Max),
            ("total", Statistic::Total),
        ],
    );
    let sampled = cells.word("sampling", ("continuous", false), &[("sampled", true)]);
    if sampled != (statistic == Statistic::Sample) {
        cells.refuse("statistic", "`sample` where sampling is `sampled`, and only there,");
    }
    let sampling = if sampled {
        let delay = cells.optional_duration("delay").unwrap_or(0);
        Sampling::Sampled { cycle_ms: cells.duration("cycle"), delay_ms: delay }
    } else {
        cells.empty(&["cycle", "delay"], "a continuous channel");
        Sampling::Continuous
    };
    let period_ms = match statistic {
        Statistic::Instant | Statistic::Sample => {
            cells.empty(&["period"], "an instant or a sample");
            None
        }
        Statistic::Mean => Some(cells.duration("period")),
        Statistic::Min | Statistic::Max | Statistic::Total => cells.optional_duration("period"),
    };
    let states_hour = statistic == Statistic::Mean && period_ms == Some(HOUR);
    let official = cells.word("official", ("", true), &[("device", true), ("weir", false)]);
    if !states_hour {
        cells.empty(&["official"], "what is no mean of an hour");
    }
    Sender {
        official,
        channel: 0,
        property,
        position: position.into(),
        conversion: Conversion::IDENTITY.scaled(channel.scale),
        by_volume: false,
        sampling,
        statistic,
        period_ms,
        expected_every_ms: cells.duration("expected_every"),
    }
}
