//! A check of an instrument comes: it is judged, and one that failed puts in question what was
//! measured since the check before it, until the next one. What that covers is said as persons say
//! it of values, so that all that follows is the same.

use std::sync::Arc;

use crate::domain::check::{ByCheck, CheckKind, CheckPart, CheckSeries, HeldCheck};
use crate::domain::invalidation::{ENDED_KEPT_MS, Invalidation, Scope, Word};
use crate::domain::name::DeviceId;
use crate::domain::observation::{Observation, ObservationResult};
use crate::domain::registry::{CheckCovers, Datastream, Registry, check_row};
use crate::domain::time::{Calendar, Moment, Timestamp};
use crate::pipeline::act::Judged;
use crate::pipeline::{Pipeline, Processed};
use crate::qc::control_check;

/// Why what a check put in question is taken back.
const CHECKED_AGAIN: &str = "checked again";

/// What a device sent of a check: its result, or what it should have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control {
    pub(super) device: DeviceId,
    /// The record of the message that it stands in: what belongs together stands together.
    pub(super) record: u32,
    pub(super) observation: Observation,
}

/// A check, before it is judged; numbers in the canonical unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) kind: CheckKind,
    pub(super) at: Timestamp,
    pub(super) result: ObservationResult,
    /// What should have been found, if it is said.
    pub(super) standard: Option<f64>,
}

/// Judges a check by what the edition says of it; gives what passes, and whether it does. Nothing
/// where no row or no standard says how.
#[must_use]
pub fn judge(
    registry: &Registry,
    datastream: &Datastream,
    kind: CheckKind,
    at: Timestamp,
    (result, standard): (ObservationResult, Option<f64>),
) -> Option<(ByCheck, bool)> {
    let row = check_row(&registry.checks, kind, datastream)?;
    let judged = control_check::judge(row, at, result, standard)?;
    Some((judged.check, judged.passed))
}

impl Pipeline {
    /// Judges the checks that a message brought.
    pub(super) fn take_checks(&mut self, now: Moment, out: &mut Processed) {
        if self.controls.is_empty() {
            return;
        }
        let registry = Arc::clone(&self.registry);
        let controls = std::mem::take(&mut self.controls);
        let mut changed = Vec::new();
        for control in &controls {
            let Control { device, record, observation } = control;
            let part = registry.marks.check_part(observation.mark);
            let (Some(CheckPart::Result(kind)), Some(datastream)) =
                (part, registry.datastream(observation.datastream))
            else {
                continue;
            };
            let beside = |other: &&Control| {
                let of = &other.observation;
                other.record == *record
                    && of.datastream == datastream.id
                    && registry.marks.check_part(of.mark) == Some(CheckPart::Standard)
            };
            let standard = controls.iter().find(beside);
            let standard = standard.and_then(|one| one.observation.result.number());
            let (at, result) = (observation.phenomenon_time.end(), observation.result);
            let person = registry.devices.get(device.index()).map(|device| &*device.name);
            let person = person.unwrap_or_default().to_owned();
            let said = Word { person, reason: String::new(), at: now };
            let checked = Checked { kind, at, result, standard };
            changed.extend(self.take_check(&registry, datastream, checked, &said));
        }
        self.controls = controls;
        self.controls.clear();
        self.judge_changed(&changed, now, out);
    }

    /// Judges anew what checks put in question, and what they do no more. All of them are known by
    /// then: however many checks a message brings, a value is told anew once.
    pub(super) fn judge_changed(
        &mut self,
        changed: &[Invalidation],
        now: Moment,
        out: &mut Processed,
    ) -> Judged {
        let known = |one: &Invalidation| match one.revoked {
            // A later check may have cut it off.
            None => self.state.invalidations.get(one.id).cloned(),
            Some(_) => Some(one.clone()),
        };
        let changed: Vec<Invalidation> = changed.iter().filter_map(known).collect();
        self.judge_said(&changed, now, out)
    }

