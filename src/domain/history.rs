//! What a datastream remembers of itself: the observations of the last hours, delta-coded in
//! chunks. At once the memory of quality control, of duplicates and of late data.

use std::collections::VecDeque;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::domain::observation::{NilReason, ObservationResult, Side};
use crate::domain::packed::{push_varint, take_varint};
use crate::domain::quality::Flag;
use crate::domain::time::Timestamp;

/// How many entries are held as they are before they are packed; an hour of minutes. An entry takes
/// 32 bytes here and about 5 in a chunk.
const OPEN_MAX: usize = 64;
/// A chunk that late entries make longer than this is split, so that none is dear to change.
const CHUNK_MAX: usize = 2 * OPEN_MAX;
/// How many chunks are held: at least 36 hours of one reading a second. Beyond, the oldest is
/// forgotten, so that no device fills the memory however fast it speaks.
const CHUNKS_MAX: usize = 2_048;

/// One remembered observation.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Entry {
    /// Its phenomenon time, or the start of its interval.
    #[n(0)]
    pub time: Timestamp,
    /// Its result.
    #[n(1)]
    pub result: ObservationResult,
    /// Its rolled-up flag.
    #[n(2)]
    pub flag: Flag,
}

/// What a history holds of a time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Held {
    /// Nothing.
    Nothing,
    /// The same result.
    Same,
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
    #[cbor(n(2), encode_with = "encode_bytes", decode_with = "decode_bytes")]
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

fn encode_bytes<C, W: minicbor::encode::Write>(
    bytes: &Arc<[u8]>,
    out: &mut minicbor::Encoder<W>,
    _: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    out.bytes(bytes)?;
    Ok(())
}

fn decode_bytes<C>(
    from: &mut minicbor::Decoder<'_>,
    _: &mut C,
) -> Result<Arc<[u8]>, minicbor::decode::Error> {
    Ok(from.bytes()?.into())
}

/// The observations of the last hours, in order of time, one a time.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct History {
    /// Behind one handle, so that a view of the state copies no chunk.
    #[cbor(n(0), encode_with = "encode_chunks", decode_with = "decode_chunks")]
    sealed: Arc<VecDeque<Sealed>>,
    #[n(1)]
    open: Vec<Entry>,
}

