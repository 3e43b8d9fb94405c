//! What several items together come to: the class of a section as it is now and over every period,
//! the air quality index, the state of a lake, the grade of a river. The stages say what items
//! come to; here they are gathered from what the datastreams remember.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::aggregate::window::{Kept, Windows};
use crate::assess::{aqi, black_odour, water_class};
use crate::basin::city;
use crate::basin::grade::{self, Graded, Sectioned};
use crate::domain::evaluation::{Evaluated, Evaluation, Grade, Index, Item, Told};
use crate::domain::history::Entry;
use crate::domain::name::{PlaceId, PropertyId, SetId, StationId};
use crate::domain::observation::{ObservationResult, Period};
use crate::domain::quality::Flag;
use crate::domain::registry::{Combine, Datastream, Registry, Sampling, Station, StationSet};
use crate::domain::time::{HOUR, Moment, PhenomenonTime, Timestamp};
use crate::pipeline::average::{HOURS_KEPT_MS, LONGER, largest_eight_hours};
use crate::pipeline::indices::{Indices, of_average, speaking, wanted};
use crate::pipeline::park;
use crate::pipeline::state::{State, StationState, StreamState};
use crate::pipeline::{Pipeline, Processed};

/// How long a value of a continuous datastream stands for what is there now: the stations' own
/// rhythm is an hour.
const STANDS_MS: i64 = HOUR;

/// What of a station takes part in which indices; derived from an edition.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// The datastream that speaks for each property, by its slot.
    items: Vec<(PropertyId, u16)>,
    /// By which indices it is evaluated.
    indices: Indices,
    /// The sets it ever belongs to.
    sets: Vec<SetId>,
    /// What its meters take part in.
    metering: park::Plan,
}

/// Makes the plans of an edition, by station.
pub(super) fn plans(registry: &Registry) -> Vec<Plan> {
    let mut plans = vec![Plan::default(); registry.stations.len()];
    let wanted = wanted(registry);
    for station in registry.stations.iter() {
        let Some(plan) = plans.get_mut(station.id.index()) else { continue };
        let speaking = speaking(registry, station, &wanted).into_iter();
        plan.items = speaking.map(|(property, stream)| (property, stream.slot)).collect();
        let measured: Vec<PropertyId> = plan.items.iter().map(|(property, _)| *property).collect();
        plan.indices = Indices::of(registry, station, &measured);
        plan.metering = park::plan(registry, station);
    }
    for set in registry.sets.iter() {
        for (station, _) in &set.members {
            if let Some(plan) = plans.get_mut(station.index())
                && !plan.sets.contains(&set.id)
            {
                plan.sets.push(set.id);
            }
        }
    }
    plans
}

impl Pipeline {
    /// Evaluates anew the stations whose values a message had assessed.
    pub(super) fn evaluate_assessed(
        &mut self,
        registry: &Registry,
        now: Moment,
        out: &mut Processed,
    ) {
        let mut rest = 0;
        while let Some(first) = out.assessments.get(rest) {
            let Some(station) = registry.datastream(first.datastream).map(|one| one.station) else {
                return;
            };
            let (mut at, mut changed) = (first.phenomenon_time.start(), first.changed);
            rest += 1;
            while let Some(next) = out.assessments.get(rest) {
                let of = registry.datastream(next.datastream).map(|one| one.station);
                if of != Some(station) {
                    break;
                }
                at = at.max(next.phenomenon_time.start());
                changed |= next.changed;
                rest += 1;
            }
            self.evaluate_now(registry, station, (at, changed), now, out);
        }
    }

