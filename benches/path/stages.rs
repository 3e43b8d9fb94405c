//! What each stage of one message costs, as a share of what weir spends on it at full speed from
//! socket to sink. Each is called as the daemon calls it, a thousand messages after another.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir::aggregate::window::Windows;
use weir::alert::exceedance::{self, Heard, Terms};
use weir::assess::{self, Last};
use weir::decode::{self, Decoded};
use weir::domain::assessment::Assessment;
use weir::domain::history::{Entry, History};
use weir::domain::input::Arrival;
use weir::domain::name::NetworkId;
use weir::domain::observation::{Observation, QualifiedObservation, Reading};
use weir::domain::quality::Test;
use weir::domain::registry::{Device, Registry, RuleKind, TopicRule};
use weir::domain::time::{HOUR, MINUTE, Moment, Timestamp};
use weir::influx::line::{Points, Renderer};
use weir::journal;
use weir::journal::batch::Batch;
use weir::journal::blob::Packer;
use weir::journal::write::Journal;
use weir::normalize;
use weir::qc::{self, Around, Memory, spike};

use crate::Bench;
use crate::fleet;
use crate::process;
use crate::ring::{Feed, message, registry};
use crate::speed::{STATIONS, full_speed};
use crate::table::Aim;

/// How many messages one look at a stage takes, as many as a batch.
const BATCH: u64 = 1_000;
/// How many looks; the shortest counts, since whatever else the machine does only adds.
const LOOKS: usize = 40;
/// 2026-06-03T08:00:00Z.
const START: i64 = 1_780_473_600_000;

/// What one stage gives to the next, of a batch.
struct Given {
    registry: Arc<Registry>,
    payloads: Vec<(u64, String)>,
    observations: Vec<Vec<Observation>>,
    qualified: Vec<Vec<QualifiedObservation>>,
    assessments: Vec<Vec<Assessment>>,
}

pub fn stages(bench: &mut Bench) {
    let whole = full_speed(bench.messages);
    let (registry, rivers) = registry(STATIONS);
    let given = Given::new(&registry);
    let mut rows = vec![
        ("decode", given.decode()),
        ("normalize", given.normalize()),
        ("qc", given.qualify()),
        ("remember: duplicates, revisions, late values", given.remember()),
        ("aggregate", given.aggregate()),
        ("assess", given.assess()),
        ("alert", given.alert()),
        ("render", given.render()),
    ];
    let (keep, compress, commit) = given.journal(rivers);
    rows.extend([("keep the input", keep), ("compress", compress), ("commit", commit)]);
    let pipeline = whole_pipeline(Feed::new(registry, rivers));
    let known: Duration = rows.iter().map(|(_, cost)| *cost).sum();
    let parts: Duration = rows.iter().take(7).map(|(_, cost)| *cost).sum();
    let share = |cost: Duration| cost.as_secs_f64() / whole.as_secs_f64() * 100.0;
    let note = || "of weir's CPU per message at full speed".to_owned();
    for (stage, cost) in &rows {
        let figure = format!("stage: {stage}");
        bench.table.add(&figure, share(*cost), "%", Aim::None, note());
    }
    let between = pipeline.saturating_sub(parts);
    let figure = "stage: the pipeline between its stages (routes, packet ids, look-ups)";
    bench.table.add(figure, share(between), "%", Aim::None, note());
    let rest = whole.saturating_sub(known + between);
    let figure = "stage: the rest (sockets, MQTT, threads, delivery, cold memory)";
    bench.table.add(figure, share(rest), "%", Aim::None, note());
}

/// Gives what one message costs, of the shortest of several looks at a batch.
fn per_message(mut look: impl FnMut()) -> Duration {
    let looks = (0..LOOKS).map(|_| {
        let start = Instant::now();
        look();
        start.elapsed()
    });
    looks.min().unwrap_or_default() / u32::try_from(BATCH).unwrap()
}

