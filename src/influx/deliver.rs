//! One lane of delivery, in order: joined gzip members go out as they are; where the database
//! refuses some, the refused field is found by halves and everything else still goes out.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::Xxh3;

use crate::domain::time::{HOUR, Moment};

use super::line::parts::Parts;
use super::write::{Answer, Fault, Writer};

/// How many requests one call of [`Lane::deliver`] makes at most.
pub const REQUESTS_MAX: usize = 64;
/// For how long a field that was refused is sent apart from the others, ms.
const APART_MS: i64 = HOUR;
/// How many refused fields are remembered; beyond, each refusal is found by halves again.
const APART_MAX: usize = 1_024;
/// What more points than these can't be stored in time is tried in halves.
const SLOW_POINTS_MIN: u64 = 1_000;

/// Points of one commit as the journal holds them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// One or more gzip members of line protocol, found to be whole.
    pub gzip: Bytes,
    /// How many lines they hold.
    pub points: u64,
}

/// What the database will never store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedField {
    /// The line, reduced to the field where it is one field's fault.
    pub line: String,
    /// The field as it stands in the line; `None` if the whole point is refused.
    pub field: Option<String>,
    /// The server's words.
    pub words: Arc<str>,
}

/// How far a delivery came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Everything is stored or refused: the cursor may move.
    Done,
    /// [`REQUESTS_MAX`] requests were made; call again with the same members.
    More,
    /// The database takes nothing now; call again with the same members, later.
    Later {
        /// How long it asks to wait.
        after: Option<Duration>,
        /// What is wrong.
        fault: Fault,
    },
}

/// The outcome of one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivered {
    /// What was refused of the members; given with [`Progress::Done`] only, to be committed
    /// together with the cursor.
    pub refused: Vec<RefusedField>,
    /// How far it came.
    pub progress: Progress,
}

/// Lines waiting to be sent in one request.
#[derive(Clone, Debug)]
enum Piece {
    /// These of the members, as they are.
    Members(Range<usize>),
    /// Lines that were taken out of members.
    Lines {
        /// The lines, each with its line feed.
        text: Bytes,
        /// Whether each has one field only, so that a refused line is a refused field.
        single: bool,
    },
}

/// A piece, and the state of the fields sent apart when it was last sifted for them.
#[derive(Clone, Debug)]
struct Waiting {
    piece: Piece,
    sifted: u64,
}

/// What remains of the members of the last call.
#[derive(Clone, Debug)]
struct Work {
    members: u128,
    /// A stack: the next piece is the last, so that order is kept.
    waiting: Vec<Waiting>,
    refused: Vec<RefusedField>,
}

/// The lane. It keeps its place within the members between calls; if it is lost, the same members
/// are sent from the start, which stores the same points.
#[derive(Debug, Default)]
pub struct Lane {
    work: Option<Work>,
    /// Measurement and field that were refused, and until when they are sent apart (elapsed ms).
    apart: HashMap<(Vec<u8>, Vec<u8>), i64>,
    /// Counts the changes of `apart`.
    apart_changes: u64,
}

impl Lane {
    /// Sends the members, or goes on with them where the last call ended. Members other than
    /// the last call's begin anew. Dropping the future is the same as losing the place.
    pub async fn deliver(&mut self, writer: &Writer, members: &[Member], now: Moment) -> Delivered {
        self.apart.retain(|_, until| *until > now.elapsed_ms);
        let mut work = self.take_up(members);
        for _ in 0..REQUESTS_MAX {
            let Some(waiting) = self.next(&mut work, members) else {
                return Delivered { refused: work.refused, progress: Progress::Done };
            };
            let answer = match body(&waiting.piece, members) {
                Ok(body) => writer.send(body).await,
                Err(error) => Answer::Later {
                    after: None,
                    fault: Fault::Compression { words: error.to_string() },
                },
            };
            if let Err(later) = self.take_answer(&mut work, waiting, members, answer, now) {
                self.work = Some(work);
                return Delivered { refused: Vec::new(), progress: later };
            }
        }
        if work.waiting.is_empty() {
            return Delivered { refused: work.refused, progress: Progress::Done };
        }
        self.work = Some(work);
        Delivered { refused: Vec::new(), progress: Progress::More }
    }

    fn take_up(&mut self, members: &[Member]) -> Work {
        let mut digest = Xxh3::new();
        for member in members {
            digest.update(&member.gzip.len().to_le_bytes());
            digest.update(&member.gzip);
        }
        let digest = digest.digest128();
        if let Some(work) = self.work.take().filter(|work| work.members == digest) {
            return work;
        }
        let all = Waiting { piece: Piece::Members(0..members.len()), sifted: 0 };
        let waiting = if members.is_empty() { Vec::new() } else { vec![all] };
        Work { members: digest, waiting, refused: Vec::new() }
    }

