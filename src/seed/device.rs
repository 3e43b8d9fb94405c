//! What talks: loggers, gateways and meters, and where each stood when.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::name::{DeviceId, NameKind, StationId};
use crate::domain::registry::{ClockTrust, Device, ProfileIndex, Registry};
use crate::domain::time::Validity;
use crate::seed::cell::nearest;
use crate::seed::draft::Draft;
use crate::seed::fault_in;
use crate::seed::hj212;
use crate::seed::sheet::{DEVICES, Sheet, Sheets, quoted};

/// A row of `devices.csv`: a device at a station for a time.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) line: u64,
    pub(super) device: DeviceId,
    pub(super) station: StationId,
    pub(super) position: Box<str>,
    /// The gateway's name.
    pub(super) gateway: Box<str>,
    pub(super) profile: ProfileIndex,
    pub(super) validity: Validity,
}

/// Reads `devices.csv`.
pub(super) fn devices(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&DEVICES);
    draft.datastreams.whole &= sheet.whole;
    lost_zeros(sheet, draft);
    for row in &sheet.rows {
        let before = draft.faults.len();
        let mut cells = sheet.cells(row, &mut draft.faults);
        let network = cells.find("network", &draft.networks);
        let name = cells.identifier("device");
        let station = cells.find("station", &draft.stations);
        let profile = cells.find("profile", &draft.profiles);
        let position = cells.text("position");
        if !position.is_empty() {
            cells.name("position");
        }
        let clock = cells.word(
            "clock",
            ("device", ClockTrust::Device),
            &[("arrival_if_off", ClockTrust::ArrivalIfOff), ("arrival", ClockTrust::Arrival)],
        );
        let hj212 = hj212::options(&mut cells, &draft.registry.marks);
        let there = draft.registry.station(station.unwrap_or(StationId(0)));
        let there = there.map_or_else(crate::seed::draft::china, |station| station.zone.clone());
        let zone = cells.zone(there.clone());
        let validity = cells.validity(&there);
        let (Some(network), Some(station), Some(profile)) = (network, station, profile) else {
            draft.datastreams.whole = false;
            continue;
        };
        let lasting = format!("{}/{name}", cells.text("network"));
        let id = DeviceId(draft.names.id(NameKind::Device, &lasting));
        let device = Device {
            id,
            network,
            name: name.into(),
            assignments: Vec::new(),
            clock,
            zone: zone.clone(),
            hj212,
        };
        if let Some(held) = draft.registry.devices.get(id.index()) {
            if held.clock != clock || held.zone != zone || held.hj212 != hj212 {
                let expected = "the same clock, zone and options in every row of a device";
                cells.refuse("device", expected);
            }
        } else {
            draft.registry.devices.put(id.index(), device);
            draft.registry.device_ids.insert((network, name.into()), id);
        }
        let twice =
            |earlier: &&Standing| earlier.device == id && earlier.validity.overlaps(&validity);
        if let Some(earlier) = draft.standings.iter().find(twice) {
            let found = format!("`{name}`, which line {} has at that time too", earlier.line);
            cells.fault(found, "a device at one station at a time");
        }
        let gateway = cells.text("gateway").into();
        let (line, position, device) = (row.line, position.into(), id);
        draft.standings.push(Standing {
            line,
            device,
            station,
            position,
            gateway,
            profile,
            validity,
        });
        draft.datastreams.whole &= draft.faults.len() == before;
    }
    gateways(sheet, draft);
}

/// Notes which devices feed each datastream.
pub(super) fn feeders(registry: &mut Registry) {
    for device in registry.devices.iter() {
        let streams = device.assignments.iter().flat_map(|held| held.streams.iter().flatten());
        for stream in streams {
            let of = registry.feeders.entry(stream.datastream).or_default();
            if !of.contains(&device.id) {
                of.push(device.id);
            }
        }
    }
}

/// Refuses gateways that are no device of the same network.
fn gateways(sheet: &Sheet, draft: &mut Draft) {
    let mut peers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &sheet.rows {
        let device = sheet.text(row, "device");
        peers.entry(sheet.text(row, "network")).or_default().insert(device);
    }
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let (network, gateway) = (cells.text("network"), cells.text("gateway"));
        let Some(names) = peers.get(network) else { continue };
        if !gateway.is_empty() && !names.contains(gateway) {
            let near = nearest(gateway, names.iter().copied());
            let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
            cells.fault(quoted(gateway), format!("a device of `{network}` in `gateway`{near}"));
        }
    }
}

/// Finds numbers that lost their leading zeros: shorter than the others of their network, where
/// the others are numbers of one length and some of them begin with a zero.
fn lost_zeros(sheet: &Sheet, draft: &mut Draft) {
    let number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let mut widths: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &sheet.rows {
        let name = sheet.text(row, "device");
        if number(name) && name.starts_with('0') && name.len() > 1 {
            let width = widths.entry(sheet.text(row, "network")).or_default();
            *width = name.len().max(*width);
        }
    }
    for row in &sheet.rows {
        let (network, name) = (sheet.text(row, "network"), sheet.text(row, "device"));
        let Some(width) = widths.get(network).copied() else { continue };
        if number(name) && name.len() < width {
            let expected = format!(
                "{width} digits in `device`; a spreadsheet lost leading zeros of `{name:0>width$}`"
            );
            let line = Some(row.line);
            draft.faults.push(fault_in(&sheet.file, line, format!("`{name}`"), expected));
        }
    }
}

/// Gives the name of a device for people.
pub(super) fn name(draft: &Draft, device: DeviceId) -> &str {
    draft.registry.devices.get(device.index()).map_or("", |device| &device.name)
}