impl History {
    /// Gives the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<Entry> {
        match self.open.last() {
            Some(entry) => Some(*entry),
            None => self.sealed.back().and_then(|chunk| unpack(&chunk.packed).last().copied()),
        }
    }

    /// Reads the place where the next entry goes.
    #[must_use]
    pub fn touch(&self) -> i64 {
        self.open.last().map_or(0, |entry| entry.time.millis())
    }

    /// Says what is held of a time.
    #[must_use]
    pub fn held(&self, time: Timestamp, result: ObservationResult) -> Held {
        match self.at_or_before(time).filter(|entry| entry.time == time) {
            None => Held::Nothing,
            Some(entry) if same(entry.result, result) => Held::Same,
            Some(entry) => Held::Other(entry),
        }
    }

    /// Gives the last entry that is not after a time.
    #[must_use]
    pub fn at_or_before(&self, time: Timestamp) -> Option<Entry> {
        let not_after =
            |entries: &[Entry]| entries.iter().rev().find(|entry| entry.time <= time).copied();
        not_after(&self.open).or_else(|| {
            let chunk = self.sealed.iter().rev().find(|chunk| chunk.first <= time)?;
            not_after(&unpack(&chunk.packed))
        })
    }

    /// Takes an entry in at its place in time, for another of the same time if there is one.
    pub fn put(&mut self, entry: Entry) {
        // Nearly every entry is newer than all before it, and nothing else is looked at then: at a
        // few thousand messages a second what a reading costs is the memory that it touches.
        if self.open.last().is_some_and(|last| last.time < entry.time) {
            if self.open.len() >= OPEN_MAX {
                self.seal();
            }
            self.open.push(entry);
        } else if self.sealed.back().is_some_and(|last| last.last >= entry.time) {
            self.put_sealed(entry);
        } else {
            put_sorted(&mut self.open, entry);
            if self.open.len() > OPEN_MAX {
                self.seal();
            }
        }
    }

    fn put_sealed(&mut self, entry: Entry) {
        let sealed = Arc::make_mut(&mut self.sealed);
        let at = sealed.iter().rposition(|chunk| chunk.first <= entry.time).unwrap_or(0);
        let Some(chunk) = sealed.get_mut(at) else { return };
        let mut entries = unpack(&chunk.packed);
        put_sorted(&mut entries, entry);
        if entries.len() > CHUNK_MAX {
            let later = entries.split_off(OPEN_MAX);
            *chunk = pack(&entries);
            sealed.insert(at + 1, pack(&later));
        } else {
            *chunk = pack(&entries);
        }
        self.forget_beyond();
    }

    fn seal(&mut self) {
        if !self.open.is_empty() {
            Arc::make_mut(&mut self.sealed).push_back(pack(&self.open));
            self.open.clear();
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

    /// Gives every entry from a time on, oldest first.
    #[must_use]
    pub fn since(&self, time: Timestamp) -> Vec<Entry> {
        let sealed = self.sealed.iter().filter(|chunk| chunk.last >= time);
        let mut entries: Vec<Entry> = sealed.flat_map(|chunk| unpack(&chunk.packed)).collect();
        entries.extend(&self.open);
        entries.retain(|entry| entry.time >= time);
        entries
    }
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

/// Tags of a packed entry: the kind of result in the low three bits, the flag above.
mod tag {
    pub(super) const VALUE: u8 = 0;
    pub(super) const DECIMAL: u8 = 1;
    pub(super) const BELOW: u8 = 2;
    pub(super) const ABOVE: u8 = 3;
    pub(super) const MISSING: u8 = 4;
    pub(super) const INCOMPLETE: u8 = 5;
    pub(super) const KIND_BITS: u8 = 3;
}

/// Most sensors send few decimals: such a value is a whole number of these and packs small.
const SCALE: f64 = 10_000.0;

#[expect(clippy::float_cmp, reason = "the whole number must give back the very same double")]
fn decimal(value: f64) -> Option<i64> {
    let scaled = (value * SCALE).round();
    let fits = scaled.abs() < 1.0e15
        && scaled / SCALE == value
        && !(value == 0.0 && value.is_sign_negative());
    fits.then_some(scaled as i64)
}

fn pack(entries: &[Entry]) -> Sealed {
    let first = entries.first().map_or(Timestamp::default(), |entry| entry.time);
    let last = entries.last().map_or(first, |entry| entry.time);
    let mut packed = Vec::with_capacity(entries.len() * 5 + 10);
    let (mut time, mut step, mut value) = (0_i64, 0_i64, 0_i64);
    for entry in entries {
        let next = entry.time.millis() - time;
        push_varint(&mut packed, next - step);
        (time, step) = (entry.time.millis(), next);
        let (kind, number) = match entry.result {
            ObservationResult::Value(number) => match decimal(number) {
                Some(whole) => {
                    packed.push(tag::DECIMAL | (entry.flag.number() << tag::KIND_BITS));
                    push_varint(&mut packed, whole - value);
                    value = whole;
                    continue;
                }
                None => (tag::VALUE, Some(number)),
            },
            ObservationResult::Censored { side: Side::Below, limit } => (tag::BELOW, Some(limit)),
            ObservationResult::Censored { side: Side::Above, limit } => (tag::ABOVE, Some(limit)),
            ObservationResult::Nil(NilReason::Missing) => (tag::MISSING, None),
            ObservationResult::Nil(NilReason::Incomplete) => (tag::INCOMPLETE, None),
        };
        packed.push(kind | (entry.flag.number() << tag::KIND_BITS));
        if let Some(number) = number {
            packed.extend_from_slice(&number.to_bits().to_le_bytes());
        }
    }
    Sealed { first, last, packed: packed.into() }
}

fn unpack(packed: &[u8]) -> Vec<Entry> {
    let mut rest = packed;
    let mut entries = Vec::new();
    let (mut time, mut step, mut value) = (0_i64, 0_i64, 0_i64);
    // What `pack` wrote, `unpack` reads; a snapshot's checksum guards the way between.
    while let Some(entry) = unpack_one(&mut rest, &mut time, &mut step, &mut value) {
        entries.push(entry);
    }
    entries
}

fn unpack_one(rest: &mut &[u8], time: &mut i64, step: &mut i64, value: &mut i64) -> Option<Entry> {
    *step = step.wrapping_add(take_varint(rest)?);
    *time = time.wrapping_add(*step);
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    let flag = match first >> tag::KIND_BITS {
        1 => Flag::Pass,
        3 => Flag::Suspect,
        4 => Flag::Fail,
        9 => Flag::Missing,
        _ => Flag::NotEvaluated,
    };
    let result = match first & ((1 << tag::KIND_BITS) - 1) {
        tag::DECIMAL => {
            *value = value.wrapping_add(take_varint(rest)?);
            ObservationResult::Value(*value as f64 / SCALE)
        }
        tag::VALUE => ObservationResult::Value(take_f64(rest)?),
        tag::BELOW => ObservationResult::Censored { side: Side::Below, limit: take_f64(rest)? },
        tag::ABOVE => ObservationResult::Censored { side: Side::Above, limit: take_f64(rest)? },
        tag::INCOMPLETE => ObservationResult::Nil(NilReason::Incomplete),
        _ => ObservationResult::Nil(NilReason::Missing),
    };
    Some(Entry { time: Timestamp(*time), result, flag })
}

fn take_f64(from: &mut &[u8]) -> Option<f64> {
    let (bytes, tail) = from.split_first_chunk::<8>()?;
    *from = tail;
    Some(f64::from_bits(u64::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::HOUR;

    fn entry(time: i64, value: f64) -> Entry {
        Entry { time: Timestamp(time), result: ObservationResult::Value(value), flag: Flag::Pass }
    }

    #[test]
    fn what_is_held_survives_the_sealing_of_its_chunk() {
        let mut history = History::default();
        for minute in 0..300 {
            history.put(entry(minute * 60_000, 7.0 + minute as f64 / 3.0));
        }
        let (time, result) = (Timestamp(60_000), ObservationResult::Value(7.0 + 1.0 / 3.0));
        assert_eq!(history.held(time, result), Held::Same);
        let other = ObservationResult::Value(1.0);
        assert!(matches!(history.held(time, other), Held::Other(_)));
        assert_eq!(history.held(Timestamp(60_001), result), Held::Nothing);
        assert_eq!(history.since(Timestamp(0)).len(), 300);
    }

    #[test]
    fn an_hour_of_minutes_takes_few_bytes() {
        let entries: Vec<Entry> =
            (0..60).map(|minute| entry(minute * 60_000, 7.0 + minute as f64 / 100.0)).collect();
        assert!(pack(&entries).packed.len() < 60 * 5);
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
        assert!(history.sealed.iter().all(|chunk| unpack(&chunk.packed).len() <= CHUNK_MAX));
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
        ]
    }

    proptest! {
        #[test]
        fn a_history_is_a_map_of_time(
            puts in proptest::collection::vec((0_i64..20 * HOUR, results()), 0..300)
        ) {
            let mut history = History::default();
            let mut map = std::collections::BTreeMap::new();
            for (time, result) in puts {
                let entry = Entry { time: Timestamp(time), result, flag: Flag::Suspect };
                history.put(entry);
                map.insert(time, entry);
            }
            let held: Vec<Entry> = map.into_values().collect();
            prop_assert_eq!(history.since(Timestamp(0)), held);
            let bytes = minicbor::to_vec(&history).unwrap();
            prop_assert_eq!(minicbor::decode::<History>(&bytes).unwrap(), history);
        }
    }
}
