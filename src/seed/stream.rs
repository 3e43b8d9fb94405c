//! Datastreams, which no table lists: they follow from devices and profiles. And what belongs to
//! one datastream: calibrations.

use std::collections::HashMap;

use crate::domain::name::{DatastreamId, NameKind};
use crate::domain::registry::{Assignment, Calibration, Datastream, Statistic};
use crate::domain::time::{Timestamp, Validity};
use crate::seed::cell::duration_text;
use crate::seed::device::{self, Standing};
use crate::seed::draft::Draft;
use crate::seed::fault_in;
use crate::seed::profile::Sender;
use crate::seed::sheet::{CALIBRATIONS, DEVICES, Sheets};

/// Who feeds a datastream, and when.
#[derive(Debug)]
struct Feed {
    line: u64,
    validity: Validity,
}

/// Makes the datastreams of every device at its station, and the assignments that lead to them.
pub(super) fn datastreams(_: &Sheets, draft: &mut Draft) {
    let mut feeds: HashMap<DatastreamId, Vec<Feed>> = HashMap::new();
    for standing in std::mem::take(&mut draft.standings) {
        let place = usize::from(standing.profile.0);
        let channels = draft.registry.profiles.get(place).map_or(0, |held| held.channels.len());
        let senders = draft.senders.get(place).cloned().unwrap_or_default();
        let mut streams = vec![None; channels];
        for sender in &senders {
            let datastream = datastream(draft, &standing, sender);
            let fed = feeds.entry(datastream).or_default();
            if let Some(earlier) = fed.iter().find(|earlier| {
                earlier.line != standing.line && earlier.validity.overlaps(&standing.validity)
            }) {
                let name = draft.registry.datastream(datastream).map_or("", |held| &held.name);
                let found = format!(
                    "`{}` as a source of `{name}`, which line {} feeds at that time too",
                    device::name(draft, standing.device),
                    earlier.line
                );
                let expected = "one source of a datastream at a time";
                let line = Some(standing.line);
                draft.faults.push(fault_in(DEVICES.file, line, found, expected));
            }
            fed.push(Feed { line: standing.line, validity: standing.validity });
            if let Some(stream) = streams.get_mut(sender.channel) {
                *stream = Some(sender.stream(datastream));
            }
        }
        let Standing { device, station, gateway, profile, validity, .. } = standing;
        if let Some(device) = draft.registry.devices.get_mut(device.index()) {
            let gateway = draft.registry.device_ids.get(&(device.network, gateway)).copied();
            device.assignments.push(Assignment { validity, station, gateway, profile, streams });
            device.assignments.sort_by_key(|assignment| assignment.validity.from);
        }
    }
    for (id, fed) in feeds.iter().filter(|(_, fed)| fed.len() > 1) {
        let mut renewed: Vec<Timestamp> = fed.iter().filter_map(|one| one.validity.from).collect();
        renewed.sort_unstable();
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.renewed = renewed.into();
        }
    }
    slots(draft);
}

/// Gives the datastream of a channel, making it if it is new. Where a device takes over from
/// another, the row that stands last in the table says how values come about.
fn datastream(draft: &mut Draft, standing: &Standing, sender: &Sender) -> DatastreamId {
    let position = match (&*standing.position, &*sender.position) {
        (one, "") | ("", one) => one.to_owned(),
        (device, channel) => format!("{device}-{channel}"),
    };
    let station = draft.registry.station(standing.station).map_or("", |station| &station.name);
    let property = draft.registry.property(sender.property).map_or("", |held| &held.name);
    let between = if position.is_empty() { "" } else { "/" };
    let name = format!("{station}{between}{position}/{property}{}", suffix(sender));
    let id = DatastreamId(draft.names.id(NameKind::Datastream, &name));
    draft.datastreams.ids.insert(name.as_str().into(), id);
    draft.registry.datastreams.put(
        id.index(),
        Datastream {
            sampling: sender.sampling,
            statistic: sender.statistic,
            period_ms: sender.period_ms,
            expected_every_ms: sender.expected_every_ms,
            official: sender.official,
            ..Datastream::plain(id, &name, standing.station, (&position, sender.property))
        },
    );
    id
}

/// Tells a stated statistic from the plain value of the same property.
fn suffix(sender: &Sender) -> String {
    let word = match sender.statistic {
        Statistic::Instant | Statistic::Sample => return String::new(),
        Statistic::Mean => "mean",
        Statistic::Min => "min",
        Statistic::Max => "max",
        Statistic::Total => "total",
    };
    match sender.period_ms {
        Some(period) => format!("/{word}-{}", duration_text(period)),
        None => format!("/{word}"),
    }
}

/// Orders the datastreams of each station and gives each its slot.
fn slots(draft: &mut Draft) {
    let streams = draft.registry.datastreams.iter();
    let streams: Vec<_> = streams.map(|stream| (stream.id, stream.station)).collect();
    for (id, station) in streams {
        let Some(station) = draft.registry.stations.get_mut(station.index()) else { continue };
        let slot = u16::try_from(station.datastreams.len()).unwrap_or(u16::MAX);
        station.datastreams.push(id);
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.slot = slot;
        }
    }
}

/// Reads `calibrations.csv`.
pub(super) fn calibrations(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&CALIBRATIONS);
    for row in &sheet.rows {
        let name = sheet.text(row, "datastream");
        let held = draft.datastreams.ids.get(name).and_then(|id| draft.registry.datastream(*id));
        let zone = held.map_or_else(crate::seed::draft::china, |held| draft.zone(held.station));
        let mut cells = sheet.cells(row, &mut draft.faults);
        let datastream = cells.find("datastream", &draft.datastreams);
        cells.required("source");
        cells.required("certificate");
        let (gain, offset) = (cells.number("gain"), cells.number("offset"));
        if gain == 0.0 {
            cells.refuse("gain", "a number other than zero");
        }
        let validity = cells.validity(&zone);
        let stream = datastream.and_then(|id| draft.registry.datastreams.get_mut(id.index()));
        let Some(stream) = stream else { continue };
        if stream.calibrations.iter().any(|earlier| earlier.validity.overlaps(&validity)) {
            let found = format!("a second calibration of `{name}` at that time");
            cells.fault(found, "one calibration of a datastream at a time");
        }
        stream.calibrations.push(Calibration { gain, offset, validity });
        stream.calibrations.sort_by_key(|calibration| calibration.validity.from);
    }
}
