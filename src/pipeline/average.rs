//! Averages are given out when they are due: hours, the running eight hours, days, months, quarters
//! and years, each made of the ones before it.

use std::collections::BTreeSet;

use crate::aggregate::mean::{self, Member, Summary};
use crate::aggregate::window::{Kept, Place, Windows};
use crate::domain::assessment::Assessment;
use crate::domain::history::Entry;
use crate::domain::observation::{
    Completeness, Coverage, NilReason, Observation, ObservationResult, Period, QualifiedObservation,
};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{
    Average, Combine, Counter, Datastream, Members, ObservedProperty, Registry, Sampling,
};
use crate::domain::time::{DAY, HOUR, Moment, PhenomenonTime, Timestamp};
use crate::pipeline::meter;
use crate::pipeline::state::StreamState;
use crate::pipeline::{Pipeline, Processed};

/// How long hours are kept: a day that a value as old as the horizon of 26 h touches is made of
/// hours up to a day older, and it may wait to be given out.
pub(super) const HOURS_KEPT_MS: i64 = 52 * HOUR;
/// How long days are kept where nothing is made of them.
const DAYS_KEPT_MS: i64 = 4 * DAY;
/// How long days are kept where years are made of them.
const DAYS_OF_A_YEAR_KEPT_MS: i64 = 400 * DAY;
/// How long months, quarters and years are kept.
const LONGER_KEPT_MS: i64 = 800 * DAY;
/// How long after its end a day, month, quarter or year is given out.
pub(super) const SETTLE_MS: i64 = HOUR;
/// How many days without any value are told one by one after a time in which no clock was heard.
const DAYS_UNHEARD_MAX: i64 = 8;
/// The periods that are made of days, in the order of [`StreamState::longer`].
pub(super) const LONGER: [Period; 3] = [Period::Month, Period::Quarter, Period::Year];

/// An average that is due.
#[derive(Clone, Copy, Debug)]
struct Given {
    period: Period,
    span: (Timestamp, Timestamp),
    value: Option<f64>,
    suspect: bool,
    partial: bool,
    completeness: Completeness,
    place: Place,
    /// Whether it is stored; the hours of samples are not.
    told: bool,
}

/// What averages are made by.
struct Maker<'a> {
    datastream: &'a Datastream,
    property: &'a ObservedProperty,
    zone: &'a jiff::tz::TimeZone,
    /// The meter behind it, if it is a counter.
    counter: Option<&'a Counter>,
    /// The hours of the flow, where the day means are weighted by it.
    flow: Option<Windows>,
    now: Timestamp,
    /// Whether suspect values enter beside those that passed.
    suspect_enters: bool,
}

impl Pipeline {
    /// Notes that an observation belongs to an hour, which is to be given out then. The ring has
    /// not taken it in yet.
    pub(super) fn note_hour(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
        revised: bool,
        now: Timestamp,
    ) {
        let Some(stream) = self.stream_mut(datastream) else { return };
        let due = note_hour(stream, registry, datastream, (entry, revised), now);
        self.averages_due = earlier(self.averages_due, due);
    }

    /// Gives out what is due of one datastream, and when it is to be looked at again.
    pub(super) fn give_averages(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        at: Moment,
        out: &mut Processed,
    ) -> Option<Timestamp> {
        let now = at.wall;
        let property = registry.property(datastream.property)?;
        let station = registry.station(datastream.station)?;
        let in_service = station.validity.holds(now);
        let state = self.station_mut(datastream.station)?;
        let flow = datastream.weight.and_then(|slot| state.streams.get(usize::from(slot)));
        let flow = flow.map(|stream| stream.hours.clone());
        let counter = registry.energy.counters.get(&datastream.id);
        let (zone, suspect_enters) = (&station.zone, registry.judgement.suspect_in_means);
        let maker = Maker { datastream, property, zone, counter, flow, now, suspect_enters };
        let stream = state.streams.get_mut(usize::from(datastream.slot))?;
        let mut given = Vec::new();
        maker.hours(stream, &mut given);
        maker.days(stream, in_service, &mut given, &mut out.coverage);
        maker.longer(stream, &mut given);
        let due = stream.due();
        for average in given {
            self.give(registry, datastream, average, at, out);
        }
        due
    }