    /// Evaluates what a station is now, if the verdict on one of its values changed or one of
    /// them became too old to stand for now.
    fn evaluate_now(
        &mut self,
        registry: &Registry,
        id: StationId,
        (at, changed): (Timestamp, bool),
        now: Moment,
        out: &mut Processed,
    ) {
        let Some(plan) = self.plans.get(id.index()).filter(|plan| plan.indices.water) else {
            return;
        };
        let (Some(station), Some(state)) =
            (registry.station(id), self.state.stations.get(id.index()).and_then(Option::as_ref))
        else {
            return;
        };
        if !changed && at < state.stands_until {
            return;
        }
        let mut until = Timestamp(i64::MAX);
        let mut items = Vec::with_capacity(plan.items.len());
        for (property, slot) in &plan.items {
            let streams =
                (registry.datastream_of(station, *slot), state.streams.get(usize::from(*slot)));
            let (Some(datastream), Some(stream)) = streams else { continue };
            let standing = standing(registry, datastream, stream, at);
            let newest = stream.newest.filter(Entry::is_usable);
            let doubted = newest.is_some_and(|newest| !counts(registry, &newest));
            // Whether what is doubted now counts again shows with a value whose verdict may be
            // the same.
            until = if doubted { until.min(at) } else { until };
            let Some(entry) = standing else { continue };
            until = until.min(entry.time.plus(stands_ms(datastream) + 1));
            items.push(item(*property, &entry));
        }
        let span = PhenomenonTime::Instant(at);
        let class = water_class::evaluate(registry, station, Period::Native, span, &items);
        if let Some(state) = self.station_mut(id) {
            state.stands_until = until;
        }
        self.tell_evaluation(class, now, out);
    }

    /// Notes that a period of a station is to be evaluated, since an average of it is given out. A
    /// sample stands for later hours too: it may have come after they were given out.
    pub(super) fn note_evaluation(
        &mut self,
        datastream: &Datastream,
        period: Period,
        start: Timestamp,
    ) {
        let id = datastream.station;
        self.touched.insert((id, period, start));
        let (Period::Hour, Sampling::Sampled { .. }) = (period, datastream.sampling) else {
            return;
        };
        let state = self.state.stations.get(id.index()).and_then(Option::as_ref);
        let Some(state) = state else { return };
        let stands_ms = stands_ms(datastream).min(HOURS_KEPT_MS);
        let last = start.plus(HOUR + stands_ms);
        let mut hour = start.plus(HOUR);
        while hour <= last {
            if state.streams.iter().any(|stream| stream.hours.at(hour).is_some()) {
                self.touched.insert((id, period, hour));
            }
            hour = hour.plus(HOUR);
        }
    }

    /// Evaluates the periods of stations and sets of which averages were given out.
    pub(super) fn evaluate_touched(
        &mut self,
        registry: &Registry,
        at: Moment,
        out: &mut Processed,
    ) {
        let now = at.wall;
        let touched = std::mem::take(&mut self.touched);
        let (mut sets, mut places) = (BTreeSet::new(), BTreeSet::new());
        for (id, period, start) in touched {
            // What runs over eight hours is an item of days, and nothing is evaluated over it.
            if matches!(period, Period::EightHours | Period::DayMaxEightHours) {
                continue;
            }
            let Some(station) = registry.station(id) else { continue };
            let Some(plan) = self.plans.get(id.index()) else { continue };
            let Some((start, end)) = period.around(start, &station.zone) else { continue };
            if end > now || self.waits(plan, id, period, start) {
                continue;
            }
            sets.extend(plan.sets.iter().map(|set| (*set, period, start, end)));
            places.extend(plan.metering.places.iter().map(|place| (*place, period, start, end)));
            let over = (period, start, end);
            let metering = self.of_metering(registry, (station, &plan.metering), over, now);
            let of_items = self.of_station(registry, station, period, (start, end));
            for evaluation in of_items.into_iter().chain(metering) {
                self.tell_evaluation(evaluation, at, out);
            }
        }
        self.evaluate_places(registry, places, at, out);
        for (id, period, start, end) in sets {
            let Some(set) = registry.sets.get(id.index()) else { continue };
            let mut members = set.members.iter();
            let waits = members.any(|(station, _)| {
                let plan = self.plans.get(station.index());
                plan.is_some_and(|plan| self.waits(plan, *station, period, start))
            });
            if waits {
                continue;
            }
            for evaluation in self.of_set(registry, set, period, (start, end)) {
                self.tell_evaluation(evaluation, at, out);
            }
        }
    }

