//! What persons do: run a dead letter again, say that a span of values does not count, take that
//! back. What the ring holds is judged anew at once; older days wait to be recomputed.

use std::sync::Arc;

use crate::domain::input::{Act, By};
use crate::domain::invalidation::{Invalidation, Invalidations, SPAN_MAX_MS, Scope, Word};
use crate::domain::observation::ObservationResult;
use crate::domain::quality::Flag;
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::{Calendar, DAY, HOUR, Moment, Timestamp};
use crate::pipeline::average::{HOURS_KEPT_MS, earlier};
use crate::pipeline::check::Checked;
use crate::pipeline::observe::Hearing;
use crate::pipeline::qualify::{Telling, told_again};
use crate::pipeline::{Pipeline, Processed};

/// What came at once of what a person said of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Judged {
    /// How many values are of another quality now.
    pub values: usize,
    /// Which days are recomputed once they are closed: the first instant of the first, and the
    /// first after the last.
    pub days: Option<(Timestamp, Timestamp)>,
}

/// How old the beginning of a day may be of which all hours are kept, and the seven before it;
/// the last hour is for the time until they are given out.
const HOURS_WHOLE_MS: i64 = HOURS_KEPT_MS - 8 * HOUR;

impl Pipeline {
    pub(super) fn act(&mut self, act: &Act<'_>, at: Moment, out: &mut Processed) {
        out.changed = true;
        match *act {
            Act::Retry { .. } => self.retry(act, at, out),
            Act::Invalidate { id, station, property, position, from, to, flag, by } => {
                let position = position.map(str::to_owned);
                let scope = Scope { station, property, position };
                let (said, revoked, by_check) = (word(by, at), None, None);
                let one = Invalidation { id, scope, from, to, flag, said, revoked, by_check };
                self.invalidate(one, at, out);
            }
            Act::Check { station, property, position, kind, value, standard, at: made, by } => {
                let registry = Arc::clone(&self.registry);
                let stream = registry.checked_stream(station, property, position);
                let Some(datastream) = stream else { return };
                let result = ObservationResult::Value(value);
                let (checked, said) = (Checked { kind, at: made, result, standard }, word(by, at));
                let changed = self.take_check(&registry, datastream, checked, &said);
                out.judged = Some(self.judge_changed(&changed, at, out));
            }
            Act::Revoke { id, by } => {
                let revoked = self.said_mut(at).revoke(id, word(by, at)).cloned();
                if let Some(one) = revoked {
                    out.judged = Some(self.judge_said(&[one], at, out));
                }
            }
        }
    }

    fn invalidate(&mut self, one: Invalidation, at: Moment, out: &mut Processed) {
        let length = one.to.since(one.from);
        if 0 < length && length <= SPAN_MAX_MS && self.said_mut(at).add(one.clone()) {
            out.judged = Some(self.judge_said(&[one], at, out));
        }
    }

    /// Takes in at once what checks showed, and what is taken back of it; then it is judged.
    pub(super) fn say(&mut self, said: &[Invalidation], at: Moment, out: &mut Processed) {
        let all = self.said_mut(at);
        let mut changed = Vec::new();
        for one in said {
            match &one.revoked {
                None => changed.extend(all.add(one.clone()).then(|| one.clone())),
                Some(word) => changed.extend(all.revoke(one.id, word.clone()).cloned()),
            }
        }
        self.judge_said(&as_one(changed), at, out);
    }

    pub(super) fn said_mut(&mut self, at: Moment) -> &mut Invalidations {
        let said = Arc::make_mut(&mut self.state.invalidations);
        said.forget(at.wall);
        said
    }

    /// Judges anew what something is said of that was not said before. What the ring holds comes
    /// first, of all of it: an hour that fails as a whole has the ring hold its values as failed,
    /// and nothing of them would be told.
    pub(super) fn judge_said(
        &mut self,
        said: &[Invalidation],
        at: Moment,
        out: &mut Processed,
    ) -> Judged {
        let registry = Arc::clone(&self.registry);
        let mut judged = Judged::default();
        for (one, datastream) in spoken_of(&registry, said) {
            let from = begins(one, datastream).max(self.held_since(datastream, at));
            let told = out.observations.len();
            self.judge_span(&registry, datastream, (from, one.to), at, out);
            judged.values += out.observations.len() - told;
        }
        for (one, datastream) in spoken_of(&registry, said) {
            let (from, live) = (begins(one, datastream), self.held_since(datastream, at));
            if from >= live {
                continue;
            }
            let old = (from, one.to.min(live));
            if one.revoked.is_none() && one.flag == Flag::Fail {
                self.fail_hours(&registry, datastream, (one.from, old.1), at.wall);
            }
            let span = (old.0, old.1.plus(-1));
            let days = self.note_late_span(&registry, datastream, span, at);
            judged.days = joined(judged.days, days);
        }
        let (backlog, members) = (None, Flag::NotEvaluated);
        self.derive(
            &registry,
            Hearing { now: at, live: false, backlog, imported: false, members },
            out,
        );
        self.evaluate_assessed(&registry, at, out);
        judged
    }

