//! The audit list: what persons did with alerts, values, accounts, dead letters, channels and
//! seeds, and who came to the page. Out of the journal and what is booked beside it, for page and
//! shell alike.

use std::cmp::Reverse;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::config::Config;
use crate::daemon::recover::{self, Recovered};
use crate::daemon::status::Status;
use crate::daemon::table;
use crate::daemon::terminal::plain;
use crate::domain::booked::Booked;
use crate::domain::invalidation::{Invalidation, Invalidations, Word};
use crate::domain::quality::Flag;
use crate::domain::registry::Registry;
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::http::view::audit::{ActView, AuditAsked, AuditView};
use crate::journal::booked::booked;
use crate::journal::read::{AlertActHeld, Reader};
use crate::journal::replay::Taking;

/// How many acts with alerts are read for one list, the newest, and how many editions that came in
/// force; it says if there are more.
const ACTS_READ_MAX: u32 = 10_000;

/// An act and when it was.
type Timed = (Timestamp, ActView);
/// From when to before when.
type Within = (Option<Timestamp>, Option<Timestamp>);
/// What is said of values, and what its ids mean.
type Said<'s> = (&'s Registry, &'s Invalidations);

/// Makes the list of a weir at work, of which no more than so many acts are shown.
#[must_use]
pub fn at_work(
    status: &Status,
    config: &Config,
    asked: AuditAsked,
    shown_max: Option<usize>,
) -> AuditView {
    let view = status.view.load_full();
    let said = view.as_ref().map(|view| (&*view.registry, &*view.invalidations));
    list(config, said, asked, shown_max)
}

/// Makes the list out of the data folder of a weir that is not at work.
///
/// # Errors
/// The journal can't be read.
pub fn at_rest(config: &Config, asked: AuditAsked) -> anyhow::Result<AuditView> {
    let recovered = recover::recover(&config.journal.data_folder)?;
    let said = recovered.as_ref().map(|Recovered { pipeline, .. }| {
        (&**pipeline.registry(), &*pipeline.state().invalidations)
    });
    Ok(list(config, said, asked, None))
}

