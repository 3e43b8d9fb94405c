//! What programs are answered: the newest view of the state and what the journal says, in the words
//! of SensorThings and O&M.

mod kept;
mod world;

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::daemon::alerts::shown::{self, HISTORY_MAX, What};
use crate::daemon::page::Observer;
pub(super) use crate::daemon::page::api::kept::READS_MAX;
use crate::daemon::page::api::world::World;
use crate::daemon::status::View;
use crate::domain::asked::Of;
use crate::domain::invalidation::Invalidation;
use crate::domain::time::{DAY, SECOND, Timestamp};
use crate::http::api::Source;
use crate::http::api::asked::{Answer, Found, Part, Refused, Wanted, Within};
use crate::journal::batch::DeadLetterId;
use crate::journal::read::{AlertActHeld, AlertHeld, LetterHeld, Reader};

/// How many bytes of a payload are given as text; the shell has all of it.
const PAYLOAD_SHOWN_MAX: usize = 1_024;

/// Gives what the door asks for.
pub(super) fn source(observer: &Arc<Observer>) -> Source {
    let observer = Arc::clone(observer);
    Source {
        get: Box::new(move |wanted| {
            let observer = Arc::clone(&observer);
            // Reading the journal and packed histories takes its time.
            let task = tokio::task::spawn_blocking(move || observer.answer(wanted));
            Box::pin(async move {
                let broken = || Refused::Broken("weir broke on it, and the log says where".into());
                task.await.unwrap_or_else(|_| Err(broken()))
            })
        }),
    }
}

fn broken(error: impl std::fmt::Display) -> Refused {
    Refused::Broken(error.to_string())
}

/// Gives a part of a list whose entries are in the order of their keys.
fn part<K: PartialOrd>(
    entries: impl Iterator<Item = (K, Value)>,
    after: Option<K>,
    count: usize,
    key: impl Fn(&K) -> String,
) -> Found {
    let mut left = entries.filter(|(one, _)| after.as_ref().is_none_or(|after| one > after));
    let shown: Vec<(K, Value)> = left.by_ref().take(count).collect();
    let more = left.next().is_some();
    let next = shown.last().filter(|_| more).map(|(last, _)| ("after", key(last)));
    Found::List { value: shown.into_iter().map(|(_, value)| value).collect(), next }
}

/// Gives the newest of what happened, the newest first. What happened at one instant stays
/// together, so that asking for what was before it misses nothing.
fn newest(mut entries: Vec<(Timestamp, Value)>, count: usize, zone: &TimeZone) -> Found {
    entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let cut = entries.get(count).map(|(at, _)| *at);
    let next = cut.map(|cut| {
        let before = entries.iter().take_while(|(at, _)| *at > cut).count();
        // All of the first instant, where that alone is more than so many.
        let kept = if before == 0 { entries.partition_point(|(at, _)| *at >= cut) } else { before };
        entries.truncate(kept);
        let until = if before == 0 { cut } else { cut.plus(1) };
        ("to", until.rfc3339(zone))
    });
    Found::List { value: entries.into_iter().map(|(_, value)| value).collect(), next }
}

fn whole(value: Vec<Value>) -> Found {
    Found::List { value, next: None }
}

fn listed(view: impl IntoIterator<Item = impl Serialize>) -> Answer {
    let values = view.into_iter().map(|one| serde_json::to_value(one).map_err(broken));
    Ok(whole(values.collect::<Result<_, _>>()?))
}