    /// Judges a check and notes it. What the one before it put in question ends with it, what the
    /// one after it did begins with it. The same check again is none. Gives what is to be judged
    /// anew.
    pub(super) fn take_check(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        checked: Checked,
        said: &Word,
    ) -> Vec<Invalidation> {
        let (Checked { kind, at, result, standard }, now) = (checked, said.at);
        let row = check_row(&registry.checks, kind, datastream);
        let judged =
            row.and_then(|row| Some((row, control_check::judge(row, at, result, standard)?)));
        let Some((row, control_check::Judged { check, passed })) = judged else {
            return Vec::new();
        };
        let scope = Scope {
            station: datastream.station,
            property: Some(datastream.property),
            position: Some((*datastream.position).to_owned()),
        };
        let all = self.held_checks(&scope, kind);
        let same = all.iter().find(|held| held.at == at).copied();
        let repeated = match &same {
            Some(same) => (same.value, same.standard) == (check.value, check.standard),
            None => self.state.invalidations.by_check(&scope, &check).is_some(),
        };
        if repeated || now.wall.since(at) > ENDED_KEPT_MS {
            return Vec::new();
        }
        let mut changed = Vec::new();
        let again = Word { reason: CHECKED_AGAIN.to_owned(), ..said.clone() };
        if let Some(id) = same.and_then(|same| same.failed) {
            changed.extend(self.said_mut(now).revoke(id, again.clone()).cloned());
        }
        let counts = |held: &&HeldCheck| {
            let made = held.failed.and_then(|id| self.state.invalidations.get(id));
            // Of a check that a person takes back nobody knows what it showed.
            held.at != at && made.is_none_or(|made| made.revoked.is_none())
        };
        let before = all.iter().filter(counts).rev().find(|held| held.at < at).copied();
        let after = all.iter().filter(counts).find(|held| held.at > at).copied();
        let ends = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        for (held, part) in [(before, (ends.0, at)), (after, (at, ends.1))] {
            if let Some(id) = held.and_then(|held| held.failed) {
                let station = registry.station(datastream.station);
                let over = station.map(|station| now.wall.hour_start(&station.zone));
                let over = over.unwrap_or(now.wall);
                self.shorten_said(id, part, over, &again, &mut changed);
            }
        }
        let mut failed = None;
        if !passed {
            let around = [before, after].map(|held| held.map(|held| held.at));
            let (from, to) = reach(registry, datastream, row.covers, at, around);
            let id = self.state.invalidations.next();
            let (said, scope, flag) = (said.clone(), scope.clone(), row.flag);
            let (revoked, by_check) = (None, Some(check));
            let one = Invalidation { id, scope, from, to, flag, said, revoked, by_check };
            if self.said_mut(now).add(one.clone()) {
                failed = Some(id);
                changed.push(one);
            }
        }
        let (value, standard) = (check.value, check.standard);
        self.note_check(&scope, kind, HeldCheck { at, value, standard, failed });
        changed
    }

    /// Has what was said of a span be said of a part of it. What it is said of no more is to be
    /// judged anew; where hours may have been told by it that are over, it stays known as revoked,
    /// for the recomputation of their days.
    fn shorten_said(
        &mut self,
        id: u64,
        part: (Timestamp, Timestamp),
        over: Timestamp,
        said: &Word,
        changed: &mut Vec<Invalidation>,
    ) {
        let held = self.state.invalidations.get(id).filter(|one| one.revoked.is_none());
        let Some(one) = held.cloned() else { return };
        let kept = (one.from.max(part.0), one.to.min(part.1));
        if kept == (one.from, one.to) || kept.0 >= kept.1 {
            return;
        }
        let all = self.said_mut(said.at);
        all.shorten(id, kept);
        for (from, to) in [(one.from, kept.0), (kept.1, one.to)] {
            if from >= to {
                continue;
            }
            let (id, revoked) = (all.next(), Some(said.clone()));
            let gone = Invalidation { id, from, to, revoked, ..one.clone() };
            if from < over {
                all.add(gone.clone());
            }
            changed.push(gone);
        }
    }

    fn held_checks(&self, scope: &Scope, kind: CheckKind) -> Vec<HeldCheck> {
        let station = self.state.stations.get(scope.station.index()).and_then(Option::as_ref);
        let series = station.into_iter().flat_map(|station| &station.checks);
        let mut found = series.filter(|series| is_of(series, scope, kind));
        found.next().map_or_else(Vec::new, |series| series.held.clone())
    }

    fn note_check(&mut self, scope: &Scope, kind: CheckKind, check: HeldCheck) {
        let Some(station) = self.station_mut(scope.station) else { return };
        let (Some(property), Some(position)) = (scope.property, &scope.position) else { return };
        match station.checks.iter_mut().find(|series| is_of(series, scope, kind)) {
            Some(series) => series.put(check),
            None => {
                let (position, held) = (position.clone(), vec![check]);
                station.checks.push(CheckSeries { property, position, kind, held });
            }
        }
    }
}

fn is_of(series: &CheckSeries, scope: &Scope, kind: CheckKind) -> bool {
    series.kind == kind
        && Some(series.property) == scope.property
        && Some(series.position.as_str()) == scope.position.as_deref()
}

/// Gives what a check that failed puts in question: from the check before it until the one after
/// it, as far as it reaches.
fn reach(
    registry: &Registry,
    datastream: &Datastream,
    covers: CheckCovers,
    at: Timestamp,
    [before, after]: [Option<Timestamp>; 2],
) -> (Timestamp, Timestamp) {
    let day = || {
        let station = registry.station(datastream.station)?;
        at.calendar(&station.zone, Calendar::Day)
    };
    let (from, to) = match covers {
        CheckCovers::Day => day().unwrap_or((at, at.plus(1))),
        CheckCovers::LastPass(longest_ms) => (at.plus(-longest_ms), at.plus(longest_ms)),
    };
    (before.map_or(from, |before| before.max(from)), after.map_or(to, |after| after.min(to)))
}
