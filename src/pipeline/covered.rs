//! What lies behind the gateways and networks that are silent as a whole: worked out when one falls
//! silent, at an edition, and where the wall says that a device moves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::alert::silence::Quiet;
use crate::domain::alert::Subject;
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::registry::Registry;
use crate::domain::time::Timestamp;

/// What lies behind silent lines. It follows from them, the edition and the wall alone.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// The times between which every device stays where it is: from, and before. Nothing holds
    /// before it was worked out.
    stays: Option<(Timestamp, Timestamp)>,
    lines: BTreeMap<Subject, Line>,
    streams: HashMap<DatastreamId, Vec<Above>>,
}

/// What is behind one line.
#[derive(Debug, Default)]
struct Line {
    /// Where what lies behind it stands.
    stations: BTreeSet<StationId>,
    /// Whether it stands before anything but itself.
    is_before: bool,
}

/// A silent line by way of which a datastream comes.
#[derive(Debug)]
struct Above {
    line: Subject,
    /// How many of the devices that feed it come so.
    devices: usize,
    /// Whether all of them do.
    whole: bool,
}

impl Covered {
    /// Says whether it holds at a time.
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        self.stays.is_some_and(|(from, to)| from <= at && at < to)
    }

    /// Works it out.
    pub(super) fn new(
        registry: &Registry,
        quiet: &BTreeMap<Subject, Quiet>,
        at: Timestamp,
    ) -> Self {
        let mut covered = Self { stays: Some(stays(registry, at)), ..Self::default() };
        if quiet.is_empty() {
            return covered;
        }
        covered.lines = quiet.keys().map(|line| (*line, Line::default())).collect();
        for device in registry.devices.iter() {
            let Some(held) = device.assignment(at) else { continue };
            let own = Subject::Device(device.id);
            let gateways = registry.gateways(device, at).into_iter().map(Subject::Device);
            let streams: BTreeSet<DatastreamId> =
                held.streams.iter().flatten().map(|stream| stream.datastream).collect();
            for above in gateways.chain([own, Subject::Network(device.network)]) {
                let Some(line) = covered.lines.get_mut(&above) else { continue };
                line.stations.insert(held.station);
                line.is_before |= above != own;
                for id in &streams {
                    count(covered.streams.entry(*id).or_default(), above);
                }
            }
        }
        for (id, above) in &mut covered.streams {
            let fed = registry.feeders(*id, at).count();
            above.iter_mut().for_each(|one| one.whole = one.devices == fed);
        }
        covered
    }

    /// Says whether everything of a datastream comes by way of a silent line.
    pub(super) fn whole(&self, datastream: DatastreamId) -> bool {
        self.streams.get(&datastream).is_some_and(|above| above.iter().any(|one| one.whole))
    }

    /// Gives the silent lines by way of which something of a datastream comes, in their order.
    pub(super) fn above(&self, datastream: DatastreamId) -> Vec<Subject> {
        let above = self.streams.get(&datastream).map_or(&[][..], Vec::as_slice);
        let mut lines: Vec<Subject> = above.iter().map(|one| one.line).collect();
        lines.sort_unstable();
        lines
    }

    /// Gives the silent lines that stand before nothing any more.
    pub(super) fn bare(&self) -> Vec<Subject> {
        let bare = self.lines.iter().filter(|(_, line)| !line.is_before);
        bare.map(|(line, _)| *line).collect()
    }

    /// Takes a line out that is silent no more, and gives where what lies behind it stands.
    pub(super) fn remove(&mut self, line: Subject) -> BTreeSet<StationId> {
        self.streams.retain(|_, above| {
            above.retain(|one| one.line != line);
            !above.is_empty()
        });
        self.lines.remove(&line).unwrap_or_default().stations
    }
}

fn count(above: &mut Vec<Above>, line: Subject) {
    match above.iter_mut().find(|one| one.line == line) {
        Some(one) => one.devices += 1,
        None => above.push(Above { line, devices: 1, whole: false }),
    }
}

