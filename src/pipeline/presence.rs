//! Whether devices are there: what they say themselves, their broker's last will, or the gateway
//! before them. Who is gone is waited for less long.

use crate::domain::name::{DatastreamId, DeviceId};
use crate::domain::registry::{Device, Registry};
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::Pipeline;

impl Pipeline {
    /// Notes what the message that was read shows of its device: that it is gone, and with it what
    /// lies behind it, or that it is there.
    pub(super) fn note_presence(&mut self, registry: &Registry, id: DeviceId, now: Moment) {
        let Some(device) = registry.devices.get(id.index()) else { return };
        if self.decoded.farewell {
            self.part(device, now);
            for behind in registry.devices.iter().filter(|one| is_behind(one, device, now.wall)) {
                self.part(behind, now);
            }
        } else if !self.state.gone.is_empty() {
            let heard = self.decoded.greeting || !self.observed.is_empty();
            if heard {
                self.state.gone.remove(&id);
            }
            if self.decoded.greeting {
                self.state.gone.retain(|gone, _| {
                    let behind = registry.devices.get(gone.index());
                    behind.is_none_or(|behind| !is_behind(behind, device, now.wall))
                });
            }
        }
    }

    fn part(&mut self, device: &Device, now: Moment) {
        self.state.gone.entry(device.id).or_insert(now.elapsed_ms);
        let station = device.assignment(now.wall).map(|assignment| assignment.station);
        let due = station.and_then(|station| self.silence_due_ms.get_mut(station.index()));
        if let Some(due) = due {
            *due = 0;
        }
    }

    /// Gives since when the devices that feed a datastream are gone, in elapsed milliseconds;
    /// nothing while one of them is there.
    pub(super) fn gone_since(
        &self,
        registry: &Registry,
        datastream: DatastreamId,
        at: Timestamp,
    ) -> Option<i64> {
        if self.state.gone.is_empty() {
            return None;
        }
        let mut since = None;
        for device in registry.feeders(datastream, at) {
            since = since.max(Some(*self.state.gone.get(&device.id)?));
        }
        since
    }
}

/// Says whether a device speaks by way of another: the seeds name that as its gateway, or it has
/// its edge node in its name.
fn is_behind(device: &Device, gateway: &Device, at: Timestamp) -> bool {
    let named = || device.assignment(at).is_some_and(|one| one.gateway == Some(gateway.id));
    let rest = device.name.strip_prefix(&*gateway.name);
    device.network == gateway.network && (rest.is_some_and(|rest| rest.starts_with('/')) || named())
}