    /// Says whether an average that takes part is still to come, or to come again.
    fn waits(&self, plan: &Plan, id: StationId, period: Period, start: Timestamp) -> bool {
        let Some(state) = self.state.stations.get(id.index()).and_then(Option::as_ref) else {
            return false;
        };
        let of_metering = plan.metering.slots(period);
        let slots = plan.items.iter().map(|(_, slot)| slot).chain(of_metering);
        slots
            .filter_map(|slot| state.streams.get(usize::from(*slot)))
            .any(|stream| windows(stream, period).is_some_and(|windows| windows.waits(start)))
    }

    fn of_station(
        &self,
        registry: &Registry,
        station: &Station,
        period: Period,
        (start, end): (Timestamp, Timestamp),
    ) -> Vec<Evaluation> {
        let mut evaluations = Vec::new();
        let Some(plan) = self.plans.get(station.id.index()) else { return evaluations };
        let items = items(&self.state, registry, plan, station, period, (start, end));
        let span = PhenomenonTime::Interval { start, end };
        if !items.is_empty() {
            evaluations = plan.indices.evaluate(registry, station, period, span, &items);
        }
        if plan.indices.odour && period == Period::Month && !items.is_empty() {
            let tallies = self.tallies(registry, plan, station, (start, end));
            evaluations.push(black_odour::state(registry, station, period, span, &tallies));
        }
        evaluations.retain(|one| one.items > 0);
        evaluations
    }

    /// Counts the days of a month by their grade of blackness and odour.
    fn tallies(
        &self,
        registry: &Registry,
        plan: &Plan,
        station: &Station,
        (start, end): (Timestamp, Timestamp),
    ) -> Vec<black_odour::Tally> {
        let Some(state) = self.state.stations.get(station.id.index()).and_then(Option::as_ref)
        else {
            return Vec::new();
        };
        let tally = |(property, slot): &(PropertyId, u16)| {
            let days = state.streams.get(usize::from(*slot))?.days.between(start, end);
            let mut tally = black_odour::Tally::new(*property);
            for day in days.iter().filter_map(|day| of_kept(registry, *property, day)) {
                tally.count(black_odour::grade(registry, station, day.property, day.result, start));
            }
            Some(tally)
        };
        plan.items.iter().filter_map(tally).collect()
    }

    fn of_set(
        &self,
        registry: &Registry,
        set: &StationSet,
        period: Period,
        (start, end): (Timestamp, Timestamp),
    ) -> Vec<Evaluation> {
        let mut evaluations = Vec::new();
        let members = || {
            let held = set.members.iter().filter(|(_, held)| held.holds(start));
            held.filter_map(|(id, _)| Some((registry.station(*id)?, self.plans.get(id.index())?)))
        };
        let span = PhenomenonTime::Interval { start, end };
        let of = |station: &Station, plan: &Plan| {
            items(&self.state, registry, plan, station, period, (start, end))
        };
        let air: Vec<Vec<Item>> = members()
            .filter(|(_, plan)| plan.indices.air)
            .map(|(one, plan)| of(one, plan))
            .collect();
        if !air.is_empty() {
            let means: Vec<Item> = city::means(&air).into_iter().map(|mean| mean.item).collect();
            let subject = Evaluated::Set(set.id);
            let targets =
                members().filter(|(_, plan)| plan.indices.air).map(|(one, _)| &one.target_class);
            let target = shared(targets);
            evaluations.extend(aqi::evaluate(registry, subject, target, period, span, &means));
        }
        let sections: Vec<Section<'_>> = members()
            .filter(|(_, plan)| plan.indices.water)
            .map(|(station, plan)| {
                let items = of(station, plan);
                let class = water_class::evaluate(registry, station, period, span, &items);
                let over_iii = water_class::over_iii(registry, station, period, span, &items);
                Section { station, items, class, over_iii }
            })
            .collect();
        if !sections.is_empty() && period > Period::Hour {
            let sectioned: Vec<Sectioned<'_>> = sections.iter().map(sectioned).collect();
            let evaluation = match grade::grade(registry, set, period, span, &sectioned) {
                Graded::Shares(evaluation) => evaluation,
                Graded::Means(means) => {
                    let column = (&*means.column, means.target);
                    let class = water_class::evaluate_set(
                        registry,
                        set.id,
                        column,
                        period,
                        span,
                        &means.items,
                    );
                    grade::of_class(registry, &means, class)
                }
            };
            evaluations.push(evaluation);
        }
        evaluations.retain(|one| one.items > 0);
        evaluations
    }

