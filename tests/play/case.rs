//! A case: a folder with arrivals, the editions they name, and what is expected of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use weir::domain::check::CheckKind;
use weir::domain::input::{Act, By, Condition, Input, Qos};
use weir::domain::quality::Flag;
use weir::domain::time::{Moment, SECOND, Timestamp};
use weir::pipeline::act::Judged;
use weir::pipeline::recompute::Reckoned;
use weir::seed::Tables;

use super::{Editions, NETWORKS, Player, Sent, lay_over, root};

/// Between two arrivals the clock is heard this often.
const TICK_MS: i64 = 10 * SECOND;

/// One line of `input.jsonl`. A line with nothing but a time lets it pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    /// RFC 3339.
    at: String,
    /// A sentence for whoever reads the expectation.
    note: Option<String>,
    /// The broker; `rivers` where nothing is said.
    network: Option<String>,
    /// The broker's session is up, or down.
    connection: Option<Connection>,
    /// The broker has seen all acks so far.
    settled: Option<bool>,
    /// A folder of the case that is laid over the seeds: another edition.
    edition: Option<String>,
    /// The number of the dead letter that is run again, counted from 1.
    retry: Option<usize>,
    /// A person says that values do not count, or are in doubt.
    invalidate: Option<Invalidate>,
    /// A person takes that back.
    revoke: Option<Revoke>,
    /// A technician enters the result of a check.
    check: Option<Check>,
    /// Days of which values came late are recomputed, as far as they are due.
    #[serde(default)]
    recompute: bool,
    topic: Option<String>,
    /// JSON as it stands here, or the text of a string.
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    /// The payload in base64, where it is no text.
    base64: Option<String>,
    /// The packet id; the next one where nothing is said.
    packet_id: Option<u16>,
    #[serde(default)]
    dup: bool,
    #[serde(default)]
    retain: bool,
    qos: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invalidate {
    station: String,
    property: Option<String>,
    /// RFC 3339.
    from: String,
    to: String,
    #[serde(default)]
    suspect: bool,
    person: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    station: String,
    property: String,
    kind: String,
    value: f64,
    standard: Option<f64>,
    /// RFC 3339.
    at: String,
    person: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    id: u64,
    person: String,
    reason: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Connection {
    Up,
    Down,
}

/// What is done between the arrivals, to prove that it changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Between {
    Nothing,
    /// The state goes through a snapshot.
    Restart,
    /// What fires is found again without the desk.
    FindDesk,
}

/// Gives the cases, in the order of their names.
pub fn all() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("tests/replay")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        folders.filter(|folder| folder.join("input.jsonl").exists()).collect();
    cases.sort();
    cases
}

/// The world of the cases: the example's tables, with one sonde.
fn tables() -> Tables {
    let mut tables = Tables::read(&root().join("seeds")).unwrap();
    lay_over(&mut tables, &root().join("tests/replay/seeds"));
    tables
}

/// Plays a case and gives the player, with all that was told.
pub fn play(folder: &Path, between: Between) -> Player {
    let input = std::fs::read_to_string(folder.join("input.jsonl")).unwrap();
    let mut base = tables();
    if folder.join("seeds").exists() {
        lay_over(&mut base, &folder.join("seeds"));
    }
    let mut editions = Editions::default();
    let registry = editions.add("seeds", &base).unwrap_or_else(|faults| panic!("{faults}"));
    let mut stage: Option<Stage> = None;
    for (number, text) in input.lines().enumerate() {
        let line: Line<'_> = serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("{}:{}: {error}", folder.display(), number + 1));
        let wall = line.at.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let stage = stage.get_or_insert_with(|| {
            let at = Moment { wall: Timestamp(wall), elapsed_ms: 0 };
            Stage { player: Player::new(&registry, at), at, packet_id: 0, between }
        });
        stage.wait_until(wall);
        stage.play(&line, folder, &base, &mut editions);
        stage.between();
    }
    let mut player = stage.expect("a case has arrivals").player;
    let ledger = player.ledger_text();
    writeln!(player.told, "\n{}", ledger.trim_end()).unwrap();
    player
}

