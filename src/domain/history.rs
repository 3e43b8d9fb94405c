//! What a datastream remembers of itself: the observations of the last hours, delta-coded in
//! chunks. At once the memory of quality control, of duplicates and of late data.

mod packed;

use std::collections::VecDeque;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::domain::history::packed::{Packed, unpack};
use crate::domain::name::MarkId;
use crate::domain::observation::ObservationResult;
use crate::domain::quality::{Flag, Quality};
use crate::domain::time::Timestamp;

/// How many entries the open chunk takes before it is sealed; four hours of minutes. An entry
/// takes about two bytes in a chunk, and a chunk about sixty beside them.
const OPEN_MAX: usize = 240;
/// A chunk that late entries make longer than this is split, so that none is dear to change.
const CHUNK_MAX: usize = 2 * OPEN_MAX;
/// How many chunks are held: at least 36 hours of one reading a second. Beyond, the oldest is
/// forgotten, so that no device fills the memory however fast it speaks.
const CHUNKS_MAX: usize = 540;

/// One remembered observation.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Entry {
    /// Its phenomenon time, or the start of its interval.
    #[n(0)]
    pub time: Timestamp,
    /// Its result.
    #[n(1)]
    pub result: ObservationResult,
    /// The flags of the tests on it.
    #[n(2)]
    pub quality: Quality,
    /// What the device marked it with.
    #[n(3)]
    pub mark: Option<MarkId>,
}

impl Entry {
    /// Gives its rolled-up flag.
    #[must_use]
    pub fn flag(&self) -> Flag {
        self.quality.roll_up()
    }

    /// Gives its number, if it may stand beside others in a test.
    #[must_use]
    pub fn beside(&self) -> Option<f64> {
        self.result.number().filter(|_| !self.quality.fails_alone())
    }

    /// Gives its number as its instrument gave it, if it gave one: what a person, a check or the
    /// site's calendar says of a value changes nothing of what the instrument did.
    #[must_use]
    pub fn in_line(&self) -> Option<f64> {
        self.result.number().filter(|_| !self.quality.is_no_reading())
    }

    /// Says whether it is a value that others may be made of: there is one, and it did not fail.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.flag() != Flag::Fail && !matches!(self.result, ObservationResult::Nil(_))
    }
}

/// What a history holds of a time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Held {
    /// Nothing.
    Nothing,
    /// The same result.
    Same(Entry),
    /// Another result.
    Other(Entry),
}

/// Entries that are over, packed. Shared between clones, because they hardly ever change.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
struct Sealed {
    #[n(0)]
    first: Timestamp,
    #[n(1)]
    last: Timestamp,
    #[cbor(n(2), with = "crate::domain::packed::shared")]
    packed: Arc<[u8]>,
}

fn encode_chunks<C, W: minicbor::encode::Write>(
    chunks: &Arc<VecDeque<Sealed>>,
    out: &mut minicbor::Encoder<W>,
    context: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    chunks.as_ref().encode(out, context)
}

fn decode_chunks<C>(
    from: &mut minicbor::Decoder<'_>,
    context: &mut C,
) -> Result<Arc<VecDeque<Sealed>>, minicbor::decode::Error> {
    VecDeque::decode(from, context).map(Arc::new)
}

/// The observations of the last hours, in order of time, one a time.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct History {
    /// Behind one handle, so that a view of the state copies no chunk.
    #[cbor(n(0), encode_with = "encode_chunks", decode_with = "decode_chunks")]
    sealed: Arc<VecDeque<Sealed>>,
    /// The chunk that is written on.
    #[n(1)]
    open: Packed,
    /// The entry of the latest time: nearly every other is held against it and nothing else. At a
    /// few thousand messages a second what a reading costs is the memory that it touches.
    #[n(2)]
    newest: Option<Entry>,
}