/// Gives the times around one between which no device moves, by the seeds.
fn stays(registry: &Registry, at: Timestamp) -> (Timestamp, Timestamp) {
    let assignments = registry.devices.iter().flat_map(|device| &device.assignments);
    let moves = assignments.flat_map(|held| [held.validity.from, held.validity.to]).flatten();
    let whole = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    moves.fold(whole, |(from, to), time| match time <= at {
        true => (from.max(time), to),
        false => (from, to.min(time)),
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::alert::AlertId;
    use crate::domain::name::{DeviceId, NetworkId, RuleId};
    use crate::domain::registry::{
        Assignment, ChannelStream, ClockTrust, Device, Hj212, ProfileIndex,
    };
    use crate::domain::time::Validity;
    use crate::domain::unit::Conversion;

    const GATEWAY: Subject = Subject::Device(DeviceId(0));
    const OTHER: Subject = Subject::Device(DeviceId(1));
    const NETWORK: Subject = Subject::Network(NetworkId(0));

    /// Where a device stands for a time: from, to, gateway, station, and what it feeds.
    type Held<'a> = (Option<i64>, Option<i64>, Option<u32>, u32, &'a [u32]);

    fn device(id: u32, name: &str, held: &[Held<'_>]) -> Device {
        let assignment = |(from, to, gateway, station, streams): &Held<'_>| Assignment {
            validity: Validity { from: from.map(Timestamp), to: to.map(Timestamp) },
            station: StationId(*station),
            gateway: gateway.map(DeviceId),
            profile: ProfileIndex(0),
            streams: streams.iter().map(|id| Some(stream(*id))).collect(),
        };
        Device {
            id: DeviceId(id),
            network: NetworkId(u32::from(id > 6)),
            name: name.into(),
            assignments: held.iter().map(assignment).collect(),
            clock: ClockTrust::Device,
            zone: TimeZone::UTC,
            hj212: Hj212::default(),
        }
    }

    fn stream(id: u32) -> ChannelStream {
        let conversion = Conversion::IDENTITY;
        ChannelStream { datastream: DatastreamId(id), conversion, by_volume: false }
    }

    /// Two gateways, the second behind the first by its name, and what speaks by way of them: one
    /// moves from the one to the other, one feeds what another feeds, too.
    fn registry() -> Registry {
        let mut registry = Registry::empty();
        for one in [
            device(0, "gw", &[(None, None, None, 0, &[0])]),
            device(1, "gw/b", &[(None, None, None, 0, &[])]),
            device(
                2,
                "p2",
                &[(None, Some(100), Some(0), 0, &[1, 1]), (Some(100), None, None, 1, &[2])],
            ),
            device(3, "p3", &[(None, None, Some(1), 1, &[3, 4])]),
            device(4, "p4", &[(Some(50), Some(200), None, 1, &[4, 5])]),
            device(5, "gw/b/p5", &[(None, Some(150), None, 2, &[6])]),
            device(6, "p6", &[(Some(300), None, Some(0), 2, &[6])]),
            device(7, "far", &[(None, None, None, 3, &[7])]),
        ] {
            for held in one.assignments.iter().flat_map(|held| held.streams.iter().flatten()) {
                let feeders = registry.feeders.entry(held.datastream).or_default();
                if !feeders.contains(&one.id) {
                    feeders.push(one.id);
                }
            }
            registry.device_ids.insert((one.network, one.name.clone()), one.id);
            registry.devices.put(one.id.index(), one);
        }
        registry
    }

    fn quiet(lines: &[Subject]) -> BTreeMap<Subject, Quiet> {
        let one = Quiet { alert: AlertId(1), rule: RuleId(0), heard_ms: 0 };
        lines.iter().map(|line| (*line, one)).collect()
    }

    #[test]
    fn it_says_what_a_walk_over_all_devices_says() {
        let registry = registry();
        for lines in
            [&[][..], &[GATEWAY], &[OTHER], &[OTHER, GATEWAY], &[NETWORK], &[GATEWAY, NETWORK]]
        {
            for at in [-1, 0, 49, 50, 99, 100, 149, 150, 199, 200, 299, 300].map(Timestamp) {
                let covered = Covered::new(&registry, &quiet(lines), at);
                let walked = |line: &Subject, all: bool, id: DatastreamId| {
                    let mut fed = registry.feeders(id, at).peekable();
                    let comes = |one: &Device| registry.is_behind(one, *line, at);
                    fed.peek().is_some() && if all { fed.all(comes) } else { fed.any(comes) }
                };
                for id in (0..8).map(DatastreamId) {
                    let whole = lines.iter().any(|line| walked(line, true, id));
                    assert_eq!(covered.whole(id), whole, "{id:?} {lines:?} {at:?}");
                    let mut above = lines.to_vec();
                    above.retain(|line| walked(line, false, id));
                    above.sort_unstable();
                    assert_eq!(covered.above(id), above, "{id:?} {lines:?} {at:?}");
                }
                let mut bare = lines.to_vec();
                bare.retain(|line| {
                    let mut behind = registry.behind(*line, at);
                    !behind.any(|(one, _)| Subject::Device(one.id) != *line)
                });
                bare.sort_unstable();
                assert_eq!(covered.bare(), bare, "{lines:?} {at:?}");
            }
        }
    }

    #[test]
    fn it_holds_until_a_device_moves() {
        let registry = registry();
        let covered = Covered::new(&registry, &quiet(&[GATEWAY]), Timestamp(120));
        let holds = [99, 100, 149, 150].map(|at| covered.holds(Timestamp(at)));
        assert_eq!(holds, [false, true, true, false]);
        assert!(!Covered::default().holds(Timestamp(0)));
    }

    #[test]
    fn a_line_that_speaks_again_leaves_what_others_cover() {
        let registry = registry();
        let mut covered = Covered::new(&registry, &quiet(&[GATEWAY, OTHER]), Timestamp(0));
        let stations = covered.remove(GATEWAY);
        assert_eq!(stations.into_iter().collect::<Vec<_>>(), [0, 1, 2].map(StationId));
        assert_eq!(covered.above(DatastreamId(0)), []);
        assert_eq!(covered.above(DatastreamId(3)), [OTHER]);
        assert!(covered.whole(DatastreamId(6)));
    }
}
