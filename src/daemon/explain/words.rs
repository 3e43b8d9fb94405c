//! What each test saw, in words and as JSON.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::daemon::threshold::{self, length, number, with};
use crate::domain::name::DatastreamId;
use crate::domain::observation::{ObservationResult, Side as Beyond};
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{Datastream, Registry, SpikeMethod, Station};
use crate::domain::time::{HOUR, SECOND, Timestamp};
use crate::pipeline::explain::{Explained, Explanation, Other, Shown, Side, Sight};

/// An explanation, and what is needed to say it.
pub(super) struct Words<'a> {
    registry: &'a Registry,
    datastream: &'a Datastream,
    zone: &'a TimeZone,
    of: &'a Explanation,
    heard: Heard,
    unit: &'a str,
    decimals: usize,
}

/// What was said of the value.
pub(super) struct Heard {
    /// By persons.
    pub(super) persons: String,
    /// By checks of the instrument.
    pub(super) checks: String,
}

/// Says a flag.
fn flag(flag: Flag) -> String {
    let words = match flag {
        Flag::Pass => "passed",
        Flag::NotEvaluated => "not evaluated",
        Flag::Suspect => "suspect",
        Flag::Fail => "failed",
        Flag::Missing => "missing",
    };
    format!("{} {words}", flag.number())
}

