//! Whether somebody is to look after an instrument: what the flags of its values say, in the one
//! alert about it, with the numbers by which they say so.

use crate::alert::instrument::{self, Change, Finding, Terms, Watch};
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Subject};
use crate::domain::cause::{Cause, Found, TestFlags};
use crate::domain::observation::{Observation, ObservationResult, QualifiedObservation, Side};
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{Datastream, Registry, RuleKind};
use crate::domain::time::{PhenomenonTime, Timestamp};
use crate::pipeline::alert::before_value;
use crate::pipeline::qualify::Telling;
use crate::pipeline::state::{StationState, StreamState};
use crate::pipeline::{Pipeline, Processed};

/// What is wrong with several items of a station if it is with one: they hang in the same water, by
/// the same clock, or come of one analyser. One alert of the station tells it.
const OF_STATION: [Test; 3] = [Test::Clock, Test::OutOfWater, Test::StaleAnalyser];
/// Up to which water temperature a probe that seems to be out of water may be in ice, Cel.
const COLD: f64 = 0.5;
/// From how many times as much on a value may be one of another unit; powers of ten are told.
const TIMES_MIN: f64 = 5.0;

impl Pipeline {
    /// Changes the alert about a datastream's instrument by a value that is its newest, or a
    /// revision of it, if that is news.
    pub(super) fn instrument(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        qualified: &QualifiedObservation,
        telling: Telling,
        out: &mut Processed,
    ) {
        let rule = datastream.instrument_rule.and_then(|rule| registry.rule(rule));
        let Some((rule, RuleKind::Instrument { tests, pending, keep })) =
            rule.map(|rule| (rule, rule.kind))
        else {
            return;
        };
        // What is made of other values has no instrument.
        if !datastream.formulas.is_empty() {
            return;
        }
        let found = finding(tests, qualified);
        let fresh = AlertId(self.state.alerts + 1);
        let watch = self.state.stream(datastream).and_then(|one| one.instrument.as_ref());
        if watch.is_none() && !matches!(found, Finding::Fault(..)) {
            return;
        }
        let Some(stream) = self.stream_mut(datastream) else { return };
        let watch = stream.instrument.get_or_insert_with(|| Box::new(Watch::new(rule.id)));
        let (of_station, told_by) = (watch.of_station, watch.told_by);
        let span = qualified.observation.phenomenon_time;
        // A clock that is wrong does not say since when it is.
        let when = match qualified.observation.clock {
            Flag::Suspect | Flag::Fail => PhenomenonTime::Instant(telling.now.wall),
            Flag::Pass | Flag::NotEvaluated | Flag::Missing => span,
        };
        let change = instrument::judge(Terms { pending, keep }, watch, found, when, || fresh);
        if watch.is_idle() {
            stream.instrument = None;
        }
        let Some(change) = change else {
            let told = stream.instrument.as_ref().and_then(|watch| watch.firing());
            if let (Some((alert, _)), Finding::Fault(..)) = (told, found) {
                self.tell_what_lasts(alert, when.start(), telling.backlog, out);
            }
            return;
        };
        let station = self.station_mut(datastream.station);
        let Some(of_station) =
            station.and_then(|station| shared(station, datastream, change, of_station))
        else {
            return;
        };
        let (station, itself) = (datastream.station, Subject::Datastream(datastream.id));
        let subject = if of_station { Subject::Station(station) } else { itself };
        let Change { alert, change, at, since, well_since, cause } = change;
        self.state.alerts += u64::from(change == AlertChange::Fired);
        let event = AlertEvent::plain(alert, told_by, subject, change, (at, since));
        let mut event = AlertEvent { well_since, ..event };
        // Of a clock no value says anything.
        if cause.0 != Test::Clock {
            event.span = Some(span);
            event.before = before_value(self.state.stream(datastream), datastream, span);
            event = with_value(event, &qualified.observation);
        }
        let cause = match change {
            // Nothing is wrong with the value that ends it.
            AlertChange::Resolved => {
                let (test, flag) = cause;
                Cause { test, flag, since, found: Found::Nothing, datastream: datastream.id }
            }
            AlertChange::Fired
            | AlertChange::Changed
            | AlertChange::Past
            | AlertChange::Withdrawn => {
                self.cause(registry, datastream, qualified, cause, Some(telling.now.wall))
            }
        };
        let (event, cause) = match cause.test == Test::OutOfWater {
            true => self.by_conductivity(registry, datastream, event, cause),
            false => (event, cause),
        };
        let event = self.with_cause(datastream, event, cause);
        self.tell_fault(event, telling.backlog, out);
    }

    /// Names the cause of an alert, which lasts since the first value of a line, and not since the
    /// line was long enough.
    fn with_cause(
        &mut self,
        datastream: &Datastream,
        event: AlertEvent,
        cause: Cause,
    ) -> AlertEvent {
        let began = cause.since.min(event.since);
        let event = AlertEvent { cause: Some(Cause { since: began, ..cause }), ..event };
        let line = matches!(cause.test, Test::FlatLine | Test::StaleAnalyser);
        if !line || event.change != AlertChange::Fired {
            return event;
        }
        let stream = self.stream_mut(datastream);
        if let Some(watch) = stream.and_then(|stream| stream.instrument.as_deref_mut()) {
            watch.begun(began);
        }
        AlertEvent { since: began, ..event }
    }

