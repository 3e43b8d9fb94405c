//! Why a value has the flags that it has: what each test saw of it, by the same neighbours and the
//! same functions by which it was judged.

use std::sync::Arc;

use crate::domain::history::Entry;
use crate::domain::invalidation::Invalidations;
use crate::domain::name::DatastreamId;
use crate::domain::observation::ObservationResult;
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{
    Attenuated, Climate, CrossCheck, CrossKind, Datastream, Falls, FlatLine, GrossRange, Rate,
    Registry, Spike, TimingGap, Tolerance, UnitMistake,
};
use crate::domain::time::Timestamp;
use crate::pipeline::Pipeline;
use crate::pipeline::covered::Covered;
use crate::pipeline::cross::when;
use crate::pipeline::qualify::{Seen, stands_beside, window};
use crate::pipeline::route::Routes;
use crate::pipeline::state::{State, StationState};
use crate::qc::{
    attenuated_signal, climatology, counter, drift, gross_range, neighbour, rate_of_change, spike,
    timing_gap, unit_mistake,
};

/// What stands on one side of a value in its own series.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Side {
    /// A value that it is held against.
    Value(Timestamp, f64),
    /// A value, but a gap is between them, or a sensor took the place of another.
    Apart(Timestamp),
    /// A value that is missing, or fails by itself: it is no neighbour.
    Unfit(Timestamp),
    /// Nothing that is held.
    Nothing,
}

/// What another datastream was found to say.
#[derive(Clone, PartialEq, Debug)]
pub struct Other<T> {
    /// The datastream.
    pub datastream: DatastreamId,
    /// What it says.
    pub found: T,
}

/// What a neighbour on the river showed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shown {
    /// Its datastream.
    pub datastream: DatastreamId,
    /// From when to before when its water was that of the value.
    pub when: (Timestamp, Timestamp),
    /// The least and the greatest value then.
    pub span: Option<(f64, f64)>,
}

/// What a test saw.
#[derive(Clone, PartialEq, Debug)]
pub enum Sight {
    /// Nothing: no row of the seeds asks for it.
    NotAsked,
    /// Nothing: what is missing is missing for it, too.
    NoValue,
    /// What the value says of itself, or was said of it when it was taken in.
    Said,
    /// Nothing that counts: the site's calendar leaves the test out.
    LeftOut,
    /// The value and two spans.
    GrossRange(GrossRange),
    /// Whether the value is exactly 0, and what that is.
    Zero(Flag),
    /// The row of the season, and what the companion says.
    Climatology(Option<Climate>, Option<f64>),
    /// The neighbours in time, and how far the value stands out from them.
    Spike(Spike, [Side; 2], Option<f64>),
    /// The value before, and how fast it changed, a second.
    Rate(Rate, Side, Option<f64>),
    /// The line that ends at the value, since when it lasts, and at which interval values come, ms.
    FlatLine(FlatLine, Timestamp, i64),
    /// How many values the window holds, and how much they vary.
    Attenuated(Attenuated, usize, Option<f64>),
    /// What came before.
    TimingGap(TimingGap, Option<Timestamp>),
    /// The level that is usual.
    UnitMistake(UnitMistake, Option<f64>),
    /// The state before.
    Counter(Falls, Option<(Timestamp, f64)>),
    /// When the next calibration took place, and what the value is by it.
    Drift(Tolerance, Option<(Timestamp, f64)>),
    /// The value before, and what each neighbour on the river showed from when to before when.
    Neighbour {
        /// How far values may lie apart.
        tolerance: Tolerance,
        /// The value before.
        before: Option<f64>,
        /// What the test said of the value before.
        doubted: bool,
        /// What each neighbour showed.
        shown: Vec<Shown>,
    },
    /// What each input of a check said, and what they come to.
    Check(Arc<CrossCheck>, Vec<Other<Option<f64>>>, Option<f64>),
    /// The last samples of each item, the newest first.
    Repeats(Arc<CrossCheck>, usize, Vec<Other<Vec<ObservationResult>>>),
}

impl Sight {
    /// Gives the check of several properties that it is of.
    #[must_use]
    pub fn check(&self) -> Option<&CrossCheck> {
        if let Self::Check(check, ..) | Self::Repeats(check, ..) = self {
            Some(check)
        } else {
            None
        }
    }
}