/// Gives what one message costs of CPU, of all looks together: waiting for the disk is not
/// counted, and Linux counts CPU too coarsely for one look.
fn cpu_per_message(mut look: impl FnMut()) -> Duration {
    let start = process::own_cpu();
    (0..LOOKS).for_each(|_| look());
    (process::own_cpu() - start) / u32::try_from(BATCH * LOOKS as u64).unwrap()
}

impl Given {
    fn new(registry: &Arc<Registry>) -> Self {
        let (mut topic, mut payload) = (String::new(), String::new());
        let payloads = (0..BATCH).map(|number| {
            let ts = START + i64::try_from(number / STATIONS).unwrap() * 1_000;
            fleet::message(number % STATIONS, ts, number, &mut topic, &mut payload);
            (number % STATIONS, payload.clone())
        });
        let mut given = Self {
            registry: Arc::clone(registry),
            payloads: payloads.collect(),
            observations: Vec::new(),
            qualified: Vec::new(),
            assessments: Vec::new(),
        };
        given.observations = given.all_observations();
        given.qualified = given.observations.iter().map(|of| given.qualify_all(of)).collect();
        let mut lasts = vec![Last::default(); registry.datastreams.len()];
        // The first verdict on a datastream is news, the next ones are not.
        for _ in 0..2 {
            let assess = |of: &Vec<QualifiedObservation>| {
                let each = of.iter().map(|one| {
                    let datastream = registry.datastream(one.observation.datastream).unwrap();
                    let last = &mut lasts[datastream.id.0 as usize];
                    assess::assess(registry, datastream, one, &|_| None, last)
                });
                each.collect()
            };
            given.assessments = given.qualified.iter().map(assess).collect();
        }
        given
    }

    fn device(&self, station: u64) -> &Device {
        let name = format!("b{station}");
        self.registry.devices.iter().find(|device| *device.name == *name).unwrap()
    }

    fn rule(&self) -> &TopicRule {
        let mut rules = self.registry.topics.iter();
        rules.find(|rule| rule.pattern.starts_with("water/")).unwrap()
    }

