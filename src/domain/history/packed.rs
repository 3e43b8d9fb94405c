//! Entries in few bytes, written one behind the other. A value that comes in the step of the ones
//! before it, with as many decimals and the same flags, is its difference to the last: one byte or
//! two.

use minicbor::{Decode, Encode};

use crate::domain::history::Entry;
use crate::domain::name::MarkId;
use crate::domain::observation::{NilReason, ObservationResult, Side};
use crate::domain::packed::{
    folded, push_unsigned, push_varint, take_unsigned, take_varint, unfolded,
};
use crate::domain::quality::Quality;
use crate::domain::time::Timestamp;

/// Kinds of results.
mod kind {
    pub(super) const VALUE: u8 = 0;
    pub(super) const DECIMAL: u8 = 1;
    pub(super) const BELOW: u8 = 2;
    pub(super) const ABOVE: u8 = 3;
    pub(super) const MISSING: u8 = 4;
    pub(super) const INCOMPLETE: u8 = 5;
    pub(super) const NO_INPUT: u8 = 6;
    pub(super) const UNDEFINED: u8 = 7;
}

/// Ten to the power of the decimals.
const SCALES: [f64; 8] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7];
/// Whole numbers below this are doubles of their own, and so are their differences.
const WHOLE_MAX: f64 = 1.0e15;

/// What an entry is written and read against: the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct Last {
    #[n(0)]
    time: i64,
    #[n(1)]
    step: i64,
    /// The last value that was one of decimals, as a whole number of the last of these.
    #[n(2)]
    whole: i64,
    #[n(3)]
    tag: Tag,
}

/// What is said once for all entries that are alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct Tag {
    #[n(0)]
    kind: u8,
    #[n(1)]
    decimals: u8,
    #[n(2)]
    quality: Quality,
    #[n(3)]
    mark: Option<MarkId>,
}

/// The bit of a tag's number that says that flags follow; else they are as before.
const FLAGS_FOLLOW: u64 = 1 << 6;
/// The bit that says that a mark follows, or none; else it is as before.
const MARK_FOLLOWS: u64 = 1 << 7;

impl Tag {
    /// Writes it against the one before it.
    fn write(self, before: Self, out: &mut impl Extend<u8>) {
        let mut number = u64::from(self.kind) | u64::from(self.decimals) << 3;
        if self.quality != before.quality {
            number |= FLAGS_FOLLOW;
        }
        if self.mark != before.mark {
            number |= MARK_FOLLOWS;
        }
        push_unsigned(out, number << 1 | 1);
        if number & FLAGS_FOLLOW != 0 {
            for plane in self.quality.planes() {
                push_unsigned(out, u64::from(plane));
            }
        }
        if number & MARK_FOLLOWS != 0 {
            push_unsigned(out, self.mark.map_or(0, |mark| u64::from(mark.0) + 1));
        }
    }

    /// Reads what follows the number with which it begins.
    fn read(self, number: u64, rest: &mut &[u8]) -> Option<Self> {
        let bits = |shift: u32| ((number >> shift) & 7) as u8;
        let mut quality = self.quality;
        if number & FLAGS_FOLLOW != 0 {
            let mut planes = [0; 4];
            for plane in &mut planes {
                *plane = u32::try_from(take_unsigned(rest)?).ok()?;
            }
            quality = Quality::from_planes(planes);
        }
        let mut mark = self.mark;
        if number & MARK_FOLLOWS != 0 {
            let written = take_unsigned(rest)?;
            mark = written.checked_sub(1).and_then(|id| u32::try_from(id).ok()).map(MarkId);
        }
        Some(Self { kind: bits(0), decimals: bits(3), quality, mark })
    }
}