impl History {
    /// Gives the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<Entry> {
        self.newest
    }

    /// Reads the place where the next entry goes.
    #[must_use]
    pub fn touch(&self) -> i64 {
        self.open.touch()
    }

    /// Says what is held of a time.
    #[must_use]
    pub fn held(&self, time: Timestamp, result: ObservationResult) -> Held {
        match self.at_or_before(time).filter(|entry| entry.time == time) {
            None => Held::Nothing,
            Some(entry) if same(entry.result, result) => Held::Same(entry),
            Some(entry) => Held::Other(entry),
        }
    }

    /// Gives the last entry that is not after a time.
    #[must_use]
    pub fn at_or_before(&self, time: Timestamp) -> Option<Entry> {
        if let Some(newest) = self.newest.filter(|newest| newest.time <= time) {
            return Some(newest);
        }
        let not_after = |bytes: &[u8]| unpack(bytes).take_while(|entry| entry.time <= time).last();
        not_after(&self.open.bytes()).or_else(|| {
            let chunk = self.sealed.iter().rev().find(|chunk| chunk.first <= time)?;
            not_after(&chunk.packed)
        })
    }

    /// Takes an entry in at its place in time, for another of the same time if there is one.
    pub fn put(&mut self, entry: Entry) {
        if self.newest.is_none_or(|newest| newest.time < entry.time) {
            if self.open.len() >= OPEN_MAX {
                self.seal();
            }
            self.open.push(entry);
        } else if self.sealed.back().is_some_and(|last| last.last >= entry.time) {
            self.put_sealed(entry);
        } else {
            let mut entries: Vec<Entry> = unpack(&self.open.bytes()).collect();
            put_sorted(&mut entries, entry);
            self.open.rewrite(&entries);
            if entries.len() > OPEN_MAX {
                self.seal();
            }
        }
        if self.newest.is_none_or(|newest| newest.time <= entry.time) {
            self.newest = Some(entry);
        }
    }

    fn put_sealed(&mut self, entry: Entry) {
        let sealed = Arc::make_mut(&mut self.sealed);
        let at = sealed.iter().rposition(|chunk| chunk.first <= entry.time).unwrap_or(0);
        let Some(chunk) = sealed.get_mut(at) else { return };
        let mut entries: Vec<Entry> = unpack(&chunk.packed).collect();
        put_sorted(&mut entries, entry);
        if entries.len() > CHUNK_MAX {
            let later = entries.split_off(OPEN_MAX);
            *chunk = Sealed::of(&entries);
            sealed.insert(at + 1, Sealed::of(&later));
        } else {
            *chunk = Sealed::of(&entries);
        }
        self.forget_beyond();
    }

    fn seal(&mut self) {
        if let Some((first, last)) = self.open.span() {
            let packed = self.open.bytes().into();
            Arc::make_mut(&mut self.sealed).push_back(Sealed { first, last, packed });
            self.open.rewrite(&[]);
            self.forget_beyond();
        }
    }

    fn forget_beyond(&mut self) {
        while self.sealed.len() > CHUNKS_MAX {
            Arc::make_mut(&mut self.sealed).pop_front();
        }
    }

    /// Says whether entries were packed just now: the moment to forget old ones.
    #[must_use]
    pub fn just_sealed(&self) -> bool {
        self.open.len() <= 1
    }

    /// Forgets the chunks that ended before a time.
    pub fn forget_before(&mut self, time: Timestamp) {
        while self.sealed.front().is_some_and(|chunk| chunk.last < time) {
            Arc::make_mut(&mut self.sealed).pop_front();
        }
    }

    /// Walks the entries before a time, the newest first; what is packed is unpacked only where the
    /// walk comes to it.
    pub fn before(&self, end: Timestamp) -> impl Iterator<Item = Entry> + '_ {
        let newest = self.newest.filter(|newest| newest.time < end);
        let end = newest.map_or(end, |newest| newest.time);
        let open = self.open.span().is_some_and(|(first, _)| first < end);
        let open = open.then(|| std::iter::once_with(|| unpacked(&self.open.bytes())).flatten());
        let sealed = self.sealed.iter().rev().skip_while(move |chunk| chunk.first >= end);
        let packed = open.into_iter().flatten();
        let packed = packed.chain(sealed.flat_map(|chunk| unpacked(&chunk.packed)));
        newest.into_iter().chain(packed.filter(move |entry| entry.time < end))
    }

    /// Gives the first entry after a time.
    #[must_use]
    pub fn after(&self, time: Timestamp) -> Option<Entry> {
        self.newest.filter(|newest| newest.time > time)?;
        let late = |entry: &Entry| entry.time > time;
        let sealed = self.sealed.iter().find(|chunk| chunk.last > time);
        let sealed = sealed.and_then(|chunk| unpack(&chunk.packed).find(late));
        sealed.or_else(|| unpack(&self.open.bytes()).find(late))
    }

    /// Gives every entry from `start` to before `end`, oldest first.
    #[must_use]
    pub fn between(&self, start: Timestamp, end: Timestamp) -> Vec<Entry> {
        let within = |entry: &Entry| start <= entry.time && entry.time < end;
        let touches = |chunk: &&Sealed| chunk.last >= start && chunk.first < end;
        let sealed = self.sealed.iter().filter(touches);
        let mut entries: Vec<Entry> =
            sealed.flat_map(|chunk| unpack(&chunk.packed)).filter(within).collect();
        if self.open.span().is_some_and(|(first, last)| last >= start && first < end) {
            entries.extend(unpack(&self.open.bytes()).filter(within));
        }
        entries
    }

    /// Gives every entry from a time on, oldest first.
    #[must_use]
    pub fn since(&self, time: Timestamp) -> Vec<Entry> {
        let sealed = self.sealed.iter().filter(|chunk| chunk.last >= time);
        let mut entries: Vec<Entry> = sealed.flat_map(|chunk| unpack(&chunk.packed)).collect();
        entries.extend(unpack(&self.open.bytes()));
        entries.retain(|entry| entry.time >= time);
        entries
    }
}