    /// All devices of the bench are of one profile and zone.
    fn decoding(&self) -> decode::Context<'_> {
        let (rule, device) = (self.rule(), self.device(0));
        let profile = &self.registry.profiles[usize::from(device.assignments[0].profile.0)];
        let (zone, units, marks) = (&device.zone, &self.registry.units, &self.registry.marks);
        decode::Context {
            profile,
            rule,
            zone,
            units,
            marks,
            device: None,
            channel: None,
            topic: "",
            device_name: "",
            kind: None,
            received: Timestamp(START),
            retained: false,
        }
    }

    fn decode(&self) -> Duration {
        let context = self.decoding();
        let plans = decode::plans(context.rule, context.profile);
        let (mut announced, mut decoded) = (Arc::default(), Decoded::default());
        per_message(|| {
            for (_, payload) in &self.payloads {
                decoded.clear();
                let payload = payload.as_bytes();
                decode::decode(&plans, context, payload, &mut announced, &mut decoded).unwrap();
                black_box(&decoded);
            }
        })
    }

    /// Decodes each payload and gives what `of` makes of its readings.
    fn each_decoded<T>(&self, mut of: impl FnMut(u64, &[Reading]) -> T) -> Vec<T> {
        let decoding = self.decoding();
        let plans = decode::plans(decoding.rule, decoding.profile);
        let mut decoded = Decoded::default();
        let each = self.payloads.iter().map(|(station, payload)| {
            decoded.clear();
            decode::decode(&plans, decoding, payload.as_bytes(), &mut Arc::default(), &mut decoded)
                .unwrap();
            of(*station, &decoded.readings)
        });
        each.collect()
    }

    fn all_observations(&self) -> Vec<Vec<Observation>> {
        self.each_decoded(|station, readings| {
            let context = self.context(station);
            let each = readings.iter().map(|one| normalize::normalize(context, one).unwrap());
            each.flatten().collect()
        })
    }

    fn context(&self, station: u64) -> normalize::Context<'_> {
        let device = self.device(station);
        let profile = device.assignments[0].profile;
        normalize::Context {
            registry: &self.registry,
            device,
            profile,
            channels: &self.registry.profiles[usize::from(profile.0)].channels,
            received: Timestamp(START + MINUTE),
            retain: false,
        }
    }

    fn normalize(&self) -> Duration {
        let all = self.each_decoded(|station, readings| (self.context(station), readings.to_vec()));
        per_message(|| {
            for (context, readings) in &all {
                for reading in readings {
                    black_box(normalize::normalize(*context, reading).unwrap());
                }
            }
        })
    }

    /// Judges an observation that comes a minute after one of the same value.
    fn qualified(&self, observation: Observation, memory: &mut Memory) -> QualifiedObservation {
        let datastream = self.registry.datastream(observation.datastream).unwrap();
        let station = self.registry.station(datastream.station).unwrap();
        let (time, qc) = (observation.phenomenon_time.start(), &*datastream.qc);
        let number = observation.result.number();
        let before = number.map(|number| (time.plus(-MINUTE), number));
        let last = Some(time.plus(-MINUTE));
        let around = Around { before, last, ..Around::default() };
        let mut quality = qc::begin(&observation, None);
        qc::judge(qc, (time, &station.zone), number, &around, &mut quality);
        if let Some(flat) = qc.flat_line {
            memory.run = memory.run.next(flat, (time, number), std::iter::empty());
            quality.set(Test::FlatLine, memory.run.test_at(flat, time, MINUTE));
        }
        if let Some(spike) = qc.spike {
            black_box(spike::test(spike, [memory.before, number, number]));
            memory.before = number;
        }
        let (completeness, flag_only) = (None, false);
        QualifiedObservation { observation, quality, revision: false, completeness, flag_only }
    }

    fn qualify_all(&self, observations: &[Observation]) -> Vec<QualifiedObservation> {
        let each = observations.iter().map(|one| self.qualified(*one, &mut Memory::default()));
        each.collect()
    }

    fn qualify(&self) -> Duration {
        let mut memories = vec![Memory::default(); self.registry.datastreams.len()];
        per_message(|| {
            for one in self.observations.iter().flatten() {
                let memory = &mut memories[one.datastream.0 as usize];
                black_box(self.qualified(*one, memory));
            }
        })
    }

    fn remember(&self) -> Duration {
        let mut histories = vec![History::default(); self.registry.datastreams.len()];
        let mut turn = 0;
        per_message(|| {
            turn += 1;
            for one in self.qualified.iter().flatten() {
                let observation = &one.observation;
                let time = observation.phenomenon_time.start().plus(turn * MINUTE);
                let history = &mut histories[observation.datastream.0 as usize];
                if history.newest().is_some_and(|newest| newest.time >= time) {
                    black_box(history.held(time, observation.result));
                }
                let result = observation.result;
                history.put(Entry { time, result, quality: one.quality, mark: None });
            }
        })
    }

    fn aggregate(&self) -> Duration {
        let mut hours = vec![Windows::default(); self.registry.datastreams.len()];
        per_message(|| {
            for one in self.qualified.iter().flatten() {
                let datastream = self.registry.datastream(one.observation.datastream).unwrap();
                let station = self.registry.station(datastream.station).unwrap();
                let time = one.observation.phenomenon_time.start();
                let hour = time.hour_start(&station.zone);
                let hours = &mut hours[datastream.id.0 as usize];
                let settle_ms = self.registry.judgement.settle_hour_ms;
                hours.mark(hour, true, |_, _| time.max(hour.plus(HOUR + settle_ms)));
                black_box(hours.due());
            }
        })
    }

    fn assess(&self) -> Duration {
        let mut lasts = vec![Last::default(); self.registry.datastreams.len()];
        per_message(|| {
            for one in self.qualified.iter().flatten() {
                let datastream = self.registry.datastream(one.observation.datastream).unwrap();
                let last = &mut lasts[datastream.id.0 as usize];
                black_box(assess::assess(&self.registry, datastream, one, &|_| None, last));
            }
        })
    }

    fn alert(&self) -> Duration {
        let fresh = (exceedance::State::default(), exceedance::Further::default());
        let mut states = vec![fresh; self.registry.datastreams.len()];
        per_message(|| {
            for one in self.assessments.iter().flatten() {
                let datastream = self.registry.datastream(one.datastream).unwrap();
                let rule = datastream.exceedance_rule.and_then(|rule| self.registry.rule(rule));
                let Some((rule, RuleKind::Exceedance { of, pending, keep, hysteresis })) =
                    rule.map(|rule| (rule, rule.kind))
                else {
                    continue;
                };
                let (warning_share, rises) = (rule.warning_share, &*rule.rises);
                let terms = Terms { pending, keep, hysteresis, warning_share, rises };
                let outcome = exceedance::outcome(&self.registry, one, terms);
                let (period, span, class) = (one.period, one.phenomenon_time, one.class);
                let (suspect, sampled, multiple) = (one.unconfirmed, false, None);
                let heard = Heard { of, period, span, outcome, class, multiple, suspect, sampled };
                let (first, further) = &mut states[datastream.id.0 as usize];
                black_box(exceedance::judge(terms, (first, further), heard, Default::default));
            }
        })
    }

    fn render(&self) -> Duration {
        let (mut renderer, mut lines) = (Renderer::new(&self.registry), Vec::new());
        per_message(|| {
            lines.clear();
            for (observations, assessments) in self.qualified.iter().zip(&self.assessments) {
                let points = Points { observations, assessments, ..Points::default() };
                renderer.render(&self.registry, points, &mut lines);
            }
            black_box(&lines);
        })
    }

    /// Gives what keeping an input, compressing and committing a batch cost, a message.
    fn journal(&self, network: NetworkId) -> (Duration, Duration, Duration) {
        let (mut renderer, mut batch) = (Renderer::new(&self.registry), Batch::default());
        for (observations, assessments) in self.qualified.iter().zip(&self.assessments) {
            let lines = &mut batch.lines;
            let points = Points { observations, assessments, ..Points::default() };
            let count = renderer.render(&self.registry, points, lines);
            batch.line_count += count as u64;
        }
        let topics: Vec<String> = (0..STATIONS).map(|one| format!("water/b{one}/data")).collect();
        let at = Moment { wall: Timestamp(START), elapsed_ms: 0 };
        let keep = per_message(|| {
            batch.inputs.clear();
            for (station, payload) in &self.payloads {
                let input = message(network, &topics[*station as usize], payload);
                batch.inputs.push(&Arrival { at, input });
            }
        });
        let mut packer = Packer::new().unwrap();
        let compress = per_message(|| {
            black_box(packer.zstd(batch.inputs.bytes()).unwrap());
            black_box(packer.gzip(&batch.lines).unwrap());
        });
        let folder = tempfile::TempDir::new().unwrap();
        let place = journal::Config::at(folder.path());
        let mut journal = Journal::open(&place, at.wall).unwrap();
        batch.at = at.wall;
        let both = cpu_per_message(|| {
            journal.commit(&batch).unwrap();
        });
        (keep, compress, both.saturating_sub(compress))
    }
}

/// What the whole pipeline costs, a message.
fn whole_pipeline(mut feed: Feed) -> Duration {
    let (mut topic, mut payload) = (String::new(), String::new());
    let batches = u64::try_from(LOOKS).unwrap();
    let messages: Vec<(i64, String, String)> = (0..BATCH * batches)
        .map(|number| {
            let ts = START + i64::try_from(number / STATIONS).unwrap() * 1_000;
            fleet::message(number % STATIONS, ts, number, &mut topic, &mut payload);
            (ts, topic.clone(), payload.clone())
        })
        .collect();
    let mut batches = messages.chunks(usize::try_from(BATCH).unwrap());
    per_message(|| {
        for (ts, topic, payload) in batches.next().unwrap() {
            feed.take(*ts, topic, payload);
        }
    })
}
