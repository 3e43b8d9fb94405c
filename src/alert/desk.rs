//! What stands between a change of an alert and a notice: what persons did with it, what silences
//! it, what it is told together with, when it is said again, who is told next. Nothing here sends.

mod flap;
mod held;
mod standing;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use self::flap::Flap;
pub use self::held::{Held, severity};
use self::held::{kind, thread};
use self::standing::Owed;
pub use self::standing::{Acknowledgement, Standing};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Severity, Subject};
use crate::domain::alerting::{Alerting, STEPS_MAX};
use crate::domain::desk::{
    AlertAct, ENTRIES_MAX, Entry, Matcher, Notice, NoticeKind, SILENCES_MAX, Thread, What,
};
use crate::domain::name::RuleId;
use crate::domain::registry::{Registry, RuleKind};
use crate::domain::time::{Moment, Timestamp};

/// What is to be done with what is owed of an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// It is told.
    Tell,
    /// It is held until nothing holds it.
    Wait,
    /// It ended before anybody was told of it.
    Drop,
}

/// A silence: nobody is told of what matches.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Silence {
    /// What matches.
    #[n(0)]
    pub matcher: Matcher,
    /// Until when.
    #[n(1)]
    pub until: Timestamp,
    /// Who wants it.
    #[n(2)]
    pub person: String,
    /// Why.
    #[n(3)]
    pub reason: String,
    /// When it began.
    #[n(4)]
    pub at: Timestamp,
}

/// The desk.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Desk {
    #[n(0)]
    standing: BTreeMap<AlertId, Standing>,
    #[n(1)]
    silences: BTreeMap<u64, Silence>,
    /// The number of the last silence.
    #[n(2)]
    last_silence: u64,
    /// Threads of which something was told, and until when more gathers, in elapsed milliseconds.
    #[n(3)]
    gathering: BTreeMap<Thread, i64>,
    #[n(4)]
    flaps: BTreeMap<(RuleId, Subject), Flap>,
    /// Stations and what is above them that are silent as a whole.
    #[n(5)]
    silent: BTreeSet<Subject>,
    /// The number of the last notice.
    #[n(6)]
    notices: u64,
}

/// When something is done, by which settings, in which edition.
#[derive(Clone, Copy)]
struct Scene<'r> {
    registry: &'r Registry,
    terms: Alerting,
    at: Moment,
}

impl Desk {
    /// Begins with alerts that fire and were told by a release without a desk: nothing of them is
    /// owed, and their reminders and steps count from now on.
    #[must_use]
    pub fn beginning(registry: &Registry, events: &[AlertEvent], at: Moment) -> Self {
        let scene = Scene { registry, terms: registry.judgement.alerting, at };
        let mut desk = Self::default();
        for event in events {
            desk.note(scene, event);
            if let Some(standing) = desk.standing.get_mut(&event.alert) {
                (standing.told, standing.owed) = (true, Owed::Nothing);
                standing.fired = event.since;
            }
        }
        desk.flaps.clear();
        desk
    }

    /// Gives the alerts that fire, and those of which an end is still to be told.
    pub fn standing(&self) -> impl Iterator<Item = (AlertId, &Standing)> {
        self.standing.iter().map(|(alert, standing)| (*alert, standing))
    }

    /// Gives one.
    #[must_use]
    pub fn get(&self, alert: AlertId) -> Option<&Standing> {
        self.standing.get(&alert)
    }

    /// Gives the silences that did not end.
    pub fn silences(&self, now: Timestamp) -> impl Iterator<Item = (u64, &Silence)> {
        let lasting = self.silences.iter().filter(move |(_, one)| now < one.until);
        lasting.map(|(id, one)| (*id, one))
    }

    /// Gives the number that the next silence gets.
    #[must_use]
    pub fn next_silence(&self) -> u64 {
        self.last_silence.saturating_add(1)
    }

    /// Gives how many more silences can be held.
    #[must_use]
    pub fn room(&self, now: Timestamp) -> usize {
        SILENCES_MAX.saturating_sub(self.silences(now).count())
    }

