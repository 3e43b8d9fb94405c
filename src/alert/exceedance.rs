//! A limit is exceeded for long enough, or is met again for long enough. An item has one alert:
//! single values and averages of each period of its rule are reasons of it.

use minicbor::{Decode, Encode};

use crate::alert::run::Run;
use crate::domain::alert::{AlertChange, AlertId, Severity};
use crate::domain::assessment::{Assessment, Bound, Verdict, WaterClass};
use crate::domain::observation::{Period, Periods};
use crate::domain::registry::{Persistence, Registry, Rise, risen};
use crate::domain::time::{PhenomenonTime, SECOND, Timestamp};

/// What a rule asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms<'a> {
    /// How long it must last before the alert fires.
    pub pending: Persistence,
    /// How long it must be over before the alert resolves.
    pub keep: Persistence,
    /// By which share of the limit a value must be better to count as over.
    pub hysteresis: f64,
    /// From which share of the limit on a value is over that meets it; none where only more than
    /// the limit is.
    pub warning_share: Option<f64>,
    /// From where on it is more severe than the rule says.
    pub rises: &'a [Rise],
}

/// Where one reason of an alert stands. Acknowledged is a fact of its own, kept elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub enum State {
    /// Nothing is wrong.
    #[default]
    #[n(0)]
    Inactive,
    /// Something is wrong, not for long enough.
    #[n(1)]
    Pending(#[n(0)] Run),
    /// Somebody is to know.
    #[n(2)]
    Firing {
        /// The alert.
        #[n(0)]
        alert: AlertId,
        /// Since when the limit is exceeded.
        #[n(1)]
        since: Timestamp,
        /// Since when it is met again, if it is.
        #[n(2)]
        over: Option<Run>,
    },
}

impl State {
    /// Gives since when it lasts, while that is not for long enough.
    #[must_use]
    pub fn pending(&self) -> Option<Timestamp> {
        match self {
            Self::Pending(run) => Some(run.since),
            Self::Inactive | Self::Firing { .. } => None,
        }
    }

    /// Gives since when all is well again, if a value of a time that is well ends what fires: the
    /// time of the first such value.
    fn well_since(&self, span: PhenomenonTime) -> Option<Timestamp> {
        match self {
            Self::Firing { over, .. } => {
                Some(over.as_ref().map_or(span.start(), |over| over.since.min(span.start())))
            }
            Self::Inactive | Self::Pending(_) => None,
        }
    }

    /// Gives the alert while it fires, and since when it lasts.
    #[must_use]
    pub fn firing(&self) -> Option<(AlertId, Timestamp)> {
        match self {
            Self::Firing { alert, since, .. } => Some((*alert, *since)),
            Self::Inactive | Self::Pending(_) => None,
        }
    }
}

/// What an assessment means for an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The limit is exceeded.
    Exceeds,
    /// The limit is met, but so much of it is used that the rule warns.
    Near,
    /// The limit is met, but not by enough to say that it is over.
    Close,
    /// The limit is met clearly.
    Clear,
    /// Nobody knows.
    Unknown,
    /// The value counts no more, after all; earlier ones that were as bad do.
    Void,
    /// The value counts no more, after all, nor does any other for which the reason stands.
    Gone,
}

/// Reads an assessment by a rule's hysteresis and warning share.
#[must_use]
pub fn outcome(registry: &Registry, assessment: &Assessment, terms: Terms<'_>) -> Outcome {
    let hysteresis = terms.hysteresis;
    let limit = match assessment.verdict {
        Verdict::Exceeds { .. } => return Outcome::Exceeds,
        Verdict::NotAssessable(_) => return Outcome::Unknown,
        Verdict::Within { .. } if assessment.near == Some(true) => return Outcome::Near,
        Verdict::Within { limit } => registry.limit(limit),
    };
    if let (Some(warning), Some(share)) = (terms.warning_share, assessment.share) {
        let clear = share <= warning * (1.0 - hysteresis);
        return if clear { Outcome::Clear } else { Outcome::Close };
    }
    let clear = match (limit.map(|limit| limit.bound), assessment.value) {
        (Some(Bound::Max(max)), Some(value)) => value <= max - max.abs() * hysteresis,
        (Some(Bound::Min(min)), Some(value)) => value >= min + min.abs() * hysteresis,
        (Some(Bound::Range { low, high }), Some(value)) => {
            let margin = (high - low) / 2.0 * hysteresis;
            (low + margin..=high - margin).contains(&value)
        }
        (None, _) | (_, None) => false,
    };
    if clear { Outcome::Clear } else { Outcome::Close }
}

