//! Alerts that fire as shell and page show them: in which order, who looks after each, why nobody
//! is told, what covers it, and what happened.

use std::cmp::Reverse;

use crate::daemon::alerts::trial::name;
use crate::domain::alert::{AlertEvent, AlertId, Severity};
use crate::domain::registry::Registry;
use crate::domain::time::Timestamp;
use crate::http::view::Text;
use crate::journal::read::{AlertActHeld, AlertHeld};
use crate::pipeline::state::{Desk, Held, Silence, Standing, severity};

/// An alert that fires.
pub(in crate::daemon) struct Open<'a> {
    pub(in crate::daemon) id: AlertId,
    pub(in crate::daemon) standing: &'a Standing,
    pub(in crate::daemon) severity: Severity,
    /// Why nobody is told of it, if nobody is.
    pub(in crate::daemon) held: Option<Held>,
}

impl Open<'_> {
    /// Says whether somebody looks after it, or nobody is told.
    fn is_heeded(&self) -> bool {
        self.held.is_some() || self.standing.acknowledged.is_some()
    }
}

/// Gives the alerts that fire and fit: those that wait for somebody first, of these the most
/// urgent, of these the oldest.
pub(in crate::daemon) fn firing<'a>(
    (registry, desk): (&Registry, &'a Desk),
    now: Timestamp,
    fits: impl Fn(&Standing) -> bool,
) -> Vec<Open<'a>> {
    let fire = desk.standing().filter(|(_, one)| one.fires() && fits(one));
    let mut found: Vec<Open<'a>> =
        fire.map(|(id, standing)| opened((registry, desk), now, (id, standing))).collect();
    found.sort_by_key(|one| {
        (one.is_heeded(), Reverse(one.severity), one.standing.event.since, one.id)
    });
    found
}

/// Gives one alert, if it fires.
pub(in crate::daemon) fn one<'a>(
    (registry, desk): (&Registry, &'a Desk),
    now: Timestamp,
    id: AlertId,
) -> Option<Open<'a>> {
    let standing = desk.get(id).filter(|one| one.fires())?;
    Some(opened((registry, desk), now, (id, standing)))
}

fn opened<'a>(
    (registry, desk): (&Registry, &Desk),
    now: Timestamp,
    (id, standing): (AlertId, &'a Standing),
) -> Open<'a> {
    let severity = severity(registry, &standing.event);
    Open { id, standing, severity, held: desk.held(registry, id, now) }
}

/// Says who looks after it, and why nobody is told; `clock` writes times.
pub(in crate::daemon) fn state(
    registry: &Registry,
    one: &Open<'_>,
    clock: &dyn Fn(Timestamp) -> String,
) -> Text {
    let who = match &one.standing.acknowledged {
        None => Text::new("nobody looks after it", "无人处理"),
        Some(by) => {
            let until =
                |words: &str| by.until.map_or(String::new(), |at| words.to_owned() + &clock(at));
            let (en, zh) = (until(" until "), until("，截至 "));
            Text::new(
                format!("acknowledged by {}{en}", by.person),
                format!("{} 已确认{zh}", by.person),
            )
        }
    };
    match one.held {
        None => who,
        Some(held) => {
            let why = why_held(registry, held, one.standing, clock);
            Text::new(format!("{}, {}", who.en, why.en), format!("{}，{}", who.zh, why.zh))
        }
    }
}

/// Says why nobody is told of it.
pub(in crate::daemon) fn why_held(
    registry: &Registry,
    held: Held,
    standing: &Standing,
    clock: &dyn Fn(Timestamp) -> String,
) -> Text {
    match held {
        Held::Shelved => {
            let until = standing.shelved_until.map_or(String::new(), clock);
            Text::new(format!("shelved until {until}"), format!("搁置至 {until}"))
        }
        Held::Silenced(id) => Text::new(format!("silenced by {id}"), format!("被静默 {id} 屏蔽")),
        Held::Calendar => Text::new("somebody works there, by the calendar", "现场日历：正在作业"),
        Held::Inhibited(above) => {
            let above = name(registry, above);
            Text::new(format!("{above} is silent as a whole"), format!("{above} 整体无数据"))
        }
        Held::Flapping => Text::new("it comes and goes", "时断时续"),
    }
}

/// Gives the silences that cover an alert.
pub(in crate::daemon) fn covering<'a>(
    (registry, desk): (&'a Registry, &'a Desk),
    now: Timestamp,
    event: &'a AlertEvent,
) -> impl Iterator<Item = (u64, &'a Silence)> {
    let lasting = desk.silences(now);
    let how = severity(registry, event);
    lasting.filter(move |(_, one)| one.matcher.fits(registry, event, how))
}

/// Something that happened: a change of an alert, or what a person did.
pub(in crate::daemon) enum Happened<'a> {
    Changed(&'a AlertHeld),
    Acted(&'a AlertActHeld),
}

impl Happened<'_> {
    pub(in crate::daemon) fn at(&self) -> Timestamp {
        match self {
            Self::Changed(one) => one.at,
            Self::Acted(one) => one.at,
        }
    }
}

/// Puts changes and deeds in order of time, the oldest first.
pub(in crate::daemon) fn happened<'a>(
    changes: &'a [AlertHeld],
    acts: &'a [AlertActHeld],
) -> Vec<Happened<'a>> {
    let changed = changes.iter().map(Happened::Changed);
    let mut all: Vec<Happened<'a>> = changed.chain(acts.iter().map(Happened::Acted)).collect();
    all.sort_by_key(Happened::at);
    all
}