impl<'a> Words<'a> {
    pub(super) fn new(
        registry: &'a Registry,
        datastream: &'a Datastream,
        station: &'a Station,
        (of, heard): (&'a Explanation, Heard),
    ) -> Self {
        let property = registry.property(datastream.property);
        let unit = property.map_or("", |property| registry.unit_label(property));
        let decimals = property.map_or(3, |property| usize::from(property.decimals));
        Self { registry, datastream, zone: &station.zone, of, heard, unit, decimals }
    }

    /// Says it line by line: the value, its flag and why, then test by test.
    pub(super) fn lines(&self) -> Vec<String> {
        let held = self.of.held;
        let value = self.result(held.result);
        let at = held.time.rfc3339(self.zone);
        let mut lines = vec![
            format!("{} {value} at {at}", self.datastream.name),
            format!("flag {}: {}", flag(held.flag()), self.why()),
        ];
        lines.extend(self.otherwise());
        let mut idle = Vec::new();
        for one in &self.of.tests {
            if one.sight == Sight::NotAsked {
                idle.push(one.test.name());
                continue;
            }
            let threshold = self.threshold(one);
            let threshold = threshold.map_or(String::new(), |words| format!("; {words}"));
            let (test, flag) = (one.test.name(), flag(one.flag));
            lines.push(format!("  {test}: {flag} – {}{threshold}", self.said(one).0));
        }
        let idle = idle.join(", ");
        lines.push(format!("not asked of it (no row in qc.csv or cross_checks.csv): {idle}"));
        lines
    }

    /// Gives it as JSON; times are milliseconds, numbers in the unit named.
    pub(super) fn json(&self) -> Value {
        let held = self.of.held;
        let tests = self.of.tests.iter().map(|one| {
            let (words, inputs) = self.said(one);
            let check = one.sight.check().map(|check| &*check.name);
            json!({
                "test": one.test.name(),
                "check": check,
                "flag": one.flag.number(),
                "asked": one.sight != Sight::NotAsked,
                "words": words,
                "inputs": inputs,
                "threshold": self.threshold(one),
            })
        });
        json!({
            "datastream": &*self.datastream.name,
            "time_ms": held.time.millis(),
            "value": held.result.number(),
            "shown": self.result(held.result),
            "unit": self.unit,
            "flag": held.flag().number(),
            "why": self.why(),
            "judged_now": self.of.judged.roll_up().number(),
            "tests": tests.collect::<Vec<_>>(),
        })
    }

    /// Says by what the flags of all tests are rolled up as they are.
    fn why(&self) -> String {
        let quality = self.of.held.quality;
        let names = |flag| quality.tests(flag).map(Test::name).collect::<Vec<_>>().join(", ");
        let mut why = match self.of.held.flag() {
            Flag::Missing => "there is no value, whatever else ran".to_owned(),
            Flag::Fail => format!("the worst flag counts; failed: {}", names(Flag::Fail)),
            Flag::Suspect => {
                let doubts = quality.doubts().map(Test::name).collect::<Vec<_>>();
                format!("the worst flag counts; suspect: {}", doubts.join(", "))
            }
            Flag::Pass => "no test doubts it".to_owned(),
            Flag::NotEvaluated => "no test could decide".to_owned(),
        };
        let dispersed: Vec<&str> = quality.dispersed().map(Test::name).collect();
        if !dispersed.is_empty() {
            let tests = dispersed.join(" and ");
            why.push_str(&format!(
                "; {tests} count for nothing: the next station on the river shows the same"
            ));
        }
        why
    }

    /// Says which tests would flag it otherwise than they did, if some would.
    fn otherwise(&self) -> Option<String> {
        let (told, now) = (self.of.held.quality, self.of.judged);
        let other = Test::ALL.into_iter().filter(|test| told.flag(*test) != now.flag(*test));
        let each = other.map(|test| format!("{} {}", test.name(), now.flag(test).number()));
        let each: Vec<String> = each.collect();
        (!each.is_empty()).then(|| {
            format!(
                "by what is known and asked now it would have flag {} ({}): the seeds have \
                 changed since, a person spoke of it after its day was closed, or what stood \
                 beside it is no more remembered",
                now.roll_up().number(),
                each.join(", ")
            )
        })
    }

    fn threshold(&self, one: &Explained) -> Option<String> {
        let unit = self.unit;
        Some(match &one.sight {
            Sight::GrossRange(spans) => threshold::gross_range(*spans, unit).en,
            Sight::Zero(removed) => threshold::zero(*removed).en,
            Sight::Climatology(row, _) => threshold::climate((*row)?, unit),
            Sight::Spike(asked, ..) => threshold::spike(*asked, unit).en,
            Sight::Rate(rate, ..) => threshold::rate_of_change(*rate, unit).en,
            Sight::FlatLine(flat, ..) => threshold::flat_line(*flat, unit).en,
            Sight::Attenuated(asked, ..) => threshold::attenuated(*asked, unit).en,
            Sight::TimingGap(gap, _) => threshold::timing_gap(gap.fail_ms).en,
            Sight::UnitMistake(mistake, _) => threshold::unit_mistake(*mistake).en,
            Sight::Drift(tolerance, _) => threshold::drift(*tolerance, unit).en,
            Sight::Counter(falls, _) => threshold::counter(*falls, unit).en,
            Sight::Neighbour { tolerance, .. } => threshold::neighbour(*tolerance, unit).en,
            Sight::Check(check, ..) | Sight::Repeats(check, ..) => threshold::check(check).en,
            Sight::NotAsked | Sight::NoValue | Sight::Said | Sight::LeftOut => return None,
        })
    }

    /// Says what a test saw, and gives it as JSON.
    fn said(&self, one: &Explained) -> (String, Value) {
        let own = self.of.held.result.number().map_or(String::new(), number);
        match &one.sight {
            Sight::NotAsked => ("no row of the seeds asks for it".to_owned(), Value::Null),
            Sight::NoValue => ("there is no value".to_owned(), Value::Null),
            Sight::Said => (self.of_itself(one), Value::Null),
            Sight::LeftOut => (format!("left out: {}", self.calendar()), Value::Null),
            Sight::GrossRange(_) | Sight::Zero(_) => (own, Value::Null),
            Sight::Climatology(row, companion) => {
                let words = match (row, self.datastream.qc.companion, companion) {
                    (Some(_), _, None) => own,
                    (None, Some(_), None) => {
                        "no row fits: what the companion says is not known".to_owned()
                    }
                    (None, ..) => "no row fits the time".to_owned(),
                    (Some(_), _, Some(says)) => format!("{own}, the companion {}", number(*says)),
                };
                (words, json!({ "companion": companion }))
            }
            Sight::Spike(asked, sides, found) => {
                (self.spike(asked.method, *sides, *found), self.sides(*sides, *found))
            }
            Sight::Rate(rate, before, found) => {
                let scale = (HOUR / SECOND) as f64 * if rate.relative { 100.0 } else { 1.0 };
                let found = found.map(|found| found * scale);
                let unit =
                    if rate.relative { "%/h".to_owned() } else { format!("{}/h", self.unit) };
                (self.rate(*before, found, &unit), self.sides([*before, Side::Nothing], found))
            }
            Sight::FlatLine(_, since, _) => self.line(*since),
            Sight::Attenuated(asked, count, found) => {
                let found_words = found.map_or("nothing".to_owned(), number);
                let words = format!("{found_words} of {count} values, {} needed", asked.needs);
                (words, json!({ "values": count, "found": found }))
            }
            Sight::TimingGap(_, last) => self.gap(*last),
            Sight::UnitMistake(_, level) => {
                let words = level.map_or("nothing usual is remembered".to_owned(), |level| {
                    format!("{own}, usual is {}", number(level))
                });
                (words, json!({ "usual": level }))
            }
            Sight::Drift(_, next) => {
                let words =
                    next.map_or("no later calibration is known".to_owned(), |(at, value)| {
                        let at = at.rfc3339(self.zone);
                        format!("{own}, by the calibration of {at} it is {}", number(value))
                    });
                let (at, value) = next.unzip();
                (words, json!({ "calibrated_ms": at.map(Timestamp::millis), "by_it": value }))
            }
            Sight::Counter(_, before) => {
                let words = before.map_or("no state before it is known".to_owned(), |before| {
                    format!("{own}, {} at {}", number(before.1), self.clock(before.0))
                });
                (words, json!({ "before": before.map(|(_, state)| state) }))
            }
            Sight::Neighbour { tolerance, before, doubted, shown } => {
                let far = before.map(|before| tolerance.of(before));
                (self.neighbour(*before, far, *doubted, shown), self.shown(*before, shown))
            }
            Sight::Check(_, inputs, value) => self.check(inputs, *value),
            Sight::Repeats(_, _, items) => self.repeats(items),
        }
    }

    fn line(&self, since: Timestamp) -> (String, Value) {
        let lasts = self.of.held.time.since(since);
        let words = match lasts {
            0 => "it differs from the value before".to_owned(),
            _ => format!("the same since {}, for {}", self.clock(since), length(lasts)),
        };
        (words, json!({ "since_ms": since.millis(), "lasts_ms": lasts }))
    }

    fn gap(&self, last: Option<Timestamp>) -> (String, Value) {
        let words = last.map_or("nothing is remembered before it".to_owned(), |last| {
            let gap = length(self.of.held.time.since(last));
            format!("the value before came {gap} earlier, at {}", self.clock(last))
        });
        (words, json!({ "before_ms": last.map(Timestamp::millis) }))
    }

    /// Says what is not worked out, but was said of the value when it came.
    fn of_itself(&self, one: &Explained) -> String {
        if one.test == Test::SiteCalendar {
            return self.calendar();
        } else if one.test == Test::DeviceMark {
            return self.mark();
        } else if one.test == Test::Person && !self.heard.persons.is_empty() {
            return self.heard.persons.clone();
        } else if one.test == Test::ControlCheck && !self.heard.checks.is_empty() {
            return self.heard.checks.clone();
        }
        let doubted = matches!(one.flag, Flag::Suspect | Flag::Fail);
        let words = match (one.test, doubted) {
            (Test::Missing, _) if one.flag == Flag::Missing => "there is no value",
            (Test::Missing, _) => "there is a value",
            (Test::Clock, true) => "the device's clock is far from the time of arrival",
            (Test::Clock, false) => "the device's clock and the time of arrival agree",
            (Test::Members, true) => "what it was made of is doubted itself",
            (Test::Members, false) => "what it was made of passed",
            (Test::ControlCheck, _) => "by a check of the instrument; see weir qc list",
            (Test::Person, _) => "a person said so; see weir qc list",
            _ => "as it was found when the value came",
        };
        words.to_owned()
    }

    /// Says what the site's calendar does of the time of the value.
    fn calendar(&self) -> String {
        let entry = self.datastream.calendar.at(self.of.held.time);
        let rows = entry.into_iter().flat_map(|entry| entry.rows.iter());
        let rows = rows.filter_map(|row| self.registry.calendar.get(*row as usize));
        let said = rows.map(|row| format!("{}: {} ({})", row.state.word(), row.reason, row.person));
        let said = said.collect::<Vec<_>>().join("; ");
        if said.is_empty() { "the calendar of the site".to_owned() } else { said }
    }

    /// Says what the device marked the value with.
    fn mark(&self) -> String {
        let mark = self.of.held.mark.and_then(|mark| self.registry.marks.get(mark));
        mark.map_or("by the mark of the device".to_owned(), |mark| match &*mark.cause {
            "" => format!("the device marked it {} of {}", mark.text, mark.vocabulary),
            cause => format!("the device marked it {} ({cause}) of {}", mark.text, mark.vocabulary),
        })
    }

    fn spike(&self, method: SpikeMethod, [before, after]: [Side; 2], found: Option<f64>) -> String {
        let own = self.of.held.result.number().unwrap_or_default();
        match (before, after, found) {
            (Side::Value(..), Side::Value(..), Some(found)) => {
                let of = format!("({}, {})", self.side(before), self.side(after));
                let (words, far) = (number(own), number(found));
                match method {
                    SpikeMethod::Average => {
                        format!("{words} stands {far} from the mean of its neighbours {of}")
                    }
                    SpikeMethod::Differential if found == 0.0 => {
                        format!("{words} does not stand out from its neighbours {of}")
                    }
                    SpikeMethod::Differential => {
                        let above = matches!(before, Side::Value(_, before) if own > before);
                        let side = if above { "above" } else { "below" };
                        format!("{words} stands {far} {side} the nearer neighbour {of}")
                    }
                }
            }
            (Side::Value(..), after, _) => format!("the next value {}", self.lack(after, false)),
            (before, ..) => format!("the value before {}", self.lack(before, true)),
        }
    }

    fn rate(&self, before: Side, found: Option<f64>, unit: &str) -> String {
        match (before, found) {
            (Side::Value(..), Some(found)) => {
                let own = self.of.held.result.number().unwrap_or_default();
                format!("{} after {}: {} {unit}", number(own), self.side(before), number(found))
            }
            _ => format!("nothing says that it changed: the value before {}", {
                self.lack(before, true)
            }),
        }
    }

    fn neighbour(
        &self,
        before: Option<f64>,
        far: Option<f64>,
        doubted: bool,
        shown: &[Shown],
    ) -> String {
        let own = self.of.held.result.number().unwrap_or_default();
        let jumped = before.zip(far).is_some_and(|(before, far)| (own - before).abs() > far);
        let jump = match before {
            None => "no value stands before it".to_owned(),
            Some(before) => format!("{} after {}", number(own), number(before)),
        };
        if !jumped && !doubted {
            return format!("{jump}: no jump that a neighbour would have to show");
        }
        let each = shown.iter().map(|Shown { datastream, when: (from, to), span }| {
            let when = format!("{} to {}", self.clock(*from), self.clock(*to));
            let showed = span.map_or("nothing".to_owned(), |(low, high)| {
                format!("{} to {}", number(low), number(high))
            });
            format!("{} showed {showed} from {when}", self.name(*datastream))
        });
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            true => format!("{jump}, and no station stands up or down the river"),
            false => format!("{jump}; {}", each.join("; ")),
        }
    }