    /// Has notices numbered after one: numbers of a journal that is gone never come again.
    pub fn number_after(&mut self, last: u64) {
        self.notices = self.notices.max(last);
    }

    /// Takes the changes of one input in and gives what is to be told of them at once.
    pub fn take(
        &mut self,
        registry: &Registry,
        events: &[AlertEvent],
        at: Moment,
        out: &mut Vec<Notice>,
    ) {
        let scene = Scene { registry, terms: registry.judgement.alerting, at };
        for event in events {
            self.note(scene, event);
        }
        let mut threads: BTreeMap<Thread, Vec<AlertId>> = BTreeMap::new();
        for event in events {
            let Some(standing) = self.standing.get(&event.alert) else { continue };
            let thread = standing.thread;
            let told = threads.entry(thread).or_default();
            if !told.contains(&event.alert) {
                told.push(event.alert);
            }
        }
        for (thread, alerts) in threads {
            self.tell_owed(scene, thread, &alerts, out);
        }
    }

    /// Notes a change: what stands, what is owed, what flaps, what is silent as a whole.
    fn note(&mut self, scene: Scene<'_>, event: &AlertEvent) {
        let Scene { registry, terms, at } = scene;
        let begins = event.change == AlertChange::Fired;
        if matches!(event.subject, Subject::Station(_))
            && matches!(kind(registry, event.rule), Some(RuleKind::Silence { .. }))
        {
            if event.change.fires() {
                self.silent.insert(event.subject);
            } else {
                self.silent.remove(&event.subject);
            }
        }
        let flap = (event.rule, event.subject);
        let unsaid = self.flaps.get(&flap).is_some_and(|flap| flap.said);
        if begins && terms.flap_fires > 0 {
            self.flaps.entry(flap).or_default().begin(terms, event.at);
        }
        let known = self.standing.get(&event.alert).map(|one| severity(registry, &one.event));
        let standing = self.standing.entry(event.alert).or_insert_with(|| Standing {
            event: *event,
            thread: thread(registry, terms, event),
            acknowledged: None,
            shelved_until: None,
            // One that is not known was begun by a release without a desk.
            told: !begins && event.change != AlertChange::Past,
            owed: Owed::Nothing,
            since_ms: at.elapsed_ms,
            reminded_ms: at.elapsed_ms,
            step: 0,
            fired: at.wall,
        });
        standing.event = *event;
        standing.owed = Owed::Change;
        // Who said that he looks after it knew of something milder.
        if known.is_some_and(|known| known < severity(registry, event)) {
            (standing.acknowledged, standing.since_ms) = (None, at.elapsed_ms);
        }
        // What began unsaid while it flapped ends unsaid.
        if !standing.fires() && unsaid && !standing.told {
            self.standing.remove(&event.alert);
        }
    }

    /// Tells what is owed of some alerts of a thread, unless more of it gathers or nobody is to be
    /// told.
    fn tell_owed(
        &mut self,
        scene: Scene<'_>,
        thread: Thread,
        alerts: &[AlertId],
        out: &mut Vec<Notice>,
    ) {
        let Scene { registry, terms, at } = scene;
        let gathers = self.gathering.get(&thread).is_some_and(|until| at.elapsed_ms < *until);
        let mut told = Vec::new();
        for alert in alerts {
            let Some(standing) = self.standing.get(alert) else { continue };
            match self.way(registry, (*alert, standing), at) {
                Way::Tell if gathers => {}
                Way::Tell => told.push(*alert),
                Way::Wait => {}
                Way::Drop => {
                    self.standing.remove(alert);
                }
            }
        }
        if told.is_empty() {
            return;
        }
        let owed = told.iter().filter_map(|alert| self.standing.get(alert)).map(|one| one.owed);
        let kind = match owed.max() {
            Some(Owed::Change) => NoticeKind::Alerts,
            Some(Owed::Again) => NoticeKind::Reminder,
            Some(Owed::Acknowledged | Owed::Nothing) | None => NoticeKind::Acknowledged,
        };
        let step = self.step(&told);
        if terms.gather_ms == 0 {
            for alert in &told {
                self.tell(scene, (kind, thread, step), &[*alert], out);
            }
        } else {
            self.tell(scene, (kind, thread, step), &told, out);
            self.gathering.insert(thread, at.elapsed_ms + terms.gather_ms);
        }
        for alert in told {
            self.is_told(alert, at);
        }
    }

