//! What happened since a shift began: changes of alerts, what persons did and said, what is open.

use serde_json::Value;

use crate::daemon::act::values_of;
use crate::daemon::alerts::shown::HISTORY_MAX;
use crate::daemon::page::Observer;
use crate::daemon::page::now::{SHIFT_MS, clock, minute, open_alerts, zone};
use crate::daemon::said;
use crate::daemon::status::View;
use crate::domain::invalidation::Invalidation;
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::handover::{HandoverView, HappenedView, SaidView};
use crate::http::view::now::NowView;
use crate::journal::Error;
use crate::journal::read::{AlertActHeld, AlertHeld, Reader};

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
            since: clock(since, &self.home),
            field: minute(since, &self.home),
            until: clock(now, &self.home),
            zone: zone(now, &self.home),
            open_of: first.critical + first.warning + first.notice,
            open: first.alerts,
            said: said_of(&view, since),
            ..HandoverView::default()
        };
        let reader = self.reader();
        if let Err(error) = self.add_happened(&reader, since, &mut page) {
            tracing::warn!(%error, "The handover lacks what the journal says.");
        }
        page
    }

    fn add_happened(
        &self,
        reader: &Reader,
        since: Timestamp,
        page: &mut HandoverView,
    ) -> Result<(), Error> {
        let changes = reader.alert_history((Some(since), None), HISTORY_MAX)?;
        let acts = reader.alert_acts(None, (Some(since), None), HISTORY_MAX)?;
        let changes = changes.iter().map(|one| (one.at, self.change(one)));
        let acts = acts.iter().map(|one| (one.at, self.deed(one)));
        let mut all: Vec<(Timestamp, HappenedView)> = changes.chain(acts).collect();
        all.sort_by_key(|(at, _)| *at);
        let more = all.len().saturating_sub(HAPPENED_SHOWN_MAX);
        page.cut = more > 0;
        page.happened = all.into_iter().skip(more).map(|(_, one)| one).collect();
        Ok(())
    }

    fn change(&self, one: &AlertHeld) -> HappenedView {
        let body: Value = serde_json::from_str(&one.json).unwrap_or_default();
        let text = |key: &str| {
            let text = body.pointer(&format!("/alerts/0/annotations/{key}"));
            text.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        HappenedView {
            at: clock(one.at, &self.home),
            alert: Some(one.alert),
            what: change_words(&one.change),
            person: String::new(),
            words: Text::new(text("summary_en"), text("summary_zh")),
        }
    }

    fn deed(&self, one: &AlertActHeld) -> HappenedView {
        let person = match &one.behalf {
            None => one.person.clone(),
            Some(behalf) => format!("{} ({behalf})", one.person),
        };
        let until = one.until.map(|at| clock(at, &self.home));
        let until = until.map_or_else(Text::default, |at| {
            Text::new(format!(" until {at}"), format!("（至 {at}）"))
        });
        let what = deed_words(&one.what);
        HappenedView {
            at: clock(one.at, &self.home),
            alert: one.alert,
            what: Text::new(what.en + &until.en, what.zh + &until.zh),
            person,
            words: Text::same(one.words.clone()),
        }
    }
}

/// Names a change of an alert.
fn change_words(change: &str) -> Text {
    let zh = match change {
        "firing" => "告警",
        "changed" => "变化",
        "resolved" => "解除",
        "withdrawn" => "撤销",
        "past" => "补报",
        other => other,
    };
    Text::new(change, zh)
}

/// Names what a person did.
fn deed_words(what: &str) -> Text {
    let zh = match what {
        "acknowledged" => "确认",
        "comment" => "备注",
        "undone" => "撤回",
        "shelved" => "搁置",
        "silenced" => "静默",
        "silence ended" => "结束静默",
        other => other,
    };
    Text::new(what, zh)
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
