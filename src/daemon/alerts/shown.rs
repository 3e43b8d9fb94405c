//! Alerts as the shell shows them: those that are open, one with its whole history, what happened.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Config;
use crate::daemon::alerts::open::{self, Happened, Open};
use crate::daemon::alerts::trial::name;
use crate::daemon::alerts::work;
use crate::daemon::came::Refusal;
use crate::daemon::recover::{self, Recovered};
use crate::daemon::status::Status;
use crate::daemon::terminal::plain;
use crate::domain::alert::{AlertEvent, AlertId, Severity};
use crate::domain::asked::Of;
use crate::domain::desk::Matcher;
use crate::domain::registry::Registry;
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};
use crate::journal::read::{AlertActHeld, AlertHeld, Reader, ToldHeld};
use crate::notify::notification;
use crate::pipeline::state::{Desk, severity};

/// How many changes of alerts, and of what persons did, are read for a history.
pub const HISTORY_MAX: u32 = 10_000;
/// How many changes and deeds one answer shows at most; it says how many older ones it leaves out.
const SHOWN_MAX: usize = 1_000;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// What is to be shown.
    pub what: What,
    /// As JSON.
    pub json: bool,
    /// With colours.
    pub colour: bool,
}

/// What is to be shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The alerts that fire.
    Open {
        /// Which.
        of: Of,
        /// Also those of which nobody is told.
        all: bool,
    },
    /// One alert.
    One {
        /// Its number.
        id: u64,
    },
    /// What happened.
    History {
        /// Of one station.
        station: Option<String>,
        /// From then on, ms.
        from: Option<i64>,
        /// Until before then, ms.
        to: Option<i64>,
    },
    /// The silences.
    Silences,
}

/// Where it is looked.
struct Looked<'a> {
    registry: &'a Registry,
    desk: &'a Desk,
    now: Timestamp,
    config: &'a Config,
}

/// What is answered, line by line, or why there is no answer.
pub type Answered = Result<Vec<String>, Vec<String>>;

/// Answers out of the state of a daemon at work.
///
/// # Errors
/// The journal can't be read. The inner result: what is not known.
pub fn at_work(status: &Status, config: &Config, asked: &Asked) -> anyhow::Result<Answered> {
    let Some(view) = status.view.load_full() else {
        return Ok(Err(vec!["weir has only just begun; ask again soon".to_owned()]));
    };
    let (registry, desk, now) = (&*view.registry, &*view.desk, view.at.wall);
    answer(&Looked { registry, desk, now, config }, asked)
}

/// Answers out of the journal of a daemon that is not at work.
///
/// # Errors
/// The journal can't be read. The inner result: what is not known.
pub fn at_rest(config: &Config, asked: &Asked) -> anyhow::Result<Answered> {
    let Some(Recovered { pipeline, last, .. }) = recover::recover(&config.journal.data_folder)?
    else {
        return Ok(Err(vec!["the journal is new: weir has not run on it yet".to_owned()]));
    };
    let (registry, desk, now) = (&**pipeline.registry(), &*pipeline.state().desk, last.wall);
    answer(&Looked { registry, desk, now, config }, asked)
}

fn answer(looked: &Looked<'_>, asked: &Asked) -> anyhow::Result<Answered> {
    let reader = || Reader::open(&looked.config.journal.data_folder);
    Ok(match &asked.what {
        What::Open { of, all } => looked.open((of, *all), asked),
        What::Silences => Ok(looked.silences(asked)),
        What::One { id } => looked.one(&reader()?, *id, asked)?,
        What::History { station, from, to } => {
            let span = (from.map(Timestamp), to.map(Timestamp));
            looked.history(&reader()?, station.as_deref(), span, asked)?
        }
    })
}

/// Writes what a person did with an alert or by a silence, and what more there is to say of it.
pub(in crate::daemon) fn act_json(
    one: &AlertActHeld,
    home: &TimeZone,
    (key, more): (&str, Value),
) -> Value {
    let clock = |at: Timestamp| at.rfc3339(home);
    json!({
        "at": clock(one.at), "what": one.what, "person": one.person, "for": one.behalf,
        "words": one.words, "until": one.until.map(clock), "alert": one.alert,
        "silence": one.silence, key: more,
    })
}

/// All there is of one alert.
struct Whole<'a> {
    id: u64,
    /// What was told of it last.
    body: Value,
    open: Option<Open<'a>>,
    state: String,
    covers: Vec<String>,
    changes: Vec<AlertHeld>,
    acts: Vec<AlertActHeld>,
    told: Vec<ToldHeld>,
}