    /// Judges what the ring holds of a span anew, and the values on both sides of it, which stood
    /// beside them; the newest is held against limits again.
    pub(super) fn judge_span(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        (from, to): (Timestamp, Timestamp),
        at: Moment,
        out: &mut Processed,
    ) {
        let Some(stream) = self.state.stream(datastream).filter(|_| from < to) else { return };
        let before = stream.history.at_or_before(from.plus(-1)).map_or(from, |entry| entry.time);
        let after = stream.history.after(to.plus(-1)).map_or(to, |entry| entry.time.plus(1));
        let begin = before.max(self.held_since(datastream, at)).min(from);
        let told = out.observations.len();
        let telling = Telling { now: at, backlog: None };
        self.requalify(registry, datastream, (begin, after), telling, out);
        // What an alert began with may be older than the newest.
        let newest = self.state.stream(datastream).and_then(|stream| stream.newest);
        let Some(newest) = newest.filter(|_| out.observations.len() > told) else { return };
        let last = out.observations.last().map(|one| one.observation.phenomenon_time.start());
        if last != Some(newest.time) {
            let qualified = told_again(datastream, newest);
            self.judge(registry, datastream, &qualified, None, out);
        }
        self.inform_of_span(registry, datastream, (from, to), telling, out);
    }

    /// Has the hours given out again that lie in a span as a whole, all of whose values failed, and
    /// of which the ring may hold a part or nothing: none of its values counts, whatever it was.
    /// Their day is made of its other hours, and running means of hours before it: without one of
    /// these, nothing would be better than something wrong.
    fn fail_hours(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
    ) {
        let Some(station) = registry.station(datastream.station) else { return };
        // A meter's hour is a difference of readings, not a sum of them.
        if registry.energy.counters.contains_key(&datastream.id) {
            return;
        }
        let whole = now.plus(DAY - HOURS_WHOLE_MS).calendar(&station.zone, Calendar::Day);
        let Some((first_day, _)) = whole else { return };
        let begin = from.max(first_day);
        let mut hour = begin.plus(HOUR - 1).hour_start(&station.zone);
        while hour.plus(HOUR) <= to {
            let (failed, _) = self.judge_held(registry, datastream, (hour, hour.plus(HOUR)), None);
            let Some(stream) = self.stream_mut(datastream) else { return };
            if stream.hours.at(hour).is_some() {
                failed.into_iter().for_each(|entry| stream.history.put(entry));
                stream.hours.mark(hour, false, |_, _| now);
                self.averages_due = earlier(self.averages_due, Some(now));
            }
            hour = hour.plus(HOUR);
        }
    }

    /// Gives the first hour of which the ring holds every value that came.
    pub(super) fn held_since(&self, datastream: &Datastream, at: Moment) -> Timestamp {
        let horizon = at.wall.plus(-self.registry.judgement.lateness_horizon_ms);
        let station = self.registry.station(datastream.station);
        station.map_or(horizon, |station| horizon.hour_start(&station.zone))
    }
}

/// Gives each span of what is said with every datastream that it is of.
fn spoken_of<'a>(
    registry: &'a Registry,
    said: &'a [Invalidation],
) -> impl Iterator<Item = (&'a Invalidation, &'a Datastream)> {
    said.iter().flat_map(|one| {
        let station = registry.station(one.scope.station);
        let ids = station.into_iter().flat_map(|station| &station.datastreams);
        let streams = ids.filter_map(|id| registry.datastream(*id));
        streams.filter(|of| one.scope.covers(of)).map(move |datastream| (one, datastream))
    })
}

/// Gives the first time of which something is said: what a device states of an interval begins
/// before it ends.
fn begins(one: &Invalidation, datastream: &Datastream) -> Timestamp {
    one.from.plus(-datastream.period_ms.unwrap_or(0))
}

/// Joins the parts into which what was said by one word fell since.
fn as_one(mut said: Vec<Invalidation>) -> Vec<Invalidation> {
    said.sort_by_key(|one| one.from);
    let mut joined: Vec<Invalidation> = Vec::new();
    for one in said {
        let same = |of: &&mut Invalidation| {
            let word = (of.flag, of.by_check, of.revoked.is_some());
            of.to == one.from
                && word == (one.flag, one.by_check, one.revoked.is_some())
                && (&of.scope, &of.said) == (&one.scope, &one.said)
        };
        match joined.iter_mut().find(same) {
            Some(of) => of.to = one.to,
            None => joined.push(one),
        }
    }
    joined
}

fn word(By { person, reason }: By<'_>, at: Moment) -> Word {
    Word { person: person.to_owned(), reason: reason.to_owned(), at }
}

fn joined(
    a: Option<(Timestamp, Timestamp)>,
    b: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}
