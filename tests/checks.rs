//! What checks of an instrument put in question does not depend on when they come: in any order,
//! sent again, with restarts between, each value ends with the flag that the checks around it give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

mod play;

use std::sync::LazyLock;

use proptest::prelude::*;
use weir::domain::check::CheckKind;
use weir::domain::input::{Act, By, Input};
use weir::domain::quality::{Flag, Test};
use weir::domain::time::{HOUR, MINUTE, Timestamp};

use play::run::Run;

/// 2026-06-01T20:00:00+08:00: midnight lies among the values.
const START: i64 = 1_780_315_200_000;
/// When all of it comes.
const NOW: i64 = START + 9 * HOUR;
/// A value comes every so often, and there are so many of them.
const EVERY: i64 = 20 * MINUTE;
const VALUES: i64 = 24;

const CHECKS: (&str, &str) = (
    "checks.csv",
    "span,property:dissolved_oxygen,10%,,,8,last_pass,2h,fail,test\n\
     zero,property:dissolved_oxygen,0.1,,,,day,,suspect,test\n",
);

static STREAM: LazyLock<&str> = LazyLock::new(|| "puhe-huishan/dissolved_oxygen");

/// A check of so many minutes after the start.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Made {
    kind: CheckKind,
    minute: i64,
    passed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Comes {
    Value(i64),
    Check(Made),
    Restart,
}

impl Made {
    fn at(self) -> i64 {
        START + self.minute * MINUTE
    }

    /// Gives what it covers, given the times of the others of its kind.
    fn covers(self, others: &[Made]) -> (i64, i64) {
        let at = self.at();
        let same = || others.iter().filter(|one| one.kind == self.kind).map(|one| one.at());
        let before = same().filter(|one| *one < at).max();
        let after = same().filter(|one| *one > at).min();
        let midnight = START + 4 * HOUR;
        let (from, to) = match self.kind {
            CheckKind::Span => (at - 2 * HOUR, at + 2 * HOUR),
            _ if at < midnight => (midnight - 24 * HOUR, midnight),
            _ => (midnight, midnight + 24 * HOUR),
        };
        (before.unwrap_or(from).max(from), after.unwrap_or(to).min(to))
    }
}

/// Checks of both kinds, at most as many as are remembered, each time once.
fn made() -> impl Strategy<Value = Vec<Made>> {
    let of = |kind| {
        prop::collection::btree_map(0..480_i64, any::<bool>(), 0..=8).prop_map(move |made| {
            let made = made.into_iter().map(|(minute, passed)| Made { kind, minute, passed });
            made.collect::<Vec<_>>()
        })
    };
    (of(CheckKind::Span), of(CheckKind::Zero)).prop_map(|(span, zero)| [span, zero].concat())
}

/// What comes in any order, some checks twice, with restarts between.
fn arrivals() -> impl Strategy<Value = (Vec<Made>, Vec<Comes>)> {
    (made(), 0..4_usize).prop_flat_map(|(made, restarts)| {
        let mut comes: Vec<Comes> = (0..VALUES).map(Comes::Value).collect();
        comes.extend(made.iter().chain(made.iter().step_by(3)).map(|one| Comes::Check(*one)));
        comes.extend(vec![Comes::Restart; restarts]);
        (Just(made), Just(comes).prop_shuffle())
    })
}

fn enter(run: &mut Run, made: Made, at: i64) {
    let registry = run.registry.clone();
    let stream = registry.datastreams.iter().find(|one| *one.name == **STREAM).unwrap();
    let value = match (made.kind, made.passed) {
        (CheckKind::Span, true) => 8.8,
        (CheckKind::Span, false) => 9.0,
        (_, true) => -0.1,
        (_, false) => 0.2,
    };
    run.input(Input::Act(Act::Check {
        station: stream.station,
        property: stream.property,
        position: "",
        kind: made.kind,
        value,
        standard: None,
        at: Timestamp(at),
        by: By { person: "Li Na", reason: "" },
    }));
}

fn play(comes: &[Comes]) -> Run {
    let mut run = Run::new(NOW, &[CHECKS]);
    for one in comes {
        match one {
            Comes::Value(turn) => {
                let oxygen = format!("\"do\":{}", 7.0 + 0.1 * (turn % 5) as f64);
                run.send("sonde-01", START + turn * EVERY, &oxygen);
            }
            Comes::Check(made) => enter(&mut run, *made, made.at()),
            Comes::Restart => run.player.restart(),
        }
    }
    run
}