    /// Gives what a test found, with its numbers. `now` is when the value came, if it came live.
    pub(super) fn cause(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        qualified: &QualifiedObservation,
        (test, flag): (Test, Flag),
        now: Option<Timestamp>,
    ) -> Cause {
        let observation = &qualified.observation;
        let at = observation.phenomenon_time;
        let stream = self.state.stream(datastream);
        let mut cause = Cause {
            test,
            flag,
            since: at.start(),
            found: Found::Nothing,
            datastream: datastream.id,
        };
        cause.found = match test {
            Test::GrossRange => outside(datastream, flag),
            Test::DeviceMark => above(observation.result),
            Test::Clock => now.map_or(Found::Nothing, |now| {
                let off = at.end().since(now);
                let judgement = &registry.judgement;
                let told =
                    off > judgement.clock_ahead_max_ms || -off > judgement.clock_behind_max_ms;
                if told { Found::ClockOff(off) } else { Found::Nothing }
            }),
            Test::FlatLine | Test::StaleAnalyser => {
                let line = datastream.qc.flat_line.filter(|_| test == Test::FlatLine);
                let within = line.map(|line| line.tolerance);
                let first = stream.and_then(|stream| first_alike(stream, observation, within));
                cause.since = first.unwrap_or(cause.since);
                match first.map(|first| at.start().since(first)) {
                    Some(unchanged) if unchanged > 0 => Found::Unchanged(unchanged),
                    Some(_) | None => Found::Nothing,
                }
            }
            Test::UnitMistake => stream.map_or(Found::Nothing, |stream| times(stream, observation)),
            Test::OutOfWater => match self.water_temperature(registry, datastream, at) {
                Some(temperature) if temperature <= COLD => Found::Cold(temperature),
                Some(_) | None => Found::Nothing,
            },
            Test::ControlCheck => {
                let standing = self.state.invalidations.standing(datastream, at.start());
                let by_checks = standing.filter(|one| one.flag == flag);
                let check = by_checks.filter_map(|one| Some((one.from, one.by_check?))).last();
                cause.since = check.map_or(cause.since, |(from, _)| from);
                check.map_or(Found::Nothing, |(_, check)| Found::Check(check))
            }
            Test::Missing
            | Test::Members
            | Test::Climatology
            | Test::Spike
            | Test::RateOfChange
            | Test::AttenuatedSignal
            | Test::TimingGap
            | Test::MultiVariate
            | Test::Neighbour
            | Test::Drift
            | Test::Counter
            | Test::SiteCalendar
            | Test::Person => Found::Nothing,
        };
        cause
    }

    fn water_temperature(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        at: PhenomenonTime,
    ) -> Option<f64> {
        let temperature = of_water(registry, datastream, "Cel")?.property;
        self.beside(registry, datastream, at, temperature)
    }

    /// Names the conductivity where a probe is out of water or in it again: it is what shows it.
    fn by_conductivity(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        event: AlertEvent,
        cause: Cause,
    ) -> (AlertEvent, Cause) {
        let conductivity = of_water(registry, datastream, "uS/cm");
        let conductivity = conductivity.filter(|one| one.id != datastream.id);
        let newest = conductivity.and_then(|one| Some((one.id, self.state.stream(one)?.newest?)));
        let at = event.span.map_or(event.at, PhenomenonTime::start);
        match newest {
            Some((id, entry)) if at.since(entry.time).abs() <= datastream.stands_for_ms() => {
                let span = Some(PhenomenonTime::Instant(entry.time));
                let value = entry.result.number();
                let event = AlertEvent { span, value, before: None, side: None, ..event };
                (event, Cause { datastream: id, ..cause })
            }
            Some(_) | None => (event, cause),
        }
    }
}

/// Finds the first datastream of water in a unit at the station of another.
fn of_water<'a>(
    registry: &'a Registry,
    datastream: &Datastream,
    unit: &str,
) -> Option<&'a Datastream> {
    let station = registry.station(datastream.station)?;
    let mut streams = station.datastreams.iter().filter_map(|id| registry.datastream(*id));
    streams.find(|stream| {
        registry.property(stream.property).is_some_and(|property| {
            &*property.medium == "water" && registry.unit_name(property) == unit
        })
    })
}

/// Says what a value means for its instrument.
fn finding(tests: TestFlags, qualified: &QualifiedObservation) -> Finding {
    let result = qualified.observation.result;
    if matches!(result, ObservationResult::Nil(_)) {
        return Finding::Unknown;
    }
    // Somebody is at it.
    let at_it = [Test::Person, Test::SiteCalendar].into_iter();
    let mut at_it = at_it.filter(|test| qualified.quality.flag(*test) == Flag::Fail);
    if at_it.any(|test| !tests.holds(test, Flag::Fail)) {
        return Finding::Unknown;
    }
    if let Some((test, flag)) = tests.most(&qualified.quality) {
        return Finding::Fault(test, flag);
    }
    let range = above(result) != Found::Nothing && tests.holds(Test::DeviceMark, Flag::Fail);
    match qualified.flag() {
        _ if range => Finding::Fault(Test::DeviceMark, Flag::Pass),
        // What failed for another reason says nothing of the instrument.
        Flag::Fail | Flag::Missing | Flag::NotEvaluated => Finding::Unknown,
        Flag::Pass | Flag::Suspect => Finding::Sound,
    }
}

