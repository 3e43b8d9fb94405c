//! Messages that were turned away, for whoever is on duty: of which station, why, what can be done,
//! and one of them down to its bytes.

#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::daemon::page::Observer;
use crate::daemon::page::raw::{PAYLOAD_SHOWN_MAX, dump, text_of};
use crate::daemon::page::times::offset;
use crate::domain::registry::{Registry, Station};
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::letter::{LetterPage, LettersView};
use crate::http::view::weir::LetterCount;
use crate::journal::Error;
use crate::journal::batch::DeadLetterId;
use crate::journal::read::{LetterHeld, LetterKind, LetterWords, Reader};

/// How many messages that were turned away are read for a shift, the newest.
const LETTERS_READ_MAX: u32 = 2_000;

impl Observer {
    /// Gives the largest kinds of dead letters with what whoever is on duty asks of them, and how
    /// many kinds there are.
    pub(super) fn letters_told(
        &self,
        reader: &Reader,
        kinds_max: usize,
    ) -> Result<(Vec<LettersView>, usize), Error> {
        let words = reader.letter_words()?;
        let counts = self.letters_counted(reader, &words)?;
        let of = counts.len();
        let view = self.status.view.load_full();
        let place = view.as_ref().map(|view| (&*view.registry, view.at.wall));
        let shown = counts.into_iter().take(kinds_max);
        Ok((shown.map(|one| told(place, &words, one)).collect(), of))
    }

    /// Gives one dead letter, down to its bytes; nothing where none of this number is kept.
    pub(super) fn letter_page(&self, id: i64) -> Option<LetterPage> {
        let read = || -> Result<Option<LetterPage>, Error> {
            let reader = Reader::open(&self.config.journal.data_folder)?;
            let Some(held) = reader.dead_letter(DeadLetterId(id))? else { return Ok(None) };
            let view = self.status.view.load_full();
            let registry = view.as_ref().map(|view| &*view.registry);
            let mut page = page(registry, &held, &self.home);
            let letter = &held.letter;
            let kind = LetterKind {
                device: Some(letter.device.as_deref().unwrap_or_default()),
                channel: Some(letter.channel.as_deref().unwrap_or_default()),
                code: Some(&*letter.code),
            };
            page.before = reader.letter_before(kind, held.id)?;
            page.after = reader.letter_numbers(kind, held.id, 1)?.first().copied();
            Ok(Some(page))
        };
        let said = |error: &Error| tracing::warn!(%error, "A dead letter can't be shown.");
        read().inspect_err(said).ok().flatten()
    }
}

/// Counts the messages that were turned away since a time; says whether there were more, of which
/// only the number of all times is kept.
pub(super) fn counted_since(reader: &Reader, since: Timestamp) -> Result<(usize, bool), Error> {
    let counts = reader.dead_letter_counts()?;
    let mut late = counts.iter().filter(|one| one.last_at >= since).peekable();
    if late.peek().is_none() {
        return Ok((0, false));
    }
    let more = late.any(|one| one.total > one.kept);
    let kept = reader.letters_since(since, LETTERS_READ_MAX)?.len();
    Ok((kept, more || kept >= usize::try_from(LETTERS_READ_MAX).unwrap_or(usize::MAX)))
}

/// Tells the messages that were turned away since a time by device and reason, those with the most
/// first.
pub(super) fn since(
    reader: &Reader,
    registry: &Registry,
    since: Timestamp,
) -> Result<Vec<LettersView>, Error> {
    let mut found: BTreeMap<(String, String), LettersView> = BTreeMap::new();
    // Of a kind with more than are kept nobody knows how many of them came since then.
    let counts = reader.dead_letter_counts()?.into_iter();
    for one in counts.filter(|one| one.last_at >= since && one.total > one.kept) {
        let count = LetterCount { device: one.device, code: one.code, ..LetterCount::default() };
        let of = (count.device.clone(), count.code.clone());
        let view = told(Some((registry, one.last_at)), &[], count);
        found.insert(of, LettersView { more: true, ..view });
    }
    for one in reader.letters_since(since, LETTERS_READ_MAX)? {
        let of = (one.device.clone(), one.code.clone());
        let held = found.entry(of).or_insert_with(|| {
            let words = one.words;
            let count =
                LetterCount { device: one.device, code: one.code, words, ..LetterCount::default() };
            told(Some((registry, one.at)), &[], count)
        });
        held.newest = held.newest.or(Some(one.id));
        held.count.total += 1;
    }
    let mut found: Vec<LettersView> = found.into_values().collect();
    found.sort_by_key(|one| (!one.more, std::cmp::Reverse(one.count.total)));
    Ok(found)
}

fn told(
    place: Option<(&Registry, Timestamp)>,
    words: &[LetterWords],
    count: LetterCount,
) -> LettersView {
    let same = |one: &&LetterWords| {
        one.device == count.device && one.channel == count.channel && one.code == count.code
    };
    let stands = place.and_then(|(registry, now)| stands(registry, &count.device, now));
    let (station_id, station) = named(stands);
    LettersView {
        newest: words.iter().find(same).map(|one| one.id),
        why: why::why(&count.code, &count.words),
        mendable: why::can_be_mended(&count.code, &count.words),
        more: false,
        station_id,
        station,
        count,
    }
}

/// Finds the station where a device stands, by the device's name; nothing where that is not one.
fn stands<'r>(registry: &'r Registry, device: &str, at: Timestamp) -> Option<&'r Station> {
    let called = registry.devices.iter().filter(|one| *one.name == *device);
    let mut stations = called.filter_map(|one| Some(one.assignment(at)?.station));
    let first = stations.next()?;
    stations.all(|other| other == first).then(|| registry.station(first)).flatten()
}

fn named(station: Option<&Station>) -> (String, Text) {
    station.map_or_else(Default::default, |one| {
        (one.name.to_string(), Text::new(&*one.name_en, &*one.name_zh))
    })
}

fn page(registry: Option<&Registry>, held: &LetterHeld, home: &TimeZone) -> LetterPage {
    let letter = &held.letter;
    let device = letter.device.clone().unwrap_or_default();
    let of = registry.and_then(|registry| stands(registry, &device, letter.at));
    let (station_id, station) = named(of);
    let network = registry.and_then(|one| one.networks.get(letter.network.index()));
    let head = letter.payload.get(..PAYLOAD_SHOWN_MAX).unwrap_or(&letter.payload);
    let cut = head.len() < letter.payload.len();
    LetterPage {
        id: held.id.0,
        at: letter.at.rfc3339(home),
        zone: offset(home, letter.at),
        network: network.map_or_else(String::new, ToString::to_string),
        topic: String::from_utf8_lossy(&letter.topic).into_owned(),
        station_id,
        station,
        device,
        channel: letter.channel.clone().unwrap_or_default(),
        why: why::why(&letter.code, &letter.words),
        chance: why::chance(&letter.code, &letter.words),
        mendable: why::can_be_mended(&letter.code, &letter.words),
        stage: letter.stage.word().to_owned(),
        code: letter.code.to_string(),
        words: letter.words.clone(),
        retried: held.retried_at.map_or_else(String::new, |at| at.rfc3339(home)),
        bytes: letter.payload.len(),
        text: text_of(head, cut),
        hex: dump(head),
        cut,
        before: None,
        after: None,
    }
}
