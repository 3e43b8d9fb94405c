//! Stations, their datastreams, what they observed and what that comes to.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::daemon::page::api::{part, whole};
use crate::daemon::page::times::offset;
use crate::daemon::page::{evaluated, exceeds, words};
use crate::daemon::status::View;
use crate::domain::assessment::{Bound, NotAssessable, Verdict, WaterClass};
use crate::domain::evaluation::{Target, Told};
use crate::domain::history::Entry;
use crate::domain::name::{LimitId, PlaceId, PropertyId};
use crate::domain::observation::{NilReason, ObservationResult, Period, Side};
use crate::domain::quality::{Flag, Quality};
use crate::domain::registry::{Datastream, Sampling, Station, StationGrade, Statistic};
use crate::domain::time::{PhenomenonTime, SECOND};
use crate::http::api::asked::{Answer, Found, Part, Refused};
use crate::pipeline::state::{StationState, StreamState};
use crate::seed::nearest;

/// How far up places lie in each other at most: as deep as a line of them is looked at.
const PLACES_DEEP: usize = 8;

/// The newest view of the state, as programs see it.
pub(super) struct World<'v>(pub(super) &'v View);

impl World<'_> {
    pub(super) fn stations(&self, place: Option<&str>, asked: &Part) -> Answer {
        let registry = &self.0.registry;
        let within = match place {
            None => None,
            Some(name) => {
                let found = registry.places.iter().find(|place| *place.name == *name);
                Some(found.ok_or_else(|| unknown("place", name, self.place_names()))?.id)
            }
        };
        let mut stations: Vec<&Station> = registry
            .stations
            .iter()
            .filter(|station| within.is_none_or(|place| self.lies_in(station.place, place)))
            .collect();
        stations.sort_by(|one, other| one.name.cmp(&other.name));
        let listed = stations.into_iter().map(|one| (one.name.to_string(), one));
        // Only what is shown is made.
        let after = asked.after.clone();
        let keyed = listed
            .skip_while(|(name, _)| after.as_ref().is_some_and(|after| name <= after))
            .take(asked.count + 1)
            .map(|(name, station)| (name, self.thing(station)));
        Ok(part(keyed, None, asked.count, String::clone))
    }

    fn place_names(&self) -> impl Iterator<Item = &str> {
        self.0.registry.places.iter().map(|place| &*place.name)
    }

    fn lies_in(&self, place: PlaceId, wanted: PlaceId) -> bool {
        let up = |id: &PlaceId| self.0.registry.places.get(id.index())?.part_of;
        std::iter::successors(Some(place), up).take(PLACES_DEEP).any(|one| one == wanted)
    }

    pub(super) fn station(&self, name: &str) -> Answer {
        Ok(Found::One(self.thing(self.find(name)?)))
    }

    pub(super) fn datastreams(&self, name: &str) -> Answer {
        let station = self.find(name)?;
        let ids = station.datastreams.iter();
        let streams = ids.filter_map(|id| self.0.registry.datastream(*id));
        Ok(whole(streams.map(|stream| self.stream(station, stream)).collect()))
    }

    pub(super) fn datastream(&self, name: &str) -> Answer {
        let (station, stream) = self.find_stream(name)?;
        Ok(Found::One(self.stream(station, stream)))
    }

    pub(super) fn find(&self, name: &str) -> Result<&Station, Refused> {
        let stations = &self.0.registry.stations;
        let names = stations.iter().map(|station| &*station.name);
        let found = stations.iter().find(|station| *station.name == *name);
        found.ok_or_else(|| unknown("station", name, names))
    }

    pub(super) fn find_stream(&self, name: &str) -> Result<(&Station, &Datastream), Refused> {
        let registry = &self.0.registry;
        let names = registry.datastreams.iter().map(|stream| &*stream.name);
        let found = registry.datastreams.iter().find(|stream| *stream.name == *name);
        let station = |stream: &Datastream| registry.station(stream.station);
        let found = found.and_then(|stream| Some((station(stream)?, stream)));
        found.ok_or_else(|| unknown("datastream", name, names))
    }

    fn state(&self, station: &Station) -> Option<&StationState> {
        self.0.stations.get(station.id.index())?.as_deref()
    }

    pub(super) fn held(&self, station: &Station, stream: &Datastream) -> Option<&StreamState> {
        self.state(station)?.streams.get(usize::from(stream.slot))
    }

    fn thing(&self, station: &Station) -> Value {
        let registry = &self.0.registry;
        let place = registry.places.get(station.place.index());
        let state = self.state(station);
        let location = station.longitude.zip(station.latitude);
        let offset = || offset(&station.zone, self.0.at.wall);
        let zone = station.zone.iana_name().map_or_else(offset, str::to_owned);
        json!({
            "name": station.name, "name_en": station.name_en, "name_zh": station.name_zh,
            "place": place.map(|place| json!({
                "name": place.name, "kind": place.kind,
                "name_en": place.name_en, "name_zh": place.name_zh,
            })),
            "location": location.map(|(longitude, latitude)| json!({
                "type": "Point", "coordinates": [longitude, latitude],
            })),
            "zone": zone,
            "section": station.section, "target_class": station.target_class,
            "grade": match station.grade {
                StationGrade::Reference => "reference",
                StationGrade::Indicative => "indicative",
            },
            "operator": station.operator,
            "in_service": station.validity.holds(self.0.at.wall),
            "silent": state.is_some_and(|state| state.silence.firing.is_some()),
            "exceeds": state.is_some_and(exceeds),
            "datastreams": station.datastreams.len(),
        })
    }

    fn stream(&self, station: &Station, stream: &Datastream) -> Value {
        let registry = &self.0.registry;
        let held = self.held(station, stream);
        let property = registry.property(stream.property);
        let newest = held.and_then(|held| held.newest);
        json!({
            "name": stream.name, "station": station.name, "position": stream.position,
            "observed_property": property.map(|property| json!({
                "name": property.name, "symbol": property.symbol,
                "name_en": property.name_en, "name_zh": property.name_zh,
                "medium": property.medium,
            })),
            "unit_of_measurement": property.map(|property| json!({
                "name": registry.unit_name(property), "symbol": registry.unit_label(property),
            })),
            "decimals": property.map(|property| property.decimals),
            "statistic": match stream.statistic {
                Statistic::Instant => "instant",
                Statistic::Sample => "sample",
                Statistic::Mean => "mean",
                Statistic::Min => "min",
                Statistic::Max => "max",
                Statistic::Total => "total",
            },
            "sampling": match stream.sampling {
                Sampling::Continuous => "continuous",
                Sampling::Sampled { .. } => "sampled",
            },
            "expected_every_s": stream.expected_every_ms / SECOND,
            "period_s": stream.period_ms.map(|ms| ms / SECOND),
            "derived": !stream.formulas.is_empty(),
            "silent": held.is_some_and(|held| held.silence.firing.is_some()),
            "newest": newest.map(|entry| self.entry(station, stream, &entry)),
        })
    }

    pub(super) fn entry(&self, station: &Station, stream: &Datastream, entry: &Entry) -> Value {
        let mark = entry.mark.and_then(|mark| self.0.registry.marks.get(mark));
        let (result, censored) = number(entry.result);
        observation(&Observed {
            time: &phenomenon_time(stream.span_from(entry.time), &station.zone),
            result,
            censored,
            nil: match entry.result {
                ObservationResult::Nil(reason) => Some(reason),
                ObservationResult::Value(_) | ObservationResult::Censored { .. } => None,
            },
            flag: entry.flag().number(),
            quality: Some(&entry.quality),
            mark: mark.map(|mark| &*mark.text),
        })
    }

    pub(super) fn assessments(&self, name: &str) -> Answer {
        let station = self.find(name)?;
        let registry = &self.0.registry;
        let ids = station.datastreams.iter();
        let streams = ids.filter_map(|id| registry.datastream(*id));
        let verdicts: Vec<Value> = streams
            .filter_map(|stream| Some((stream, self.held(station, stream)?)))
            .flat_map(|(stream, held)| self.verdicts(stream, held))
            .collect();
        let state = self.state(station);
        let told = state.map_or(&[][..], |state| &state.evaluated);
        let evaluations: Vec<Value> = evaluated::sorted(told)
            .into_iter()
            .map(|told| self.evaluation(station, told))
            .collect();
        let why = match evaluations.is_empty() {
            true => evaluated::why_none(registry, station),
            false => crate::http::view::Text::default(),
        };
        Ok(Found::One(json!({
            "station": station.name, "at": self.0.at.wall.rfc3339(&station.zone),
            "verdicts": verdicts, "evaluations": evaluations, "unevaluated_en": why.en,
            "unevaluated_zh": why.zh,
        })))
    }

    fn verdicts(&self, stream: &Datastream, held: &StreamState) -> Vec<Value> {
        let periods = std::iter::once(Period::Native).chain(Period::AVERAGED);
        let told = periods.filter_map(|period| Some((period, held.last.verdict(period)?)));
        told.map(|(period, (verdict, class))| self.verdict(stream, period, verdict, class))
            .collect()
    }

    fn verdict(
        &self,
        stream: &Datastream,
        period: Period,
        verdict: Verdict,
        class: Option<WaterClass>,
    ) -> Value {
        let (limit, multiple, reason) = match verdict {
            Verdict::Within { limit } => (Some(limit), None, None),
            Verdict::Exceeds { limit, multiple } => (Some(limit), multiple, None),
            Verdict::NotAssessable(reason) => (None, None, Some(reason)),
        };
        json!({
            "datastream": stream.name, "observed_property": self.property_name(stream.property),
            "period": period.word(), "verdict": verdict.word(),
            "reason": reason.map(NotAssessable::word), "multiple": multiple,
            "class": class.map(WaterClass::name), "limit": limit.map(|id| self.limit(id)),
        })
    }

    fn limit(&self, id: LimitId) -> Value {
        let Some(limit) = self.0.registry.limit(id) else { return Value::Null };
        let (min, max) = match limit.bound {
            Bound::Max(max) => (None, Some(max)),
            Bound::Min(min) => (Some(min), None),
            Bound::Range { low, high } => (Some(low), Some(high)),
        };
        json!({
            "instrument": limit.instrument, "clause": limit.clause, "class": limit.class,
            "averaging": limit.averaging.word(), "min": min, "max": max,
        })
    }

    fn property_name(&self, id: PropertyId) -> Option<&str> {
        self.0.registry.property(id).map(|property| &*property.name)
    }

    fn evaluation(&self, station: &Station, told: &Told) -> Value {
        let registry = &self.0.registry;
        let time = match told.period.around(told.start, &station.zone) {
            None => PhenomenonTime::Instant(told.start),
            Some((start, end)) => PhenomenonTime::Interval { start, end },
        };
        let grade = told.grade.filter(|_| told.reason.is_none());
        let words = grade.map(|grade| words::grade(registry, grade, told.start));
        let deciding = told.deciding.iter().map(|one| {
            let (result, censored) = number(one.result);
            json!({
                "observed_property": self.property_name(one.property),
                "result": result, "censored": censored,
                "class": one.class.map(WaterClass::name), "index": one.index,
                "over_target": one.over_target, "over_iii": one.over_iii,
            })
        });
        let missing = told.missing.iter().filter_map(|id| self.property_name(*id));
        json!({
            "index": told.index.word(), "period": told.period.word(),
            "phenomenon_time": phenomenon_time(time, &station.zone),
            "value": told.value, "grade": grade.map(|grade| grade.word()),
            "grade_en": words.as_ref().map(|words| &words.en),
            "grade_zh": words.as_ref().map(|words| &words.zh),
            "reason": told.reason.map(NotAssessable::word),
            "target": match told.target {
                Target::None => None,
                Target::Met => Some("met"),
                Target::Missed => Some("missed"),
            },
            "deciding": deciding.collect::<Vec<_>>(), "missing": missing.collect::<Vec<_>>(),
            "items": told.items, "items_of": told.items_of,
            "unconfirmed": told.unconfirmed, "legal": told.legal,
        })
    }
}