    /// Puts what a day came to in the place of what was told of it, and has the months, quarters
    /// and years that are made of it given out again.
    pub(super) fn replace_day(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        day: Kept,
        now: Timestamp,
    ) {
        let of = (registry.property(datastream.property), registry.station(datastream.station));
        let (Some(property), Some(station)) = of else { return };
        let zone = &station.zone;
        let Some((start, end)) = Period::Day.around(day.start, zone) else { return };
        if start != day.start || day.value.is_some_and(|value| !value.is_finite()) {
            return;
        }
        let in_service = station.validity.holds(now);
        let suspect_enters = registry.judgement.suspect_in_means;
        let (counter, flow) = (None, None);
        let maker = Maker { datastream, property, zone, counter, flow, now, suspect_enters };
        let Some(stream) = self.stream_mut(datastream) else { return };
        maker.keep_day(stream, day);
        maker.mark_longer(stream, Members::Days, start);
        // Where nothing had come in time, no day was told at all.
        let later = stream.days.kept().any(|kept| kept.start > start);
        if in_service && !later && stream.days.first_waiting().is_none() {
            maker.mark_next_day(stream, end);
        }
        let due = stream.due();
        self.averages_due = earlier(self.averages_due, due);
    }

    /// Turns an average into an observation and judges it, the newest anew when it is revised. One
    /// before the newest has a verdict of its own and is no news: it neither fires nor resolves.
    fn give(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        given: Given,
        at: Moment,
        out: &mut Processed,
    ) {
        let (start, end) = given.span;
        self.note_evaluation(datastream, given.period, start);
        if !given.told {
            return;
        }
        let mut quality = Quality::default();
        quality.set(Test::Members, if given.suspect { Flag::Suspect } else { Flag::Pass });
        let result = match given.value {
            Some(value) => ObservationResult::Value(value),
            None => {
                quality.set(Test::Missing, Flag::Missing);
                ObservationResult::Nil(NilReason::Incomplete)
            }
        };
        let observation = Observation {
            datastream: datastream.id,
            period: given.period,
            phenomenon_time: PhenomenonTime::Interval { start, end },
            result,
            raw: None,
            clock: Flag::NotEvaluated,
            mark: None,
        };
        let Place { revision, newest } = given.place;
        let completeness = Some(given.completeness);
        let qualified =
            QualifiedObservation { observation, quality, revision, completeness, flag_only: false };
        out.observations.push(qualified);
        if newest {
            let backlog = self.kept_at(datastream.station, end, at);
            self.judge(registry, datastream, &qualified, backlog, out);
        } else if let Some(stream) = self.stream_mut(datastream) {
            let mut last = stream.last.clone();
            let assessment = self.assess(registry, datastream, &qualified, &mut last);
            out.assessments.push(Assessment { changed: true, ..assessment });
        }
    }
}

/// Gives the earlier of two times at which something is due.
pub(super) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Notes that an observation belongs to an hour, which is to be given out then; gives when
/// something of the datastream is.
pub(super) fn note_hour(
    stream: &mut StreamState,
    registry: &Registry,
    datastream: &Datastream,
    (entry, revised): (Entry, bool),
    now: Timestamp,
) -> Option<Timestamp> {
    let zone = &registry.station(datastream.station)?.zone;
    let hour = entry.time.hour_start(zone);
    if hour.plus(HOURS_KEPT_MS) < now {
        return None;
    }
    let settle_ms = registry.judgement.settle_hour_ms;
    let counter = registry.energy.counters.get(&datastream.id);
    let expected = datastream.hour_mean.map(|rule| rule.expected);
    stream.hours.mark(hour, !revised, |received, given| {
        // A device that sends more than expected must not revise its hour with every value. A
        // meter's hour lacks the first reading after it, however many there are in it.
        let complete = expected == Some(received) && !given && counter.is_none();
        // A mean of an hour that is not over is none, however many values there are of it.
        now.max(hour.plus(if complete { HOUR } else { HOUR + settle_ms }))
    });
    if let Some(counter) = counter {
        // The rule of a meter's hour counts minutes and not readings.
        let expected = u32::try_from(HOUR / datastream.expected_every_ms.max(1)).ok();
        meter::note(stream, counter, meter::Noted { entry, expected, settle_ms, zone, now });
    }
    stream.due()
}

