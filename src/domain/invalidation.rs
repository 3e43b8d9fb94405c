//! What persons say of values once these are measured, or before, and what checks of the instrument
//! show of them: that a span of them does not count, or is in doubt. It is said of a station, and
//! may be revoked.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::domain::check::ByCheck;
use crate::domain::name::{PropertyId, StationId};
use crate::domain::quality::Flag;
use crate::domain::registry::Datastream;
use crate::domain::time::{DAY, Moment, Timestamp};

/// How many invalidations are held, revoked ones among them.
pub const INVALIDATIONS_MAX: usize = 10_000;
/// How many of them may be by checks; one more takes the place of the one that ended first.
pub const BY_CHECKS_MAX: usize = INVALIDATIONS_MAX / 2;
/// How long one that was revoked is held.
pub const REVOKED_KEPT_MS: i64 = 183 * DAY;
/// How long after its end one that stands is held: as long as months and years are.
pub const ENDED_KEPT_MS: i64 = 800 * DAY;
/// How long a span may be.
pub const SPAN_MAX_MS: i64 = 366 * DAY;
/// How long a person's name may be, bytes: 60 Chinese characters.
pub const PERSON_BYTES_MAX: usize = 180;
/// How long a reason may be, bytes: 300 Chinese characters.
pub const REASON_BYTES_MAX: usize = 900;

/// Of which values of a station something is said.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Scope {
    /// The station.
    #[n(0)]
    pub station: StationId,
    /// Of this property; of all without.
    #[n(1)]
    pub property: Option<PropertyId>,
    /// At this position; at all without.
    #[n(2)]
    pub position: Option<String>,
}

impl Scope {
    /// Says whether the values of a datastream are meant, also of one that came to the station
    /// later.
    #[must_use]
    pub fn covers(&self, datastream: &Datastream) -> bool {
        self.station == datastream.station
            && self.property.is_none_or(|property| property == datastream.property)
            && self.position.as_deref().is_none_or(|position| *position == *datastream.position)
    }
}

/// Who said something, why and when.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Word {
    /// Who.
    #[n(0)]
    pub person: String,
    /// Why.
    #[n(1)]
    pub reason: String,
    /// When.
    #[n(2)]
    pub at: Moment,
}

/// A span of values that does not count, or is in doubt.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Invalidation {
    /// Its number, by which it is revoked.
    #[n(0)]
    pub id: u64,
    /// Of which values.
    #[n(1)]
    pub scope: Scope,
    /// The first instant.
    #[n(2)]
    pub from: Timestamp,
    /// The first instant after.
    #[n(3)]
    pub to: Timestamp,
    /// What it makes of them: fail or suspect.
    #[n(4)]
    pub flag: Flag,
    /// Who said it.
    #[n(5)]
    pub said: Word,
    /// Who took it back, if somebody did.
    #[n(6)]
    pub revoked: Option<Word>,
    /// The check that failed, if it was no person's own word: who said it entered or sent it.
    #[n(7)]
    #[cbor(default)]
    pub by_check: Option<ByCheck>,
}

impl Invalidation {
    /// Says whether it is about the value of a datastream that begins at a time. What a device
    /// states of an interval is about every instant of it.
    #[must_use]
    pub fn is_about(&self, datastream: &Datastream, time: Timestamp) -> bool {
        let last = time.plus((datastream.period_ms.unwrap_or(0) - 1).max(0));
        time < self.to && self.from <= last && self.scope.covers(datastream)
    }

    /// Says whether it is about a part of a span.
    #[must_use]
    pub fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
        self.from < to && from < self.to
    }

    fn is_kept(&self, now: Timestamp) -> bool {
        match &self.revoked {
            Some(revoked) => now.since(revoked.at.wall) <= REVOKED_KEPT_MS,
            None => now.since(self.to) <= ENDED_KEPT_MS,
        }
    }
}

/// All that is said of values, by station.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Invalidations {
    /// The number of the last one.
    #[n(0)]
    last: u64,
    /// Those of each station, in the order of their ends.
    #[n(1)]
    of: BTreeMap<StationId, Vec<Invalidation>>,
}

