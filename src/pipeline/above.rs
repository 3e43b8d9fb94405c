//! What stands between a station and weir: gateways and the broker's network. If nothing at all
//! comes by way of one, one alert says so, and what lies behind it is not called silent for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::silence::{Heard, Quiet, Terms, deadline};
use crate::domain::alert::{AlertChange, AlertEvent, Subject};
use crate::domain::name::{DeviceId, RuleId, StationId};
use crate::domain::registry::{Datastream, Registry, RuleKind};
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::covered::Covered;
use crate::pipeline::{Pipeline, Processed};

/// A gateway or network that is watched as a whole.
#[derive(Clone, Debug)]
pub(super) struct Line {
    subject: Subject,
    rule: RuleId,
    intervals: f64,
    /// The devices that lie behind it at one time or another.
    members: Vec<DeviceId>,
    /// No shorter does it wait for anything of them, ms.
    patience_min_ms: i64,
}

/// What is known of what lies behind a line.
#[derive(Default)]
struct Behind {
    /// When something of it was heard last, in elapsed milliseconds.
    heard_ms: Option<i64>,
    /// Of each device of which something is expected: when it was heard last, in elapsed
    /// milliseconds, and the shortest interval in which something of it is expected, ms.
    devices: Vec<(i64, i64)>,
    /// Since when all of it is gone, in elapsed milliseconds.
    gone_ms: Option<i64>,
    /// Since when all stations there have time anew, in elapsed milliseconds.
    resumed_ms: Option<i64>,
}

impl Behind {
    /// Gives the interval that is waited for so often. Who had fallen silent before all others did
    /// says nothing of them, and nor does the one that falls silent first: it takes two.
    fn expected_every_ms(&self, intervals: f64) -> Option<i64> {
        let heard_ms = self.heard_ms?;
        let is_alive = |(last_ms, expected_every_ms): &&(i64, i64)| {
            let terms = Terms { expected_every_ms: *expected_every_ms, intervals };
            last_ms.saturating_add(terms.patience_ms()) > heard_ms
        };
        let mut every: Vec<i64> =
            self.devices.iter().filter(is_alive).map(|(_, every)| *every).collect();
        every.sort_unstable();
        every.get(1).or(every.first()).copied()
    }
}

/// Gives what an edition watches as a whole: networks first, then gateways, the outer ones first.
pub(super) fn lines(registry: &Registry) -> Vec<Line> {
    let mut members: BTreeMap<Subject, Vec<DeviceId>> = BTreeMap::new();
    for device in registry.devices.iter() {
        let gateways = registry.gateways_ever(device).into_iter().chain([device.id]);
        let above = gateways.map(Subject::Device).chain([Subject::Network(device.network)]);
        for subject in above.filter(|subject| registry.line_rules.contains_key(subject)) {
            members.entry(subject).or_default().push(device.id);
        }
    }
    let line = |(subject, members): (Subject, Vec<DeviceId>)| {
        let rule = registry.rule(*registry.line_rules.get(&subject)?)?;
        let RuleKind::Silence { intervals } = rule.kind else { return None };
        let devices = members.iter().filter_map(|id| registry.devices.get(id.index()));
        let assignments = devices.flat_map(|device| &device.assignments);
        let streams = assignments.flat_map(|held| held.streams.iter().flatten());
        let streams = streams.filter_map(|stream| registry.datastream(stream.datastream));
        let expected = streams.filter(|one| one.silence_rule.is_some());
        let expected_every_ms = expected.map(|one| one.expected_every_ms).min()?;
        let patience_min_ms = Terms { expected_every_ms, intervals }.patience_ms();
        Some(Line { subject, rule: rule.id, intervals, members, patience_min_ms })
    };
    let mut lines: Vec<Line> = members.into_iter().filter_map(line).collect();
    lines.sort_by_key(|line| {
        let is_gateway = matches!(line.subject, Subject::Device(_));
        (is_gateway, std::cmp::Reverse(line.members.len()), line.subject)
    });
    lines
}

impl Pipeline {
    /// Works out anew what silent gateways and networks cover, where the wall says that a device
    /// moved or one fell silent. Then every station is to be looked at.
    pub(super) fn cover(&mut self, at: Timestamp) {
        if !self.covered.holds(at) {
            self.covered = Covered::new(&self.registry, &self.state.quiet, at);
            self.silence_due_ms.fill(0);
        }
    }