impl Looked<'_> {
    fn clock(&self, at: Timestamp) -> String {
        at.rfc3339(&self.config.home())
    }

    fn open(&self, (of, all): (&Of, bool), asked: &Asked) -> Answered {
        let mut faults = Vec::new();
        let matcher = work::matcher(of, self.registry, &mut faults);
        if !faults.is_empty() {
            return Err(faults.iter().map(Refusal::line).collect());
        }
        let at = (self.registry, self.desk);
        let mut found = open::firing(at, self.now, |one| {
            matcher.fits(self.registry, &one.event, severity(self.registry, &one.event))
        });
        let count = found.len();
        found.retain(|one| all || one.held.is_none());
        let hidden = count - found.len();
        if asked.json {
            let list: Vec<Value> = found.iter().map(|one| self.as_json(one)).collect();
            return Ok(vec![format!("{:#}", json!({ "alerts": list, "hidden": hidden }))]);
        }
        let mut lines: Vec<String> =
            found.iter().flat_map(|one| self.lines(one, asked.colour)).collect();
        let hidden = match hidden {
            0 => String::new(),
            count => format!("; {count} more of which nobody is told (--all)"),
        };
        lines.push(format!("{} alerts fire{hidden}", found.len()));
        Ok(lines)
    }

    fn lines(&self, one: &Open<'_>, colour: bool) -> [String; 2] {
        let Open { id, standing, severity, .. } = one;
        let event = &standing.event;
        let word = format!("{:<8}", severity.word());
        let word = if colour { coloured(*severity, &word) } else { word };
        let age = age(self.now.since(event.since));
        let of = name(self.registry, event.subject);
        let doubted = if event.unconfirmed { ", unconfirmed" } else { "" };
        let head = &self.config.letterhead();
        let sentence = plain(&notification(self.registry, event, head).words);
        let state = self.state(one);
        [
            format!("{:>5}  {word}  {age:>6}  {of}{doubted}: {state}", id.0),
            format!("       {sentence}"),
        ]
    }

    /// Says who looks after it, and why nobody is told.
    fn state(&self, one: &Open<'_>) -> String {
        open::state(self.registry, one, &|at| self.clock(at)).en
    }

    fn as_json(&self, one: &Open<'_>) -> Value {
        let Open { id, standing, severity, held } = one;
        let event = &standing.event;
        let rule = self.registry.rule(event.rule);
        let told = notification(self.registry, event, &self.config.letterhead());
        let by = standing.acknowledged.as_ref().map(|by| {
            let until = by.until.map(|at| self.clock(at));
            json!({ "person": by.person, "at": self.clock(by.at), "until": until })
        });
        json!({
            "id": id.0,
            "severity": severity.word(),
            "of": name(self.registry, event.subject),
            "rule": rule.map_or("", |rule| &*rule.name),
            "route": rule.map_or("", |rule| rule.route.word()),
            "since": self.clock(event.since),
            "fired": self.clock(standing.fired),
            "unconfirmed": event.unconfirmed,
            "acknowledged": by,
            "held": held.map(|held| {
                open::why_held(self.registry, held, standing, &|at| self.clock(at)).en
            }),
            "step": standing.step,
            "summary_en": told.words,
            "summary_zh": told.body.pointer("/alerts/0/annotations/summary_zh"),
        })
    }

    fn silences(&self, asked: &Asked) -> Vec<String> {
        let all = self.desk.silences(self.now);
        if asked.json {
            let list: Vec<Value> = all
                .map(|(id, one)| {
                    json!({
                        "id": id, "of": work::words(self.registry, &one.matcher),
                        "from": self.clock(one.at), "until": self.clock(one.until),
                        "person": one.person, "reason": one.reason,
                    })
                })
                .collect();
            return vec![format!("{:#}", Value::from(list))];
        }
        let mut lines: Vec<String> = all
            .map(|(id, one)| {
                let of = work::words(self.registry, &one.matcher);
                let (from, until) = (self.clock(one.at), self.clock(one.until));
                format!("{id:>5}  {of}  {from} until {until}  {}: {}", one.person, one.reason)
            })
            .collect();
        if lines.is_empty() {
            lines.push("nothing is silenced".to_owned());
        }
        lines
    }

    fn one(&self, reader: &Reader, id: u64, asked: &Asked) -> anyhow::Result<Answered> {
        let changes = reader.changes_of_alert(id)?;
        let Some(last) = changes.last() else {
            let words = format!("the journal has no alert {id}; see weir alerts history");
            return Ok(Err(vec![words]));
        };
        let open = open::one((self.registry, self.desk), self.now, AlertId(id));
        let whole = Whole {
            id,
            body: serde_json::from_str(&last.json).unwrap_or_default(),
            state: open.as_ref().map_or_else(|| last.change.clone(), |one| self.state(one)),
            covers: open.as_ref().map_or_else(Vec::new, |one| self.covering(&one.standing.event)),
            open,
            acts: reader.alert_acts(Some(id), (None, None), HISTORY_MAX)?,
            told: reader.told_of_alert(id)?,
            changes,
        };
        Ok(Ok(match asked.json {
            true => vec![format!("{:#}", self.whole_json(&whole))],
            false => self.whole_lines(&whole),
        }))
    }

    fn whole_json(&self, whole: &Whole<'_>) -> Value {
        let Whole { id, body, open, state, covers, changes, acts, told } = whole;
        let changes =
            changes.iter().map(|one| json!({ "at": self.clock(one.at), "change": one.change }));
        let told = told.iter().map(|one| {
            json!({
                "id": one.id, "at": self.clock(one.at), "channel": one.channel,
                "attempts": one.attempts, "words": one.words,
                "confirmed_at": one.confirmed_at.map(|at| self.clock(at)),
            })
        });
        json!({
            "id": id, "state": state, "alert": body.pointer("/alerts/0"),
            "open": open.as_ref().map(|one| self.as_json(one)),
            "silences": covers, "changes": changes.collect::<Vec<_>>(),
            "acts": acts.iter().map(|one| self.act_json(one)).collect::<Vec<_>>(),
            "notifications": told.collect::<Vec<_>>(),
        })
    }

    fn whole_lines(&self, whole: &Whole<'_>) -> Vec<String> {
        let Whole { id, body, state, covers, changes, acts, told, .. } = whole;
        let annotation = |key: &str| text(body, &format!("/alerts/0/annotations/{key}"));
        let label = |key: &str| text(body, &format!("/alerts/0/labels/{key}"));
        let both = |one: &str, other: &str| {
            format!("{} {}", annotation(one), annotation(other)).trim().to_owned()
        };
        let mut lines = vec![
            format!("alert {id}, {}: {state}", annotation("severity")),
            format!("  {}", annotation("summary_en")),
            format!("  {}", annotation("summary_zh")),
        ];
        for (key, value) in [
            ("what to do", annotation("advice_en")),
            ("", annotation("advice_zh")),
            ("rule", format!("{}, route {}", label("alertname"), label("route"))),
            ("value", annotation("value")),
            ("before", annotation("before")),
            ("limit", both("limit", "clause")),
            ("reasons", annotation("reasons")),
            ("cause", annotation("cause")),
            ("since", annotation("since")),
            ("operator", both("operator", "contact")),
        ] {
            if !value.is_empty() {
                lines.push(format!("  {key:<10}  {value}"));
            }
        }
        lines.extend(covers.iter().map(|words| format!("  silence     {words}")));
        lines.push("history".to_owned());
        lines.extend(self.happened(changes, acts));
        lines.push("notifications".to_owned());
        for one in told {
            let came = match one.confirmed_at {
                Some(at) => format!("confirmed {}", self.clock(at)),
                None => format!("not confirmed, {} attempts", one.attempts),
            };
            let (at, words) = (self.clock(one.at), plain(&one.words));
            lines.push(format!("  {at}  {}  {came}  {words}", one.channel).trim_end().to_owned());
        }
        if told.is_empty() {
            lines.push("  none".to_owned());
        }
        lines
    }

    /// Gives the silences that cover an alert.
    fn covering(&self, event: &AlertEvent) -> Vec<String> {
        let covers = open::covering((self.registry, self.desk), self.now, event);
        covers
            .map(|(id, one)| {
                format!("{id} until {} by {}: {}", self.clock(one.until), one.person, one.reason)
            })
            .collect()
    }

    /// Gives what the silence of a deed covers: by the journal or, where an older release wrote
    /// that, as long as it lasts.
    fn silenced(&self, one: &AlertActHeld) -> Option<Matcher> {
        let lasts = || {
            let mut silences = self.desk.silences(self.now);
            silences.find(|(id, _)| Some(*id) == one.silence).map(|(_, one)| one.matcher)
        };
        one.matcher.or_else(lasts)
    }

    fn act_json(&self, one: &AlertActHeld) -> Value {
        let of = self.silenced(one).map(|matcher| work::words(self.registry, &matcher));
        act_json(one, &self.config.home(), ("of", of.into()))
    }

    /// Puts changes and deeds in order of time, a line each.
    fn happened(&self, changes: &[AlertHeld], acts: &[AlertActHeld]) -> Vec<String> {
        let all = open::happened(changes, acts).into_iter();
        all.map(|one| plain(&self.happened_line(&one))).collect()
    }

    fn happened_line(&self, one: &Happened<'_>) -> String {
        let at = self.clock(one.at());
        match one {
            Happened::Changed(one) => {
                let body: Value = serde_json::from_str(&one.json).unwrap_or_default();
                let words = text(&body, "/alerts/0/annotations/summary_en");
                format!("  {at}  {:>5}  {:<12}  {words}", one.alert, one.change)
            }
            Happened::Acted(one) => {
                let of = one.alert.or(one.silence).map_or(String::new(), |id| id.to_string());
                let behalf = one.behalf.as_ref();
                let behalf = behalf.map_or(String::new(), |whom| format!(" for {whom}"));
                let until =
                    one.until.map_or(String::new(), |at| format!(" until {}", self.clock(at)));
                let covered = self.silenced(one).map(|one| work::words(self.registry, &one));
                let covered = covered.map_or(String::new(), |words| format!(" of {words}"));
                let said =
                    if one.words.is_empty() { String::new() } else { format!(": {}", one.words) };
                let (what, person) = (&one.what, &one.person);
                format!("  {at}  {of:>5}  {what:<12}  by {person}{behalf}{covered}{until}{said}")
            }
        }
    }

    fn history(
        &self,
        reader: &Reader,
        station: Option<&str>,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        asked: &Asked,
    ) -> anyhow::Result<Answered> {
        let found = |name: &str| self.registry.stations.iter().find(|one| *one.name == *name);
        if let Some(name) = station.filter(|name| found(name).is_none()) {
            return Ok(Err(vec![format!("no station is called `{name}`; see stations.csv")]));
        }
        let mut changes = reader.alert_history((from, to), HISTORY_MAX)?;
        let mut acts = reader.alert_acts(None, (from, to), HISTORY_MAX)?;
        let most = changes.len().max(acts.len());
        let cut = u32::try_from(most).is_ok_and(|count| count >= HISTORY_MAX);
        changes.reverse();
        if let Some(name) = station {
            let of_station = |one: &AlertHeld| {
                let body: Value = serde_json::from_str(&one.json).unwrap_or_default();
                text(&body, "/alerts/0/labels/station") == name
            };
            changes.retain(of_station);
            // The alert of a deed may have fired before the time that is asked for.
            let mut of = HashMap::new();
            for alert in acts.iter().filter_map(|one| one.alert) {
                if let Entry::Vacant(place) = of.entry(alert) {
                    place.insert(reader.changes_of_alert(alert)?.iter().any(of_station));
                }
            }
            let concerns = |one: &AlertActHeld| {
                let matcher = self.silenced(one).zip(found(name));
                matcher
                    .is_some_and(|(matcher, station)| matcher.concerns(self.registry, station.id))
            };
            acts.retain(|one| {
                one.alert.is_some_and(|alert| of.get(&alert) == Some(&true)) || concerns(one)
            });
        }
        if asked.json {
            let list = changes.iter().map(|one| {
                let body: Value = serde_json::from_str(&one.json).unwrap_or_default();
                json!({
                    "at": self.clock(one.at), "alert": one.alert, "change": one.change,
                    "summary_en": text(&body, "/alerts/0/annotations/summary_en"),
                })
            });
            let json = json!({
                "changes": list.collect::<Vec<_>>(),
                "acts": acts.iter().map(|one| self.act_json(one)).collect::<Vec<_>>(),
            });
            return Ok(Ok(vec![format!("{json:#}")]));
        }
        let all = self.happened(&changes, &acts);
        let more = all.len().saturating_sub(SHOWN_MAX);
        let mut lines = Vec::new();
        if cut && more == 0 {
            lines.push("older ones were not looked at; ask with --from and --to".to_owned());
        }
        if more > 0 {
            lines.push(format!("{more} older ones are left out; ask with --from and --to"));
        }
        lines.extend(all.into_iter().skip(more));
        if lines.is_empty() {
            lines.push("nothing happened".to_owned());
        }
        Ok(Ok(lines))
    }
}

fn text(body: &Value, place: &str) -> String {
    let text = body.pointer(place).and_then(Value::as_str).unwrap_or_default();
    plain(text)
}

fn coloured(severity: Severity, word: &str) -> String {
    let code = match severity {
        Severity::Critical => "1;31",
        Severity::Warning => "33",
        Severity::Notice => "36",
    };
    format!("\u{1b}[{code}m{word}\u{1b}[0m")
}

/// Writes for how long something lasts, in one unit.
fn age(ms: i64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min")];
    let fits = units.into_iter().find(|(unit, _)| ms >= 2 * unit);
    fits.map_or(format!("{} s", (ms / SECOND).max(0)), |(unit, word)| {
        format!("{} {word}", ms / unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_one_unit() {
        let cases = [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")];
        for (seconds, want) in cases {
            assert_eq!(age(seconds * SECOND), want);
        }
    }
}
