//! How an alert about a limit goes from state to state, by one reason and by several.

use proptest::prelude::*;

use super::*;
use crate::domain::registry::Threshold;
use crate::domain::time::{DAY, HOUR, MINUTE};

const TERMS: Terms<'_> = Terms {
    pending: Persistence::Values(2),
    keep: Persistence::Values(2),
    hysteresis: 0.05,
    warning_share: None,
    rises: &[],
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
fn run(terms: Terms<'_>, letters: &str) -> String {
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

/// Runs letters by so many of the last values for both, and gives what changed at which.
#[track_caller]
fn check_of(pending: (u8, u8), keep: (u8, u8), letters: &str, want: &str) {
    let of = |(need, of)| Persistence::Of { need, of };
    let terms = Terms { pending: of(pending), keep: of(keep), ..TERMS };
    assert_eq!(run(terms, letters), want, "{letters}");
}

#[test]
fn so_many_of_the_last_values_fire_and_resolve() {
    check_of((3, 5), (1, 1), "xcxcx", "....F");
    check_of((3, 5), (1, 1), "xccxcxc", ".......");
    check_of((3, 5), (1, 1), "x?x??x", ".....F");
    // Of the last four values after it fired, three are clear.
    check_of((1, 1), (3, 4), "xccxcc", "F...R.");
    check_of((1, 1), (3, 4), "xcxxccxhcc", "F.........");
    check_of((1, 1), (3, 3), "xcchccc", "F.....R");
}

#[test]
fn a_rule_that_asks_for_all_of_the_last_values_asks_for_consecutive_ones() {
    for letters in ["xxcxx", "xxxcc", "xcxxhcc", "x?xxc?c"] {
        let of = Persistence::Of { need: 2, of: 2 };
        let terms = Terms { pending: of, keep: of, ..TERMS };
        assert_eq!(run(terms, letters), run(TERMS, letters), "{letters}");
    }
}

#[test]
fn it_takes_as_much_as_is_said() {
    assert_eq!((size_of::<State>(), size_of::<Further>()), (56, 64));
}

#[test]
fn a_run_that_began_ahead_of_time_is_no_endless_one() {
    let terms = Terms { pending: Persistence::Millis(60_000), ..TERMS };
    let ahead = State::Pending(Run::extended(None, instant(9_000_000), terms.pending));
    let (state, _) = next(terms, ahead, Outcome::Exceeds, instant(0), AlertId::default);
    let (_, change) = next(terms, state, Outcome::Exceeds, instant(60_000), AlertId::default);
    assert_eq!(change, Some(AlertChange::Fired));
}

#[test]
fn a_value_that_is_revised_counts_once_and_as_it_is_now() {
    let again = |outcomes: &[(i64, Outcome)]| -> Vec<Option<AlertChange>> {
        let mut state = State::Inactive;
        let each = outcomes.iter().map(|(at, outcome)| {
            let change;
            let before = std::mem::take(&mut state);
            (state, change) = next(TERMS, before, *outcome, instant(*at), AlertId::default);
            change
        });
        each.collect()
    };
    use AlertChange::{Fired, Resolved};
    use Outcome::{Clear, Exceeds};
    let told = again(&[(0, Exceeds), (0, Exceeds), (1, Clear), (1, Exceeds), (2, Exceeds)]);
    assert_eq!(told, [None, None, None, None, Some(Fired)]);
    let told = again(&[(0, Exceeds), (1, Exceeds), (2, Clear), (2, Clear), (3, Clear)]);
    assert_eq!(told, [None, Some(Fired), None, None, Some(Resolved)]);
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
        let heard = Heard {
            of,
            period,
            span,
            outcome,
            class: Some(class),
            multiple: None,
            suspect: false,
            sampled: false,
        };
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
    assert_eq!((over.alert, over.since, over.change), (AlertId(7), since, AlertChange::Resolved));
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

/// What one value says of an item without further reasons: its class, how many times it is over
/// the limit, and whether it is doubted.
#[derive(Clone, Copy)]
struct Said {
    class: Option<WaterClass>,
    multiple: Option<f64>,
    suspect: bool,
    outcome: Outcome,
}

const IV: Said = Said {
    class: Some(WaterClass::V),
    multiple: Some(0.1),
    suspect: false,
    outcome: Outcome::Exceeds,
};
const CLEAR: Said =
    Said { class: Some(WaterClass::II), multiple: None, outcome: Outcome::Clear, ..IV };

/// Tells values of an item, one an hour, and gives what was said of each.
fn told(rises: &[Rise], sampled: bool, values: &[Said]) -> Vec<Option<Change>> {
    let (mut first, mut further) = (State::default(), Further::default());
    let terms =
        Terms { pending: Persistence::Values(1), keep: Persistence::Values(1), rises, ..TERMS };
    let each = values.iter().enumerate().map(|(hour, said)| {
        let heard = Heard {
            of: Periods::default().with(Period::Native),
            period: Period::Native,
            span: instant(hour as i64 * HOUR),
            outcome: said.outcome,
            class: said.class,
            multiple: said.multiple,
            suspect: said.suspect,
            sampled,
        };
        judge(terms, (&mut first, &mut further), heard, || AlertId(1))
    });
    each.collect()
}

#[test]
fn severity_rises_by_class_and_never_falls_by_itself() {
    let rises = [
        Rise { to: Severity::Warning, from: Threshold::Class(WaterClass::V) },
        Rise { to: Severity::Critical, from: Threshold::Class(WaterClass::WorseThanV) },
    ];
    let worse = Said { class: Some(WaterClass::WorseThanV), ..IV };
    let said = told(&rises, false, &[IV, worse, IV, worse, CLEAR, IV]);
    let severities: Vec<_> = said.iter().map(|one| one.and_then(|one| one.severity)).collect();
    let (warning, critical) = (Some(Severity::Warning), Some(Severity::Critical));
    assert_eq!(severities, [warning, critical, None, None, critical, warning]);
    let changes: String = said.iter().map(|one| letter_of(one.map(|one| one.change))).collect();
    assert_eq!(changes, "F+..RF");
}

#[test]
fn severity_of_an_item_without_classes_rises_by_how_many_times() {
    let rises = [Rise { to: Severity::Critical, from: Threshold::Multiple(1.0) }];
    let over = |multiple| Said { class: None, multiple, ..IV };
    let said = told(&rises, false, &[over(Some(0.9)), over(None), over(Some(1.0))]);
    let changes: String = said.iter().map(|one| letter_of(one.map(|one| one.change))).collect();
    assert_eq!(changes, "F.+");
    assert_eq!(said[2].and_then(|one| one.severity), Some(Severity::Critical));
    // Of one that has classes they say it.
    let classed = told(&rises, false, &[Said { multiple: Some(9.0), ..IV }]);
    assert_eq!(classed[0].and_then(|one| one.severity), None);
}

#[test]
fn severity_rises_with_a_value_that_shows_how_long_it_lasts() {
    let rises = [Rise { to: Severity::Critical, from: Threshold::Lasts(2 * HOUR) }];
    let none = Said { outcome: Outcome::Unknown, ..IV };
    let changes = |values: &[Said]| -> String {
        let said = told(&rises, false, values);
        said.iter().map(|one| letter_of(one.map(|one| one.change))).collect()
    };
    assert_eq!(changes(&[IV, IV, IV, IV]), "F.+.");
    assert_eq!(changes(&[IV, none, none, IV]), "F..+", "no value says nothing");
}

#[test]
fn one_sample_is_unconfirmed_until_the_next_says_so_too() {
    let said = told(&[], true, &[IV, IV, IV, CLEAR]);
    let [first, second, third, over] = said[..] else { panic!("{said:?}") };
    assert!(first.is_some_and(|one| one.unconfirmed && !one.confirmed));
    let second = second.unwrap();
    assert_eq!(second.change, AlertChange::Changed);
    assert!(second.confirmed && !second.unconfirmed);
    assert_eq!(third, None, "once");
    assert!(over.is_some_and(|one| !one.unconfirmed));
    // What the next sample does not confirm ends as unconfirmed.
    let said = told(&[], true, &[IV, CLEAR, IV]);
    assert!(said[1].is_some_and(|one| one.change == AlertChange::Resolved && one.unconfirmed));
    assert!(said[2].is_some_and(|one| one.change == AlertChange::Fired && one.unconfirmed));
    // A continuous value needs no other.
    assert!(told(&[], false, &[IV])[0].is_some_and(|one| !one.unconfirmed));
}

#[test]
fn what_a_suspect_value_said_is_confirmed_by_a_sound_one() {
    let suspect = Said { suspect: true, ..IV };
    let said = told(&[], false, &[suspect, suspect, IV]);
    assert!(said[0].is_some_and(|one| one.unconfirmed));
    assert_eq!(said[1], None);
    assert!(said[2].is_some_and(|one| one.change == AlertChange::Changed && one.confirmed));
    let near = Said { outcome: Outcome::Near, ..IV };
    assert_eq!(told(&[], false, &[suspect, near])[1], None, "what is near a limit is not over it");
    // One sample that goes from near to over it is one sample.
    let said = told(&[], true, &[near, near, IV, IV]);
    let confirmed: Vec<bool> =
        said.iter().map(|one| one.is_some_and(|one| one.confirmed)).collect();
    assert_eq!(confirmed, [false, true, false, true]);
    assert!(said[2].is_some_and(|one| one.unconfirmed));
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