    /// Gives the next piece to send, without the fields that are sent apart.
    fn next(&self, work: &mut Work, members: &[Member]) -> Option<Waiting> {
        loop {
            let waiting = work.waiting.pop()?;
            let single = matches!(waiting.piece, Piece::Lines { single: true, .. });
            if self.apart.is_empty() || single || waiting.sifted == self.apart_changes {
                return Some(waiting);
            }
            let before = work.refused.len();
            let Some(text) = text(&waiting.piece, members, &mut work.refused) else { continue };
            let sifted = self.apart_changes;
            match self.sift(&text) {
                None if work.refused.len() == before => {
                    return Some(Waiting { sifted, ..waiting });
                }
                // A damaged member was set aside: the piece without it goes on.
                None => {
                    return Some(Waiting { piece: Piece::Lines { text, single }, sifted });
                }
                Some((rest, apart)) => {
                    let apart = Piece::Lines { text: apart, single: true };
                    work.waiting.push(Waiting { piece: apart, sifted });
                    if !rest.is_empty() {
                        let rest = Piece::Lines { text: rest, single: false };
                        work.waiting.push(Waiting { piece: rest, sifted });
                    }
                }
            }
        }
    }

    /// Splits lines into what goes together and the fields that go apart; `None` if none does.
    fn sift(&self, text: &Bytes) -> Option<(Bytes, Bytes)> {
        let (mut rest, mut apart) = (Vec::new(), Vec::new());
        for line in lines(text) {
            let Some(parts) = Parts::of(line) else {
                rest.extend_from_slice(line);
                rest.push(b'\n');
                continue;
            };
            let is_apart =
                |key: &[u8]| self.apart.contains_key(&(parts.measurement().to_vec(), key.to_vec()));
            for field in parts.fields().filter(|field| is_apart(field.key)) {
                parts.push_with(&mut apart, |one| one.key == field.key);
            }
            parts.push_with(&mut rest, |field| !is_apart(field.key));
        }
        (!apart.is_empty()).then(|| (Bytes::from(rest), Bytes::from(apart)))
    }

    fn take_answer(
        &mut self,
        work: &mut Work,
        waiting: Waiting,
        members: &[Member],
        answer: Answer,
        now: Moment,
    ) -> Result<(), Progress> {
        match answer {
            Answer::Stored => Ok(()),
            Answer::Refused { words, dropped } => {
                let words: Arc<str> = words.into();
                let count = points(&waiting.piece, members);
                let single = matches!(waiting.piece, Piece::Lines { single: true, .. });
                let late = outside_retention(&words);
                match dropped {
                    // A point outside the retention is refused for its time, and a line of one
                    // field for that field; else the line may hold fields that can be stored.
                    Some(dropped) if dropped == count && (single || late) => {
                        self.set_aside(work, &waiting.piece, members, &words, now);
                    }
                    Some(dropped) if late && (1..count).contains(&dropped) => {
                        split_by_age(work, &waiting, members, dropped);
                    }
                    _ if split(work, &waiting, members) => {}
                    _ => self.set_aside(work, &waiting.piece, members, &words, now),
                }
                Ok(())
            }
            Answer::TooLarge { words } => {
                if split(work, &waiting, members) {
                    return Ok(());
                }
                // One field can't be too large: some proxy takes no bodies at all.
                work.waiting.push(waiting);
                let fault = Fault::Status { status: 413, words };
                Err(Progress::Later { after: None, fault })
            }
            Answer::Later { after, fault } => {
                let slow =
                    fault == Fault::Timeout && points(&waiting.piece, members) > SLOW_POINTS_MIN;
                if !slow || !split(work, &waiting, members) {
                    work.waiting.push(waiting);
                }
                Err(Progress::Later { after, fault })
            }
        }
    }

    fn set_aside(
        &mut self,
        work: &mut Work,
        piece: &Piece,
        members: &[Member],
        words: &Arc<str>,
        now: Moment,
    ) {
        let Some(text) = text(piece, members, &mut work.refused) else { return };
        let late = outside_retention(words);
        // A line that can't be read says nothing about the same fields of others.
        let unreadable = words.contains("unable to parse");
        for line in lines(&text) {
            let parts = Parts::of(line).filter(|_| !late);
            let field = parts.and_then(|parts| {
                let key = parts.fields().next()?.key.to_vec();
                if !unreadable && self.apart.len() < APART_MAX {
                    let until = now.elapsed_ms.saturating_add(APART_MS);
                    let known = (parts.measurement().to_vec(), key.clone());
                    if self.apart.insert(known, until).is_none() {
                        self.apart_changes += 1;
                    }
                }
                Some(String::from_utf8_lossy(&key).into_owned())
            });
            work.refused.push(RefusedField {
                line: String::from_utf8_lossy(line).into_owned(),
                field,
                words: Arc::clone(words),
            });
        }
    }
}