    fn shown(&self, before: Option<f64>, shown: &[Shown]) -> Value {
        let each = shown.iter().map(|Shown { datastream, when: (from, to), span }| {
            json!({
                "datastream": self.name(*datastream),
                "from_ms": from.millis(),
                "to_ms": to.millis(),
                "low": span.map(|(low, _)| low),
                "high": span.map(|(_, high)| high),
            })
        });
        json!({ "before": before, "neighbours": each.collect::<Vec<_>>() })
    }

    fn check(&self, inputs: &[Other<Option<f64>>], value: Option<f64>) -> (String, Value) {
        let each = inputs.iter().map(|one| {
            let found = one.found.map_or("nothing that stands".to_owned(), number);
            format!("{} {found}", self.short(one.datastream))
        });
        let each = each.collect::<Vec<_>>().join(", ");
        let words = match value {
            Some(value) => format!("{} by {each}", number(value)),
            None => format!("can't be worked out of {each}"),
        };
        let numbers: Map<String, Value> = inputs
            .iter()
            .map(|one| (self.name(one.datastream).to_owned(), json!(one.found)))
            .collect();
        (words, json!({ "value": value, "of": numbers }))
    }

    fn repeats(&self, items: &[Other<Vec<ObservationResult>>]) -> (String, Value) {
        let texts = |one: &Other<Vec<ObservationResult>>| -> Vec<String> {
            one.found.iter().map(|result| result_text(*result, None)).collect()
        };
        let each = items
            .iter()
            .map(|one| format!("{} {}", self.short(one.datastream), texts(one).join(" then ")));
        let words = format!("newest first: {}", each.collect::<Vec<_>>().join(", "));
        let samples: Map<String, Value> = items
            .iter()
            .map(|one| (self.name(one.datastream).to_owned(), json!(texts(one))))
            .collect();
        (words, Value::Object(samples))
    }