/// Entries that can be written on, in order of time. Each begins with a number. If it is odd, the
/// rest of it is a tag, and the time of the first entry follows, or by how much the step changed;
/// then a value of decimals as a whole number. If it is even, tag and step are as before, and the
/// rest of it is the difference to the last value of decimals. Eight bytes follow of any other
/// number.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub(super) struct Packed {
    /// What was written before the tail.
    #[cbor(n(0), with = "minicbor::bytes")]
    bytes: Vec<u8>,
    /// What was written last. It lies with the rest of the datastream, so that most values touch
    /// no other memory.
    #[n(4)]
    tail: Tail,
    #[n(1)]
    count: u32,
    #[n(2)]
    first: Timestamp,
    #[n(3)]
    last: Last,
}

/// The longest entry: a tag with its flags and its mark, a change of step, and a number.
const ENTRY_BYTES_MAX: usize = 2 + 4 * 5 + 5 + 10 + 10;
/// How many bytes the tail holds: a dozen of ordinary values and one of any other kind.
const TAIL_BYTES: usize = 62;

#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
struct Tail {
    #[cbor(n(0), with = "minicbor::bytes")]
    bytes: [u8; TAIL_BYTES],
    #[n(1)]
    length: u8,
}

impl Default for Tail {
    fn default() -> Self {
        Self { bytes: [0; TAIL_BYTES], length: 0 }
    }
}

impl Tail {
    fn written(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    fn room(&self) -> usize {
        TAIL_BYTES.saturating_sub(usize::from(self.length))
    }
}

impl Extend<u8> for Tail {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        for byte in bytes {
            if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
                *place = byte;
                self.length += 1;
            }
        }
    }
}

impl Packed {
    /// Gives how many entries there are.
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        [&self.bytes, self.tail.written()].concat()
    }

    /// Reads the place where the next entry goes.
    pub(super) fn touch(&self) -> i64 {
        i64::from(self.tail.length)
    }

    /// Gives the times of the first entry and the last.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        (self.count > 0).then_some((self.first, Timestamp(self.last.time)))
    }

    /// Writes these instead of what is there, and keeps the buffer.
    pub(super) fn rewrite(&mut self, entries: &[Entry]) {
        self.bytes.clear();
        self.tail.length = 0;
        self.count = 0;
        for entry in entries {
            self.push(*entry);
        }
    }

    /// Writes an entry behind the others; it is later than they are.
    pub(super) fn push(&mut self, entry: Entry) {
        let (time, begun) = (entry.time.millis(), self.count > 0);
        let step = if begun { time.wrapping_sub(self.last.time) } else { 0 };
        let ((kind, decimals), number) = self.kind(entry.result);
        let tag = Tag { kind, decimals, quality: entry.quality, mark: entry.mark };
        let whole = (kind == kind::DECIMAL).then(|| scaled(number.unwrap_or_default(), decimals));
        if self.tail.room() < ENTRY_BYTES_MAX {
            self.bytes.extend_from_slice(self.tail.written());
            self.tail.length = 0;
        }
        let out = &mut self.tail;
        if begun && step == self.last.step && tag == self.last.tag {
            let difference = whole.map_or(0, |whole| whole.wrapping_sub(self.last.whole));
            push_unsigned(out, folded(difference) << 1);
        } else {
            tag.write(if begun { self.last.tag } else { Tag::default() }, out);
            let change = if begun { step.wrapping_sub(self.last.step) } else { time };
            push_varint(out, change);
            if let Some(whole) = whole {
                push_varint(out, whole);
            }
        }
        if let (None, Some(number)) = (whole, number) {
            out.extend(number.to_bits().to_le_bytes());
        }
        if !begun {
            self.first = entry.time;
        }
        self.last = Last { time, step, whole: whole.unwrap_or(self.last.whole), tag };
        self.count += 1;
    }

    /// Gives the kind of a result with its decimals, and its number.
    fn kind(&self, result: ObservationResult) -> ((u8, u8), Option<f64>) {
        let decimals = self.last.tag.decimals;
        match result {
            ObservationResult::Value(number) => {
                // A value that was computed has no last decimal, nor has the next one: it is not
                // looked for again before the next chunk.
                let last =
                    if self.count > 0 && self.last.tag.kind == kind::VALUE { decimals } else { 7 };
                let mut wanted = decimals..=last.max(decimals);
                match wanted.find(|decimals| is_decimal(number, *decimals)) {
                    Some(decimals) => ((kind::DECIMAL, decimals), Some(number)),
                    None => ((kind::VALUE, decimals), Some(number)),
                }
            }
            ObservationResult::Censored { side: Side::Below, limit } => {
                ((kind::BELOW, decimals), Some(limit))
            }
            ObservationResult::Censored { side: Side::Above, limit } => {
                ((kind::ABOVE, decimals), Some(limit))
            }
            ObservationResult::Nil(NilReason::Missing) => ((kind::MISSING, decimals), None),
            ObservationResult::Nil(NilReason::Incomplete) => ((kind::INCOMPLETE, decimals), None),
            ObservationResult::Nil(NilReason::NoInput) => ((kind::NO_INPUT, decimals), None),
            ObservationResult::Nil(NilReason::Undefined) => ((kind::UNDEFINED, decimals), None),
        }
    }
}

