//! By way of whom devices speak: the gateways before them, and what lies behind a gateway or a
//! whole network.

use crate::domain::alert::Subject;
use crate::domain::name::{DatastreamId, DeviceId};
use crate::domain::registry::{Assignment, Device, Registry};
use crate::domain::time::Timestamp;

impl Registry {
    /// Gives the gateways by way of which a device speaks at a time, the nearest first: each is
    /// named by the seeds or by the device's own name, in which its edge node stands.
    #[must_use]
    pub fn gateways(&self, device: &Device, at: Timestamp) -> Vec<DeviceId> {
        self.climb(device, |one| one.assignment(at).and_then(|held| held.gateway).into_iter())
    }

    /// Gives the gateways by way of which it speaks at one time or another.
    #[must_use]
    pub fn gateways_ever(&self, device: &Device) -> Vec<DeviceId> {
        self.climb(device, |one| one.assignments.iter().filter_map(|held| held.gateway))
    }

    fn climb<'a, I: Iterator<Item = DeviceId>>(
        &'a self,
        device: &'a Device,
        named: impl Fn(&'a Device) -> I,
    ) -> Vec<DeviceId> {
        let mut found: Vec<DeviceId> = Vec::new();
        let (mut next, mut from) = (Some(device), 0);
        while let Some(one) = next {
            let ends = one.name.rmatch_indices('/').filter_map(|(end, _)| one.name.get(..end));
            let nodes = ends.filter_map(|node| self.device_ids.get(&(one.network, node.into())));
            for id in named(one).chain(nodes.copied()) {
                // The seeds may name two devices as each other's gateway.
                if id != device.id && !found.contains(&id) {
                    found.push(id);
                }
            }
            next = found.get(from).and_then(|id| self.devices.get(id.index()));
            from += 1;
        }
        found
    }

    /// Walks the devices that speak by way of a gateway at a time, itself among them, or those of
    /// a network, and where each stands; of any other subject there are none.
    pub fn behind(
        &self,
        line: Subject,
        at: Timestamp,
    ) -> impl Iterator<Item = (&Device, &Assignment)> {
        let devices = self.devices.iter().filter(move |device| self.is_behind(device, line, at));
        devices.filter_map(move |device| Some((device, device.assignment(at)?)))
    }

    /// Says whether a device speaks by way of a gateway or is it, or is of a network.
    #[must_use]
    pub fn is_behind(&self, device: &Device, line: Subject, at: Timestamp) -> bool {
        match line {
            Subject::Network(network) => device.network == network,
            Subject::Device(gateway) => {
                device.id == gateway || self.gateways(device, at).contains(&gateway)
            }
            Subject::Datastream(_)
            | Subject::Station(_)
            | Subject::Evaluated { .. }
            | Subject::Weir { .. } => false,
        }
    }

    /// Gives the subjects whose silence covers a subject's, the nearest first: of a datastream its
    /// station, of both the gateways and the network by way of which all comes that feeds them, of
    /// a gateway those before it.
    #[must_use]
    pub fn above(&self, subject: Subject, at: Timestamp) -> Vec<Subject> {
        match subject {
            Subject::Datastream(id) => {
                let station = self.datastream(id).map(|one| Subject::Station(one.station));
                station.into_iter().chain(self.lines_above(&[id], at)).collect()
            }
            Subject::Station(id) => {
                let streams = self.station(id).map_or(&[][..], |one| &one.datastreams);
                self.lines_above(streams, at)
            }
            Subject::Device(id) => {
                let Some(device) = self.devices.get(id.index()) else { return Vec::new() };
                let gateways = self.gateways(device, at).into_iter().map(Subject::Device);
                gateways.chain([Subject::Network(device.network)]).collect()
            }
            Subject::Network(_) | Subject::Evaluated { .. } | Subject::Weir { .. } => Vec::new(),
        }
    }

    /// Gives the gateways and the network by way of which everything comes that feeds datastreams.
    fn lines_above(&self, streams: &[DatastreamId], at: Timestamp) -> Vec<Subject> {
        let mut common: Option<Vec<Subject>> = None;
        let fed = streams.iter().flat_map(|id| self.feeders(*id, at));
        for device in fed {
            // One may be a gateway to others and speak itself.
            let own = Some(Subject::Device(device.id));
            let own = own.filter(|own| self.line_rules.contains_key(own));
            let gateways = self.gateways(device, at).into_iter().map(Subject::Device);
            let lines = own.into_iter().chain(gateways).chain([Subject::Network(device.network)]);
            let lines: Vec<Subject> = match common.take() {
                Some(common) => {
                    let lines: Vec<Subject> = lines.collect();
                    common.into_iter().filter(|line| lines.contains(line)).collect()
                }
                None => lines.collect(),
            };
            common = Some(lines);
        }
        common.unwrap_or_default()
    }

    /// Walks the devices that feed a datastream at a time.
    pub fn feeders(
        &self,
        datastream: DatastreamId,
        at: Timestamp,
    ) -> impl Iterator<Item = &Device> {
        let ids = self.feeders.get(&datastream).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.devices.get(id.index())).filter(move |device| {
            let streams = device.assignment(at).into_iter().flat_map(|held| &held.streams);
            streams.flatten().any(|stream| stream.datastream == datastream)
        })
    }
}