impl Invalidations {
    /// Gives the number that the next one gets.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.last.saturating_add(1)
    }

    /// Gives how many are held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.of.values().map(Vec::len).sum()
    }

    /// Walks them, by station.
    pub fn iter(&self) -> impl Iterator<Item = &Invalidation> {
        self.of.values().flatten()
    }

    /// Gives one by its number.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Invalidation> {
        self.iter().find(|one| one.id == id)
    }

    /// Says whether one more finds room: there are fewer than the most, or one of them is revoked.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// Gives how many more find room.
    #[must_use]
    pub fn room(&self) -> usize {
        let revoked = self.iter().filter(|one| one.revoked.is_some()).count();
        INVALIDATIONS_MAX.saturating_sub(self.count()) + revoked
    }

    /// Takes one in, at the most for the one that was revoked first; no number twice. Says whether
    /// it was taken.
    pub fn add(&mut self, one: Invalidation) -> bool {
        if self.get(one.id).is_some() {
            return false;
        }
        if one.by_check.is_some() {
            self.make_room_by_checks();
        }
        if !self.has_room() {
            return false;
        }
        if self.count() >= INVALIDATIONS_MAX {
            let revoked = |one: &&Invalidation| one.revoked.is_some();
            let at = |one: &&Invalidation| one.revoked.as_ref().map(|word| word.at.elapsed_ms);
            let first = self.iter().filter(revoked).min_by_key(at).map(|one| one.id);
            self.of.values_mut().for_each(|of| of.retain(|one| Some(one.id) != first));
        }
        self.last = self.last.max(one.id);
        self.put(one);
        true
    }

    fn put(&mut self, one: Invalidation) {
        let of = self.of.entry(one.scope.station).or_default();
        of.insert(of.partition_point(|held| held.to <= one.to), one);
    }

    fn make_room_by_checks(&mut self) {
        let by_checks =
            |of: &&Vec<Invalidation>| of.iter().filter(|one| one.by_check.is_some()).count();
        if self.of.values().map(|of| by_checks(&of)).sum::<usize>() < BY_CHECKS_MAX {
            return;
        }
        // An analyser that fails every minute costs no other station anything.
        let Some(most) = self.of.values_mut().max_by_key(|of| by_checks(&&**of)) else { return };
        let first = most.iter().filter(|one| one.by_check.is_some());
        let first = first.min_by_key(|one| (one.revoked.is_none(), one.to)).map(|one| one.id);
        most.retain(|one| Some(one.id) != first);
    }

    /// Has one that stands be about a part of its span only.
    pub fn shorten(&mut self, id: u64, (from, to): (Timestamp, Timestamp)) {
        let Some(one) = self.get(id).cloned() else { return };
        if let Some(of) = self.of.get_mut(&one.scope.station) {
            of.retain(|held| held.id != id);
        }
        self.put(Invalidation { from, to, ..one });
    }

    /// Gives what a check made of a station's values, if it failed.
    #[must_use]
    pub fn by_check(&self, scope: &Scope, check: &ByCheck) -> Option<&Invalidation> {
        let mut of = self.of.get(&scope.station)?.iter();
        of.find(|one| one.scope == *scope && one.by_check == Some(*check))
    }

    /// Notes that one is taken back; gives it if it stood until now.
    pub fn revoke(&mut self, id: u64, word: Word) -> Option<&Invalidation> {
        let mut all = self.of.values_mut().flatten();
        let one = all.find(|one| one.id == id && one.revoked.is_none())?;
        one.revoked = Some(word);
        Some(one)
    }

    /// Forgets those that nobody needs any more.
    pub fn forget(&mut self, now: Timestamp) {
        self.of.values_mut().for_each(|of| of.retain(|one| one.is_kept(now)));
        self.of.retain(|_, of| !of.is_empty());
    }

    /// Gives what stands about the value of a datastream that begins at a time.
    pub fn standing(
        &self,
        datastream: &Datastream,
        time: Timestamp,
    ) -> impl Iterator<Item = &Invalidation> {
        self.of(datastream, time).filter(|one| one.revoked.is_none())
    }

    /// Says whether anything was ever said of a value or of one that the tests hold it against: the
    /// one after it, and those of so many milliseconds before it.
    #[must_use]
    pub fn concerns(&self, datastream: &Datastream, time: Timestamp, before_ms: i64) -> bool {
        let of = self.of.get(&datastream.station).map_or(&[] as &[Invalidation], Vec::as_slice);
        let beside_ms = datastream.stands_for_ms();
        let ended = of.partition_point(|one| one.to.plus(before_ms.max(beside_ms)) <= time);
        let mut rest = of.get(ended..).unwrap_or_default().iter();
        rest.any(|one| one.scope.covers(datastream) && one.from.plus(-beside_ms) <= time)
    }

    /// Gives what was ever said of it.
    pub fn of(
        &self,
        datastream: &Datastream,
        time: Timestamp,
    ) -> impl Iterator<Item = &Invalidation> {
        let of = self.of.get(&datastream.station).map_or(&[] as &[Invalidation], Vec::as_slice);
        // Most are over.
        let ended = of.partition_point(|one| one.to <= time);
        let rest = of.get(ended..).unwrap_or_default();
        rest.iter().filter(move |one| one.is_about(datastream, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::CheckKind;
    use crate::domain::name::DatastreamId;

    fn one(id: u64, from: i64, to: i64) -> Invalidation {
        let scope = Scope { station: StationId(3), property: None, position: None };
        let said = Word {
            person: "Li Na".to_owned(),
            reason: "probe in the bucket".to_owned(),
            at: Moment::default(),
        };
        let (from, to) = (Timestamp(from), Timestamp(to));
        let (flag, revoked, by_check) = (Flag::Fail, None, None);
        Invalidation { id, scope, from, to, flag, said, revoked, by_check }
    }

    fn stream(position: &str, property: u32) -> Datastream {
        let of = (position, PropertyId(property));
        Datastream::plain(DatastreamId(0), "a/b", StationId(3), of)
    }

    fn word(at: i64) -> Word {
        let at = Moment { wall: Timestamp(at), elapsed_ms: at };
        Word { person: "Wang".to_owned(), reason: "it was the other probe".to_owned(), at }
    }

    #[track_caller]
    fn check(said: &Invalidations, time: i64, want: &[u64]) {
        let datastream = stream("", 1);
        let standing = said.standing(&datastream, Timestamp(time));
        assert_eq!(standing.map(|one| one.id).collect::<Vec<_>>(), want, "at {time}");
    }

    #[test]
    fn a_span_is_half_open_and_several_may_hold_at_once() {
        let mut said = Invalidations::default();
        for (id, from, to) in [(1, 10, 30), (2, 20, 25), (3, 0, 10)] {
            assert_eq!(said.next(), id);
            assert!(said.add(one(id, from, to)));
        }
        check(&said, 9, &[3]);
        check(&said, 10, &[1]);
        check(&said, 20, &[2, 1]);
        check(&said, 25, &[1]);
        check(&said, 29, &[1]);
        check(&said, 30, &[]);
        assert!(!said.add(one(2, 0, 99)), "a number is given once");
        assert!(said.revoke(1, word(40)).is_some() && said.revoke(1, word(41)).is_none());
        check(&said, 12, &[]);
        check(&said, 22, &[2]);
        let bytes = minicbor::to_vec(&said).unwrap();
        assert_eq!(minicbor::decode::<Invalidations>(&bytes).unwrap(), said);
    }

    #[test]
    fn what_is_said_of_an_instant_is_said_of_every_interval_that_holds_it() {
        let hourly = Datastream { period_ms: Some(100), ..stream("", 1) };
        for start in [0, 99, 100, 110, 149, 150, 199, 249, 250] {
            let about = one(1, 199, 250).is_about(&hourly, Timestamp(start));
            assert_eq!(about, (100..250).contains(&start), "{start}");
            let about = one(1, 110, 150).is_about(&stream("", 1), Timestamp(start));
            assert_eq!(about, (110..150).contains(&start), "{start}");
        }
    }

    #[test]
    fn a_scope_is_a_station_a_property_of_it_or_a_position() {
        let all = one(1, 0, 1).scope;
        let ph = Scope { property: Some(PropertyId(1)), ..all.clone() };
        let inlet = Scope { position: Some("inlet".to_owned()), ..all.clone() };
        for (scope, want) in [(&all, [true; 3]), (&ph, [true, true, false])] {
            let streams = [stream("", 1), stream("inlet", 1), stream("", 2)];
            assert_eq!(streams.map(|stream| scope.covers(&stream)), want);
        }
        assert!(inlet.covers(&stream("inlet", 7)) && !inlet.covers(&stream("", 7)));
        let elsewhere = Datastream { station: StationId(4), ..stream("", 1) };
        assert!(!all.covers(&elsewhere));
    }

    fn by_check(id: u64, from: i64, to: i64) -> Invalidation {
        let (at, value, standard) = (Timestamp(to), 1.62, 2.0);
        let (kind, low, high) = (CheckKind::Span, 1.8, 2.2);
        let check = ByCheck { kind, at, value, standard, low, high };
        Invalidation { by_check: Some(check), ..one(id, from, to) }
    }

    #[test]
    fn what_is_said_of_a_part_only_stands_in_the_order_of_its_new_end() {
        let mut said = Invalidations::default();
        for (id, from, to) in [(1, 10, 90), (2, 20, 40)] {
            assert!(said.add(one(id, from, to)));
        }
        said.shorten(1, (Timestamp(15), Timestamp(30)));
        check(&said, 14, &[]);
        check(&said, 29, &[1, 2]);
        check(&said, 30, &[2]);
        assert_eq!(said.next(), 3);
    }

    #[test]
    fn checks_leave_room_for_persons() {
        let mut said = Invalidations::default();
        for id in 1..=BY_CHECKS_MAX as u64 {
            let to = 1_000_000 - id as i64;
            assert!(said.add(by_check(id, 0, to)));
        }
        let next = said.next();
        assert!(said.add(by_check(next, 0, 2_000_000)));
        assert_eq!(said.count(), BY_CHECKS_MAX);
        assert!(said.get(next - 1).is_none(), "the one that ends first left");
        let kept = said.get(7).unwrap();
        assert_eq!(said.by_check(&kept.scope, &kept.by_check.unwrap()), Some(kept));
        for id in 0..BY_CHECKS_MAX as u64 {
            assert!(said.add(one(next + 1 + id, 0, 1)), "{id} by a person");
        }
        assert!(!said.has_room() && said.add(by_check(said.next(), 0, 9)));
    }

    #[test]
    fn checks_of_one_station_cost_another_nothing() {
        let mut said = Invalidations::default();
        let mut elsewhere = by_check(1, 0, 5);
        elsewhere.scope.station = StationId(77);
        assert!(said.add(elsewhere));
        for id in 2..=BY_CHECKS_MAX as u64 + 9 {
            assert!(said.add(by_check(id, 0, 1_000 + id as i64)));
        }
        assert!(said.get(1).is_some() && said.get(2).is_none());
        assert_eq!(said.count(), BY_CHECKS_MAX);
    }

    #[test]
    fn beyond_the_most_none_is_taken_unless_one_is_revoked_or_old() {
        let mut said = Invalidations::default();
        for id in 1..=INVALIDATIONS_MAX as u64 {
            assert!(said.add(one(id, 0, 1)));
        }
        assert!(!said.add(one(said.next(), 0, 1)) && !said.has_room());
        said.revoke(8, word(2));
        said.revoke(7, word(1));
        assert!(said.add(one(said.next(), 0, 1)), "for the one that was revoked first");
        assert!(said.get(7).is_none() && said.get(8).is_some());
        said.forget(Timestamp(REVOKED_KEPT_MS + 3));
        assert_eq!(said.count(), INVALIDATIONS_MAX - 1);
        assert!(said.add(one(said.next(), 0, 1)));
        said.forget(Timestamp(ENDED_KEPT_MS + 2));
        assert_eq!((said.count(), said.next()), (0, INVALIDATIONS_MAX as u64 + 3));
    }
}
