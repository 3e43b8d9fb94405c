//! A limit is exceeded for long enough, or is met again for long enough. An item has one alert:
//! single values and averages of each period of its rule are reasons of it.

use minicbor::{Decode, Encode};

use crate::domain::alert::{AlertChange, AlertId};
use crate::domain::assessment::{Assessment, Bound, Verdict, WaterClass};
use crate::domain::observation::{Period, Periods};
use crate::domain::registry::{Persistence, Registry};
use crate::domain::time::{PhenomenonTime, Timestamp};

/// What a rule asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// How long it must last before the alert fires.
    pub pending: Persistence,
    /// How long it must be over before the alert resolves.
    pub keep: Persistence,
    /// By which share of the limit a value must be better to count as over.
    pub hysteresis: f64,
    /// From which share of the limit on a value is over that meets it; none where only more than
    /// the limit is.
    pub warning_share: Option<f64>,
}

/// How long something lasts already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Run {
    /// The time of its first value.
    #[n(0)]
    pub since: Timestamp,
    /// How many values.
    #[n(1)]
    pub values: u32,
}

impl Run {
    fn extended(run: Option<Self>, span: PhenomenonTime) -> Self {
        let at = span.start();
        // What began at the time of a clock that was ahead began at the latest now.
        run.map_or(Self { since: at, values: 1 }, |run| Self {
            since: run.since.min(at),
            values: run.values + 1,
        })
    }

    /// A mean of an hour says that it lasted the hour.
    fn lasts(self, span: PhenomenonTime, persistence: Persistence) -> bool {
        match persistence {
            Persistence::Values(values) => self.values >= values,
            Persistence::Millis(millis) => span.end().since(self.since) >= millis,
        }
    }
}

/// Where one reason of an alert stands. Acknowledged is a fact of its own, kept elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
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
}

