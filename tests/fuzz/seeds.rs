//! Seeds: any table beside sound ones makes a sound edition or a list of faults, and a sound
//! edition runs.

use std::sync::Arc;

use weir::domain::input::{Arrival, Condition, Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::name::{NameKind, Names, NetworkId};
use weir::domain::registry::Registry;
use weir::domain::time::{HOUR, Moment, Timestamp};
use weir::influx::line::{Points, Renderer, collision};
use weir::pipeline::{Pipeline, Processed};
use weir::seed::{Tables, compile, diff, may_follow};

use super::{Feed, NETWORKS, TABLES};

/// The most of one fault that is said; a cell is quoted as it stands.
const FAULT_MAX: usize = 16 << 10;

/// Tables by the number that a case begins with. It is never another's, or the cases in the corpus
/// would mean something else: a new table goes to the end.
const NUMBERED: [&str; 31] = [
    "averages.csv",
    "calibrations.csv",
    "devices.csv",
    "places.csv",
    "profiles.csv",
    "properties.csv",
    "qc.csv",
    "reaches.csv",
    "rules.csv",
    "stations.csv",
    "topics.csv",
    "units.csv",
    "limits/a.csv",
    "members.csv",
    "aqi.csv",
    "aqi_editions.csv",
    "aqi_grades.csv",
    "molar_masses.csv",
    "percentiles.csv",
    "reference_states.csv",
    "derived.csv",
    "grades.csv",
    "items.csv",
    "counters.csv",
    "factors.csv",
    "production.csv",
    "targets.csv",
    "cross_checks.csv",
    "device_marks.csv",
    "calendar.csv",
    "checks.csv",
];

/// Lays bytes over the sound tables: the whole of one, rows behind its head, or more rows.
fn tables(bytes: &[u8]) -> Tables {
    let mut feed = Feed(bytes);
    let mut tables = TABLES.clone();
    for (name, _) in tables.iter().filter(|(name, _)| !name.starts_with("limits/")) {
        assert!(NUMBERED.contains(&name), "{name} has no number: put it at the end of the list");
    }
    let name = NUMBERED[usize::from(feed.byte()) % NUMBERED.len()];
    let held = tables.get(name).unwrap_or_default();
    let head = held.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let laid = match feed.byte() % 3 {
        0 => feed.0.to_vec(),
        1 => [head, feed.0].concat(),
        _ => [held, feed.0].concat(),
    };
    tables.put(name, laid);
    tables
}

pub(crate) fn body(bytes: &[u8]) {
    let tables = tables(bytes);
    let judgement = Judgement::default();
    let back = Tables::from_bytes(&tables.to_bytes()).unwrap();
    assert_eq!(back, tables);
    assert!(diff(&back, &tables).is_empty());
    let networks = NETWORKS.map(str::to_owned);
    let mut names = Names::default();
    match compile(&tables, judgement, &networks, &mut names) {
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in &faults {
                let words = fault.to_string();
                assert!(fault.file.starts_with("seeds/") && !fault.found.is_empty(), "{words}");
                assert!(!fault.expected.is_empty() && words.len() <= FAULT_MAX, "{words}");
                assert!(fault.line != Some(0), "{words}");
            }
            assert_eq!(names.of(NameKind::Station).count(), 0, "a faulty edition gave ids");
        }
        Ok(registry) => {
            let fresh = names.take_fresh().len();
            let again = compile(&tables, judgement, &networks, &mut names).unwrap();
            assert_eq!(again.digest, registry.digest);
            assert!(fresh > 0 && names.take_fresh().is_empty(), "an id was given twice");
            assert_eq!(may_follow(&registry, &again), Ok(()));
            run(&Arc::new(registry));
        }
    }
}

/// A little life under the edition.
fn run(registry: &Arc<Registry>) {
    assert!(Renderer::new(registry).render(registry, Points::default(), &mut Vec::new()) == 0);
    assert!(collision(registry).len() <= registry.datastreams.len());
    let mut at = Moment { wall: Timestamp(1_780_273_800_000), elapsed_ms: 0 };
    let mut pipeline = Pipeline::new(Arc::clone(registry), at);
    let mut out = Processed::default();
    let network = NetworkId(0);
    let mut take = |at, input: Input<'_>| pipeline.process(&Arrival { at, input }, &mut out);
    take(at, Input::Condition(Condition::Connected(network)));
    for round in 0..3_u16 {
        let payload = format!("{{\"ts\":{},\"ph\":{round},\"do\":1.5}}", at.wall.millis());
        for topic in [&b"water/sonde-01/data"[..], b"air/air-1/list", b""] {
            let message = Message {
                network,
                packet_id: round + 1,
                dup: false,
                retain: false,
                qos: Qos::AtLeastOnce,
                topic,
                payload: payload.as_bytes(),
                fault: None,
            };
            take(at, Input::Message(message));
        }
        take(at, Input::Tick);
        at = Moment { wall: at.wall.plus(2 * HOUR), elapsed_ms: at.elapsed_ms + 2 * HOUR };
    }
}