    /// Says what is to be done with what is owed of an alert, once no more of its thread gathers.
    fn way(&self, registry: &Registry, (alert, one): (AlertId, &Standing), at: Moment) -> Way {
        match self.held(registry, alert, at.wall) {
            None => Way::Tell,
            // What flaps is said once.
            Some(Held::Flapping) if self.says_that_it_flaps(alert) => Way::Tell,
            Some(Held::Flapping) => Way::Wait,
            Some(_) if one.fires() => Way::Wait,
            // Who was told that it began is told that it ended, whatever is silent since.
            Some(_) if one.told => Way::Tell,
            Some(_) => Way::Drop,
        }
    }

    fn says_that_it_flaps(&self, alert: AlertId) -> bool {
        let standing = self.standing.get(&alert).filter(|standing| !standing.told);
        let flap = standing.and_then(|one| self.flaps.get(&(one.event.rule, one.event.subject)));
        flap.is_some_and(|flap| !flap.said)
    }

    /// Notes that what was owed of an alert is told.
    fn is_told(&mut self, alert: AlertId, at: Moment) {
        let Some(standing) = self.standing.get_mut(&alert) else { return };
        let flap = self.flaps.get_mut(&(standing.event.rule, standing.event.subject));
        if let Some(flap) = flap.filter(|flap| flap.count > 0) {
            flap.said = true;
        }
        if !standing.fires() {
            self.standing.remove(&alert);
            return;
        }
        if !standing.told {
            (standing.told, standing.since_ms) = (true, at.elapsed_ms);
        }
        standing.owed = Owed::Nothing;
        standing.reminded_ms = at.elapsed_ms;
    }

    /// Gives the furthest step that one of them reached.
    fn step(&self, alerts: &[AlertId]) -> u8 {
        let standing = alerts.iter().filter_map(|alert| self.standing.get(alert));
        standing.map(|standing| standing.step).max().unwrap_or(0)
    }

    /// Writes one notice.
    fn tell(
        &mut self,
        scene: Scene<'_>,
        (kind, thread, step): (NoticeKind, Thread, u8),
        alerts: &[AlertId],
        out: &mut Vec<Notice>,
    ) {
        let registry = scene.registry;
        let entry = |alert: &AlertId| {
            let standing = self.standing.get(alert)?;
            let of = (standing.event.rule, standing.event.subject);
            let flaps = self.flaps.get(&of).map(|flap| flap.count).filter(|count| *count > 0);
            Some(Entry {
                event: standing.event,
                severity: severity(registry, &standing.event),
                acknowledged: standing.acknowledged.as_ref().map(|one| one.person.clone()),
                flaps,
                unheeded_since: scene.at.wall_of(standing.since_ms),
            })
        };
        let mut entries: Vec<Entry> = alerts.iter().filter_map(entry).collect();
        let fires = |one: &Entry| one.event.change.fires();
        entries.sort_by_key(|one| (Reverse(fires(one)), Reverse(one.severity), one.event.since));
        let firing = entries.iter().filter(|one| fires(one)).count();
        let unlisted = entries.split_off(entries.len().min(ENTRIES_MAX));
        let Some(first) = entries.first() else { return };
        let route = match thread {
            Thread::Place(_, route) | Thread::Station(_, route) | Thread::Route(route) => {
                Some(route)
            }
            Thread::Alert(_) => registry.rule(first.event.rule).map(|rule| rule.route),
        };
        self.notices += 1;
        let (number, at) = (self.notices, scene.at.wall);
        out.push(Notice { number, kind, thread, route, step, at, entries, firing, unlisted });
    }