/// What a value makes of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// What happened, if anything did.
    pub change: Option<AlertChange>,
    /// Where it ended by values that are well: since when they are.
    pub well_since: Option<Timestamp>,
}

/// Takes a value into a state.
pub fn turn(
    terms: Terms<'_>,
    state: &mut State,
    outcome: Outcome,
    span: PhenomenonTime,
    fresh: impl FnOnce() -> AlertId,
) -> Turn {
    let well = state.well_since(span);
    let change;
    (*state, change) = next(terms, std::mem::take(state), outcome, span, fresh);
    let ended = change == Some(AlertChange::Resolved) && outcome == Outcome::Clear;
    Turn { change, well_since: well.filter(|_| ended) }
}

/// Goes from state to state. `fresh` gives the number of the alert of a reason that begins.
fn next(
    terms: Terms<'_>,
    state: State,
    outcome: Outcome,
    span: PhenomenonTime,
    fresh: impl FnOnce() -> AlertId,
) -> (State, Option<AlertChange>) {
    let Terms { pending, keep, .. } = terms;
    let waits = |run: Option<Run>| run.map_or(State::Inactive, State::Pending);
    match (state, outcome) {
        // No verdict is no news: a silent sensor must not clear an alert.
        (state, Outcome::Unknown) => (state, None),
        (State::Inactive | State::Pending(_), Outcome::Gone) => (State::Inactive, None),
        (State::Firing { .. }, Outcome::Gone) => (State::Inactive, Some(AlertChange::Resolved)),
        (State::Pending(run), Outcome::Void) => (waits(run.without(span.start())), None),
        (state @ (State::Inactive | State::Firing { .. }), Outcome::Void) => (state, None),
        (state @ (State::Inactive | State::Pending(_)), Outcome::Exceeds | Outcome::Near) => {
            let run = match state {
                State::Pending(run) => Some(run),
                State::Inactive | State::Firing { .. } => None,
            };
            let run = Run::extended(run, span, pending);
            if run.lasts(span, pending) {
                let firing = State::Firing { alert: fresh(), since: run.since, over: None };
                (firing, Some(AlertChange::Fired))
            } else {
                (State::Pending(run), None)
            }
        }
        (State::Inactive, Outcome::Close | Outcome::Clear) => (State::Inactive, None),
        (State::Pending(run), Outcome::Close | Outcome::Clear) => {
            (waits(run.interrupted(span, pending)), None)
        }
        (
            State::Firing { alert, since, over },
            Outcome::Exceeds | Outcome::Near | Outcome::Close,
        ) => {
            let over = over.and_then(|over| over.interrupted(span, keep));
            (State::Firing { alert, since, over }, None)
        }
        (State::Firing { alert, since, over }, Outcome::Clear) => {
            let over = Run::extended(over, span, keep);
            if over.lasts(span, keep) {
                (State::Inactive, Some(AlertChange::Resolved))
            } else {
                (State::Firing { alert, since, over: Some(over) }, None)
            }
        }
    }
}

/// How bad a value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
enum Level {
    /// It meets the limit and is near it.
    #[n(0)]
    Near,
    /// It exceeds the limit and is of this class, where its item has classes.
    #[n(1)]
    Exceeds(#[n(0)] Option<WaterClass>),
}

/// What was told of an alert that fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Told {
    /// The reasons that it fired for so far, those that left included.
    #[n(0)]
    reasons: Periods,
    /// The worst of its values.
    #[n(1)]
    level: Level,
    /// Since when the first of its reasons lasts.
    #[n(2)]
    since: Timestamp,
    /// How severe it became, where that is more than its rule says.
    #[n(3)]
    severity: Option<Severity>,
    /// After which time a sound value confirms it, while none has: the time of the one sample that
    /// says so, or any.
    #[n(4)]
    doubt: Option<Timestamp>,
}