fn list(
    config: &Config,
    said: Option<Said<'_>>,
    asked: AuditAsked,
    shown_max: Option<usize>,
) -> AuditView {
    let home = config.home();
    let zone = home.iana_name().unwrap_or("UTC").to_owned();
    let mut view = AuditView { asked, zone, ..AuditView::default() };
    let mut acts = match acts(config, said, &home, &mut view) {
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

fn acts(
    config: &Config,
    said: Option<Said<'_>>,
    home: &TimeZone,
    view: &mut AuditView,
) -> Result<Vec<Timed>, Text> {
    let time = |text: &str| match text {
        "" => Ok(None),
        text => table::time(text, home).map(Some).ok_or_else(|| {
            Text::new(
                format!("`{text}` is no day and no time; such as 2026-06-01 or 2026-06-01 08:00"),
                format!("“{text}”不是日期或时间，例如 2026-06-01 或 2026-06-01 08:00"),
            )
        }),
    };
    let within = (time(&view.asked.from)?, time(&view.asked.to)?);
    let unread = |error: &dyn std::fmt::Display| {
        tracing::warn!(%error, "The audit list can't be read.");
        Text::new("The journal can't be read.", "日志库无法读取。")
    };
    let folder = &config.journal.data_folder;
    let reader = Reader::open(folder).map_err(|error| unread(&error))?;
    let with_alerts = reader.alert_acts(None, within, ACTS_READ_MAX);
    let with_alerts = with_alerts.map_err(|error| unread(&error))?;
    let editions = reader.takings(within, ACTS_READ_MAX).map_err(|error| unread(&error))?;
    let most = usize::try_from(ACTS_READ_MAX).unwrap_or(usize::MAX);
    view.cut = with_alerts.len() >= most || editions.len() >= most;
    let mut acts: Vec<Timed> =
        with_alerts.into_iter().map(|act| (act.at, with_alert(act, home))).collect();
    acts.extend(editions.into_iter().map(|one| (one.at, in_force(&one, home))));
    let fits = |at: Timestamp| within.0.is_none_or(|from| at >= from) && is_before(at, within);
    if let Some((registry, held)) = said {
        let said = held.iter().flat_map(|one| of_values(one, registry, home));
        acts.extend(said.filter(|(at, _)| fits(*at)));
    }
    let booked = booked(folder).map_err(|error| unread(&error))?;
    let booked = booked.into_iter().map(|one| (Timestamp(one.at_ms), beside(one, home)));
    acts.extend(booked.filter(|(at, _)| fits(*at)));
    Ok(acts)
}

fn is_before(at: Timestamp, (_, to): Within) -> bool {
    to.is_none_or(|to| at < to)
}

/// Gives what is booked beside the journal.
fn beside(one: Booked, home: &TimeZone) -> ActView {
    let (en, zh) = one.what.words();
    ActView {
        at: Timestamp(one.at_ms).rfc3339(home),
        what: Text::new(en, zh),
        person: one.person,
        way: one.way.word().to_owned(),
        about: Text::same(one.about),
        words: one.words,
        ..ActView::default()
    }
}

/// Gives that an edition came in force. The journal does not know by whom: who applied it in the
/// shell is booked, and who wrote into the folder of the seeds is not known.
fn in_force(one: &Taking, home: &TimeZone) -> ActView {
    let short: String = one.digest.chars().take(12).collect();
    ActView {
        at: one.at.rfc3339(home),
        what: Text::new("edition in force", "版本生效"),
        about: Text::new(format!("edition {short}"), format!("版本 {short}")),
        ..ActView::default()
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
        ..ActView::default()
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

/// Writes the list for the shell, the newest last; or says what is wrong with what was asked.
///
/// # Errors
/// What is wrong.
pub fn lines(view: &AuditView, json: bool) -> Result<Vec<String>, Vec<String>> {
    if !view.fault.en.is_empty() {
        return Err(vec![view.fault.en.clone()]);
    }
    let acts = view.acts.iter().rev();
    if json {
        return Ok(vec![Value::from_iter(acts.map(as_json)).to_string()]);
    }
    let mut lines: Vec<String> = acts.map(line).collect();
    if lines.is_empty() {
        lines.push("nobody did anything in that time".to_owned());
    }
    if view.cut {
        lines.push("there are older ones: ask for a shorter time (--from, --to)".to_owned());
    }
    Ok(lines)
}

fn as_json(act: &ActView) -> Value {
    let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    json!({
        "at": act.at, "person": text(&act.person), "for": text(&act.behalf),
        "way": text(&act.way), "what": act.what.en, "about": text(&act.about.en),
        "alert": act.alert, "until": text(&act.until), "words": text(&act.words),
    })
}

fn line(act: &ActView) -> String {
    let who = if act.person.is_empty() { "-" } else { &act.person };
    let mut line = format!("{}  {who}", act.at);
    let parts = [
        (" for ", &act.behalf),
        ("  ", &act.what.en),
        ("  ", &act.about.en),
        (", until ", &act.until),
        (": ", &act.words),
    ];
    for (before, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        write!(line, "{before}{text}").unwrap_or_default();
    }
    if act.way == "shell" {
        line.push_str(" (shell)");
    }
    plain(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::booked::{Way, What};
    use crate::journal::booked::book;
    use crate::journal::write::Journal;

    #[test]
    fn the_newest_are_shown_and_all_are_counted() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("weir.toml");
        let text = "seeds = \"s\"\nzone = \"+08:00\"\n[journal]\ndata_folder = \"data\"\n";
        std::fs::write(&file, text).unwrap();
        let config = Config::read(&file).unwrap();
        let data = &config.journal.data_folder;
        drop(Journal::open(&crate::journal::Config::at(data), Timestamp(0)).unwrap());
        for at_ms in 0..5 {
            let [person, about, words] = ["li.na", "", "=x"].map(str::to_owned);
            let what = if at_ms == 4 { What::LoggedIn } else { What::RoleSet };
            book(data, &Booked { at_ms, person, way: Way::Shell, what, about, words }).unwrap();
        }
        let view = list(&config, None, AuditAsked::default(), Some(2));
        let times: Vec<&str> = view.acts.iter().map(|act| &*act.at).collect();
        assert_eq!(times, ["1970-01-01T08:00:00.004+08:00", "1970-01-01T08:00:00.003+08:00"]);
        assert_eq!((view.of, view.cut), (5, false));
        let lines = lines(&view, false).unwrap();
        assert_eq!(lines[0], "1970-01-01T08:00:00.003+08:00  li.na  role set: =x (shell)");
        let asked = AuditAsked { person: "wang".to_owned(), ..AuditAsked::default() };
        assert_eq!(list(&config, None, asked, None).acts, []);
    }
}
