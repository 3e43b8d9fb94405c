//! What happened since a shift began: changes of alerts, what persons did and said, what is open.

use crate::daemon::act::values_of;
use crate::daemon::alerts::open;
use crate::daemon::alerts::shown::HISTORY_MAX;
use crate::daemon::page::Observer;
use crate::daemon::page::alerts::happened;
use crate::daemon::page::now::{SHIFT_MS, open_alerts};
use crate::daemon::page::times::{clock, minute, offset};
use crate::daemon::said;
use crate::daemon::status::View;
use crate::domain::invalidation::Invalidation;
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::handover::{HandoverView, SaidView};
use crate::http::view::now::NowView;
use crate::journal::Error;
use crate::journal::read::Reader;

/// How many changes and deeds a handover lists; of more, the newest.
const HAPPENED_SHOWN_MAX: usize = 200;
/// How many words about values a handover lists.
const SAID_SHOWN_MAX: usize = 100;

impl Observer {
    /// Gives what happened since a time, by its text; without one, since eight hours ago.
    #[must_use]
    pub(super) fn handover(&self, since: Option<&str>) -> HandoverView {
        let Some(view) = self.status.view.load_full() else { return HandoverView::default() };
        let now = view.at.wall;
        let asked = since.and_then(|text| Timestamp::of_text(text, &self.home));
        let since = asked.unwrap_or(now.plus(-SHIFT_MS)).min(now);
        let mut first = NowView::default();
        open_alerts(&view, &self.config.letterhead(), &mut first);
        let mut page = HandoverView {
            since: clock(since, &self.home, now),
            field: minute(since, &self.home),
            until: clock(now, &self.home, now),
            zone: offset(&self.home, now),
            open_of: first.critical + first.warning + first.notice,
            open: first.alerts,
            said: said_of(&view, since),
            ..HandoverView::default()
        };
        let reader = self.reader();
        if let Err(error) = self.add_happened(&reader, (since, now), &mut page) {
            tracing::warn!(%error, "The handover lacks what the journal says.");
        }
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

/// Gives what persons said of values since a time, or of values since then.
fn said_of(view: &View, since: Timestamp) -> Vec<SaidView> {
    let registry = &view.registry;
    let wanted =
        |one: &&Invalidation| one.revoked.is_none() && one.by_check.is_none() && one.to > since;
    let mut held: Vec<&Invalidation> = view.invalidations.iter().filter(wanted).collect();
    held.sort_by_key(|one| std::cmp::Reverse(one.id));
    let shown = held.into_iter().take(SAID_SHOWN_MAX);
    let said = shown.map(|one| {
        let station = registry.station(one.scope.station);
        SaidView {
            id: one.id,
            station: station
                .map_or_else(Text::default, |one| Text::new(&*one.name_en, &*one.name_zh)),
            station_id: station.map_or_else(String::new, |one| one.name.to_string()),
            of: values_of(registry, one),
            person: one.said.person.clone(),
            reason: said::reason(registry, one),
        }
    });
    said.collect()
}