    /// Tells which gateways and networks are silent as a whole.
    pub(super) fn judge_lines(&mut self, at: Moment, out: &mut Processed) {
        self.cover(at.wall);
        self.withdraw_bare(at, out);
        let registry = Arc::clone(&self.registry);
        for line in Arc::clone(&self.lines).iter() {
            if !self.state.quiet.contains_key(&line.subject)
                && let Some(behind) = self.overdue(&registry, line, at)
            {
                let alert = self.state.fresh_alert();
                let (heard_ms, gone_ms) = behind;
                self.state.quiet.insert(line.subject, Quiet { alert, rule: line.rule, heard_ms });
                self.covered = Covered::default();
                let (change, times) = (AlertChange::Fired, (at.wall, at.wall_of(heard_ms)));
                let event = AlertEvent::plain(alert, line.rule, line.subject, change, times);
                let offline = gone_ms.map(|ms| at.wall_of(ms));
                out.alerts.push(AlertEvent { offline, ..event });
            }
        }
        self.cover(at.wall);
    }

    /// Withdraws the alert about a gateway or network before nothing: its devices moved, so nothing
    /// will ever say that it is there again.
    fn withdraw_bare(&mut self, at: Moment, out: &mut Processed) {
        for line in self.covered.bare() {
            let stations = self.covered.remove(line);
            let Some(quiet) = self.state.quiet.remove(&line) else { continue };
            let times = (at.wall, at.wall_of(quiet.heard_ms));
            let (alert, rule, change) = (quiet.alert, quiet.rule, AlertChange::Withdrawn);
            out.alerts.push(AlertEvent::plain(alert, rule, line, change, times));
            stations.into_iter().for_each(|station| self.resume(station, at));
            let moved = members(&self.lines, line);
            self.give_time(&moved, at);
        }
    }

    /// Gives the stations where devices stand time anew: nobody judged them while what stood before
    /// them was silent.
    pub(super) fn give_time(&mut self, devices: &[DeviceId], at: Moment) {
        let registry = Arc::clone(&self.registry);
        let devices = devices.iter().filter_map(|id| registry.devices.get(id.index()));
        for assignment in devices.filter_map(|device| device.assignment(at.wall)) {
            self.resume(assignment.station, at);
        }
    }

    fn resume(&mut self, station: StationId, at: Moment) {
        if let Some(station) = self.station_mut(station) {
            station.resumed_ms = at.elapsed_ms;
        }
        if let Some(due) = self.silence_due_ms.get_mut(station.index()) {
            *due = 0;
        }
    }

    /// Gives since when a line is silent if it is for too long and nothing above it says so, and
    /// since when all behind it is gone; in elapsed milliseconds.
    fn overdue(&self, registry: &Registry, line: &Line, at: Moment) -> Option<(i64, Option<i64>)> {
        let network = match line.subject {
            Subject::Network(network) => network,
            Subject::Device(id) => registry.devices.get(id.index())?.network,
            Subject::Datastream(_)
            | Subject::Station(_)
            | Subject::Evaluated { .. }
            | Subject::Weir { .. } => return None,
        };
        let connected = self.state.networks.get(network.index())?.connected_since_ms;
        let is_quiet = |line: &Subject| self.state.quiet.contains_key(line);
        if !self.state.quiet.is_empty()
            && registry.above(line.subject, at.wall).iter().any(is_quiet)
        {
            return None;
        }
        let behind = connected.and_then(|_| self.behind(registry, line, at))?;
        let expected_every_ms = behind.expected_every_ms(line.intervals)?;
        let (heard_ms, gone_ms) = (behind.heard_ms?, behind.gone_ms);
        let terms = Terms { expected_every_ms, intervals: line.intervals };
        let last_ms = heard_ms.max(behind.resumed_ms.unwrap_or(heard_ms));
        let due = deadline(terms, Heard { last_ms, gone_ms }, connected)?;
        (due <= at.elapsed_ms).then_some((heard_ms, gone_ms))
    }