/// What the alert about an item remembers besides its first reason.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Further {
    /// Where the other reasons stand, in the order of the rule's periods.
    #[n(0)]
    states: Vec<State>,
    /// What was told of it, while it fires.
    #[n(1)]
    told: Option<Told>,
    /// When it changed last, or a reason of it left.
    #[n(2)]
    last: Timestamp,
}

impl Further {
    /// Gives how severe the alert was told to be, where that is more than its rule says.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.told?.severity
    }
}

/// A verdict on one value, for the alert about its item.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Heard {
    /// The periods that the rule looks at.
    pub of: Periods,
    /// The one that the value is of.
    pub period: Period,
    /// The value's time.
    pub span: PhenomenonTime,
    /// What the verdict means.
    pub outcome: Outcome,
    /// The class that the value meets.
    pub class: Option<WaterClass>,
    /// By how many times it exceeds the limit.
    pub multiple: Option<f64>,
    /// Whether the value is suspect.
    pub suspect: bool,
    /// Whether it is a sample: one alone is to be confirmed by the next.
    pub sampled: bool,
}

/// A change of the alert about an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// The alert.
    pub alert: AlertId,
    /// What happened.
    pub change: AlertChange,
    /// When: the start of the value's time, but not before what happened last.
    pub at: Timestamp,
    /// Since when the first of its reasons lasts.
    pub since: Timestamp,
    /// Of one that ended by values that are well: since when they are.
    pub well_since: Option<Timestamp>,
    /// The reasons that stand now.
    pub reasons: Periods,
    /// How severe it became, where that is more than its rule says.
    pub severity: Option<Severity>,
    /// Whether it is to be confirmed still, or the value that changed it is; of one that ended,
    /// whether nothing confirmed it.
    pub unconfirmed: bool,
    /// Whether the value confirms what was to be confirmed.
    pub confirmed: bool,
}

/// Takes a verdict in. The alert fires with its first reason, says when another joins or when it
/// gets worse than it ever was, and ends with the last. What it said once it says no more: not
/// that a reason left, nor that it came back.
pub fn judge(
    terms: Terms<'_>,
    (first, further): (&mut State, &mut Further),
    heard: Heard,
    fresh: impl FnOnce() -> AlertId,
) -> Option<Change> {
    let place = heard.of.place(heard.period)?;
    let held = firing(first, further);
    let state = match place.checked_sub(1) {
        None => &mut *first,
        Some(place) => {
            let length = further.states.len().max(place + 1);
            further.states.resize(length, State::Inactive);
            further.states.get_mut(place)?
        }
    };
    let alert = || held.map_or_else(fresh, |(alert, _)| alert);
    let alone = heard.sampled && is_first(state, heard.span.start());
    let Turn { change, well_since } = turn(terms, state, heard.outcome, heard.span, alert);
    let (alert, since) = firing(first, further).or(held)?;
    let states = std::iter::once(&*first).chain(&further.states);
    let stands =
        |(period, state): (Period, &State)| matches!(state, State::Firing { .. }).then_some(period);
    let reasons: Periods = heard.of.iter().zip(states).filter_map(stands).collect();
    let news = further.tell(terms, (heard, alone), (reasons, change), since)?;
    Some(Change { alert, reasons, well_since, ..news })
}

/// Says whether no value before one of a time speaks for a reason yet.
fn is_first(state: &State, at: Timestamp) -> bool {
    match state {
        State::Inactive => true,
        State::Pending(run) => run.begins_at(at),
        State::Firing { .. } => false,
    }
}

/// Gives since when the reason of a period stands or is about to: its value and those before it
/// exceed the limit, or are near it.
#[must_use]
pub fn since(
    of: Periods,
    period: Period,
    (first, further): (&State, &Further),
) -> Option<Timestamp> {
    let state = match of.place(period)?.checked_sub(1) {
        None => first,
        Some(place) => further.states.get(place)?,
    };
    match state {
        State::Inactive => None,
        State::Pending(run) => Some(run.since),
        State::Firing { since, .. } => Some(*since),
    }
}

/// Gives the alert that fires, and since when the first of the reasons that stand lasts.
#[must_use]
pub fn firing(first: &State, further: &Further) -> Option<(AlertId, Timestamp)> {
    let states = std::iter::once(first).chain(&further.states);
    states.filter_map(State::firing).min_by_key(|(_, since)| *since)
}

