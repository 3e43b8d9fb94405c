//! What page, terminal and metrics show: the newest view of the state and what the journal says,
//! in the words of people.

mod alerts;
mod api;
mod classes;
mod evaluated;
mod handover;
mod letters;
mod metrics;
mod now;
mod raw;
mod series;
mod settings;
mod shelf;
mod station;
mod stored;
mod strip;
#[cfg(test)]
mod tests;
mod times;
mod weir;
mod words;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::daemon::act;
use crate::daemon::audit;
use crate::daemon::book;
use crate::daemon::came::{Came, Refusal};
use crate::daemon::clock::Clock;
use crate::daemon::run::Commands;
use crate::daemon::status::{Status, View};
use crate::daemon::threshold;
use crate::domain::asked::Asked;
use crate::domain::assessment::{NotAssessable, Verdict, WaterClass};
use crate::domain::booked::Way;
use crate::domain::ledger::Counts;
use crate::domain::name::PlaceId;
use crate::domain::observation::{ObservationResult, Period, Side};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Datastream, Place, Registry, Station};
use crate::domain::time::SECOND;
use crate::http::door::{Acted, Source};
use crate::http::view::{
    AlertView, CountsView, DoubtView, PageView, PartView, PlaceView, ScreenView, StationView,
    StationsAsked, Text, ValueView,
};
use crate::journal::Error;
use crate::journal::read::Reader;
use crate::pipeline::state::{StationState, StreamState};

/// How many stations a page shows; the others stand on further ones.
const STATIONS_SHOWN_MAX: usize = 25;
/// How many places may be chosen from, the first of the seeds; the others are found by their names.
const CHOICES_MAX: usize = 200;
/// How many alerts a terminal shows, the worst; all of them are counted.
const ALERTS_SHOWN_MAX: usize = 100;
/// How many sets of stations a page shows, the first of the seeds; all of them are counted.
const SETS_SHOWN_MAX: usize = 200;

/// Reads status and journal for whoever shows them.
#[derive(Debug)]
pub struct Observer {
    status: Arc<Status>,
    reader: Mutex<Reader>,
    home: TimeZone,
    /// The name of the place where points go.
    sink: String,
    commands: Commands,
    config: Config,
    /// Places for programs that ask the database.
    reads: Semaphore,
}

impl Observer {
    /// Begins to read.
    ///
    /// # Errors
    /// The journal can't be opened.
    pub fn new(status: Arc<Status>, config: Config, commands: Commands) -> Result<Self, Error> {
        let reader = Mutex::new(Reader::open(&config.journal.data_folder)?);
        let sink = match &config.influx {
            Some(influx) => influx.dialect.word().to_owned(),
            None => "embedded store".to_owned(),
        };
        let reads = Semaphore::new(api::READS_MAX);
        Ok(Self { status, reader, home: config.home(), sink, commands, config, reads })
    }

    /// Gives what the door shows.
    #[must_use]
    pub fn source(self) -> Source {
        let observer = Arc::new(self);
        let (page, unready) = (Arc::clone(&observer), Arc::clone(&observer));
        let (acting, now) = (Arc::clone(&observer), Arc::clone(&observer));
        let (handover, strip) = (Arc::clone(&observer), Arc::clone(&observer));
        let (auditing, booking) = (Arc::clone(&observer), Arc::clone(&observer));
        // Sessions end by the day of those who look, also where data is played.
        let clock = Clock::real();
        Source {
            strip: Box::new(move || strip.strip()),
            now: Box::new(move || now.now()),
            handover: Box::new(move |since| handover.handover(since)),
            page: Box::new(move |asked| page.page(asked)),
            alerts: alerts::source(&observer),
            act: Box::new(move |asked| Box::pin(Arc::clone(&acting).act(asked))),
            audit: Box::new(move |asked, shown_max| {
                audit::at_work(&auditing.status, &auditing.config, asked, shown_max)
            }),
            book: Box::new(move |what, person, words| {
                let folder = booking.config.journal.data_folder.clone();
                let [person, words] = [person, words].map(str::to_owned);
                let note = move || book::by_page(&folder, what, &person, "", &words);
                drop(tokio::task::spawn_blocking(note));
            }),
            api: api::source(&observer),
            house: weir::source(&observer),
            stations: shelf::source(&observer),
            unready: Box::new(move || unready.unready()),
            metrics: Box::new(move || observer.metrics()),
            wall: Box::new(move || clock.now().wall),
        }
    }

    fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a person asks for on a page; the next page shows what came of it.
    async fn act(self: Arc<Self>, asked: Asked) -> Acted {
        match act::take(&self.commands, &self.config.journal.data_folder, asked, Way::Page).await {
            Ok(Ok(came)) => {
                self.status.looked_again().await;
                Ok(came.iter().map(Came::words).collect())
            }
            Ok(Err(faults)) => Err(faults.iter().map(Refusal::words).collect()),
            Err(error) => Err(vec![failed(&error)]),
        }
    }

    /// Tells why weir can't do its work now; nothing if it can.
    #[must_use]
    pub fn unready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.status.stopping.load(Ordering::Acquire) {
            reasons.push("weir is stopping".to_owned());
        }
        if let Some(full) = &*self.status.full.load() {
            reasons.push(format!("nothing is acknowledged: {full}"));
        }
        let brokers = self.status.brokers();
        if brokers.is_empty() {
            reasons.push("no broker is connected yet".to_owned());
        }
        for broker in brokers {
            if let Some(fault) = broker.fault {
                reasons.push(format!("broker {}: {fault}", broker.network));
            }
            let refused = broker.refused.iter();
            reasons.extend(refused.map(|one| format!("broker {} {}", broker.network, words(one))));
        }
        reasons
    }

    /// Gives a page: what holds for all, and the stations of one part, numbered from 1.
    #[must_use]
    pub fn page(&self, asked: &StationsAsked) -> PageView {
        let mut page = PageView { asked: asked.clone(), ..PageView::default() };
        if let Some(view) = &*self.status.view.load() {
            let second = view.at.wall.plus(-view.at.wall.millis().rem_euclid(SECOND));
            page.at = second.rfc3339(&self.home);
            page.classes = evaluated::tally(view);
            (page.sets, page.sets_of) = evaluated::sets(view, &self.home, SETS_SHOWN_MAX);
            (page.places, page.part) = places(view, asked, &self.home);
            let choices = view.registry.places.iter();
            page.choices = choices
                .map(|one| (one.name.to_string(), Text::new(&*one.name_en, &*one.name_zh)))
                .take(CHOICES_MAX)
                .collect();
        }
        page
    }

    /// Gives what a terminal shows.
    #[must_use]
    pub fn screen(&self) -> ScreenView {
        let stations = self.page(&StationsAsked::default());
        let mut screen = ScreenView { stations, ..ScreenView::default() };
        let reader = self.reader();
        if let Err(error) = self.add_journal(&mut screen, &reader) {
            tracing::warn!(%error, "The screen lacks what the journal says.");
        }
        screen
    }

    fn add_journal(&self, screen: &mut ScreenView, reader: &Reader) -> Result<(), Error> {
        let mut alerts: Vec<AlertView> =
            reader.open_alerts()?.iter().map(|alert| alert_view(&alert.json)).collect();
        let rank = |alert: &AlertView| match alert.severity.as_str() {
            "critical" => 0,
            "warning" => 1,
            _ => 2,
        };
        alerts.sort_by_key(rank);
        screen.alerts_of = alerts.len();
        alerts.truncate(ALERTS_SHOWN_MAX);
        screen.alerts = alerts;
        screen.ledger = self.ledger(reader)?;
        Ok(())
    }
}

fn words((filter, reason): &(String, String)) -> String {
    format!("refuses `{filter}`: {reason}")
}

fn counts(counts: Counts) -> CountsView {
    let Counts { received, stored, rejected, duplicate } = counts;
    CountsView { received, stored, rejected, duplicate }
}