fn unknown<'n>(what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> Refused {
    let near =
        nearest(name, names).map_or(String::new(), |near| format!("; the nearest is `{near}`"));
    Refused::Unknown(format!("no {what} is called `{name}`{near}"))
}

pub(super) fn phenomenon_time(time: PhenomenonTime, zone: &TimeZone) -> String {
    match time {
        PhenomenonTime::Instant(at) => at.rfc3339(zone),
        PhenomenonTime::Interval { start, end } => {
            format!("{}/{}", start.rfc3339(zone), end.rfc3339(zone))
        }
    }
}

/// Gives the number of a result, and on which side of it the value lies where it is a bound.
fn number(result: ObservationResult) -> (Option<f64>, Option<&'static str>) {
    match result {
        ObservationResult::Value(value) => (Some(value), None),
        ObservationResult::Censored { side: Side::Below, limit } => (Some(limit), Some("<")),
        ObservationResult::Censored { side: Side::Above, limit } => (Some(limit), Some(">")),
        ObservationResult::Nil(_) => (None, None),
    }
}

/// A value as programs see it.
pub(super) struct Observed<'o> {
    /// When it is of.
    pub(super) time: &'o str,
    /// The number; that of the bound where it is censored.
    pub(super) result: Option<f64>,
    /// On which side of the bound it lies.
    pub(super) censored: Option<&'static str>,
    /// Why there is no number, where that is known.
    pub(super) nil: Option<NilReason>,
    /// Its flag.
    pub(super) flag: u8,
    /// The tests behind it, where they are known.
    pub(super) quality: Option<&'o Quality>,
    /// What its device marked it with.
    pub(super) mark: Option<&'o str>,
}

pub(super) fn observation(of: &Observed<'_>) -> Value {
    let nil = of.nil.map(|reason| match reason {
        NilReason::Missing => "missing",
        NilReason::Incomplete => "incomplete",
        NilReason::NoInput => "no_input",
        NilReason::Undefined => "undefined",
    });
    let doubts = of.quality.map(|quality| {
        let failed = quality.tests(Flag::Fail).map(|test| (test, Flag::Fail));
        let doubted = quality.doubts().map(|test| (test, Flag::Suspect));
        let tests = failed.chain(doubted);
        let tests = tests.map(|(test, flag)| json!({ "test": test.name(), "flag": flag.number() }));
        tests.collect::<Vec<_>>()
    });
    json!({
        "phenomenon_time": of.time, "result": of.result, "censored": of.censored,
        "nil_reason": nil, "result_quality": { "flag": of.flag, "doubts": doubts },
        "mark": of.mark,
    })
}