    /// Looks at what lies behind a line. Gives nothing if something of it was heard a short while
    /// ago, or if nothing comes by way of it but of itself.
    fn behind(&self, registry: &Registry, line: &Line, at: Moment) -> Option<Behind> {
        let (mut behind, mut is_before, mut all_gone) = (Behind::default(), false, true);
        let devices = line.members.iter().filter_map(|id| registry.devices.get(id.index()));
        for device in devices.filter(|device| registry.is_behind(device, line.subject, at.wall)) {
            let gone = self.state.gone.get(&device.id).copied();
            let assignment = device.assignment(at.wall);
            let (mut last, mut expected_every_ms) = (None, None);
            is_before |= assignment.is_some() && line.subject != Subject::Device(device.id);
            let station = assignment.map(|held| held.station.index());
            if let Some(Some(station)) = station.and_then(|index| self.state.stations.get(index)) {
                let resumed_ms = station.resumed_ms;
                behind.resumed_ms = Some(behind.resumed_ms.unwrap_or(resumed_ms).min(resumed_ms));
            }
            let streams = assignment.into_iter().flat_map(|held| held.streams.iter().flatten());
            for datastream in streams.filter_map(|one| registry.datastream(one.datastream)) {
                let Some(stream) = self.state.stream(datastream) else { continue };
                let heard_ms = stream.silence.heard_ms;
                if gone.is_none() && heard_ms.saturating_add(line.patience_min_ms) > at.elapsed_ms {
                    return None;
                }
                last = last.max(Some(heard_ms));
                if datastream.silence_rule.is_some() {
                    let every = datastream.expected_every_ms;
                    expected_every_ms = Some(expected_every_ms.map_or(every, |one| every.min(one)));
                }
                behind.gone_ms = behind.gone_ms.max(gone);
                all_gone &= gone.is_some();
            }
            behind.heard_ms = behind.heard_ms.max(last);
            behind.devices.extend(last.zip(expected_every_ms));
        }
        behind.gone_ms = behind.gone_ms.filter(|_| all_gone);
        is_before.then_some(behind)
    }

    /// Notes that a datastream was heard: what lies above it is silent no more.
    pub(super) fn hear_lines(&mut self, datastream: &Datastream, now: Moment, out: &mut Processed) {
        self.cover(now.wall);
        for line in self.covered.above(datastream.id) {
            let stations = self.covered.remove(line);
            let Some(Quiet { alert, rule, heard_ms }) = self.state.quiet.remove(&line) else {
                continue;
            };
            let times = (now.wall, now.wall_of(heard_ms));
            let event = AlertEvent::plain(alert, rule, line, AlertChange::Resolved, times);
            out.alerts.push(event);
            // While it was silent nothing behind it was judged, so everything there has time anew.
            for station in stations {
                self.resume(station, now);
            }
        }
    }
}

/// Gives the devices that lie behind a line at one time or another.
pub(super) fn members(lines: &[Line], of: Subject) -> Vec<DeviceId> {
    lines
        .iter()
        .find(|line| line.subject == of)
        .map(|line| line.members.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SECOND;

    /// Devices, heard so many seconds before the last word of all and expected every so many, and
    /// the interval that three times in a row nothing may come in.
    #[track_caller]
    fn check(devices: &[(i64, i64)], want: Option<i64>) {
        let ms = |(ago, every): &(i64, i64)| (-ago * SECOND, every * SECOND);
        let devices: Vec<(i64, i64)> = devices.iter().map(ms).collect();
        let behind = Behind { heard_ms: Some(0), devices, ..Behind::default() };
        assert_eq!(behind.expected_every_ms(3.0), want.map(|seconds| seconds * SECOND));
    }

    #[test]
    fn one_that_falls_silent_first_says_nothing_of_the_others() {
        check(&[(0, 60)], Some(60));
        check(&[(40, 60), (0, 60), (100, 14_400)], Some(60));
        // One that speaks every second fell silent with or before the last word of the others.
        check(&[(1, 1), (0, 60), (20, 60)], Some(60));
        check(&[(3, 1), (0, 60)], Some(60));
        check(&[(1, 1), (0, 1), (20, 60)], Some(1));
    }

    #[test]
    fn where_nothing_is_expected_nothing_is_missed() {
        check(&[], None);
        // What was heard last is not expected, and all that is had been silent before.
        check(&[(180, 60)], None);
    }
}
