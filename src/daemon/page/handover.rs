//! What happened since a shift began and what stands at its end: changes of alerts, what persons
//! did and said, what is open, not told, not well, turned away.

mod standing;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use crate::daemon::alerts::open;
use crate::daemon::alerts::shown::HISTORY_MAX;
use crate::daemon::page::alerts::happened;
use crate::daemon::page::now::SHIFT_MS;
use crate::daemon::page::times::{clock, minute, offset};
use crate::daemon::page::{Observer, letters};
use crate::daemon::said;
use crate::daemon::status::View;
use crate::domain::invalidation::Invalidation;
use crate::domain::quality::Flag;
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::handover::{HandoverView, SaidView};
use crate::journal::Error;
use crate::journal::read::Reader;

/// How many changes and deeds a handover lists; of more, the newest.
const HAPPENED_SHOWN_MAX: usize = 80;
/// How many words about values a handover lists, the newest.
const SAID_SHOWN_MAX: usize = 20;
/// How many devices and reasons of messages that were turned away it lists, those with the most.
const LETTERS_SHOWN_MAX: usize = 20;

impl Observer {
    /// Gives what happened since a time, by its text; without one, since eight hours ago.
    #[must_use]
    pub(super) fn handover(&self, since: Option<&str>) -> HandoverView {
        let Some(view) = self.status.view.load_full() else { return HandoverView::default() };
        let now = view.at.wall;
        let asked = since.and_then(|text| Timestamp::of_text(text, &self.home));
        let since = asked.unwrap_or(now.plus(-SHIFT_MS)).min(now);
        let mut page = HandoverView {
            since: clock(since, &self.home, now),
            field: minute(since, &self.home),
            until: clock(now, &self.home, now),
            zone: offset(&self.home, now),
            ..HandoverView::default()
        };
        standing::add(&view, &self.config.letterhead(), &mut page);
        (page.said, page.said_of) = said_of(&view, since, &self.home);
        let reader = self.reader();
        let read = self.add_happened(&reader, (since, now), &mut page).and_then(|()| {
            page.letters = letters::since(&reader, &view.registry, since)?;
            Ok(())
        });
        if let Err(error) = read {
            tracing::warn!(%error, "The handover lacks what the journal says.");
        }
        page.letters_of = page.letters.len();
        page.letters.truncate(LETTERS_SHOWN_MAX);
        page
    }

    fn add_happened(
        &self,
        reader: &Reader,
        (since, now): (Timestamp, Timestamp),
        page: &mut HandoverView,
    ) -> Result<(), Error> {
        let changes = reader.alert_history((Some(since), None), HISTORY_MAX)?;
        let acts = reader.alert_acts(None, (Some(since), None), HISTORY_MAX)?;
        let all = open::happened(&changes, &acts);
        let more = all.len().saturating_sub(HAPPENED_SHOWN_MAX);
        page.cut = more > 0;
        let clock = |at| clock(at, &self.home, now);
        page.happened = all.iter().skip(more).map(|one| happened(one, &clock)).collect();
        Ok(())
    }
}

/// Gives what persons said of values since a time, or of values since then, also what they took
/// back since then; and how much that is.
fn said_of(view: &View, since: Timestamp, home: &TimeZone) -> (Vec<SaidView>, usize) {
    let now = view.at.wall;
    let wanted = |one: &&Invalidation| match &one.revoked {
        _ if one.by_check.is_some() => false,
        Some(revoked) => revoked.at.wall >= since,
        None => one.to > since || one.said.at.wall >= since,
    };
    let mut held: Vec<&Invalidation> = view.invalidations.iter().filter(wanted).collect();
    held.sort_by_key(|one| std::cmp::Reverse(one.id));
    let of = held.len();
    let shown = held.into_iter().take(SAID_SHOWN_MAX);
    (shown.map(|one| said_view(view, one, home, now)).collect(), of)
}

fn said_view(view: &View, one: &Invalidation, home: &TimeZone, now: Timestamp) -> SaidView {
    let registry = &view.registry;
    let station = registry.station(one.scope.station);
    let property = one.scope.property.and_then(|id| registry.property(id));
    let zone = station.map_or(home, |station| &station.zone);
    SaidView {
        id: one.id,
        station: station.map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh)),
        station_id: station.map_or_else(String::new, |one| one.name.to_string()),
        property: property
            .map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh)),
        position: one.scope.position.clone().unwrap_or_default(),
        from: clock(one.from, zone, now),
        to: clock(one.to, zone, now),
        suspect: one.flag == Flag::Suspect,
        person: one.said.person.clone(),
        reason: said::reason(registry, one),
        revoked: one
            .revoked
            .as_ref()
            .map_or_else(String::new, |word| format!("{}: {}", word.person, word.reason)),
    }
}