fn scale(decimals: u8) -> f64 {
    SCALES.get(usize::from(decimals)).copied().unwrap_or(1.0)
}

fn scaled(number: f64, decimals: u8) -> i64 {
    (number * scale(decimals)).round() as i64
}

/// Says whether a number is a whole number of so many decimals, to the last bit of the double.
#[expect(clippy::float_cmp, reason = "the whole number must give back the very same double")]
fn is_decimal(number: f64, decimals: u8) -> bool {
    let whole = (number * scale(decimals)).round();
    whole.abs() < WHOLE_MAX
        && whole / scale(decimals) == number
        && !(number == 0.0 && number.is_sign_negative())
}

/// Reads entries one behind the other. What [`Packed`] wrote is read to its end; a snapshot's
/// checksum guards the way between.
pub(super) fn unpack(bytes: &[u8]) -> impl Iterator<Item = Entry> {
    let (mut rest, mut last) = (bytes, None);
    std::iter::from_fn(move || {
        let (entry, next) = take(&mut rest, last)?;
        last = Some(next);
        Some(entry)
    })
}

fn take(rest: &mut &[u8], last: Option<Last>) -> Option<(Entry, Last)> {
    let head = take_unsigned(rest)?;
    let (mut next, begun) = (last.unwrap_or_default(), last.is_some());
    if head & 1 == 1 {
        next.tag = next.tag.read(head >> 1, rest)?;
        let change = take_varint(rest)?;
        next.step = if begun { next.step.wrapping_add(change) } else { 0 };
        next.time = if begun { next.time.wrapping_add(next.step) } else { change };
        if next.tag.kind == kind::DECIMAL {
            next.whole = take_varint(rest)?;
        }
    } else {
        next.time = next.time.wrapping_add(next.step);
        next.whole = next.whole.wrapping_add(unfolded(head >> 1));
    }
    let result = match next.tag.kind {
        kind::DECIMAL => ObservationResult::Value(next.whole as f64 / scale(next.tag.decimals)),
        kind::VALUE => ObservationResult::Value(take_f64(rest)?),
        kind::BELOW => ObservationResult::Censored { side: Side::Below, limit: take_f64(rest)? },
        kind::ABOVE => ObservationResult::Censored { side: Side::Above, limit: take_f64(rest)? },
        kind::INCOMPLETE => ObservationResult::Nil(NilReason::Incomplete),
        kind::NO_INPUT => ObservationResult::Nil(NilReason::NoInput),
        kind::UNDEFINED => ObservationResult::Nil(NilReason::Undefined),
        _ => ObservationResult::Nil(NilReason::Missing),
    };
    let Tag { quality, mark, .. } = next.tag;
    Some((Entry { time: Timestamp(next.time), result, quality, mark }, next))
}

fn take_f64(from: &mut &[u8]) -> Option<f64> {
    let (bytes, tail) = from.split_first_chunk::<8>()?;
    *from = tail;
    Some(f64::from_bits(u64::from_le_bytes(*bytes)))
}
