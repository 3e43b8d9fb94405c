//! The demonstration's story, told to the pipeline without a broker: it is what `world.rs` says.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use weir::aggregate::counter::consumption;
use weir::assess::energy::{Over, monthly_power_factor, water_reuse};
use weir::basin::balance::balance;
use weir::demo::world::{Publication, World};
use weir::domain::alert::{AlertEvent, Route, Subject};
use weir::domain::evaluation::{Evaluated, Target};
use weir::domain::history::Entry;
use weir::domain::input::{Arrival, Condition, Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::{Ledger, Outcome};
use weir::domain::name::{NameKind, Names, NetworkId};
use weir::domain::observation::{Observation, Period};
use weir::domain::registry::MeterRole::Import;
use weir::domain::registry::{Metered, Registry};
use weir::domain::time::{MINUTE, Moment, SECOND, Timestamp};
use weir::pipeline::{Pipeline, Processed};
use weir::seed::{compile, example};

/// 2026-06-01T06:00:00+08:00.
const START: Timestamp = Timestamp(1_780_264_800_000);

fn told(seed: u64, step: i64) -> Vec<Publication> {
    let mut world = World::new(seed, START);
    let mut said = Vec::new();
    let mut now = START;
    while now.since(START) < 60 * MINUTE {
        now = now.plus(step);
        world.until(now, &mut |publication| said.push(publication));
    }
    said
}

#[test]
fn the_same_number_is_the_same_world_however_it_is_asked() {
    let world = told(7, 10 * SECOND);
    assert_eq!(world, told(7, 60 * MINUTE));
    assert_ne!(world, told(8, 60 * MINUTE));
    assert!(world.is_sorted_by_key(|publication| publication.at));
}

fn name(registry: &Registry, subject: Subject) -> String {
    match subject {
        Subject::Datastream(id) => registry.datastream(id).unwrap().name.to_string(),
        Subject::Station(id) => registry.station(id).unwrap().name.to_string(),
        Subject::Evaluated { index, .. } => index.word().to_owned(),
        Subject::Weir { condition, .. } => condition.word().to_owned(),
        Subject::Device(id) => registry.devices.get(id.index()).unwrap().name.to_string(),
        Subject::Network(id) => registry.networks.get(id.index()).unwrap().to_string(),
    }
}

/// Gives who is called by the first alert about something.
fn who(registry: &Registry, alerts: &[(i64, AlertEvent)], about: &str) -> Route {
    let mut of = alerts.iter().filter(|(_, event)| name(registry, event.subject) == about);
    registry.rule(of.next().unwrap().1.rule).unwrap().route
}

/// The technician goes for the probe with the loose cable, the operator for the river.
#[track_caller]
fn assert_each_is_called(registry: &Registry, alerts: &[(i64, AlertEvent)], probe: &[(i64, &str)]) {
    assert_eq!(probe.iter().map(|one| one.1).collect::<Vec<_>>(), ["firing", "resolved"]);
    assert!((59..62).contains(&probe[0].0) && (119..122).contains(&probe[1].0), "{probe:?}");
    assert_eq!(who(registry, alerts, "beiyun-beiling/ph"), Route::Instrument);
    assert_eq!(who(registry, alerts, "nanyun-longtan/turbidity"), Route::Instrument);
    assert_eq!(who(registry, alerts, "puhe-huishan/dissolved_oxygen"), Route::Environment);
}

#[test]
fn the_story_is_what_alerts_and_dead_letters_say_and_nothing_else() {
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    let mut names = Names::default();
    let registry =
        Arc::new(compile(&example::tables(), Judgement::default(), &networks, &mut names).unwrap());
    let id = |names: &mut Names, name: &str| NetworkId(names.id(NameKind::Network, name));
    let (rivers, parks) = (id(&mut names, "rivers"), id(&mut names, "parks"));
    let at = |ms: i64| Moment { wall: START.plus(ms), elapsed_ms: ms };
    let mut pipeline = Pipeline::new(Arc::clone(&registry), at(0));
    let mut out = Processed::default();
    for network in [rivers, parks] {
        let input = Input::Condition(Condition::Connected(network));
        pipeline.process(&Arrival { at: at(0), input }, &mut out);
    }
    let mut world = World::new(1, START);
    let mut ledger = Ledger::default();
    let mut repeats = 0;
    let mut alerts = Vec::new();
    let mut letters = Vec::new();
    for second in 0..3 * 3_600 {
        let now = at(second * SECOND);
        let mut said = Vec::new();
        world.until(now.wall, &mut |publication| said.push(publication));
        for (index, publication) in said.iter().enumerate() {
            let message = Message {
                network: if publication.network == "rivers" { rivers } else { parks },
                packet_id: u16::try_from(index).unwrap() + 1,
                dup: false,
                retain: false,
                qos: Qos::AtLeastOnce,
                topic: publication.topic.as_bytes(),
                payload: &publication.payload,
                fault: None,
            };
            pipeline.process(&Arrival { at: now, input: Input::Message(message) }, &mut out);
            let fate = out.fate.unwrap();
            ledger += fate.ledger;
            // What analysers repeat of a sample is one sample; a sonde repeats nothing.
            let sonde = publication.topic.starts_with("water/sonde");
            repeats += usize::from(sonde && fate.outcome == Outcome::Duplicate);
            letters.append(&mut out.rejects);
            alerts.extend(out.alerts.drain(..).map(|event| (second / 60, event)));
        }
        pipeline.process(&Arrival { at: now, input: Input::Tick }, &mut out);
        alerts.extend(out.alerts.drain(..).map(|event| (second / 60, event)));
    }
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!(repeats, 1);
    let codes: Vec<&str> = letters.iter().map(|letter| letter.reason.code()).collect();
    assert_eq!(codes, ["malformed", "wrong_type", "unknown_device"]);

    let mut story: BTreeMap<String, Vec<(i64, &str)>> = BTreeMap::new();
    for (minute, event) in &alerts {
        let station = name(&registry, event.subject);
        story.entry(station).or_default().push((*minute, event.change.word()));
    }
    let minutes = |name: &str| story.get(name).cloned().unwrap_or_default();
    let huishan = minutes("puhe-huishan/dissolved_oxygen");
    assert_eq!(huishan.iter().map(|one| one.1).collect::<Vec<_>>(), ["firing", "resolved"]);
    assert!((18..24).contains(&huishan[0].0) && (60..75).contains(&huishan[1].0), "{huishan:?}");
    let silent = minutes("hunhe-dongling");
    assert_eq!(silent.iter().map(|one| one.1).collect::<Vec<_>>(), ["firing", "resolved"]);
    assert!((33..37).contains(&silent[0].0) && (59..62).contains(&silent[1].0), "{silent:?}");
    let spoke = alerts.iter().find(|(minute, _)| *minute == silent[1].0).unwrap().1;
    assert!(spoke.at.since(spoke.since) > 29 * MINUTE, "how long it was silent is said");
    let daoyi = minutes("puhe-daoyi/dissolved_oxygen");
    assert_eq!(daoyi.first().map(|one| one.1), Some("firing"));
    let wave = alerts.iter().find(|(minute, _)| *minute > 100).unwrap();
    assert!(wave.1.upstream.is_some(), "the wave is recognised downstream");
    assert_each_is_called(&registry, &alerts, &minutes("beiyun-beiling/ph"));
    let stuck = minutes("nanyun-longtan/turbidity");
    assert!(stuck.len() == 1 && (89..93).contains(&stuck[0].0), "{stuck:?}");
    assert_eq!(story.len(), 5, "{story:#?}");
}

/// What weir observes of the parks' meters in the first minutes of the story, by datastream.
fn metered(minutes: i64) -> (Arc<Registry>, BTreeMap<String, Vec<Entry>>) {
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    let mut names = Names::default();
    let registry =
        Arc::new(compile(&example::tables(), Judgement::default(), &networks, &mut names).unwrap());
    let network = NetworkId(names.id(NameKind::Network, "parks"));
    let at = |time: Timestamp| Moment { wall: time, elapsed_ms: time.since(START) };
    let mut pipeline = Pipeline::new(Arc::clone(&registry), at(START));
    let mut held: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut out = Processed::default();
    let mut said = Vec::new();
    World::new(7, START).until(START.plus(minutes * MINUTE), &mut |one| said.push(one));
    for one in said.into_iter().filter(|one| one.network == "parks") {
        let message = Message {
            network,
            topic: one.topic.as_bytes(),
            payload: &one.payload,
            qos: Qos::AtLeastOnce,
            retain: false,
            dup: false,
            packet_id: 1,
            fault: None,
        };
        pipeline.process(&Arrival { at: at(one.at), input: Input::Message(message) }, &mut out);
        for qualified in out.observations.drain(..) {
            let observation = &qualified.observation;
            if observation.period != Period::Native {
                continue;
            }
            let name = &registry.datastream(observation.datastream).unwrap().name;
            let time = observation.phenomenon_time.start();
            let Observation { result, mark, .. } = *observation;
            let entry = Entry { time, result, quality: qualified.quality, mark };
            held.entry(name.to_string()).or_default().push(entry);
        }
    }
    (registry, held)
}

#[test]
fn the_meters_of_the_park_are_what_pencil_and_paper_say() {
    let (registry, held) = metered(130);
    let place = registry.places.iter().find(|place| &*place.name == "setdz").unwrap().id;
    let hour = (START.plus(60 * MINUTE), START.plus(120 * MINUTE));
    let meters = |name: &str| -> Vec<Metered> {
        let property = registry.properties.iter().find(|one| &*one.name == name).unwrap();
        let meters = registry.energy.meters(&registry.datastreams, place, property.id, hour);
        let metered = meters.map(|(datastream, meter)| {
            let entries = &held[&*registry.datastream(datastream).unwrap().name];
            let counter = &registry.energy.counters[&datastream];
            let used = consumption(entries.iter().copied(), hour, counter);
            assert_eq!(used.completeness().valid, 60, "{used:?}");
            let amount = used.total();
            Metered { datastream, role: meter.role, amount, suspect: used.suspect }
        });
        metered.collect()
    };
    let is_near = |found: f64, want: f64, by: f64| (found - want).abs() <= by;

    // 133.0 kWh came in; 79.8 and 46.6 went through the sub-meters; 5 % is not metered. A meter
    // shows tenths.
    let electricity = meters("electricity_energy");
    let property = registry.datastream(electricity[0].datastream).unwrap().property;
    let park = balance((place, property), (Period::Hour, hour.0, hour.1), &electricity);
    assert!(is_near(park.supplied.unwrap(), 133.0, 0.1), "{park:?}");
    assert!(is_near(park.counted.unwrap(), 79.8 + 46.55, 0.2), "{park:?}");
    assert!(is_near(park.evaluation.value.unwrap(), 5.0, 0.3), "{park:?}");
    assert_eq!((park.evaluation.items_of, park.evaluation.unconfirmed), (3, false));

    // 133.0 kWh and 48.3 kvarh are 141.5 kVAh: 0.94.
    let main = |meters: &[Metered]| *meters.iter().find(|one| one.role == Import).unwrap();
    let (active, reactive) = (main(&electricity), main(&meters("reactive_energy")));
    let station = registry.datastream(active.datastream).unwrap().station;
    let over = Over { place, period: Period::Hour, start: hour.0, end: hour.1 };
    let subject = Evaluated::Station(station);
    let factor = monthly_power_factor(&registry, subject, over, "hv_industry", active, reactive);
    assert!(is_near(factor.evaluation.value.unwrap(), 0.94, 0.001), "{factor:?}");
    assert_eq!(factor.evaluation.target, Target::Met);

    // 3.2 m3 fresh and 54.4 m3 reused: 94.4 %, and 95 % was promised.
    let reuse = water_reuse(&registry, over, &meters("water_volume")).evaluation;
    assert!(is_near(reuse.value.unwrap(), 94.444, 0.02), "{reuse:?}");
    assert_eq!(reuse.target, Target::Missed);
}