fn alert_view(json: &str) -> AlertView {
    let body: Value = serde_json::from_str(json).unwrap_or_default();
    let text = |part: &str, key: &str| {
        body.pointer(&format!("/{part}/{key}")).and_then(Value::as_str).unwrap_or("").to_owned()
    };
    let summary = |key: &str| text("commonAnnotations", key);
    AlertView {
        sentence: Text::new(summary("summary_en"), summary("summary_zh")),
        severity: text("commonLabels", "severity"),
        route: text("commonLabels", "route"),
    }
}

/// Says that something could not be done, and why.
fn failed(error: &anyhow::Error) -> Text {
    Refusal::Failed(format!("{error:#}")).words()
}

/// A station that spoke, where it stands.
struct Speaker<'a> {
    place: &'a Place,
    station: &'a Station,
    state: &'a StationState,
}

/// Finds the stations that spoke, in the order of the places.
fn speakers(view: &View) -> Vec<Speaker<'_>> {
    let registry = &view.registry;
    let mut speakers: Vec<Speaker<'_>> = registry
        .stations
        .iter()
        .filter_map(|station| {
            let state = view.stations.get(station.id.index())?.as_ref()?;
            let spoke = state.streams.iter().any(|stream| stream.newest.is_some());
            let place = registry.places.get(station.place.index())?;
            spoke.then_some(Speaker { place, station, state })
        })
        .collect();
    speakers.sort_by_key(|one| one.place.id);
    speakers
}

/// Gives a part of the stations, by place, and which part it is; beyond the last it is that.
fn places(view: &View, asked: &StationsAsked, home: &TimeZone) -> (Vec<PlaceView>, PartView) {
    let mut speakers = speakers(view);
    speakers.retain(|one| is_wanted(&view.registry, one, asked));
    let number = asked.number;
    let parts = speakers.len().div_ceil(STATIONS_SHOWN_MAX).max(1);
    let number = number.clamp(1, parts);
    let before = (number - 1) * STATIONS_SHOWN_MAX;
    let part = PartView {
        number,
        of: parts,
        first: before + 1,
        last: speakers.len().min(before + STATIONS_SHOWN_MAX),
        stations: speakers.len(),
        exceeding: speakers.iter().filter(|one| exceeds(one.state)).count(),
    };
    let mut places: Vec<(PlaceId, PlaceView)> = Vec::new();
    for Speaker { place, station, state } in
        speakers.into_iter().skip(before).take(STATIONS_SHOWN_MAX)
    {
        let station = station_view(view, station, state);
        match places.last_mut() {
            Some((id, held)) if *id == place.id => held.stations.push(station),
            Some(_) | None => {
                let name = Text::new(&*place.name_en, &*place.name_zh);
                let evaluations = evaluated::of_place(view, place.id, home);
                let stations = vec![station];
                places.push((place.id, PlaceView { name, evaluations, stations }));
            }
        }
    }
    (places.into_iter().map(|(_, place)| place).collect(), part)
}

/// Says whether a station is among those that are wanted.
fn is_wanted(registry: &Registry, one: &Speaker<'_>, asked: &StationsAsked) -> bool {
    let words = asked.words.to_lowercase();
    let Station { name, name_en, name_zh, .. } = one.station;
    let named = [name, name_en, name_zh].iter().any(|name| name.to_lowercase().contains(&words));
    let up = |place: &&Place| registry.places.get(place.part_of?.index());
    // Places may not lie in each other in a circle, and a line of them is short.
    let mut line = std::iter::successors(Some(one.place), up).take(8);
    named && (asked.place.is_empty() || line.any(|place| *place.name == *asked.place))
}

/// Gives the verdict that is shown beside a value: its own, else that of its hour.
fn verdict_of(held: &StreamState) -> Option<(Verdict, Option<WaterClass>)> {
    held.last.verdict(Period::Native).or_else(|| held.last.verdict(Period::Hour))
}

fn exceeds(state: &StationState) -> bool {
    let exceeded = |held: &StreamState| {
        verdict_of(held).is_some_and(|(verdict, _)| matches!(verdict, Verdict::Exceeds { .. }))
    };
    state.streams.iter().any(exceeded)
}