impl Observer {
    fn answer(&self, wanted: Wanted) -> Answer {
        let view = || self.status.view.load_full().ok_or(Refused::NotYet);
        match wanted {
            Wanted::Stations { place, part } => World(&*view()?).stations(place.as_deref(), &part),
            Wanted::Station(name) => World(&*view()?).station(&name),
            Wanted::Datastreams(name) => World(&*view()?).datastreams(&name),
            Wanted::Datastream(name) => World(&*view()?).datastream(&name),
            // It is asked for on a thread that may wait for the database.
            Wanted::Observations { datastream, period, stored, within } => Handle::current()
                .block_on(self.observations((&datastream, period), stored, &within)),
            Wanted::Judged { station, subject, within } => {
                Handle::current().block_on(self.judged(&station, subject.as_deref(), &within))
            }
            Wanted::Assessments(station) => World(&*view()?).assessments(&station),
            Wanted::Alerts { of, all, part } => self.alerts(of, all, &part),
            Wanted::Alert(id) => self.shown(What::One { id }).map(Found::One),
            Wanted::History { station, within } => {
                self.history(&*view()?, station.as_deref(), &within)
            }
            Wanted::Silences => {
                let silences = self.shown(What::Silences)?;
                Ok(whole(serde_json::from_value(silences).map_err(broken)?))
            }
            Wanted::Acts(within) => self.done(&*view()?, &within),
            Wanted::Letters(part) => self.letters(&part),
            Wanted::LetterCounts => listed(self.letter_counts(&self.own()?).map_err(broken)?),
            Wanted::Ledger => one(self.ledger(&self.own()?).map_err(broken)?),
            Wanted::Brokers => listed(self.weir().brokers),
            Wanted::Sinks => listed(self.weir().sinks),
            Wanted::Channels => listed(self.weir().channels),
            Wanted::Edition => one(self.weir().edition),
            Wanted::Status => self.condition(),
        }
    }

    fn own(&self) -> Result<Reader, Refused> {
        Reader::open(&self.config.journal.data_folder).map_err(broken)
    }

    /// Gives what the shell shows of alerts.
    fn shown(&self, what: What) -> Result<Value, Refused> {
        let asked = shown::Asked { what, json: true, colour: false };
        let is_one = matches!(asked.what, What::One { .. });
        let lines = match shown::at_work(&self.status, &self.config, &asked).map_err(broken)? {
            Ok(lines) => lines,
            Err(_) if self.status.view.load().is_none() => return Err(Refused::NotYet),
            Err(faults) if is_one => return Err(Refused::Unknown(faults.join("; "))),
            Err(faults) => return Err(Refused::Wrong(faults)),
        };
        serde_json::from_str(&lines.concat()).map_err(broken)
    }

    fn alerts(&self, of: Of, all: bool, asked: &Part) -> Answer {
        let after = asked.after.as_deref().map(|text| {
            let wrong = || vec![format!("after `{text}`: expected the number of an alert")];
            text.parse::<u64>().map_err(|_| Refused::Wrong(wrong()))
        });
        let mut shown = self.shown(What::Open { of, all })?;
        let list = shown.get_mut("alerts").and_then(Value::as_array_mut).map(std::mem::take);
        let id = |alert: &Value| alert.get("id").and_then(Value::as_u64).unwrap_or(0);
        let mut list = list.unwrap_or_default();
        list.sort_by_key(id);
        let keyed = list.into_iter().map(|alert| (id(&alert), alert));
        Ok(part(keyed, after.transpose()?, asked.count, u64::to_string))
    }

    /// Reads the times of a request, in the zone of weir where they have none.
    fn times(&self, within: &Within) -> Result<[Option<Timestamp>; 2], Refused> {
        times(within, &self.home)
    }

    fn history(&self, view: &View, station: Option<&str>, within: &Within) -> Answer {
        let known = |name: &str| view.registry.stations.iter().any(|one| *one.name == *name);
        if let Some(name) = station.filter(|name| !known(name)) {
            return Err(Refused::Unknown(format!("no station is called `{name}`")));
        }
        let [from, to] = self.times(within)?;
        let changes = self.own()?.alert_history((from, to), HISTORY_MAX).map_err(broken)?;
        let entry = |one: &AlertHeld| {
            let body: Value = serde_json::from_str(&one.json).unwrap_or_default();
            let text = |place: &str| body.pointer(place).and_then(Value::as_str).map(str::to_owned);
            let of = text("/alerts/0/labels/station");
            if station.is_some() && of.as_deref() != station {
                return None;
            }
            let value = json!({
                "at": one.at.rfc3339(&self.home), "alert": one.alert, "change": one.change,
                "station": of,
                "severity": text("/alerts/0/labels/severity"),
                "route": text("/alerts/0/labels/route"),
                "rule": text("/alerts/0/labels/alertname"),
                "summary_en": text("/alerts/0/annotations/summary_en"),
                "summary_zh": text("/alerts/0/annotations/summary_zh"),
            });
            Some((one.at, value))
        };
        Ok(newest(changes.iter().filter_map(entry).collect(), within.count, &self.home))
    }