    fn sides(&self, sides: [Side; 2], found: Option<f64>) -> Value {
        let side = |side: Side| match side {
            Side::Value(at, value) => json!({ "time_ms": at.millis(), "value": value }),
            Side::Apart(at) | Side::Unfit(at) => {
                json!({ "time_ms": at.millis(), "why_not": self.lack(side, false) })
            }
            Side::Nothing => Value::Null,
        };
        let [before, after] = sides.map(side);
        json!({ "before": before, "after": after, "found": found })
    }

    fn side(&self, side: Side) -> String {
        match side {
            Side::Value(at, value) => format!("{} at {}", number(value), self.clock(at)),
            Side::Apart(at) | Side::Unfit(at) => self.clock(at),
            Side::Nothing => "nothing".to_owned(),
        }
    }

    /// Says why a neighbour is none.
    fn lack(&self, side: Side, before: bool) -> String {
        match side {
            Side::Value(..) => "is there".to_owned(),
            Side::Apart(at) => {
                format!("is of {}: a gap, or another sensor, lies between", self.clock(at))
            }
            Side::Unfit(at) => format!("at {} is missing or fails by itself", self.clock(at)),
            Side::Nothing if before => "is not remembered".to_owned(),
            Side::Nothing => "has not come".to_owned(),
        }
    }