/// Forgets every reason: nobody can judge them any more. Gives the alert that fired, and since
/// when.
pub fn withdraw(first: &mut State, further: &mut Further) -> Option<(AlertId, Timestamp)> {
    let fired = firing(first, further);
    let told = further.told;
    *first = State::Inactive;
    *further = Further { last: further.last, ..Further::default() };
    fired.map(|(alert, since)| (alert, told.map_or(since, |told| told.since.min(since))))
}

impl Further {
    /// Says what of a change is to be told, when it happened, and since when the alert lasts.
    fn tell(
        &mut self,
        terms: Terms<'_>,
        (heard, alone): (Heard, bool),
        (reasons, change): (Periods, Option<AlertChange>),
        since: Timestamp,
    ) -> Option<Change> {
        let level = match heard.outcome {
            Outcome::Near => Some(Level::Near),
            Outcome::Exceeds => Some(Level::Exceeds(heard.class)),
            Outcome::Close | Outcome::Clear | Outcome::Unknown | Outcome::Void | Outcome::Gone => {
                None
            }
        };
        let stands = level.filter(|_| reasons.holds(heard.period));
        let since = self.told.map_or(since, |told| told.since.min(since));
        let mut severity = self.told.and_then(|told| told.severity);
        let mut confirmed = false;
        let unconfirmed = self.told.is_some_and(|told| told.doubt.is_some());
        let news = match (self.told, stands) {
            // One that an earlier release told of fires already.
            (None, Some(level)) => {
                severity = severity_of(terms, heard, since);
                let doubt = doubt_of(heard, alone);
                self.told = Some(Told { reasons, level, since, severity, doubt });
                change
            }
            (Some(told), Some(level)) => {
                severity = told.severity.max(severity_of(terms, heard, since));
                let worse = told.level.max(level);
                let told_of = told.reasons.with(heard.period);
                // One sample may be more than near a limit for the first time.
                let anew = heard.sampled && told.level == Level::Near && worse != told.level;
                let doubt = if anew { doubt_of(heard, true) } else { told.doubt };
                let as_bad = level != Level::Near || worse == Level::Near;
                let later = doubt.is_some_and(|of| of < heard.span.start());
                confirmed = later && as_bad && !heard.suspect;
                let doubt = doubt.filter(|_| !confirmed);
                let now = Told { reasons: told_of, level: worse, since, severity, doubt };
                self.told = Some(now);
                let what = |told: &Told| (told.reasons, told.level, told.severity);
                (confirmed || what(&now) != what(&told)).then_some(AlertChange::Changed)
            }
            (_, None) if reasons == Periods::default() => {
                self.told = None;
                change
            }
            (_, None) => None,
        };
        if news.is_none() && change.is_none() {
            return None;
        }
        // An average begins before what was told of single values in it.
        // A value that is taken back has the time of the one that began it.
        let latest = heard.span.end().max(heard.span.start().plus(SECOND - 1));
        let after_last = self.last.plus(1).min(latest);
        let at = heard.span.start().max(after_last);
        self.last = self.last.max(at);
        // An alert that ends was or was not confirmed before.
        let doubted = self.told.map_or(unconfirmed, |told| told.doubt.is_some());
        news.map(|change| Change {
            alert: AlertId::default(),
            change,
            at,
            since,
            well_since: None,
            reasons,
            severity,
            unconfirmed: doubted || heard.suspect,
            confirmed,
        })
    }
}

/// Gives how severe a value makes an alert that lasts since a time, where that is more than its
/// rule says. What is only near a limit is as severe as the rule.
fn severity_of(terms: Terms<'_>, heard: Heard, since: Timestamp) -> Option<Severity> {
    let lasts_ms = heard.span.end().since(since);
    let exceeds = heard.outcome == Outcome::Exceeds;
    risen(terms.rises, (heard.class, heard.multiple), lasts_ms).filter(|_| exceeds)
}

/// Gives after which time a sound value confirms one: any after one sample alone, and any at all
/// where it is suspect.
fn doubt_of(heard: Heard, alone: bool) -> Option<Timestamp> {
    match (alone, heard.suspect) {
        (true, _) => Some(heard.span.start()),
        (false, true) => Some(Timestamp(i64::MIN)),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