/// What one test says of a value.
#[derive(Clone, PartialEq, Debug)]
pub struct Explained {
    /// The test.
    pub test: Test,
    /// Its verdict.
    pub flag: Flag,
    /// What it saw.
    pub sight: Sight,
}

/// Why a value has the flags that it has.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The value as the ring holds it, with the flags that were told.
    pub held: Entry,
    /// Its flags by all that is known now.
    pub judged: Quality,
    /// What each test says, in the order of tests; a test with several checks has several.
    pub tests: Vec<Explained>,
}

/// Explains the value that the ring of a datastream holds of a time; nothing if it holds none.
#[must_use]
pub fn explain(
    looked: Looked<'_>,
    datastream: DatastreamId,
    time: Timestamp,
) -> Option<Explanation> {
    let registry = looked.registry;
    looking(looked).explained(registry, registry.datastream(datastream)?, time)
}

/// The state that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    /// The edition in force.
    pub registry: &'a Arc<Registry>,
    /// The stations, by id.
    pub stations: &'a [Option<Arc<StationState>>],
    /// What persons say of values.
    pub invalidations: &'a Arc<Invalidations>,
}

/// Makes a pipeline that only looks at a state.
fn looking(looked: Looked<'_>) -> Pipeline {
    let Looked { registry, stations, invalidations } = looked;
    let invalidations = Arc::clone(invalidations);
    Pipeline {
        registry: Arc::clone(registry),
        routes: Routes::default(),
        state: State { stations: stations.to_vec(), invalidations, ..State::default() },
        lines: Arc::default(),
        covered: Covered::default(),
        silence_due_ms: Vec::new(),
        averages_due: None,
        touched: std::collections::BTreeSet::new(),
        plans: Vec::new(),
        decoded: crate::decode::Decoded::default(),
        observed: Vec::new(),
        weighed: Vec::new(),
        controls: Vec::new(),
        due: std::collections::BTreeSet::new(),
    }
}

impl Pipeline {
    fn explained(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        time: Timestamp,
    ) -> Option<Explanation> {
        let history = &self.state.stream(datastream)?.history;
        let held = history.at_or_before(time).filter(|held| held.time == time)?;
        let mut seen = None;
        self.judge_seen(registry, datastream, (time, time.plus(1)), None, |one| seen = Some(one));
        let seen = seen?;
        let mut tests = Vec::new();
        for test in Test::ALL {
            let begun = tests.len();
            let own = self.of_series(registry, datastream, &seen, test);
            tests.extend(own.map(|(flag, sight)| Explained { test, flag, sight }));
            self.of_others(registry, datastream, &seen, test, &mut tests);
            if tests.len() == begun {
                let flag = seen.known.quality.flag(test);
                let said = flag != Flag::NotEvaluated;
                let sight = if said { Sight::Said } else { Sight::NotAsked };
                tests.push(Explained { test, flag, sight });
            }
        }
        let calendar = datastream.calendar.at(time);
        let left_out = |test| calendar.is_some_and(|one| one.without.iter().any(|of| of == test));
        for one in tests.iter_mut().filter(|one| left_out(one.test)) {
            (one.flag, one.sight) = (Flag::NotEvaluated, Sight::LeftOut);
        }
        Some(Explanation { held, judged: seen.known.quality, tests })
    }

    /// Tells what a test of the series itself says, if it is asked for.
    fn of_series(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        seen: &Seen,
        test: Test,
    ) -> Option<(Flag, Sight)> {
        let qc = &*datastream.qc;
        if test == Test::TimingGap {
            let last = seen.around.last;
            let gap = qc.timing_gap?;
            let flag = timing_gap::test(gap, last, seen.entry.time);
            return Some((flag, Sight::TimingGap(gap, last)));
        }
        let Some(number) = seen.entry.result.number() else {
            let missing =
                if test == Test::AttenuatedSignal { Flag::NotEvaluated } else { Flag::Missing };
            return qc.asked().any(|asked| asked == test).then_some((missing, Sight::NoValue));
        };
        let alone = of_value(registry, datastream, seen, (test, number));
        alone.or_else(|| self.of_neighbours_in_time(datastream, seen, (test, number)))
    }

