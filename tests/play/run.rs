//! A run of the example's world with some devices more, of which averages and what is made of them
//! are gathered. The clock stands where it is set.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir::domain::evaluation::Evaluation;
use weir::domain::input::{Condition, Input};
use weir::domain::name::NetworkId;
use weir::domain::observation::{ObservationResult, Period, QualifiedObservation};
use weir::domain::quality::Flag;
use weir::domain::registry::Registry;
use weir::domain::time::{Moment, Timestamp};
use weir::seed::Tables;

use super::{Editions, Player, Sent, lay_table_over, root};

/// Start, value, valid of expected, and whether it is a revision.
pub type Given = (i64, Option<f64>, (u32, u32), bool);

/// Value, flag, valid of expected.
pub type Said = (Option<f64>, Flag, (u32, u32));

pub struct Run {
    pub registry: Arc<Registry>,
    pub player: Player,
    tables: Tables,
    editions: Editions,
    rivers: NetworkId,
    now: Moment,
    packet_id: u16,
    pub given: Vec<QualifiedObservation>,
    pub coverage: Vec<(String, u32, u32, u32)>,
    pub evaluations: Vec<Evaluation>,
}

impl Run {
    /// Begins with the example's seeds and some rows more: a table, and what comes behind it.
    pub fn new(start: i64, more: &[(&str, &str)]) -> Self {
        let mut tables = Tables::read(&root().join("seeds")).unwrap();
        lay_rows_over(&mut tables, more);
        let mut editions = Editions::default();
        let registry = editions.add("", &tables).unwrap();
        let rivers = editions.network("rivers");
        let now = Moment { wall: Timestamp(start), elapsed_ms: 0 };
        let player = Player::new(&registry, now);
        let mut run = Self {
            registry,
            player,
            tables,
            editions,
            rivers,
            now,
            packet_id: 0,
            given: Vec::new(),
            coverage: Vec::new(),
            evaluations: Vec::new(),
        };
        run.input(Input::Condition(Condition::Connected(rivers)));
        run
    }

    /// Has another edition come into force: the one before with some rows more.
    pub fn adopt(&mut self, name: &str, more: &[(&str, &str)]) {
        lay_rows_over(&mut self.tables, more);
        self.registry = self.editions.add(name, &self.tables).unwrap();
        self.input(Input::Edition(Arc::clone(&self.registry)));
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.player.take(self.now, input);
        let averages = self.player.out.observations.iter();
        self.given.extend(averages.filter(|one| one.observation.period != Period::Native));
        for one in &self.player.out.coverage {
            let name = self.registry.datastream(one.datastream).unwrap().name.to_string();
            self.coverage.push((name, one.expected, one.received, one.valid));
        }
        self.evaluations.extend(self.player.out.evaluations.iter().cloned());
        // What was told is of no use here, and a year of it is long.
        self.player.told.clear();
        self.player.caused.clear();
        self.player.kept = weir::journal::inputs::Inputs::default();
    }

    /// Lets the clock stand at a time, and hears it.
    pub fn clock(&mut self, at: i64) {
        self.now.elapsed_ms += at - self.now.wall.millis();
        self.now.wall = Timestamp(at);
        self.input(Input::Tick);
    }

    pub fn send(&mut self, device: &str, time: i64, values: &str) {
        self.packet_id = self.packet_id % 60_000 + 1;
        let (packet_id, sent) = (self.packet_id, Sent::by(self.rivers, device, time, values));
        let sent = Sent { packet_id, ..sent };
        self.input(Input::Message(sent.message()));
    }

    /// Takes what was given out of a datastream and period.
    pub fn take(&mut self, name: &str, period: Period) -> Vec<Given> {
        let id = self.registry.datastreams.iter().find(|one| &*one.name == name).unwrap().id;
        let wanted = |one: &QualifiedObservation| {
            one.observation.datastream == id && one.observation.period == period
        };
        let taken = self.given.extract_if(.., |one| wanted(one));
        let told = taken.map(|one| {
            let made = one.completeness.unwrap();
            let value = match one.observation.result {
                ObservationResult::Value(value) => Some(value),
                ObservationResult::Censored { .. } | ObservationResult::Nil(_) => None,
            };
            let start = one.observation.phenomenon_time.start().millis();
            (start, value, (made.valid, made.expected), one.revision)
        });
        told.collect()
    }

    /// Takes what was said last of each period of a datastream: value, flag, valid of expected.
    pub fn last(&mut self, name: &str, period: Period) -> BTreeMap<i64, Said> {
        let id = self.registry.datastreams.iter().find(|one| &*one.name == name).unwrap().id;
        let wanted = |one: &QualifiedObservation| {
            one.observation.datastream == id && one.observation.period == period
        };
        let mut last = BTreeMap::new();
        for one in self.given.extract_if(.., |one| wanted(one)) {
            let made = one.completeness.unwrap();
            let value = match one.observation.result {
                ObservationResult::Value(value) => Some(value),
                ObservationResult::Censored { .. } | ObservationResult::Nil(_) => None,
            };
            let start = one.observation.phenomenon_time.start().millis();
            last.insert(start, (value, one.flag(), (made.valid, made.expected)));
        }
        last
    }
}

fn lay_rows_over(tables: &mut Tables, more: &[(&str, &str)]) {
    for (table, rows) in more {
        // A row need not have the columns that a table may lack.
        let text = tables.get(table).unwrap().to_vec();
        let head = String::from_utf8(text).unwrap().lines().next().unwrap().to_owned();
        let columns = head.split(',').count();
        let rows = rows.lines().map(|row| {
            let held = row.split(',').count();
            format!("{row}{}\n", ",".repeat(columns - held))
        });
        lay_table_over(tables, &format!("{table}.last"), &rows.collect::<String>());
    }
}