/// Reads an assessment by a rule's hysteresis and warning share.
#[must_use]
pub fn outcome(registry: &Registry, assessment: &Assessment, terms: Terms) -> Outcome {
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

/// Goes from state to state. `fresh` gives the number of the alert of a reason that begins.
pub fn next(
    terms: Terms,
    state: State,
    outcome: Outcome,
    span: PhenomenonTime,
    fresh: impl FnOnce() -> AlertId,
) -> (State, Option<AlertChange>) {
    match (state, outcome) {
        // No verdict is no news: a silent sensor must not clear an alert.
        (state, Outcome::Unknown) => (state, None),
        (State::Inactive | State::Pending(_), Outcome::Exceeds | Outcome::Near) => {
            let run = Run::extended(
                match state {
                    State::Pending(run) => Some(run),
                    State::Inactive | State::Firing { .. } => None,
                },
                span,
            );
            if run.lasts(span, terms.pending) {
                let firing = State::Firing { alert: fresh(), since: run.since, over: None };
                (firing, Some(AlertChange::Fired))
            } else {
                (State::Pending(run), None)
            }
        }
        (State::Inactive | State::Pending(_), Outcome::Close | Outcome::Clear) => {
            (State::Inactive, None)
        }
        (State::Firing { alert, since, .. }, Outcome::Exceeds | Outcome::Near | Outcome::Close) => {
            (State::Firing { alert, since, over: None }, None)
        }
        (State::Firing { alert, since, over }, Outcome::Clear) => {
            let over = Run::extended(over, span);
            if over.lasts(span, terms.keep) {
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
    /// The reasons that stand now.
    pub reasons: Periods,
}

/// Takes a verdict in. The alert fires with its first reason, says when another joins or when it
/// gets worse than it ever was, and ends with the last. What it said once it says no more: not
/// that a reason left, nor that it came back.
pub fn judge(
    terms: Terms,
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
    let (after, change) = next(terms, *state, heard.outcome, heard.span, alert);
    *state = after;
    let (alert, since) = firing(first, further).or(held)?;
    let states = std::iter::once(&*first).chain(&further.states);
    let stands =
        |(period, state): (Period, &State)| matches!(state, State::Firing { .. }).then_some(period);
    let reasons: Periods = heard.of.iter().zip(states).filter_map(stands).collect();
    further.tell(heard, (reasons, change), since).map(|(change, at, since)| Change {
        alert,
        change,
        at,
        since,
        reasons,
    })
}

/// Gives the alert that fires, and since when the first of the reasons that stand lasts.
#[must_use]
pub fn firing(first: &State, further: &Further) -> Option<(AlertId, Timestamp)> {
    let states = std::iter::once(first).chain(&further.states);
    let firing = states.filter_map(|state| match state {
        State::Firing { alert, since, .. } => Some((*alert, *since)),
        State::Inactive | State::Pending(_) => None,
    });
    firing.min_by_key(|(_, since)| *since)
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
        heard: Heard,
        (reasons, change): (Periods, Option<AlertChange>),
        since: Timestamp,
    ) -> Option<(AlertChange, Timestamp, Timestamp)> {
        let level = match heard.outcome {
            Outcome::Near => Some(Level::Near),
            Outcome::Exceeds => Some(Level::Exceeds(heard.class)),
            Outcome::Close | Outcome::Clear | Outcome::Unknown => None,
        };
        let stands = level.filter(|_| reasons.holds(heard.period));
        let since = self.told.map_or(since, |told| told.since.min(since));
        let news = match (self.told, stands) {
            // One that an earlier release told of fires already.
            (None, Some(level)) => {
                self.told = Some(Told { reasons, level, since });
                change
            }
            (Some(told), Some(level)) => {
                let worse = told.level.max(level);
                let told_of = told.reasons.with(heard.period);
                self.told = Some(Told { reasons: told_of, level: worse, since });
                let news = (told_of, worse) != (told.reasons, told.level);
                news.then_some(AlertChange::Changed)
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
        let after_last = self.last.plus(1).min(heard.span.end());
        let at = heard.span.start().max(after_last);
        self.last = self.last.max(at);
        news.map(|change| (change, at, since))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::{DAY, HOUR, MINUTE};

    const TERMS: Terms = Terms {
        pending: Persistence::Values(2),
        keep: Persistence::Values(2),
        hysteresis: 0.05,
        warning_share: None,
    };

    fn outcome_of(letter: char) -> Outcome {
        match letter {
            'x' => Outcome::Exceeds,
            'n' => Outcome::Near,
            'c' => Outcome::Clear,
            'h' => Outcome::Close,
            _ => Outcome::Unknown,
        }
    }

    fn letter_of(change: Option<AlertChange>) -> &'static str {
        match change {
            Some(AlertChange::Fired) => "F",
            Some(AlertChange::Changed) => "+",
            Some(AlertChange::Resolved) => "R",
            Some(AlertChange::Withdrawn | AlertChange::Past) => "?",
            None => ".",
        }
    }

    fn instant(millis: i64) -> PhenomenonTime {
        PhenomenonTime::Instant(Timestamp(millis))
    }

    /// Runs letters (`x` exceeds, `n` near, `c` clear, `h` in the hysteresis, `?` unknown), one a
    /// minute, and gives what changed at which.
    fn run(terms: Terms, letters: &str) -> String {
        let mut state = State::default();
        let mut changes = String::new();
        for (minute, letter) in letters.chars().enumerate() {
            let span = instant(minute as i64 * 60_000);
            let outcome = outcome_of(letter);
            let (next, change) = super::next(terms, state, outcome, span, AlertId::default);
            state = next;
            changes.push_str(letter_of(change));
        }
        changes
    }

    #[track_caller]
    fn check(letters: &str, want: &str) {
        assert_eq!(run(TERMS, letters), want);
    }

    #[test]
    fn one_value_is_not_enough() {
        check("xcxc", "....");
    }

    #[test]
    fn two_values_fire_and_two_clear_ones_resolve() {
        check("xxxcc", ".F..R");
    }

    #[test]
    fn a_value_within_the_hysteresis_keeps_an_alert_firing() {
        check("xxchcc", ".F...R");
    }

    #[test]
    fn no_verdict_neither_fires_nor_resolves() {
        check("x?x", "..F");
        check("xx???c?c", ".F.....R");
    }

    #[test]
    fn a_run_that_began_ahead_of_time_is_no_endless_one() {
        let terms = Terms { pending: Persistence::Millis(60_000), ..TERMS };
        let ahead = State::Pending(Run { since: Timestamp(9_000_000), values: 1 });
        let (state, _) = next(terms, ahead, Outcome::Exceeds, instant(0), AlertId::default);
        let (_, change) = next(terms, state, Outcome::Exceeds, instant(60_000), AlertId::default);
        assert_eq!(change, Some(AlertChange::Fired));
    }

    #[test]
    fn a_duration_counts_from_the_first_value() {
        let terms = Terms { pending: Persistence::Millis(120_000), ..TERMS };
        assert_eq!(run(terms, "xxx"), "..F");
    }

    #[test]
    fn a_mean_says_that_it_lasted_its_hour() {
        let terms = Terms { pending: Persistence::Millis(HOUR), ..TERMS };
        let hour = PhenomenonTime::Interval { start: Timestamp(0), end: Timestamp(HOUR) };
        let (_, change) = next(terms, State::Inactive, Outcome::Exceeds, hour, AlertId::default);
        assert_eq!(change, Some(AlertChange::Fired));
    }

    /// Where the alert of an item with three periods stands.
    #[derive(Default)]
    struct Item {
        first: State,
        further: Further,
        alerts: u64,
        minute: i64,
    }

    impl Item {
        /// Takes a value a minute: of which period (`r` single, `1` hour, `d` day), and what of it.
        fn take(&mut self, period: char, outcome: Outcome, class: WaterClass) -> Option<Change> {
            let at = Timestamp(self.minute * MINUTE);
            self.minute += 1;
            let mean = |ms: i64| PhenomenonTime::Interval { start: at.plus(-ms), end: at };
            let (period, span) = match period {
                'r' => (Period::Native, PhenomenonTime::Instant(at)),
                '1' => (Period::Hour, mean(HOUR)),
                _ => (Period::Day, mean(DAY)),
            };
            let of = [Period::Native, Period::Hour, Period::Day].into_iter().collect();
            let heard = Heard { of, period, span, outcome, class: Some(class) };
            let terms =
                Terms { pending: Persistence::Values(1), keep: Persistence::Values(1), ..TERMS };
            let fresh = AlertId(self.alerts + 1);
            let change = judge(terms, (&mut self.first, &mut self.further), heard, || fresh);
            self.alerts += u64::from(change.is_some_and(|one| one.change == AlertChange::Fired));
            change
        }
    }

    /// Runs words such as `rx`: the period and what its value means; `X` is worse than class V.
    #[track_caller]
    fn check_item(words: &str, want: &str) {
        let mut item = Item::default();
        let told: String = words
            .split(' ')
            .map(|word| {
                let (period, letter) = word.split_at(1);
                let class = if letter == "X" { WaterClass::WorseThanV } else { WaterClass::V };
                let letter = letter.to_lowercase().chars().next().unwrap();
                let period = period.chars().next().unwrap();
                let change = item.take(period, outcome_of(letter), class);
                letter_of(change.map(|one| one.change))
            })
            .collect();
        assert_eq!(told, want);
    }

    #[test]
    fn an_item_has_one_alert_whatever_speaks_for_it() {
        check_item("rx 1x dx rx 1x", "F++..");
        check_item("dx rx", "F+");
    }

    #[test]
    fn it_ends_with_the_last_of_its_reasons() {
        check_item("rx 1x rc 1c", "F+.R");
        check_item("rx 1x 1c rx rc", "F+..R");
    }

    #[test]
    fn no_value_of_any_period_ends_it() {
        check_item("rx 1x r? 1? rc 1? 1c", "F+....R");
    }

    #[test]
    fn a_reason_that_comes_back_is_no_news() {
        check_item("dx rx rc rx rc dc", "F+...R");
    }

    #[test]
    fn what_gets_worse_is_told_once() {
        check_item("rx rX rx rX rc rx", "F+..RF");
        check_item("rn rx rn rc", "F+.R");
    }

    #[test]
    fn an_alert_that_an_earlier_release_fired_is_no_new_one() {
        let since = Timestamp(-MINUTE);
        let first = State::Firing { alert: AlertId(7), since, over: None };
        let mut item = Item { first, ..Item::default() };
        assert_eq!(item.take('r', Outcome::Exceeds, WaterClass::V), None);
        let over = item.take('r', Outcome::Clear, WaterClass::V).unwrap();
        assert_eq!(
            (over.alert, over.since, over.change),
            (AlertId(7), since, AlertChange::Resolved)
        );
    }

    #[test]
    fn since_and_at_are_those_of_all_reasons() {
        let mut item = Item { minute: 3 * DAY / MINUTE, ..Item::default() };
        let start = Timestamp(3 * DAY);
        let fired = item.take('r', Outcome::Exceeds, WaterClass::V).unwrap();
        assert_eq!((fired.at, fired.since), (start, start));
        let joined = item.take('d', Outcome::Exceeds, WaterClass::V).unwrap();
        let earliest = start.plus(MINUTE - DAY);
        assert_eq!((joined.alert, joined.since), (fired.alert, earliest));
        assert_eq!(joined.at, start.plus(1), "after what was told before it");
        assert_eq!(joined.reasons.iter().count(), 2);
        let left = item.take('d', Outcome::Clear, WaterClass::V);
        assert_eq!(left, None);
        let over = item.take('r', Outcome::Clear, WaterClass::V).unwrap();
        assert_eq!((over.at, over.since), (start.plus(3 * MINUTE), earliest));
        assert_eq!(over.reasons, Periods::default());
    }

    proptest! {
        #[test]
        fn an_items_alert_fires_and_ends_in_turns(
            values in prop::collection::vec((0..3_usize, 0..5_usize, any::<bool>()), 0..60),
        ) {
            let mut item = Item::default();
            let mut open: Option<Change> = None;
            for (period, letter, worse) in values {
                let (period, letter) = (['r', '1', 'd'][period], ['x', 'n', 'c', 'h', '?'][letter]);
                let class = if worse { WaterClass::WorseThanV } else { WaterClass::V };
                let Some(change) = item.take(period, outcome_of(letter), class) else { continue };
                let over = change.reasons == Periods::default();
                match change.change {
                    AlertChange::Fired => prop_assert!(open.is_none() && !over),
                    AlertChange::Changed | AlertChange::Resolved => {
                        let before = open.unwrap();
                        prop_assert_eq!(change.alert, before.alert);
                        prop_assert!(change.since <= before.since && change.at > before.at);
                        prop_assert_eq!(over, change.change == AlertChange::Resolved);
                    }
                    AlertChange::Withdrawn | AlertChange::Past => prop_assert!(false),
                }
                open = Some(change).filter(|one| one.change != AlertChange::Resolved);
            }
            prop_assert_eq!(open.is_some(), firing(&item.first, &item.further).is_some());
        }

        #[test]
        fn fired_and_resolved_take_turns(letters in "[xch?]{0,60}") {
            let changes: String = run(TERMS, &letters).chars().filter(|c| *c != '.').collect();
            prop_assert!(changes.starts_with("FR") || changes.len() < 2);
            prop_assert!(!changes.contains("FF") && !changes.contains("RR"));
        }
    }
}