    /// Tells what a test says that looks at the values before and after.
    fn of_neighbours_in_time(
        &self,
        datastream: &Datastream,
        seen: &Seen,
        (test, number): (Test, f64),
    ) -> Option<(Flag, Sight)> {
        let (qc, time) = (&*datastream.qc, seen.entry.time);
        match test {
            Test::Spike => {
                let sight = stands_out(qc.spike?, self.sides(datastream, seen), number);
                Some((seen.spike, sight))
            }
            Test::RateOfChange => {
                let (rate, before) = (qc.rate_of_change?, seen.around.before);
                let value = (time, number);
                let found = before.map(|before| rate_of_change::found(rate, before, value));
                let [side, _] = self.sides(datastream, seen);
                let flag = rate_of_change::test(rate, before, value);
                Some((flag, Sight::Rate(rate, side, found)))
            }
            Test::FlatLine => {
                let (flat, interval_ms) = (qc.flat_line?, datastream.interval_ms());
                let flag = seen.run.test_at(flat, time, interval_ms);
                Some((flag, Sight::FlatLine(flat, line_since(seen, flat), interval_ms)))
            }
            Test::AttenuatedSignal => {
                let asked = qc.attenuated_signal?;
                let values = window(self.state.stream(datastream)?, asked, seen.entry);
                let strength = attenuated_signal::strength(asked.check, &values);
                let found = (!values.is_empty()).then_some(strength);
                let flag = attenuated_signal::test(asked, &values);
                Some((flag, Sight::Attenuated(asked, values.len(), found)))
            }
            Test::Missing
            | Test::GrossRange
            | Test::Clock
            | Test::Members
            | Test::Climatology
            | Test::TimingGap
            | Test::MultiVariate
            | Test::Neighbour
            | Test::DeviceMark
            | Test::StaleAnalyser
            | Test::OutOfWater
            | Test::UnitMistake
            | Test::Drift
            | Test::Counter
            | Test::ControlCheck
            | Test::SiteCalendar
            | Test::Person => None,
        }
    }

    /// Tells what other series say by a test.
    fn of_others(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        seen: &Seen,
        test: Test,
        out: &mut Vec<Explained>,
    ) {
        let entry = seen.entry;
        let Some(number) = entry.result.number() else { return };
        for check in datastream.standing.judged_by.iter().filter(|check| check.test == test) {
            let flag = self.checked(registry, check, datastream, entry);
            let sight = match &check.kind {
                CrossKind::Expression { expression, .. } => {
                    let inputs = self.inputs(registry, check, datastream, entry);
                    let numbers: Option<Vec<f64>> = inputs.iter().map(|one| one.found).collect();
                    let value = numbers.and_then(|numbers| expression.evaluate(&numbers));
                    Sight::Check(Arc::clone(check), inputs, value)
                }
                CrossKind::Repeats { samples } => {
                    let items = self.items(registry, (check, *samples), datastream, entry);
                    Sight::Repeats(Arc::clone(check), *samples, items)
                }
            };
            out.push(Explained { test, flag, sight });
        }
        let Some(tolerance) = datastream.qc.neighbour.filter(|_| test == Test::Neighbour) else {
            return;
        };
        let neighbours = datastream.standing.neighbours.iter();
        let shown = neighbours.map(|one| Shown {
            datastream: one.datastream,
            when: when(*one, entry.time),
            span: self.shown_by(registry, *one, entry.time),
        });
        let shown: Vec<Shown> = shown.collect();
        let before = seen.series.before.map(|(_, before)| before);
        let doubted = seen.series.neighbour == Flag::Suspect;
        let jumped = before.is_some_and(|before| (number - before).abs() > tolerance.of(before));
        let mut flag = Flag::NotEvaluated;
        if (jumped || doubted) && !seen.known.quality.fails_alone() {
            let spans: Vec<(f64, f64)> = shown.iter().filter_map(|one| one.span).collect();
            flag = neighbour::test(tolerance, number, &spans);
        }
        let sight = Sight::Neighbour { tolerance, before, doubted, shown };
        out.push(Explained { test, flag, sight });
    }

    /// Tells what stands before and after a value.
    fn sides(&self, datastream: &Datastream, seen: &Seen) -> [Side; 2] {
        let Some(stream) = self.state.stream(datastream) else { return [Side::Nothing; 2] };
        let time = seen.entry.time;
        let side = |entry: Option<Entry>, value: Option<f64>| {
            let Some(entry) = entry else { return Side::Nothing };
            let (first, last) = (entry.time.min(time), entry.time.max(time));
            match value {
                _ if !stands_beside(datastream, first, last) => Side::Apart(entry.time),
                Some(value) => Side::Value(entry.time, value),
                None => Side::Unfit(entry.time),
            }
        };
        let before = stream.history.at_or_before(time.plus(-1));
        let after = stream.history.after(time);
        [side(before, seen.around.before.map(|(_, value)| value)), side(after, seen.around.after)]
    }