impl Sealed {
    fn of(entries: &[Entry]) -> Self {
        let mut packed = Packed::default();
        packed.rewrite(entries);
        let (first, last) = packed.span().unwrap_or_default();
        Self { first, last, packed: packed.bytes().into() }
    }
}

/// Unpacks entries, the newest first.
fn unpacked(bytes: &[u8]) -> impl Iterator<Item = Entry> + use<> {
    let entries: Vec<Entry> = unpack(bytes).collect();
    entries.into_iter().rev()
}

/// Says whether two results are the same to the last bit; two zeros of different sign are.
fn same(a: ObservationResult, b: ObservationResult) -> bool {
    a == b
}

fn put_sorted(entries: &mut Vec<Entry>, entry: Entry) {
    let at = entries.partition_point(|held| held.time < entry.time);
    match entries.get_mut(at) {
        Some(held) if held.time == entry.time => *held = entry,
        Some(_) | None => entries.insert(at, entry),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::observation::{NilReason, Side};
    use crate::domain::quality::Test;
    use crate::domain::time::HOUR;

    fn entry(time: i64, value: f64) -> Entry {
        let quality = Quality::only(Test::GrossRange, Flag::Pass);
        Entry {
            time: Timestamp(time),
            result: ObservationResult::Value(value),
            quality,
            mark: None,
        }
    }

    #[test]
    fn what_is_held_survives_the_sealing_of_its_chunk() {
        let mut history = History::default();
        for minute in 0..300 {
            history.put(entry(minute * 60_000, 7.0 + minute as f64 / 3.0));
        }
        let (time, result) = (Timestamp(60_000), ObservationResult::Value(7.0 + 1.0 / 3.0));
        assert!(matches!(history.held(time, result), Held::Same(_)));
        let other = ObservationResult::Value(1.0);
        assert!(matches!(history.held(time, other), Held::Other(_)));
        assert_eq!(history.held(Timestamp(60_001), result), Held::Nothing);
        assert_eq!(history.since(Timestamp(0)).len(), 300);
    }

    #[test]
    fn an_hour_of_minutes_takes_few_bytes() {
        let entries: Vec<Entry> =
            (0..60).map(|minute| entry(minute * 60_000, (700 + minute) as f64 / 100.0)).collect();
        // One byte a value, and a few for how it begins.
        assert!(Sealed::of(&entries).packed.len() < 60 + 15);
    }

    #[test]
    fn forgetting_keeps_what_is_young() {
        let mut history = History::default();
        for hour in 0..30 {
            history.put(entry(hour * HOUR, 1.0));
        }
        history.forget_before(Timestamp(26 * HOUR));
        assert_eq!(history.since(Timestamp(0)).len(), 30, "the open entries are not forgotten");
        for minute in 0..200 {
            history.put(entry(40 * HOUR + minute * 60_000, 1.0));
        }
        history.forget_before(Timestamp(40 * HOUR));
        let held = history.since(Timestamp(0)).len();
        assert!(held < 200 + OPEN_MAX, "at most the chunk in which the time lies: {held}");
    }

    #[test]
    fn a_backfill_makes_no_long_chunk() {
        let mut history = History::default();
        history.put(entry(100 * HOUR, 1.0));
        for second in 0..5_000 {
            history.put(entry(second * 1_000, second as f64));
        }
        assert_eq!(history.since(Timestamp(0)).len(), 5_001);
        assert!(history.sealed.iter().all(|chunk| unpack(&chunk.packed).count() <= CHUNK_MAX));
    }

    #[test]
    fn beyond_the_most_chunks_the_oldest_are_forgotten() {
        let most = (CHUNKS_MAX * OPEN_MAX) as i64;
        let mut history = History::default();
        for time in 0..2 * most {
            history.put(entry(time * 10, 1.0));
        }
        assert_eq!(history.sealed.len(), CHUNKS_MAX);
        assert_eq!(history.newest(), Some(entry((2 * most - 1) * 10, 1.0)));
        let oldest = history.since(Timestamp(0))[0].time.millis();
        assert!(((most - OPEN_MAX as i64) * 10..=most * 10).contains(&oldest), "{oldest}");
        // What comes between, late, costs no more chunks either.
        for time in 0..2 * CHUNK_MAX as i64 {
            history.put(entry(most * 15 + time * 10 + 5, 1.0));
        }
        assert_eq!(history.sealed.len(), CHUNKS_MAX);
    }

    fn results() -> impl Strategy<Value = ObservationResult> {
        prop_oneof![
            any::<f64>()
                .prop_filter("finite", |x| x.is_finite())
                .prop_map(ObservationResult::Value),
            (-50_000_i64..50_000).prop_map(|x| ObservationResult::Value(x as f64 / 100.0)),
            (0_u8..9)
                .prop_map(|x| ObservationResult::Censored { side: Side::Below, limit: x.into() }),
            Just(ObservationResult::Nil(NilReason::Missing)),
            Just(ObservationResult::Nil(NilReason::Incomplete)),
            Just(ObservationResult::Nil(NilReason::NoInput)),
            Just(ObservationResult::Nil(NilReason::Undefined)),
        ]
    }

    /// Mostly one and the same, as of a sensor.
    fn qualities() -> impl Strategy<Value = Quality> {
        let passed = Quality::only(Test::GrossRange, Flag::Pass);
        let some = prop_oneof![
            Just(Flag::Pass),
            Just(Flag::Suspect),
            Just(Flag::Fail),
            Just(Flag::Missing)
        ];
        let flagged = proptest::collection::vec((0..Test::ALL.len(), some), 0..4);
        let other = flagged.prop_map(move |flagged| {
            let mut quality = passed;
            flagged.into_iter().for_each(|(test, flag)| quality.set(Test::ALL[test], flag));
            quality
        });
        prop_oneof![4 => Just(passed), 1 => other]
    }

    /// Mostly none, as of most devices.
    fn marks() -> impl Strategy<Value = Option<MarkId>> {
        prop_oneof![4 => Just(None), 1 => any::<u32>().prop_map(|id| Some(MarkId(id)))]
    }

    proptest! {
        #[test]
        fn a_history_is_a_map_of_time(
            puts in proptest::collection::vec(
                (0_i64..20 * HOUR, results(), qualities(), marks()),
                0..300,
            )
        ) {
            let mut history = History::default();
            let mut map = std::collections::BTreeMap::new();
            for (time, result, quality, mark) in puts {
                let entry = Entry { time: Timestamp(time), result, quality, mark };
                history.put(entry);
                map.insert(time, entry);
            }
            let held: Vec<Entry> = map.into_values().collect();
            for end in held.iter().step_by(7).map(|entry| entry.time).chain([Timestamp(i64::MAX)]) {
                let back: Vec<Entry> = history.before(end).collect();
                let before = held.iter().rev().filter(|entry| entry.time < end);
                prop_assert_eq!(back, before.copied().collect::<Vec<_>>());
            }
            for pair in held.windows(2) {
                prop_assert_eq!(history.after(pair[0].time), Some(pair[1]));
            }
            prop_assert_eq!(history.since(Timestamp(0)), held);
            let bytes = minicbor::to_vec(&history).unwrap();
            prop_assert_eq!(minicbor::decode::<History>(&bytes).unwrap(), history);
        }
    }
}