    fn done(&self, view: &View, within: &Within) -> Answer {
        let [from, to] = self.times(within)?;
        let acts = self.own()?.alert_acts(None, (from, to), HISTORY_MAX).map_err(broken)?;
        let with_alert =
            |one: &AlertActHeld| shown::act_json(one, &self.home, ("values", Value::Null));
        let mut entries: Vec<(Timestamp, Value)> =
            acts.iter().map(|one| (one.at, with_alert(one))).collect();
        let said = view.invalidations.iter().flat_map(|one| self.said(view, one));
        let in_time =
            |at: Timestamp| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to);
        entries.extend(said.filter(|(at, _)| in_time(*at)));
        Ok(newest(entries, within.count, &self.home))
    }

    /// Gives that something was said of values, and that it was revoked.
    fn said(&self, view: &View, one: &Invalidation) -> Vec<(Timestamp, Value)> {
        let station = view.registry.station(one.scope.station);
        let zone = station.map_or(&self.home, |station| &station.zone);
        let property = one.scope.property.and_then(|id| view.registry.property(id));
        let values = json!({
            "invalidation": one.id,
            "station": station.map(|station| &*station.name),
            "property": property.map(|property| &*property.name),
            "position": one.scope.position,
            "from": one.from.rfc3339(zone), "to": one.to.rfc3339(zone),
            "flag": one.flag.number(),
        });
        let words = [("invalidated", Some(&one.said)), ("revoked", one.revoked.as_ref())];
        let words = words.into_iter().filter_map(|(what, word)| Some((what, word?)));
        words
            .map(|(what, word)| {
                let at = word.at.wall;
                let act = json!({
                    "at": at.rfc3339(&self.home), "what": what, "person": word.person,
                    "for": null, "words": word.reason, "until": null,
                    "alert": null, "silence": null, "values": values,
                });
                (at, act)
            })
            .collect()
    }

    fn letters(&self, asked: &Part) -> Answer {
        let before = match &asked.after {
            None => i64::MAX,
            Some(text) => text.parse().map_err(|_| {
                Refused::Wrong(vec![format!("after `{text}`: expected a dead letter's number")])
            })?,
        };
        let most = u32::try_from(asked.count + 1).unwrap_or(u32::MAX);
        let held = self.own()?.dead_letters_before(DeadLetterId(before), most).map_err(broken)?;
        let next = held.get(asked.count).and_then(|_| held.get(asked.count.checked_sub(1)?));
        let next = next.map(|last| ("after", last.id.0.to_string()));
        let value = held.iter().take(asked.count).map(|held| self.letter(held)).collect();
        Ok(Found::List { value, next })
    }

    fn letter(&self, held: &LetterHeld) -> Value {
        let letter = &held.letter;
        let shown = letter.payload.get(..PAYLOAD_SHOWN_MAX).unwrap_or(&letter.payload);
        json!({
            "id": held.id.0,
            "received": letter.received.wall.rfc3339(&self.home),
            "topic": String::from_utf8_lossy(&letter.topic),
            "payload": String::from_utf8_lossy(shown),
            "payload_bytes": letter.payload.len(),
            "stage": letter.stage.word(), "code": &*letter.code, "words": letter.words,
            "device": letter.device, "channel": letter.channel,
        })
    }

    /// Tells how weir does, in short.
    fn condition(&self) -> Answer {
        let weir = self.weir();
        let reasons = self.unready();
        let alerts = match self.shown(What::Open { of: Of::default(), all: true }) {
            Ok(shown) => shown.get("alerts").and_then(Value::as_array).map_or(0, Vec::len),
            Err(Refused::NotYet) => return Err(Refused::NotYet),
            Err(_) => 0,
        };
        let threads = weir
            .threads
            .iter()
            .map(|one| json!({ "name": one.name.en, "quiet_s": one.quiet_s, "stuck": one.stuck }));
        Ok(Found::One(json!({
            "at": weir.at, "version": weir.version, "edition": weir.edition.digest,
            "ready": reasons.is_empty(), "reasons": reasons, "alerts_open": alerts,
            "full": weir.full, "set_aside": weir.set_aside, "journal": weir.journal,
            "threads": threads.collect::<Vec<_>>(),
        })))
    }
}