    /// Tells what each input of a check said when a value was measured.
    fn inputs(
        &self,
        registry: &Registry,
        check: &CrossCheck,
        datastream: &Datastream,
        entry: Entry,
    ) -> Vec<Other<Option<f64>>> {
        let found = |id: &DatastreamId| match *id == datastream.id {
            true => entry.result.number().filter(|_| !entry.quality.is_unreadable()),
            false => self.standing_beside(registry, *id, entry.time),
        };
        check.inputs().iter().map(|id| Other { datastream: *id, found: found(id) }).collect()
    }

    /// Tells the last samples of each item of an analyser.
    fn items(
        &self,
        registry: &Registry,
        (check, samples): (&CrossCheck, usize),
        datastream: &Datastream,
        entry: Entry,
    ) -> Vec<Other<Vec<ObservationResult>>> {
        let of = |id: &DatastreamId| {
            if *id == datastream.id {
                return self.last_samples(
                    registry,
                    datastream,
                    (entry.time, entry.result),
                    samples,
                );
            }
            let Some(item) = registry.datastream(*id) else { return Vec::new() };
            let sample = self.sample_of_cycle(registry, item, entry.time);
            sample.map(|one| self.last_samples(registry, item, one, samples)).unwrap_or_default()
        };
        check.judges.iter().map(|id| Other { datastream: *id, found: of(id) }).collect()
    }
}

/// Tells what a test says that looks at the value and what is known beside the series.
fn of_value(
    registry: &Registry,
    datastream: &Datastream,
    seen: &Seen,
    (test, number): (Test, f64),
) -> Option<(Flag, Sight)> {
    let (qc, time) = (&*datastream.qc, seen.entry.time);
    Some(match test {
        Test::GrossRange => {
            let spans = qc.gross_range?;
            (gross_range::test(spans, number), Sight::GrossRange(spans))
        }
        Test::OutOfWater => {
            let removed = qc.zero?;
            (if number == 0.0 { removed } else { Flag::Pass }, Sight::Zero(removed))
        }
        Test::Climatology => {
            let (climates, companion) = (qc.climatology.as_ref()?, seen.around.companion);
            let at = (time, &registry.station(datastream.station)?.zone);
            let row = climatology::fitting(climates, at, companion).copied();
            let flag = climatology::test(climates, at, companion, number);
            (flag, Sight::Climatology(row, companion))
        }
        Test::UnitMistake => {
            let (mistake, level) = (qc.unit_mistake?, seen.series.level);
            (unit_mistake::test(mistake, level, number), Sight::UnitMistake(mistake, level))
        }
        Test::Counter => {
            let (falls, before) = (qc.counter?, seen.series.before);
            let counter = registry.energy.counters.get(&datastream.id);
            (counter::test(falls, counter, before, (time, number)), Sight::Counter(falls, before))
        }
        Test::Drift => {
            let (tolerance, calibrations) = (qc.drift?, &datastream.calibrations);
            let flag = drift::test(tolerance, calibrations, (time, number));
            (flag, Sight::Drift(tolerance, drift::by_next(calibrations, (time, number))))
        }
        Test::Missing
        | Test::Clock
        | Test::Members
        | Test::Spike
        | Test::RateOfChange
        | Test::FlatLine
        | Test::AttenuatedSignal
        | Test::TimingGap
        | Test::MultiVariate
        | Test::Neighbour
        | Test::DeviceMark
        | Test::StaleAnalyser
        | Test::ControlCheck
        | Test::SiteCalendar
        | Test::Person => return None,
    })
}

/// Tells how far a value stands out from its neighbours.
fn stands_out(asked: Spike, sides: [Side; 2], number: f64) -> Sight {
    let found = match sides {
        [Side::Value(_, before), Side::Value(_, after)] => {
            Some(spike::height(asked.method, [before, number, after]))
        }
        _ => None,
    };
    Sight::Spike(asked, sides, found)
}

/// Gives since when the line lasts that ends at a value; its own time where it ends none.
fn line_since(seen: &Seen, flat: FlatLine) -> Timestamp {
    if flat.excuses(seen.entry.beside()) { seen.entry.time } else { seen.run.since() }
}