    /// Says whether meters of a station count what a place consumes.
    pub(super) fn meters(&self, station: StationId, place: PlaceId) -> bool {
        let plan = self.plans.get(station.index());
        plan.is_some_and(|plan| plan.metering.places.contains(&place))
    }

    /// Remembers an evaluation, and stores it if it is one of a period or says something new.
    pub(super) fn tell_evaluation(
        &mut self,
        evaluation: Evaluation,
        now: Moment,
        out: &mut Processed,
    ) {
        let told = Told::of(&evaluation);
        let held = match evaluation.subject {
            Evaluated::Station(id) => match self.station_mut(id) {
                Some(station) => &mut station.evaluated,
                None => return,
            },
            Evaluated::Set(_) | Evaluated::Place(_) => {
                Arc::make_mut(&mut self.state.evaluated).entry(evaluation.subject).or_default()
            }
        };
        let mut held_of = held.iter_mut();
        let place = held_of.find(|one| (one.index, one.period) == (told.index, told.period));
        let (news, newest) = match place {
            Some(place) => {
                let news = !place.says_the_same(&told);
                let newest = place.start <= told.start;
                if newest {
                    *place = told;
                }
                (news, newest)
            }
            None => {
                held.push(told);
                (true, true)
            }
        };
        if newest {
            self.alert_evaluation(&evaluation, now, out);
        }
        let changed = news || evaluation.period != Period::Native;
        out.evaluations.push(Evaluation { changed, ..evaluation });
    }
}

/// What a section of a set gave.
struct Section<'a> {
    station: &'a Station,
    items: Vec<Item>,
    class: Evaluation,
    over_iii: Vec<PropertyId>,
}

fn sectioned<'a>(section: &'a Section<'_>) -> Sectioned<'a> {
    let class = match section.class.grade {
        Some(Grade::Water(class)) => Some(class),
        Some(Grade::River(_) | Grade::Air(_) | Grade::Trophic(_) | Grade::BlackOdour(_)) | None => {
            None
        }
    };
    let Section { items, over_iii, .. } = section;
    let unconfirmed = section.class.unconfirmed;
    Sectioned { station: section.station.id, class, unconfirmed, items, over_iii }
}

/// Gives what all have in common; nothing where they differ.
fn shared<'a>(mut targets: impl Iterator<Item = &'a Box<str>>) -> &'a str {
    let Some(first) = targets.next() else { return "" };
    if targets.all(|other| other == first) { first } else { "" }
}

/// Gathers the items of a station over a period.
fn items(
    state: &State,
    registry: &Registry,
    plan: &Plan,
    station: &Station,
    period: Period,
    (start, end): (Timestamp, Timestamp),
) -> Vec<Item> {
    let Some(state) = state.stations.get(station.id.index()).and_then(Option::as_ref) else {
        return Vec::new();
    };
    let of = |(property, slot): &(PropertyId, u16)| {
        let datastream = registry.datastream_of(station, *slot)?;
        let stream = state.streams.get(usize::from(*slot))?;
        of_period(registry, datastream, stream, *property, period, (start, end))
    };
    plan.items.iter().filter_map(of).collect()
}