/// Gives the flag of the test of each value.
fn flags(run: &Run) -> Vec<(i64, Flag)> {
    let mut streams = run.registry.datastreams.iter();
    let stream = streams.find(|one| *one.name == **STREAM).unwrap();
    let held = run.player.pipeline.state().stream(stream).unwrap().history.since(Timestamp(0));
    let flag = |entry: &weir::domain::history::Entry| entry.quality.flag(Test::ControlCheck);
    held.iter().map(|entry| (entry.time.millis(), flag(entry))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_value_is_flagged_by_the_checks_around_it_whenever_these_come(
        (made, comes) in arrivals(),
    ) {
        let run = play(&comes);
        let flags = flags(&run);
        prop_assert_eq!(flags.len() as i64, VALUES);
        for (time, flag) in flags {
            let mut want = Flag::NotEvaluated;
            for one in made.iter().filter(|one| !one.passed) {
                let (from, to) = one.covers(&made);
                if from <= time && time < to {
                    let of = if one.kind == CheckKind::Span { Flag::Fail } else { Flag::Suspect };
                    want = want.or_worse(of);
                }
            }
            prop_assert_eq!(flag, want, "{} of {:?}", (time - START) / MINUTE, made);
        }
    }
}

#[track_caller]
fn standing(run: &Run, want: &[(i64, i64)]) {
    let held = run.player.pipeline.state().invalidations.iter();
    let standing = held
        .filter(|one| one.revoked.is_none())
        .map(|one| ((one.from.millis() - START) / MINUTE, (one.to.millis() - START) / MINUTE));
    assert_eq!(standing.collect::<Vec<_>>(), want);
}

#[test]
fn what_a_person_takes_back_stays_taken_back_and_others_reach_past_it() {
    let span = |minute, passed| Made { kind: CheckKind::Span, minute, passed };
    let mut run = play(&(0..VALUES).map(Comes::Value).collect::<Vec<_>>());
    for made in [span(60, true), span(120, false), span(180, false)] {
        enter(&mut run, made, made.at());
    }
    standing(&run, &[(60, 180), (120, 300)]);
    let second = |run: &Run| {
        let mut held = run.player.pipeline.state().invalidations.iter();
        held.find(|one| one.from.millis() == START + 120 * MINUTE).unwrap().id
    };
    let id = second(&run);
    run.input(Input::Act(Act::Revoke { id, by: By { person: "Wang", reason: "old standard" } }));
    standing(&run, &[(60, 180)]);
    enter(&mut run, span(180, false), START + 180 * MINUTE);
    standing(&run, &[(60, 180)]);
    // Of what was taken back nobody knows what it showed: the next one reaches past it.
    enter(&mut run, span(240, false), START + 240 * MINUTE);
    standing(&run, &[(60, 180), (120, 360)]);
    enter(&mut run, span(300, true), START + 300 * MINUTE);
    standing(&run, &[(60, 180), (120, 300)]);
}

#[test]
fn a_check_that_is_corrected_is_judged_anew_and_a_very_old_one_is_let_be() {
    let span = |minute, passed| Made { kind: CheckKind::Span, minute, passed };
    let mut run = play(&[]);
    enter(&mut run, span(60, false), START + 60 * MINUTE);
    standing(&run, &[(-60, 180)]);
    enter(&mut run, span(60, true), START + 60 * MINUTE);
    standing(&run, &[]);
    enter(&mut run, span(60, false), START + 60 * MINUTE);
    standing(&run, &[(-60, 180)]);
    enter(&mut run, span(0, false), START - 801 * 24 * HOUR);
    standing(&run, &[(-60, 180)]);
    // Beyond those that are remembered, the same again is none all the same.
    for minute in 0..8 {
        enter(&mut run, span(minute, true), START + (100 + minute) * MINUTE);
    }
    standing(&run, &[(-60, 100)]);
    enter(&mut run, span(60, false), START + 60 * MINUTE);
    standing(&run, &[(-60, 100)]);
    for _ in 0..2 {
        enter(&mut run, span(0, false), START - 40 * HOUR);
        standing(&run, &[(-42 * 60, -38 * 60), (-60, 100)]);
    }
}