/// Replaces a piece by smaller ones, in order; `false` if it is one field already.
fn split(work: &mut Work, waiting: &Waiting, members: &[Member]) -> bool {
    let sifted = waiting.sifted;
    if let Piece::Members(range) = &waiting.piece
        && range.len() > 1
    {
        let middle = range.start + range.len() / 2;
        for half in [middle..range.end, range.start..middle] {
            work.waiting.push(Waiting { piece: Piece::Members(half), sifted });
        }
        return true;
    }
    let Some(text) = text(&waiting.piece, members, &mut work.refused) else { return true };
    let single = matches!(waiting.piece, Piece::Lines { single: true, .. });
    let count = lines(&text).count();
    if count > 1 {
        let head: usize = lines(&text).take(count / 2).map(|line| line.len() + 1).sum();
        for half in [text.slice(head.min(text.len())..), text.slice(..head.min(text.len()))] {
            work.waiting.push(Waiting { piece: Piece::Lines { text: half, single }, sifted });
        }
        return true;
    }
    let Some(parts) = Parts::of(text.strip_suffix(b"\n").unwrap_or(&text)) else { return false };
    let keys: Vec<_> = parts.fields().map(|field| field.key).collect();
    if keys.len() < 2 {
        return false;
    }
    for key in keys.iter().rev() {
        let mut line = Vec::new();
        parts.push_with(&mut line, |field| field.key == *key);
        let piece = Piece::Lines { text: line.into(), single: true };
        work.waiting.push(Waiting { piece, sifted });
    }
    true
}

/// Replaces a piece by its oldest points, which are what a retention drops, and the others. Points
/// of one time stay in order, for the older go first.
fn split_by_age(work: &mut Work, waiting: &Waiting, members: &[Member], dropped: u64) {
    let Some(text) = text(&waiting.piece, members, &mut work.refused) else { return };
    let mut ages: Vec<(i64, usize)> =
        lines(&text).enumerate().map(|(place, line)| (time(line), place)).collect();
    ages.sort_unstable();
    ages.truncate(usize::try_from(dropped).unwrap_or(usize::MAX));
    let oldest: HashSet<usize> = ages.into_iter().map(|(_, place)| place).collect();
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for (place, line) in lines(&text).enumerate() {
        let part = if oldest.contains(&place) { &mut old } else { &mut new };
        part.extend_from_slice(line);
        part.push(b'\n');
    }
    let single = matches!(waiting.piece, Piece::Lines { single: true, .. });
    for part in [new, old].into_iter().filter(|part| !part.is_empty()) {
        let piece = Piece::Lines { text: part.into(), single };
        work.waiting.push(Waiting { piece, sifted: waiting.sifted });
    }
}

/// Gives a line's time; of what is no line of ours, one that no retention drops.
fn time(line: &[u8]) -> i64 {
    let time = Parts::of(line).and_then(|parts| std::str::from_utf8(parts.time).ok());
    time.and_then(|time| time.parse().ok()).unwrap_or(i64::MAX)
}

/// InfluxDB 1: `points beyond retention policy`; 2: `points outside retention policy`. The name of
/// a retention policy may stand in other words too.
fn outside_retention(words: &str) -> bool {
    words.contains("beyond retention policy") || words.contains("outside retention policy")
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn points(piece: &Piece, members: &[Member]) -> u64 {
    match piece {
        Piece::Members(range) => {
            members.get(range.clone()).unwrap_or_default().iter().map(|one| one.points).sum()
        }
        Piece::Lines { text, .. } => lines(text).count() as u64,
    }
}

/// Makes the body of a request.
fn body(piece: &Piece, members: &[Member]) -> io::Result<Bytes> {
    match piece {
        Piece::Members(range) => {
            let members = members.get(range.clone()).unwrap_or_default();
            if let [only] = members {
                return Ok(only.gzip.clone());
            }
            let length = members.iter().map(|member| member.gzip.len()).sum();
            let mut joined = Vec::with_capacity(length);
            for member in members {
                joined.extend_from_slice(&member.gzip);
            }
            Ok(joined.into())
        }
        Piece::Lines { text, .. } => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text)?;
            encoder.finish().map(Bytes::from)
        }
    }
}

/// Gives the lines of a piece. A member that can't be gunzipped can never be stored; it is set
/// aside with that reason, and the others remain.
fn text(piece: &Piece, members: &[Member], refused: &mut Vec<RefusedField>) -> Option<Bytes> {
    let range = match piece {
        Piece::Members(range) => range.clone(),
        Piece::Lines { text, .. } => return Some(text.clone()),
    };
    let mut text = Vec::new();
    for member in members.get(range).unwrap_or_default() {
        let before = text.len();
        if let Err(error) = MultiGzDecoder::new(&*member.gzip).read_to_end(&mut text) {
            text.truncate(before);
            let words = format!("{} points in a damaged gzip member: {error}", member.points);
            refused.push(RefusedField { line: String::new(), field: None, words: words.into() });
        }
    }
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_refused_fields_are_sent_apart_and_all_are_told() {
        let text: String =
            (0..APART_MAX + 100).map(|number| format!("water f{number}=1 1\n")).collect();
        let piece = Piece::Lines { text: text.into(), single: true };
        let (mut lane, words) = (Lane::default(), Arc::from("field type conflict"));
        let mut work = Work { members: 0, waiting: Vec::new(), refused: Vec::new() };
        lane.set_aside(&mut work, &piece, &[], &words, Moment::default());
        assert_eq!((lane.apart.len(), work.refused.len()), (APART_MAX, APART_MAX + 100));
        lane.set_aside(&mut work, &piece, &[], &words, Moment::default());
        assert_eq!(lane.apart.len(), APART_MAX);
    }
}