struct Stage {
    player: Player,
    at: Moment,
    packet_id: u16,
    between: Between,
}

impl Stage {
    fn wait_until(&mut self, wall: i64) {
        let clock = self.player.clock(self.at);
        assert!(wall >= self.at.wall.millis(), "what comes after {clock} is before it");
        while self.at.wall.millis() < wall {
            let step = TICK_MS.min(wall - self.at.wall.millis());
            self.at =
                Moment { wall: self.at.wall.plus(step), elapsed_ms: self.at.elapsed_ms + step };
            let before = self.player.told.len();
            self.player.take(self.at, Input::Tick);
            if self.player.told.len() > before {
                let clock = self.player.clock(self.at);
                self.player.told.insert_str(before, &format!("{clock} time passes\n"));
                self.between();
            }
        }
    }

    fn between(&mut self) {
        match self.between {
            Between::Nothing => {}
            Between::Restart => self.player.restart(),
            Between::FindDesk if self.player.out.alerts.is_empty() => {}
            Between::FindDesk => self.player.find_desk_again(),
        }
    }

    fn tell(&mut self, words: &str) {
        let clock = self.player.clock(self.at);
        writeln!(self.player.told, "{clock} {words}").unwrap();
    }

    fn play(&mut self, line: &Line<'_>, folder: &Path, base: &Tables, editions: &mut Editions) {
        if let Some(note) = &line.note {
            writeln!(self.player.told, "\n# {note}").unwrap();
        }
        let name = line.network.as_deref().unwrap_or(NETWORKS[0]);
        let network = editions.network(name);
        if let Some(connection) = line.connection {
            let (word, condition) = match connection {
                Connection::Up => ("up", Condition::Connected(network)),
                Connection::Down => ("down", Condition::Disconnected(network)),
            };
            self.tell(&format!("{name} is {word}"));
            self.player.take(self.at, Input::Condition(condition));
        }
        if line.settled == Some(true) {
            let networks = &self.player.pipeline.state().networks;
            let ordinal = networks[network.index()].ordinal;
            let condition = Condition::Settled { network, ordinal };
            self.tell(&format!("{name} has seen the acks of {ordinal} messages"));
            self.player.take(self.at, Input::Condition(condition));
        }
        if let Some(edition) = &line.edition {
            let mut tables = base.clone();
            lay_over(&mut tables, &folder.join(edition));
            match editions.add(edition, &tables) {
                Ok(registry) => {
                    self.tell(&format!("edition {edition}"));
                    self.player.take(self.at, Input::Edition(Arc::clone(&registry)));
                }
                Err(faults) => self.tell(&format!("edition {edition} is refused\n  {faults}")),
            }
        }
        if let Some(number) = line.retry {
            self.tell(&format!("dead letter {number} again"));
            self.player.retry(self.at, number - 1);
            let words = if self.player.letters[number - 1].open { "stays" } else { "ended well" };
            writeln!(self.player.told, "  it {words}").unwrap();
        }
        if let Some(said) = &line.invalidate {
            self.invalidate(said);
        }
        if let Some(check) = &line.check {
            self.check(check);
        }
        if let Some(Revoke { id, person, reason }) = &line.revoke {
            let (id, by) = (*id, By { person, reason });
            self.act(Act::Revoke { id, by }, &format!("{person} revokes {id}: {reason}"));
        }
        if line.recompute {
            let before = self.player.told.len();
            let words = match self.player.recompute(self.at) {
                None => "nothing is to be recomputed".to_owned(),
                Some(Reckoned { late, changed, said, .. }) => {
                    let by = said.iter().map(|one| {
                        let word = one.revoked.as_ref().unwrap_or(&one.said);
                        format!(", by {}", word.person)
                    });
                    format!(
                        "recomputed with {late} late values: {} verdicts changed{}",
                        changed.len(),
                        by.collect::<String>()
                    )
                }
            };
            let clock = self.player.clock(self.at);
            self.player.told.insert_str(before, &format!("{clock} {words}\n"));
        }
        if let Some(topic) = &line.topic {
            let sent = self.sent(line, topic, network);
            self.send(&sent, topic);
        }
    }