/// Says whether a change is one of the station; nothing if another of its datastreams told it
/// already, or tells it when it is its turn.
fn shared(
    station: &mut StationState,
    datastream: &Datastream,
    change: Change,
    of_station: bool,
) -> Option<bool> {
    let (test, _) = change.cause;
    let own = usize::from(datastream.slot);
    let others = station.streams.iter().enumerate().filter(|(slot, _)| *slot != own);
    let mut others = others.filter_map(|(_, stream)| stream.instrument.as_deref());
    match change.change {
        AlertChange::Fired => {
            if !OF_STATION.contains(&test) || station.streams.len() < 2 {
                return Some(false);
            }
            let same = |one: &&Watch| one.of_station && one.firing().is_some() && one.told_of(test);
            let held = others.find(same).cloned();
            let watch = station.streams.get_mut(own)?.instrument.as_deref_mut()?;
            watch.of_station = true;
            let Some(held) = held else { return Some(true) };
            watch.join(&held);
            None
        }
        AlertChange::Changed if of_station => {
            let told = station.streams.get(own)?.instrument.as_deref()?.clone();
            let fires = |one: &&mut Watch| one.firing().is_some_and(|(of, _)| of == change.alert);
            let watches =
                station.streams.iter_mut().filter_map(|one| one.instrument.as_deref_mut());
            watches.filter(fires).for_each(|watch| watch.learn(&told));
            Some(true)
        }
        AlertChange::Resolved if of_station => {
            let lasts = others.any(|one| one.firing().is_some_and(|(of, _)| of == change.alert));
            (!lasts).then_some(true)
        }
        AlertChange::Changed
        | AlertChange::Resolved
        | AlertChange::Past
        | AlertChange::Withdrawn => Some(false),
    }
}

fn with_value(event: AlertEvent, observation: &Observation) -> AlertEvent {
    let side = match observation.result {
        ObservationResult::Censored { side, .. } => Some(side),
        ObservationResult::Value(_) | ObservationResult::Nil(_) => None,
    };
    AlertEvent { value: observation.result.number(), side, ..event }
}

/// Gives the span that a value lies outside of.
fn outside(datastream: &Datastream, flag: Flag) -> Found {
    let spans = datastream.qc.gross_range;
    let span = spans.and_then(|spans| if flag == Flag::Fail { spans.fail } else { spans.suspect });
    span.map_or(Found::Nothing, |(low, high)| Found::Outside(low, high))
}

fn above(result: ObservationResult) -> Found {
    match result {
        ObservationResult::Censored { side: Side::Above, limit } => Found::AboveRange(limit),
        ObservationResult::Censored { side: Side::Below, .. }
        | ObservationResult::Value(_)
        | ObservationResult::Nil(_) => Found::Nothing,
    }
}

/// Gives the time of the first of the values before one that are the same as it, or lie closer to
/// it than a tolerance.
fn first_alike(
    stream: &StreamState,
    observation: &Observation,
    within: Option<f64>,
) -> Option<Timestamp> {
    let value = observation.result.number()?;
    let until = observation.phenomenon_time.start().plus(1);
    let held = stream.history.between(Timestamp(i64::MIN), until);
    let numbers = held.iter().rev().filter_map(|entry| Some((entry.time, entry.result.number()?)));
    let alike = |number: f64| match within {
        Some(tolerance) => (number - value).abs() < tolerance,
        None => number.total_cmp(&value).is_eq(),
    };
    let alike = numbers.take_while(|(_, number)| alike(*number));
    alike.last().map(|(time, _)| time)
}

/// Gives the power of ten by which a value is off the last usable one before it.
fn times(stream: &StreamState, observation: &Observation) -> Found {
    let at = observation.phenomenon_time.start();
    let held = stream.history.between(Timestamp(i64::MIN), at);
    let before = held.iter().rev().find(|entry| entry.is_usable());
    let before = before.and_then(|entry| entry.result.number());
    let (Some(value), Some(before)) = (observation.result.number(), before) else {
        return Found::Nothing;
    };
    let times = value / before;
    if !times.is_finite() || times <= 0.0 || (1.0 / TIMES_MIN..TIMES_MIN).contains(&times) {
        return Found::Nothing;
    }
    Found::Times(10_f64.powf(times.log10().round()))
}

impl StreamState {
    /// Forgets what is remembered of its instrument; gives what fired.
    pub(super) fn forget_instrument(&mut self) -> Option<Watch> {
        self.instrument.take().map(|watch| *watch).filter(|watch| watch.firing().is_some())
    }
}