fn station_view(view: &View, station: &Station, state: &StationState) -> StationView {
    let ids = station.datastreams.iter();
    let streams = ids.filter_map(|id| view.registry.datastream(*id));
    let values: Vec<ValueView> = streams
        .filter_map(|stream| {
            let held = state.streams.get(usize::from(stream.slot))?;
            value_view(view, station, stream, held)
        })
        .collect();
    let evaluations = evaluated::of_station(view, station, state);
    let unevaluated = match evaluations.first() {
        Some(_) => Text::default(),
        None => evaluated::why_none(&view.registry, station),
    };
    StationView {
        id: station.name.to_string(),
        name: Text::new(&*station.name_en, &*station.name_zh),
        target: station.target_class.to_string(),
        evaluations,
        unevaluated,
        exceeds: values.iter().any(|value| value.exceeds),
        silent: state.silence.firing.is_some(),
        values,
    }
}

fn value_view(
    view: &View,
    station: &Station,
    stream: &Datastream,
    held: &StreamState,
) -> Option<ValueView> {
    let registry = &view.registry;
    let newest = held.newest?;
    let property = registry.property(stream.property)?;
    let decimals = usize::from(property.decimals);
    let value = match newest.result {
        ObservationResult::Value(value) => format!("{value:.decimals$}"),
        ObservationResult::Censored { side: Side::Below, limit } => format!("<{limit:.decimals$}"),
        ObservationResult::Censored { side: Side::Above, limit } => format!(">{limit:.decimals$}"),
        ObservationResult::Nil(_) => "–".to_owned(),
    };
    let told = verdict_of(held);
    let verdict = told.map(|(verdict, _)| verdict);
    let class = told.and_then(|(_, class)| class);
    Some(ValueView {
        property: Text::new(&*property.name_en, &*property.name_zh),
        symbol: property.symbol.to_string(),
        position: stream.position.to_string(),
        value,
        unit: registry.unit_label(property).to_owned(),
        flag: newest.flag().number(),
        doubts: doubts(registry, stream, &newest.quality),
        verdict: verdict.map(|verdict| verdict_text(registry, verdict)).unwrap_or_default(),
        class: class.map(words::class).unwrap_or_default(),
        exceeds: matches!(verdict, Some(Verdict::Exceeds { .. })),
        silent: held.silence.firing.is_some(),
        at: newest.time.rfc3339(&station.zone),
        age_s: (view.at.wall.since(newest.time) / 1_000).max(0),
    })
}

/// Tells the tests by which a value is suspect or wrong, with their thresholds.
fn doubts(registry: &Registry, stream: &Datastream, quality: &Quality) -> Vec<DoubtView> {
    let unit = registry.property(stream.property).map_or("", |one| registry.unit_label(one));
    let failed = quality.tests(Flag::Fail).map(|test| (test, Flag::Fail));
    let doubted = quality.doubts().map(|test| (test, Flag::Suspect));
    let view = |(test, flag): (Test, Flag)| DoubtView {
        test: threshold::name(test),
        flag: flag.number(),
        threshold: threshold::threshold(stream, test, unit).unwrap_or_default(),
    };
    failed.chain(doubted).map(view).collect()
}

fn verdict_text(registry: &Registry, verdict: Verdict) -> Text {
    let name = |limit| {
        registry.limit(limit).map_or_else(Text::default, |limit| {
            let class = if limit.class.is_empty() { "" } else { " " };
            let of_water = WaterClass::from_name(&limit.class).map(words::class);
            let class_zh = of_water.map_or(limit.class.to_string(), |of_water| of_water.zh);
            Text::new(
                format!("{}{class}{}", limit.instrument, limit.class),
                format!("{}{class}{class_zh}", limit.instrument),
            )
        })
    };
    match verdict {
        Verdict::Within { limit } => {
            let Text { en, zh } = name(limit);
            Text::new(format!("meets {en}"), format!("符合 {zh}"))
        }
        Verdict::Exceeds { limit, .. } => {
            let Text { en, zh } = name(limit);
            Text::new(format!("does not meet {en}"), format!("不符合 {zh}"))
        }
        Verdict::NotAssessable(NotAssessable::NoLimit) => Text::default(),
        Verdict::NotAssessable(reason) => words::reason(reason),
    }
}