    /// Says whether time alone may have changed something. Where it has not, nothing is copied
    /// that a view holds.
    #[must_use]
    pub fn is_due(&self, registry: &Registry, at: Moment) -> bool {
        let (terms, now) = (registry.judgement.alerting, at.elapsed_ms);
        let due = |alert: &AlertId, one: &Standing| {
            let gathers = self.gathering.get(&one.thread).is_some_and(|until| now < *until);
            let owed = one.owed != Owed::Nothing && !gathers;
            let again = one.reminder_is_due(terms, now) || one.step_is_due(terms, now);
            owed && self.way(registry, (*alert, one), at) != Way::Wait
                || one.acknowledgement_ends(at.wall)
                || again && self.is_unheeded(registry, (*alert, one), at)
        };
        self.flaps.values().any(|flap| !flap.lasts(terms, at.wall))
            || self.gathering.values().any(|until| *until <= now)
            || self.silences.values().any(|one| one.until <= at.wall)
            || self.standing.iter().any(|(alert, one)| due(alert, one))
    }

    /// Gives what is to be told because time passed; says whether anything changed.
    pub fn tick(&mut self, registry: &Registry, at: Moment, out: &mut Vec<Notice>) -> bool {
        let scene = Scene { registry, terms: registry.judgement.alerting, at };
        let before = (self.counts(), out.len());
        self.flaps.retain(|_, flap| flap.lasts(scene.terms, at.wall));
        self.gathering.retain(|_, until| at.elapsed_ms < *until);
        self.silences.retain(|_, one| at.wall < one.until);
        let ended = self.end_acknowledgements(at);
        self.tell_gathered(scene, out);
        self.remind(scene, out);
        self.escalate(scene, out);
        before != (self.counts(), out.len()) || ended
    }

    fn counts(&self) -> [usize; 4] {
        [self.standing.len(), self.flaps.len(), self.gathering.len(), self.silences.len()]
    }

    /// An acknowledgement ends at its time while the alert fires still: then it counts anew.
    fn end_acknowledgements(&mut self, at: Moment) -> bool {
        let mut ended = false;
        for standing in self.standing.values_mut() {
            if standing.acknowledgement_ends(at.wall) {
                standing.acknowledged = None;
                standing.since_ms = at.elapsed_ms;
                standing.owed = standing.owed.max(Owed::Again);
                ended = true;
            }
        }
        ended
    }

    fn tell_gathered(&mut self, scene: Scene<'_>, out: &mut Vec<Notice>) {
        let mut threads: BTreeMap<Thread, Vec<AlertId>> = BTreeMap::new();
        for (alert, standing) in &self.standing {
            if standing.owed != Owed::Nothing && !self.gathering.contains_key(&standing.thread) {
                threads.entry(standing.thread).or_default().push(*alert);
            }
        }
        for (thread, alerts) in threads {
            self.tell_owed(scene, thread, &alerts, out);
        }
    }

    /// Says whether somebody is to be told of an alert again and again: it fires, was told, is more
    /// than a notice, and nobody looks after it or holds it.
    fn is_unheeded(
        &self,
        registry: &Registry,
        (alert, one): (AlertId, &Standing),
        at: Moment,
    ) -> bool {
        let waits = one.fires() && one.told && one.acknowledged.is_none();
        waits
            && severity(registry, &one.event) > Severity::Notice
            && self.held(registry, alert, at.wall).is_none()
    }

    /// Gives the alerts of which somebody is to be told again, by thread.
    fn unheeded(
        &self,
        scene: Scene<'_>,
        due: impl Fn(&Standing) -> bool,
    ) -> BTreeMap<Thread, Vec<AlertId>> {
        let mut threads: BTreeMap<Thread, Vec<AlertId>> = BTreeMap::new();
        for (alert, standing) in &self.standing {
            if due(standing) && self.is_unheeded(scene.registry, (*alert, standing), scene.at) {
                threads.entry(standing.thread).or_default().push(*alert);
            }
        }
        threads
    }