impl Maker<'_> {
    fn hours(&self, stream: &mut StreamState, out: &mut Vec<Given>) {
        let before = if self.datastream.averages.iter().any(of_eight_hours) {
            self.last_end(&stream.hours.kept().collect::<Vec<_>>())
        } else {
            None
        };
        let mut starts = Vec::new();
        while let Some((start, received)) = stream.hours.next_due(self.now) {
            let end = start.plus(HOUR);
            let rule = self.datastream.hour_mean;
            let (kept, completeness) = match self.counter {
                Some(counter) => meter::hour(stream, (start, end), counter, rule, received),
                None => self.hour(stream, (start, end), received),
            };
            let Kept { value, suspect, partial, .. } = kept;
            self.mark(&mut stream.days, Period::Day, start);
            // After a time in which no clock was heard, a day may wait that is older.
            let since = self.now.plus(-HOURS_KEPT_MS);
            let since = stream.days.first_waiting().map_or(since, |day| day.min(since));
            let spared = meter::day_before_a_gap(stream, self.zone);
            let stays =
                |hour| since <= hour || spared.is_some_and(|(from, to)| from <= hour && hour < to);
            let place = stream.hours.keep(kept, self.now, stays);
            let told = rule.is_some();
            let span = (start, end);
            out.push(Given {
                period: Period::Hour,
                span,
                value,
                suspect,
                partial,
                completeness,
                place,
                told,
            });
            starts.push(start);
        }
        self.eight_hours(stream, &starts, before, out);
    }

    /// Sums up the values of an hour.
    fn hour(
        &self,
        stream: &StreamState,
        (start, end): (Timestamp, Timestamp),
        received: u32,
    ) -> (Kept, Completeness) {
        let combine = self.property.combine;
        let entries = stream.history.between(start, end);
        let rule = self.datastream.hour_mean;
        let needs = rule.map_or(1, |rule| rule.needs);
        let mut summary = self.sum_up(&entries, needs, |some| mean::of_entries(combine, some));
        if matches!(combine, Combine::NoMean | Combine::Counter) {
            let count = if self.suspect_enters { mean::usable } else { mean::passed };
            summary.valid = count(&entries);
            summary.value = None;
        }
        let enough = rule.is_none_or(|rule| summary.made_of >= rule.needs);
        let Summary { valid, suspect, .. } = summary;
        let value = summary.value.filter(|_| enough);
        let expected = rule.map_or(0, |rule| rule.expected);
        let extremes = summary.extremes.filter(|_| rule.is_some_and(|rule| rule.extremes));
        let completeness = Completeness { received, valid, expected, extremes };
        (Kept { start, value, suspect, partial: false, received, valid }, completeness)
    }

    /// Gives the running means of eight hours that hours given out just now belong to, and those
    /// that end since the last one.
    fn eight_hours(
        &self,
        stream: &StreamState,
        given: &[Timestamp],
        before: Option<Timestamp>,
        out: &mut Vec<Given>,
    ) {
        if given.is_empty() || !self.datastream.averages.iter().any(of_eight_hours) {
            return;
        }
        let hours: Vec<Kept> = stream.hours.kept().collect();
        let Some(last) = self.last_end(&hours) else { return };
        let mut ends: BTreeSet<Timestamp> = given
            .iter()
            .flat_map(|start| (1..=8).map(|hour| start.plus(hour * HOUR)))
            .filter(|end| *end <= last)
            .collect();
        let since = before.filter(|before| last.since(*before) <= 8 * HOUR);
        let fresh = since.map_or(0, |since| last.since(since) / HOUR);
        ends.extend((0..fresh).map(|hour| last.plus(-hour * HOUR)));
        for end in ends {
            let start = end.plus(-8 * HOUR);
            let Some(rule) = self.datastream.average(Period::EightHours, start) else { continue };
            let combine = self.property.combine;
            let of_window = |some: &[Kept]| mean::eight_hours(combine, some, end);
            let summary = self.sum_up(&hours, rule.needs, of_window);
            let revision = before.is_some_and(|before| end <= before);
            let place = Place { revision, newest: end == last };
            out.push(given_by(Period::EightHours, (start, end), summary, rule, place));
        }
    }

    /// Gives the end of the newest hour; one of a clock that is ahead is none.
    fn last_end(&self, hours: &[Kept]) -> Option<Timestamp> {
        let starts = hours.iter().map(|kept| kept.start).filter(|start| *start <= self.now);
        Some(starts.max()?.plus(HOUR))
    }

    fn days(
        &self,
        stream: &mut StreamState,
        in_service: bool,
        out: &mut Vec<Given>,
        coverage: &mut Vec<Coverage>,
    ) {
        while let Some((start, _)) = stream.days.next_due(self.now) {
            let Some((start, end)) = Period::Day.around(start, self.zone) else { return };
            let mut hours = stream.hours.between(start, end);
            if let Some(counter) = self.counter {
                meter::fill(stream, counter, &mut hours, (start, end));
            }
            let rule = self.datastream.average(Period::Day, start);
            let needs = rule.map_or(1, |rule| rule.needs);
            let summary = self.day(&hours, needs, (start, end));
            let enough = rule.is_some_and(|rule| is_enough(&summary, rule));
            let received = hours.iter().map(|hour| hour.received).sum();
            let valid = hours.iter().map(|hour| hour.valid).sum();
            let value = summary.value.filter(|_| enough);
            let Summary { suspect, partial, .. } = summary;
            let kept = Kept { start, value, suspect, partial, received, valid };
            let place = self.keep_day(stream, kept);
            if let Some(rule) = rule {
                let mut day = given_by(Period::Day, (start, end), summary, rule, place);
                day.completeness.received = hours.len() as u32;
                out.push(day);
            }
            let (combine, span) = (self.property.combine, (start, end));
            let enters = self.suspect_enters;
            if let Some((rule, largest)) =
                largest_eight_hours(self.datastream, (combine, enters), || hours, span)
            {
                out.push(given_by(Period::DayMaxEightHours, span, largest, rule, place));
            }
            let phenomenon_time = PhenomenonTime::Interval { start, end };
            let expected = self.expected(end.since(start));
            let datastream = self.datastream.id;
            let flagged = stream.tally.of(start);
            let of_day =
                Coverage { datastream, phenomenon_time, expected, received, valid, flagged };
            coverage.push(of_day);
            self.mark_longer(stream, Members::Days, start);
            if in_service {
                self.mark_next_day(stream, end);
            }
        }
    }

    /// Has the day that begins at a time given out. A day without any value is one, too: nobody
    /// takes it for clean.
    fn mark_next_day(&self, stream: &mut StreamState, begin: Timestamp) {
        let unheard = self.now.plus(-DAYS_UNHEARD_MAX * DAY);
        let next = Period::Day.around(begin.max(unheard), self.zone);
        let known = |day| stream.days.waits(day) || stream.days.at(day).is_some();
        if let Some((day, _)) = next.filter(|(day, _)| !known(*day)) {
            self.mark(&mut stream.days, Period::Day, day);
        }
    }

    fn keep_day(&self, stream: &mut StreamState, day: Kept) -> Place {
        let longest = self.datastream.averages.last().map(|rule| rule.period);
        let keeps = longest.is_some_and(|period| period > Period::DayMaxEightHours);
        let kept_ms = if keeps { DAYS_OF_A_YEAR_KEPT_MS } else { DAYS_KEPT_MS };
        stream.days.keep(day, self.now, |day| self.now.plus(-kept_ms) <= day)
    }

    fn day(&self, hours: &[Kept], needs: u32, (start, end): (Timestamp, Timestamp)) -> Summary {
        let combine = self.property.combine;
        if self.counter.is_some() {
            return mean::of_counter(hours, meter::hours_of(start, end));
        }
        let flow = self.flow.as_ref().map(|flow| flow.between(start, end));
        self.sum_up(hours, needs, |some| match (&flow, self.datastream.sampling) {
            (Some(flow), _) => mean::weighted(some, flow),
            (None, Sampling::Sampled { .. }) => mean::of_samples(combine, some),
            (None, Sampling::Continuous) => mean::of_windows(combine, some),
        })
    }

    /// Sums members up as the edition has suspect ones enter. A total lacks nothing: what is
    /// suspect of it is a part of it, too.
    fn sum_up<M: Member>(
        &self,
        members: &[M],
        needs: u32,
        sum_up: impl Fn(&[M]) -> Summary,
    ) -> Summary {
        match self.suspect_enters || self.property.combine.is_total() {
            true => sum_up(members),
            false => mean::of_trusted(members, needs, sum_up),
        }
    }

    /// Gives how many of the datastream's own values a span should have.
    fn expected(&self, span_ms: i64) -> u32 {
        let every_ms = match self.datastream.sampling {
            Sampling::Sampled { cycle_ms, .. } => cycle_ms,
            Sampling::Continuous => self.datastream.expected_every_ms,
        };
        u32::try_from(span_ms / every_ms.max(1)).unwrap_or(u32::MAX)
    }

    fn mark(&self, windows: &mut Windows, period: Period, at: Timestamp) {
        if let Some((start, end)) = period.around(at, self.zone) {
            let due = self.now.max(end.plus(SETTLE_MS));
            windows.mark(start, false, |_, _| due);
        }
    }

    fn longer(&self, stream: &mut StreamState, out: &mut Vec<Given>) {
        if stream.longer.is_empty() {
            return;
        }
        for (index, period) in LONGER.into_iter().enumerate() {
            loop {
                let windows = stream.longer.get(index);
                let Some((start, _)) = windows.and_then(|windows| windows.next_due(self.now))
                else {
                    break;
                };
                let Some(span) = period.around(start, self.zone) else { break };
                let Some(rule) = self.datastream.average(period, start) else {
                    // The rule went with an edition; nobody can say what the period came to.
                    if let Some(windows) = stream.longer.get_mut(index) {
                        windows.give_up(start);
                    }
                    continue;
                };
                let average = self.made_of(stream, rule, span);
                let Given { value, suspect, partial, completeness, .. } = average;
                let Completeness { received, valid, .. } = completeness;
                let kept = Kept { start, value, suspect, partial, received, valid };
                let Some(windows) = stream.longer.get_mut(index) else { break };
                let since = self.now.plus(-LONGER_KEPT_MS);
                let place = windows.keep(kept, self.now, |start| since <= start);
                out.push(Given { place, ..average });
                if period == Period::Month {
                    self.mark_longer(stream, Members::Months, start);
                }
            }
        }
    }

    /// Has the months, quarters and years given out that are made of such members.
    fn mark_longer(&self, stream: &mut StreamState, members: Members, at: Timestamp) {
        for (index, period) in LONGER.into_iter().enumerate() {
            let rule = self.datastream.average(period, at);
            if rule.is_none_or(|rule| rule.members != members) {
                continue;
            }
            if stream.longer.is_empty() {
                stream.longer = vec![Windows::default(); LONGER.len()];
            }
            if let Some(windows) = stream.longer.get_mut(index) {
                self.mark(windows, period, at);
            }
        }
    }

    /// Makes a month, quarter or year of its days or months.
    fn made_of(
        &self,
        stream: &StreamState,
        rule: &Average,
        (start, end): (Timestamp, Timestamp),
    ) -> Given {
        let months = stream.longer.first().filter(|_| rule.members == Members::Months);
        let members = months.unwrap_or(&stream.days).between(start, end);
        let days = (end.since(start) + DAY / 2) / DAY;
        let expected = match rule.members {
            Members::Days => u32::try_from(days).unwrap_or(0),
            Members::Hours | Members::EightHours | Members::Months => rule.expected,
        };
        let needs = match days {
            _ if self.property.combine.is_total() => expected,
            ..=29 => rule.needs_february,
            _ => rule.needs,
        };
        let summary = match self.counter {
            Some(_) => mean::of_counter(&members, expected),
            None => {
                let combine = self.property.combine;
                self.sum_up(&members, needs, |some| mean::of_windows(combine, some))
            }
        };
        let rule = Average { expected, needs, ..rule.clone() };
        let place = Place { revision: false, newest: true };
        let mut average = given_by(rule.period, (start, end), summary, &rule, place);
        average.completeness.received = members.len() as u32;
        average
    }
}