    /// Writes a time, without its date where that is the value's.
    fn clock(&self, at: Timestamp) -> String {
        let (whole, own) = (at.rfc3339(self.zone), self.of.held.time.rfc3339(self.zone));
        let same_day = whole.get(..10) == own.get(..10);
        let clock = match whole.get(16..19) {
            Some(":00") => whole.get(11..16),
            _ => whole.get(11..19),
        };
        clock.filter(|_| same_day).map_or(whole.clone(), str::to_owned)
    }

    fn name(&self, id: DatastreamId) -> &'a str {
        self.registry.datastream(id).map_or("", |one| &*one.name)
    }

    /// Names a datastream without its station.
    fn short(&self, id: DatastreamId) -> &'a str {
        let name = self.name(id);
        name.split_once('/').map_or(name, |(_, rest)| rest)
    }

    fn result(&self, result: ObservationResult) -> String {
        let text = result_text(result, Some(self.decimals));
        if result.number().is_some() { with(text, self.unit) } else { text }
    }
}

fn result_text(result: ObservationResult, decimals: Option<usize>) -> String {
    let written = |value: f64| match decimals {
        Some(decimals) => format!("{value:.decimals$}"),
        None => number(value),
    };
    match result {
        ObservationResult::Value(value) => written(value),
        ObservationResult::Censored { side: Beyond::Below, limit } => {
            format!("<{}", written(limit))
        }
        ObservationResult::Censored { side: Beyond::Above, limit } => {
            format!(">{}", written(limit))
        }
        ObservationResult::Nil(_) => "no value".to_owned(),
    }
}
