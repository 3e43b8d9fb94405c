//! The audit list: what the journal says that persons did with alerts, and what they said of
//! values.

use std::cmp::Reverse;
use std::sync::PoisonError;

use jiff::tz::TimeZone;

use crate::daemon::page::Observer;
use crate::daemon::table;
use crate::domain::invalidation::{Invalidation, Word};
use crate::domain::quality::Flag;
use crate::domain::registry::Registry;
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::audit::{ActView, AuditAsked, AuditView};
use crate::journal::read::AlertActHeld;

/// How many acts with alerts are read for one list, the newest; it says if there are more.
const ACTS_READ_MAX: u32 = 10_000;

/// An act and when it was.
type Timed = (Timestamp, ActView);

impl Observer {
    /// Makes the list, of which no more than so many acts are shown.
    pub(super) fn audit(&self, asked: AuditAsked, shown_max: Option<usize>) -> AuditView {
        let zone = self.home.iana_name().unwrap_or("UTC").to_owned();
        let mut view = AuditView { asked, zone, ..AuditView::default() };
        let mut acts = match self.acts(&mut view) {
            Ok(acts) => acts,
            Err(fault) => return AuditView { fault, ..view },
        };
        let person = view.asked.person.as_str();
        acts.retain(|(_, act)| person.is_empty() || act.person == person || act.behalf == person);
        acts.sort_by_key(|(at, _)| Reverse(*at));
        view.of = acts.len();
        acts.truncate(shown_max.unwrap_or(usize::MAX));
        view.acts = acts.into_iter().map(|(_, act)| act).collect();
        view
    }

    fn acts(&self, view: &mut AuditView) -> Result<Vec<Timed>, Text> {
        let time = |text: &str| match text {
            "" => Ok(None),
            text => table::time(text, &self.home).map(Some).ok_or_else(|| {
                Text::new(
                    format!(
                        "`{text}` is no day and no time; such as 2026-06-01 or 2026-06-01 08:00"
                    ),
                    format!("“{text}”不是日期或时间，例如 2026-06-01 或 2026-06-01 08:00"),
                )
            }),
        };
        let within = (time(&view.asked.from)?, time(&view.asked.to)?);
        let read = {
            let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.alert_acts(None, within, ACTS_READ_MAX)
        };
        let read = read.map_err(|error| {
            tracing::warn!(%error, "The audit list can't be read.");
            Text::new("The journal can't be read.", "日志库无法读取。")
        })?;
        view.cut = u32::try_from(read.len()).is_ok_and(|count| count >= ACTS_READ_MAX);
        let mut acts: Vec<Timed> =
            read.into_iter().map(|act| (act.at, with_alert(act, &self.home))).collect();
        if let Some(state) = &*self.status.view.load() {
            let said = state.invalidations.iter();
            let said = said.flat_map(|one| of_values(one, &state.registry, &self.home));
            let (from, to) = within;
            let fits =
                |at: Timestamp| from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to);
            acts.extend(said.filter(|(at, _)| fits(*at)));
        }
        Ok(acts)
    }
}

fn with_alert(act: AlertActHeld, home: &TimeZone) -> ActView {
    let about = match (act.alert, act.silence) {
        (Some(alert), _) => Text::new(format!("alert {alert}"), format!("告警 {alert}")),
        (None, Some(silence)) => Text::new(format!("silence {silence}"), format!("静默 {silence}")),
        (None, None) => Text::default(),
    };
    let zh = match act.what.as_str() {
        "acknowledged" => "确认",
        "comment" => "备注",
        "undone" => "撤销",
        "shelved" => "搁置",
        "silenced" => "静默",
        "silence ended" => "结束静默",
        other => other,
    };
    ActView {
        at: act.at.rfc3339(home),
        what: Text::new(act.what.as_str(), zh),
        person: act.person,
        behalf: act.behalf.unwrap_or_default(),
        about,
        alert: act.alert,
        until: act.until.map(|until| until.rfc3339(home)).unwrap_or_default(),
        words: act.words,
    }
}

/// Gives what was said of values, by a person or a check that they entered, and who took it back.
fn of_values(one: &Invalidation, registry: &Registry, home: &TimeZone) -> Vec<Timed> {
    let about = about(one, registry, home);
    let act = |word: &Word, what: Text| {
        let at = word.at.wall;
        let (person, words) = (word.person.clone(), word.reason.clone());
        let about = about.clone();
        (at, ActView { at: at.rfc3339(home), person, what, about, words, ..ActView::default() })
    };
    let said = match (&one.by_check, one.flag) {
        (Some(_), _) => Text::new("check failed", "检查不合格"),
        (None, Flag::Suspect) => Text::new("called in doubt", "判为可疑"),
        (None, _) => Text::new("invalidated", "判为无效"),
    };
    let mut acts = vec![act(&one.said, said)];
    acts.extend(one.revoked.iter().map(|word| act(word, Text::new("revoked", "撤回"))));
    acts
}

fn about(one: &Invalidation, registry: &Registry, home: &TimeZone) -> Text {
    let station = registry.station(one.scope.station);
    let name = station.map_or("(left the seeds)", |station| &*station.name);
    let property = one.scope.property.and_then(|id| registry.property(id));
    let (from, to) = (one.from.rfc3339(home), one.to.rfc3339(home));
    let position = one.scope.position.as_deref().unwrap_or_default();
    let of = property.map_or(String::new(), |property| format!(" {}", property.name));
    let of = if position.is_empty() { of } else { format!("{of} {position}") };
    Text::new(
        format!("values {}: {name}{of}, {from} to {to}", one.id),
        format!("数据 {}：{name}{of}，{from} 至 {to}", one.id),
    )
}