fn of_eight_hours(rule: &Average) -> bool {
    rule.period == Period::EightHours
}

/// Gives the largest mean of eight hours of a day, and the rule of it, where the seeds ask for one;
/// `suspect_enters` says whether suspect hours do beside those that passed.
pub(super) fn largest_eight_hours(
    datastream: &Datastream,
    (combine, suspect_enters): (Combine, bool),
    hours: impl FnOnce() -> Vec<Kept>,
    span: (Timestamp, Timestamp),
) -> Option<(&Average, Summary)> {
    let rule = datastream.average(Period::DayMaxEightHours, span.0)?;
    let needs = datastream.average(Period::EightHours, span.0).map_or(8, |rule| rule.needs);
    let largest = |some: &[Kept]| mean::largest_eight_hours(combine, some, span, needs);
    let summary = match suspect_enters {
        true => largest(&hours()),
        false => mean::of_trusted(&hours(), rule.needs, largest),
    };
    Some((rule, summary))
}

/// An average by its rule: without enough valid members it has no value.
fn given_by(
    period: Period,
    span: (Timestamp, Timestamp),
    summary: Summary,
    rule: &Average,
    place: Place,
) -> Given {
    let Summary { value, valid, suspect, partial, .. } = summary;
    let completeness =
        Completeness { received: valid, valid, expected: rule.expected, extremes: None };
    let value = value.filter(|_| is_enough(&summary, rule));
    Given { period, span, value, suspect, partial, completeness, place, told: true }
}

/// Says whether it is made of enough members, or the rest is lost for good and said to be.
fn is_enough(summary: &Summary, rule: &Average) -> bool {
    summary.made_of >= rule.needs || summary.partial
}