    fn remind(&mut self, scene: Scene<'_>, out: &mut Vec<Notice>) {
        let (terms, now) = (scene.terms, scene.at.elapsed_ms);
        for (thread, alerts) in self.unheeded(scene, |one| one.reminder_is_due(terms, now)) {
            self.tell(scene, (NoticeKind::Reminder, thread, self.step(&alerts)), &alerts, out);
            self.change(&alerts, |standing| standing.reminded_ms = now);
        }
    }

    fn escalate(&mut self, scene: Scene<'_>, out: &mut Vec<Notice>) {
        let (terms, now) = (scene.terms, scene.at.elapsed_ms);
        for (step, after) in (0..STEPS_MAX).zip(terms.steps_ms) {
            let Ok(step) = u8::try_from(step) else { continue };
            let due = |one: &Standing| one.step == step && one.step_is_due(terms, now);
            for (thread, alerts) in self.unheeded(scene, due) {
                self.tell(scene, (NoticeKind::Escalation, thread, step + 1), &alerts, out);
                // After a time in which nobody was to be told it does not run through all steps.
                let counted_ms = now - after;
                self.change(&alerts, |standing| {
                    (standing.step, standing.since_ms) = (step + 1, counted_ms);
                });
            }
        }
    }

    fn change(&mut self, alerts: &[AlertId], change: impl Fn(&mut Standing)) {
        for alert in alerts {
            self.standing.get_mut(alert).into_iter().for_each(&change);
        }
    }

    /// Takes in what a person does, and gives what is to be told of it.
    pub fn act(&mut self, registry: &Registry, act: &AlertAct, at: Moment, out: &mut Vec<Notice>) {
        let scene = Scene { registry, terms: registry.judgement.alerting, at };
        let of = act.what.alert();
        let standing = of.and_then(|alert| self.standing.get_mut(&alert));
        match (&act.what, standing) {
            (What::Acknowledge { until, .. }, Some(standing)) if standing.fires() => {
                let person = act.behalf.as_ref().unwrap_or(&act.person).clone();
                let (at, until) = (at.wall, *until);
                standing.acknowledged = Some(Acknowledgement { person, at, until });
                if standing.told {
                    standing.owed = standing.owed.max(Owed::Acknowledged);
                }
            }
            (What::Undo(_), Some(standing)) => {
                (standing.acknowledged, standing.shelved_until) = (None, None);
                standing.since_ms = at.elapsed_ms;
                if standing.owed == Owed::Acknowledged {
                    standing.owed = Owed::Nothing;
                }
            }
            (What::Shelve { until, .. }, Some(standing)) => standing.shelved_until = Some(*until),
            (What::Silence { id, matcher, until }, _) => {
                self.silences.retain(|_, one| at.wall < one.until);
                if self.silences.len() < SILENCES_MAX && at.wall < *until {
                    self.last_silence = self.last_silence.max(*id);
                    let (person, reason) = (act.person.clone(), act.words.clone());
                    let (matcher, until, at) = (*matcher, *until, at.wall);
                    self.silences.insert(*id, Silence { matcher, until, person, reason, at });
                }
            }
            (What::EndSilence(id), _) => {
                self.silences.remove(id);
            }
            (What::Comment(_) | What::Acknowledge { .. } | What::Shelve { .. }, _)
            | (What::Undo(_), None) => {}
        }
        let thread = of.and_then(|alert| self.standing.get(&alert)).map(|one| one.thread);
        if let (Some(alert), Some(thread)) = (of, thread) {
            let owed = self.standing.get(&alert).is_some_and(|one| one.owed != Owed::Nothing);
            if owed {
                self.tell_owed(scene, thread, &[alert], out);
            }
        }
    }

    /// Tells at once what gathers, and what is held because it comes and goes: the next edition may
    /// not know the names. What it withdraws goes at once, too.
    pub fn tell_all(&mut self, registry: &Registry, at: Moment, out: &mut Vec<Notice>) {
        let scene = Scene { registry, terms: registry.judgement.alerting, at };
        self.flaps.clear();
        self.gathering.clear();
        self.tell_gathered(scene, out);
        self.gathering.clear();
    }
}

#[cfg(test)]
mod tests;
