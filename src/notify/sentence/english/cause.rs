//! What quality control found, in English: the fault, what to check first, and a name for it.

use crate::domain::alert::AlertChange;
use crate::domain::cause::{Cause, Found};
use crate::domain::check::{ByCheck, CheckKind};
use crate::domain::quality::{Flag, Test};
use crate::domain::time::Timestamp;

use super::super::{Scene, clock_off, lasting};
use super::DAYS;

const UNITS: [&str; 4] = [" d", " h", " min", " s"];

impl Scene<'_> {
    /// What is told of an instrument.
    pub(super) fn of_instrument(&self, who: &str, (since, until): (&str, &str)) -> String {
        let fault = self.fault();
        match self.event.change {
            AlertChange::Fired | AlertChange::Withdrawn | AlertChange::Changed => {
                let now = if self.event.change == AlertChange::Changed { "now " } else { "" };
                // A check says itself since when.
                let since = match self.event.cause {
                    Some(Cause { found: Found::Check(_), .. }) => String::new(),
                    Some(_) | None => self.since(", ", since),
                };
                format!("{who}: {now}{fault}{since}; {}", self.check_first())
            }
            AlertChange::Past => format!(
                "{who}: {fault}, from {since} to {until}; over before it could be told, found in \
                 what the broker had kept"
            ),
            AlertChange::Resolved => {
                let name = self.fault_name();
                let now = match self.event.value {
                    Some(_) => format!("{}, its values pass again", self.said()),
                    None => String::from("its values pass again"),
                };
                format!("{who}: {now}; {name}, from {since} to {until}")
            }
        }
    }

    /// `flat line: dissolved oxygen unchanged at 6.80 mg/L for 12 h`.
    fn fault(&self) -> String {
        let Some(cause) = self.event.cause else {
            return String::from("its instrument is at fault");
        };
        let (item, said, value) = (self.item(), self.said(), self.value_text());
        let long = |millis| lasting(millis, UNITS, " ");
        match cause.found {
            Found::Outside(low, high) => {
                let span = self.span_text(" to ", (low, high));
                format!("{said} is outside {} {span}", span_of(&cause))
            }
            Found::ClockOff(off) => {
                let side = if off > 0 { "ahead" } else { "behind" };
                format!("clock wrong by {}: it is {side}", long(clock_off(off)))
            }
            Found::Unchanged(millis) if cause.test == Test::StaleAnalyser => format!(
                "stale analyser: {item} {value} is the same in each sample for {}",
                long(millis)
            ),
            Found::Unchanged(millis) => {
                format!("flat line: {item} unchanged at {value} for {}", long(millis))
            }
            Found::Cold(temperature) => {
                format!("in ice or out of water: {said}, the water at {temperature:.1} °C")
            }
            Found::Times(times) => {
                let times = match times >= 1.0 {
                    true => format!("{times} times"),
                    false => format!("1/{} of", (1.0 / times).round()),
                };
                let before = self.before_text();
                format!("unit mistake: {said} is about {times} the value before, {before}")
            }
            Found::AboveRange(_) => {
                format!("range too small: {item} is above what the device can measure, {value}")
            }
            Found::Check(check) => self.failed_check(&check, cause.since),
            Found::Nothing => self.fault_plainly(&cause),
        }
    }

    /// `span check of 02:30 failed: ammonia nitrogen 1.620 against 2.000 ± 0.200 mg/L; values since
    /// 00:30 are in question`.
    fn failed_check(&self, check: &ByCheck, since: Timestamp) -> String {
        let (kind, found) = match check.kind {
            CheckKind::Zero => ("zero check", "against"),
            CheckKind::Span => ("span check", "against"),
            CheckKind::StandardSample => ("standard sample", "against"),
            CheckKind::SpikeRecovery => ("recovery of a spike", "found again, not"),
            CheckKind::ParallelSample => ("parallel sample", "against"),
        };
        let (value, passes) = self.check_texts(check, " to ");
        let [at, since] = [check.at, since].map(|at| self.clock(at, &DAYS));
        format!(
            "{kind} of {at} failed: {} {value} {found} {passes}; values since {since} are in \
             question",
            self.item()
        )
    }

    /// The same without numbers of the test.
    fn fault_plainly(&self, cause: &Cause) -> String {
        let (item, said, value) = (self.item(), self.said(), self.value_text());
        match cause.test {
            Test::GrossRange => format!("{said} is outside {}", span_of(cause)),
            Test::Clock => String::from("clock wrong"),
            Test::FlatLine => format!("flat line: {item} stays near {value}"),
            Test::StaleAnalyser => format!("stale analyser: {said} repeats the samples before"),
            Test::OutOfWater => format!("out of water: {said}"),
            Test::UnitMistake => format!("unit mistake: {said} is of another unit"),
            Test::DeviceMark if cause.flag == Flag::Fail => {
                format!("the device marks {said} as wrong")
            }
            Test::DeviceMark => format!("the device marks {said} as doubtful"),
            Test::Spike => format!("spike: {said} stands out from the values around it"),
            Test::RateOfChange => {
                format!("jump: {said} changed faster than it can, from {}", self.before_text())
            }
            Test::AttenuatedSignal => format!("weak signal: {item} hardly varies, {value} now"),
            Test::MultiVariate => {
                format!("contradiction: {said} does not agree with what is measured beside it")
            }
            Test::Drift => format!("drift: {item} is off its last calibration or check"),
            Test::Counter => {
                format!(
                    "counter fell: {said} is less than the state before, {}",
                    self.before_text()
                )
            }
            Test::ControlCheck => format!("failed check of {item}"),
            Test::Neighbour => format!("{said} agrees with no neighbouring station"),
            Test::Climatology
            | Test::TimingGap
            | Test::Members
            | Test::SiteCalendar
            | Test::Person
            | Test::Missing => format!("{said}: {}", self.fault_name()),
        }
    }

    /// Gives a short name: `flat line`, `outside the sensor's span`.
    pub(super) fn fault_name(&self) -> String {
        let Some(cause) = self.event.cause else { return String::from("instrument at fault") };
        let name = match cause.test {
            Test::GrossRange => {
                let Found::Outside(low, high) = cause.found else {
                    return format!("outside {}", span_of(&cause));
                };
                let span = self.span_text(" to ", (low, high));
                return format!("outside {} {span}", span_of(&cause));
            }
            Test::DeviceMark if cause.is_range() => "range too small",
            Test::Missing => "missing",
            Test::Clock => "clock wrong",
            Test::Members => "made of suspect values",
            Test::Climatology => "unusual for the time of the year",
            Test::Spike => "spike",
            Test::RateOfChange => "changed too fast",
            Test::FlatLine => "flat line",
            Test::AttenuatedSignal => "weak signal",
            Test::TimingGap => "after a gap",
            Test::MultiVariate => "contradicts another item",
            Test::Neighbour => "agrees with no neighbouring station",
            Test::DeviceMark => "marked by the device",
            Test::StaleAnalyser => "stale analyser",
            Test::OutOfWater => "out of water",
            Test::UnitMistake => "unit mistake",
            Test::Drift => "drift",
            Test::Counter => "counter fell",
            Test::ControlCheck => "failed check",
            Test::SiteCalendar => "the site's calendar",
            Test::Person => "doubted by a person",
        };
        name.to_owned()
    }

    /// Gives what the technician looks at first.
    fn check_first(&self) -> &'static str {
        let Some(cause) = self.event.cause else { return "check the instrument" };
        match cause.test {
            Test::GrossRange => "check the cable, the plug and the sensor's head first",
            Test::Clock => "check the logger's time, its zone and its time server first",
            Test::FlatLine => "check whether the probe is fouled or stuck and the pump runs first",
            Test::AttenuatedSignal => "check whether the probe is fouled or dry first",
            Test::StaleAnalyser => {
                "check the sampling pump, the reagents and the analyser's state first"
            }
            Test::OutOfWater => "check the water level at the intake and the probe's depth first",
            Test::UnitMistake => "check the unit set in the device against profiles.csv first",
            Test::DeviceMark if cause.is_range() => {
                "set a wider range or a dilution; nothing is wrong with the value itself"
            }
            Test::DeviceMark => "check what the device's own display says first",
            Test::Spike => "check the cable, air bubbles and the power supply first",
            Test::RateOfChange => "check the cable and whether somebody works at the site first",
            Test::MultiVariate => "check both sensors with a standard first",
            Test::Drift => "clean and calibrate the sensor first",
            Test::Counter => {
                "check whether the meter was exchanged (a row of counters.csv) or restarted first"
            }
            Test::ControlCheck => "check standard and reagents, and repeat the check first",
            Test::Neighbour => "compare with a hand-held meter first",
            Test::Climatology
            | Test::TimingGap
            | Test::Members
            | Test::SiteCalendar
            | Test::Person
            | Test::Missing => "check the instrument",
        }
    }
}

fn span_of(cause: &Cause) -> &'static str {
    if cause.flag == Flag::Fail { "the sensor's span" } else { "what is expected here," }
}