    fn invalidate(&mut self, said: &Invalidate) {
        let Invalidate { station, property, from, to, suspect, person, reason } = said;
        let pipeline = &self.player.pipeline;
        let registry = pipeline.registry();
        let id = pipeline.state().invalidations.next();
        let station_id = registry.stations.iter().find(|one| *one.name == **station).unwrap().id;
        let property_id = |name: &String| registry.property_called(name).unwrap().id;
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let act = Act::Invalidate {
            id,
            station: station_id,
            property: property.as_ref().map(property_id),
            position: None,
            from: at(from),
            to: at(to),
            flag: if *suspect { Flag::Suspect } else { Flag::Fail },
            by: By { person, reason },
        };
        let of = property.as_ref().map_or_else(String::new, |property| format!("/{property}"));
        self.act(act, &format!("{person} says of {station}{of}, {from} to {to}: {reason}"));
    }

    fn check(&mut self, check: &Check) {
        let Check { station, property, kind, value, standard, at, person, reason } = check;
        let registry = self.player.pipeline.registry();
        let station_id = registry.stations.iter().find(|one| *one.name == **station).unwrap().id;
        let act = Act::Check {
            station: station_id,
            property: registry.property_called(property).unwrap().id,
            position: "",
            kind: CheckKind::ALL.into_iter().find(|one| one.word() == kind).unwrap(),
            value: *value,
            standard: *standard,
            at: Timestamp(at.parse::<jiff::Timestamp>().unwrap().as_millisecond()),
            by: By { person, reason },
        };
        self.act(act, &format!("{person} enters {kind} of {station}/{property} at {at}: {value}"));
    }

    fn act(&mut self, act: Act<'_>, words: &str) {
        let before = self.player.told.len();
        self.player.take(self.at, Input::Act(act));
        let Judged { values, days } = self.player.out.judged.unwrap_or_default();
        let later = days.map_or_else(String::new, |(from, to)| {
            let clock = |at: Timestamp| self.player.clock(Moment { wall: at, elapsed_ms: 0 });
            format!(", days from {} to before {} later", clock(from), clock(to))
        });
        let clock = self.player.clock(self.at);
        let said = format!("{clock} {words}\n  {values} values are judged anew{later}\n");
        self.player.told.insert_str(before, &said);
    }

    fn sent(
        &mut self,
        line: &Line<'_>,
        topic: &str,
        network: weir::domain::name::NetworkId,
    ) -> Sent {
        let payload = match (line.payload, &line.base64) {
            (Some(raw), None) if raw.get().starts_with('"') => {
                serde_json::from_str::<String>(raw.get()).unwrap().into_bytes()
            }
            (Some(raw), None) => raw.get().as_bytes().to_vec(),
            (None, Some(text)) => STANDARD.decode(text).unwrap(),
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => panic!("one payload a message"),
        };
        let qos = match line.qos {
            Some(0) => Qos::AtMostOnce,
            None | Some(1) => Qos::AtLeastOnce,
            Some(_) => Qos::ExactlyOnce,
        };
        self.packet_id += 1;
        let packet_id = line.packet_id.unwrap_or(self.packet_id);
        let (dup, retain) = (line.dup, line.retain);
        Sent { network, packet_id, dup, retain, qos, topic: topic.as_bytes().to_vec(), payload }
    }

    fn send(&mut self, sent: &Sent, topic: &str) {
        let before = self.player.told.len();
        self.player.take(self.at, Input::Message(sent.message()));
        let fate = self.player.out.fate.expect("every message ends somewhere");
        let word = format!("{:?}", fate.outcome).to_lowercase();
        let clock = self.player.clock(self.at);
        self.player.told.insert_str(before, &format!("{clock} {topic} {word}\n"));
    }
}