fn of_period(
    registry: &Registry,
    datastream: &Datastream,
    stream: &StreamState,
    property: PropertyId,
    period: Period,
    (start, end): (Timestamp, Timestamp),
) -> Option<Item> {
    match (period, datastream.sampling) {
        (Period::Hour, Sampling::Sampled { .. }) => {
            Some(item(property, &standing(registry, datastream, stream, end.plus(-1))?))
        }
        (Period::Hour, Sampling::Continuous) => {
            of_kept(registry, property, &stream.hours.at(start)?)
        }
        // The day of ozone is its largest mean of eight hours, where the seeds say so.
        (Period::Day, _) => {
            let combine = registry.property(property).map_or(Combine::Mean, |one| one.combine);
            let hours = || stream.hours.between(start, end);
            let how = (combine, registry.judgement.suspect_in_means);
            let Some((rule, summary)) = largest_eight_hours(datastream, how, hours, (start, end))
            else {
                return of_kept(registry, property, &stream.days.at(start)?);
            };
            let value = summary.value.filter(|_| summary.made_of >= rule.needs)?;
            if summary.suspect && !registry.judgement.suspect_in_class {
                return None;
            }
            let result = ObservationResult::Value(value);
            Some(Item { property, result, suspect: summary.suspect })
        }
        (Period::Month | Period::Quarter | Period::Year, _) => {
            of_kept(registry, property, &windows(stream, period)?.at(start)?)
        }
        (Period::Native | Period::EightHours | Period::DayMaxEightHours, _) => None,
    }
}

/// Gives the windows of a period; of what no windows are made there are none.
pub(super) fn windows(stream: &StreamState, period: Period) -> Option<&Windows> {
    match period {
        Period::Native | Period::EightHours => None,
        Period::Hour => Some(&stream.hours),
        Period::Day | Period::DayMaxEightHours => Some(&stream.days),
        Period::Month | Period::Quarter | Period::Year => {
            let place = LONGER.iter().position(|longer| *longer == period)?;
            stream.longer.get(place)
        }
    }
}

fn of_kept(registry: &Registry, property: PropertyId, kept: &Kept) -> Option<Item> {
    of_average(registry, property, (kept.value, kept.suspect))
}

fn item(property: PropertyId, entry: &Entry) -> Item {
    Item { property, result: entry.result, suspect: entry.flag() == Flag::Suspect }
}

/// For how long a value stands for what is there: a continuous one for an hour at least.
fn stands_ms(datastream: &Datastream) -> i64 {
    match datastream.sampling {
        Sampling::Sampled { .. } => datastream.stands_for_ms(),
        Sampling::Continuous => STANDS_MS.max(datastream.stands_for_ms()),
    }
}

/// Says whether a value counts in a class: a suspect one only where the edition says so.
fn counts(registry: &Registry, entry: &Entry) -> bool {
    entry.is_usable() && (registry.judgement.suspect_in_class || entry.flag() != Flag::Suspect)
}

/// Gives the latest value of a datastream that counts and still stands at a time.
fn standing(
    registry: &Registry,
    datastream: &Datastream,
    stream: &StreamState,
    at: Timestamp,
) -> Option<Entry> {
    let since = at.plus(-stands_ms(datastream));
    let within = |entry: &Entry| since <= entry.time && entry.time <= at;
    if let Some(newest) = stream.newest.filter(|newest| within(newest) && counts(registry, newest))
    {
        return Some(newest);
    }
    stream.history.between(since, at.plus(1)).into_iter().rev().find(|one| counts(registry, one))
}

impl StationState {
    /// Gives what the station came to last by an index over a period.
    #[must_use]
    pub fn evaluated(&self, index: Index, period: Period) -> Option<&Told> {
        self.evaluated.iter().find(|told| told.index == index && told.period == period)
    }
}