fn one(view: impl Serialize) -> Answer {
    serde_json::to_value(view).map(Found::One).map_err(broken)
}

/// Reads the times of a request, in a zone where they have none of their own.
fn times(within: &Within, zone: &TimeZone) -> Result<[Option<Timestamp>; 2], Refused> {
    let mut faults = Vec::new();
    let mut read = |key: &str, text: &Option<String>| {
        let text = text.as_deref()?;
        let time = Timestamp::of_text_or_offset(text, zone);
        if time.is_none() {
            let such_as = "2026-03-01 or 2026-03-01T08:30:00+08:00 (write + as %2B)";
            faults.push(format!("{key} `{text}`: expected a time: {such_as}"));
        }
        time
    };
    let times = [read("from", &within.from), read("to", &within.to)];
    if faults.is_empty() { Ok(times) } else { Err(Refused::Wrong(faults)) }
}

/// Gives from when to when, and of the last day where nothing is said; so many days at most.
fn span(
    within: &Within,
    zone: &TimeZone,
    now: Timestamp,
    days_max: i64,
) -> Result<(Timestamp, Timestamp), Refused> {
    let [from, to] = times(within, zone)?;
    let to = to.unwrap_or_else(|| now.plus(SECOND));
    let from = from.unwrap_or_else(|| to.plus(-DAY));
    if to <= from {
        return Err(Refused::Wrong(vec!["from is not before to".to_owned()]));
    }
    let until = from.plus(days_max * DAY);
    if until < to {
        let (from, until) = (from.rfc3339(zone), until.rfc3339(zone));
        let words = format!(
            "at most {days_max} days are read at once: ask from {from} to {until} (write + as %2B) \
             and go on from there"
        );
        return Err(Refused::Wrong(vec![words]));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(times: &[i64], count: usize, want: &[i64], until: Option<&str>) {
        let entries = times.iter().map(|ms| (Timestamp(*ms), json!(ms))).collect();
        let Found::List { value, next } = newest(entries, count, &TimeZone::UTC) else {
            panic!("no list")
        };
        assert_eq!(value, want.iter().map(|ms| json!(ms)).collect::<Vec<_>>());
        assert_eq!(next.as_ref().map(|(_, until)| &**until), until);
    }

    #[test]
    fn what_happened_at_one_instant_stays_on_one_page() {
        check(&[1000, 2000, 3000], 3, &[3000, 2000, 1000], None);
        check(&[1000, 2000, 3000], 2, &[3000, 2000], Some("1970-01-01T00:00:01.001+00:00"));
        check(&[1000, 2000, 2000, 3000], 2, &[3000], Some("1970-01-01T00:00:02.001+00:00"));
        check(&[1000, 2000, 2000], 1, &[2000, 2000], Some("1970-01-01T00:00:02+00:00"));
    }

    #[test]
    fn a_part_begins_after_what_is_known() {
        let entries = || [1_u64, 2, 3].into_iter().map(|id| (id, json!(id)));
        let of = |after, count| part(entries(), after, count, u64::to_string);
        let list = |ids: &[u64], next: Option<&str>| Found::List {
            value: ids.iter().map(|id| json!(id)).collect(),
            next: next.map(|key| ("after", key.to_owned())),
        };
        assert_eq!(of(None, 2), list(&[1, 2], Some("2")));
        assert_eq!(of(Some(2), 2), list(&[3], None));
        assert_eq!(of(Some(9), 2), list(&[], None));
    }
}
