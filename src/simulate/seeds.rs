//! The seeds and the configuration that have weir read a simulation: law, units and tests of the
//! example edition, with the simulation's own places, stations, devices, profiles and topics.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::domain::time::SECOND;
use crate::seed::{Tables, example, lay_over};
use crate::simulate::dialect::{Dialect, Kind, NODE};

use crate::simulate::fleet::Fleet;
use crate::simulate::world::Device;

/// The network of the simulation.
pub const NETWORK: &str = "simulated";
const SOURCE: &str = "made by weir simulate";
/// The tables of the example edition about its own places, stations and devices; the others hold
/// everywhere.
const OWN: [&str; 13] = [
    "calendar.csv",
    "calibrations.csv",
    "counters.csv",
    "derived.csv",
    "devices.csv",
    "members.csv",
    "places.csv",
    "production.csv",
    "profiles.csv",
    "reaches.csv",
    "stations.csv",
    "targets.csv",
    "topics.csv",
];

const TOPICS: &str = "network,pattern,format,device,time,time_unit,each,channel,value,unit,\
                      options,mark,marks,source";
const PLACES: &str = "place,kind,name_en,name_zh,part_of,source\n\
                      sim-river,river,Simulated river,模拟河,,made by weir simulate\n\
                      sim-park,park,Simulated park,模拟园区,,made by weir simulate\n";
const STATIONS: &str = "station,place,name_en,name_zh,latitude,longitude,zone,section,\
                        target_class,from,to,source";
const PROFILES: &str = "profile,sensor,property,position,channel,unit,scale,as,sampling,cycle,\
                        delay,statistic,period,expected_every,detection_limit,source";
const DEVICES: &str = "network,device,station,position,profile,clock,zone,options,gateway,from,\
                       to,source";
const COUNTERS: &str = "datastream,maximum,resolution,ct,pt,role,tariff,place,from,to,source";

/// Gives the seeds of a fleet whose devices speak every so many ms.
#[must_use]
pub fn tables(fleet: &Fleet, every_ms: i64) -> Tables {
    let (mut tables, example) = (Tables::default(), example::tables());
    for (name, table) in example.iter().filter(|(name, _)| !OWN.contains(name)) {
        tables.put(name, if name == "qc.csv" { of_properties(table) } else { table.to_vec() });
    }
    let mut rows = Rows::default();
    for device in &fleet.devices {
        rows.device(device);
    }
    rows.profiles(fleet, every_ms);
    for (name, head, body) in [
        ("topics.csv", TOPICS, rows.topics.into_iter().collect()),
        ("stations.csv", STATIONS, rows.stations),
        ("devices.csv", DEVICES, rows.devices),
        ("profiles.csv", PROFILES, rows.profiles),
        ("counters.csv", COUNTERS, rows.counters),
    ] {
        tables.put(name, format!("{head}\n{body}").into_bytes());
    }
    tables.put("places.csv", PLACES.as_bytes().to_vec());
    tables
}

/// Gives an edition with the places, stations and devices of a fleet beside its own.
///
/// # Errors
/// A table is none.
pub fn beside(edition: &Tables, fleet: &Fleet, every_ms: i64) -> anyhow::Result<Tables> {
    let (mut joined, more) = (edition.clone(), tables(fleet, every_ms));
    for (name, rows) in more.iter().filter(|(name, _)| OWN.contains(name)) {
        let rows = String::from_utf8_lossy(rows);
        lay_over(&mut joined, name, &rows)
            .map_err(|(found, expected)| anyhow::anyhow!("{found}, expected {expected}"))?;
    }
    Ok(joined)
}

/// Leaves out the rows of single stations and datastreams.
fn of_properties(table: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(table);
    let kept = text.lines().filter(|line| !line.starts_with("station:"));
    kept.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
}

#[derive(Debug, Default)]
struct Rows {
    topics: BTreeSet<String>,
    stations: String,
    devices: String,
    profiles: String,
    counters: String,
}

impl Rows {
    fn device(&mut self, device: &Device) {
        let (dialect, number) = (device.dialect, device.number);
        let (name, station) = (&device.name, &device.station);
        for topic in dialect.topics() {
            let cells = TOPICS.matches(',').count() - 1;
            let rest = ",".repeat(cells.saturating_sub(topic.matches(',').count()));
            self.topics.insert(format!("{NETWORK},{topic}{rest}{SOURCE}\n"));
        }
        let measures =
            |property: &str| device.channels.iter().any(|one| &*one.property == property);
        let (place, section, class) = match dialect.kind() {
            Kind::Sonde | Kind::Cabinet => ("sim-river", "river", "IV"),
            // The limit of ammonia depends on it.
            Kind::Works if measures("water_temperature") => ("sim-park", "outfall", "1A"),
            Kind::Works => ("sim-park", "outfall", ""),
            Kind::Meter => ("sim-park", "", ""),
        };
        let word = dialect.word();
        self.stations.push_str(&format!(
            "{station},{place},Simulated {word} {number},模拟 {word} {number},,,+08:00,{section},\
             {class},,,{SOURCE}\n"
        ));
        let of_edition = dialect.edition().map(|_| word.replace("hj212-", "edition="));
        let options = of_edition.unwrap_or_default();
        self.devices.push_str(&format!(
            "{NETWORK},{name},{station},,sim-{word},device,,{options},,,,{SOURCE}\n"
        ));
        if dialect == Dialect::SparkplugB && number == 1 {
            self.devices
                .push_str(&format!("{NETWORK},{NODE},{station},,sim-node,device,,,,,,{SOURCE}\n"));
        }
        if measures("electricity_energy") {
            self.counters.push_str(&format!(
                "{station}/electricity_energy/total,99999999.99,0.01,1,1,sub,,sim-park,,,{SOURCE}\n"
            ));
        }
    }

    fn profiles(&mut self, fleet: &Fleet, every_ms: i64) {
        let every = format!("{}s", (every_ms + SECOND - 1) / SECOND);
        for device in fleet.devices.iter().filter(|device| device.number == 1) {
            let word = device.dialect.word();
            let kind = if device.dialect.is_text() { "text" } else { "number" };
            for channel in &device.channels {
                let (sampling, cycle, every) = match channel.sampled {
                    true => ("sampled", "4h", "4h"),
                    false => ("continuous", "", &*every),
                };
                let statistic = match (&*channel.property, channel.sampled) {
                    (_, true) => "sample",
                    ("electricity_energy" | "water_volume" | "reactive_energy", _) => "total",
                    _ => "instant",
                };
                self.profiles.push_str(&format!(
                    "sim-{word},simulated device,{},,{},{},{},{kind},{sampling},{cycle},,\
                     {statistic},,{every},,{SOURCE}\n",
                    channel.property, channel.name, channel.unit, channel.scale,
                ));
            }
            if device.dialect == Dialect::SparkplugB {
                let rest = ",".repeat(10);
                self.profiles.push_str(&format!("sim-node,edge node,ignored,,*,{rest}{SOURCE}\n"));
            }
        }
    }
}

/// Writes the configuration, with the section of the broker.
fn config(broker: &str) -> String {
    format!(
        "# Has weir read what `weir simulate` publishes. The settings that are not here are in\n\
         # config/weir.toml, each with its default.\n\
         seeds = \"seeds\"\n\n{broker}\n[journal]\ndata_folder = \"data\"\n\n\
         # Where the values go; without it they stay in the journal, and on the page.\n\
         # [influx]\n# url = \"http://127.0.0.1:8086\"\n# dialect = \"influx1\"\n\
         # bucket = \"weir\"\n"
    )
}

/// Writes seeds and configuration into a folder that has neither, or just these.
///
/// # Errors
/// There are others, or it can't be written.
pub(super) fn write(folder: &Path, broker: &str, tables: &Tables) -> anyhow::Result<()> {
    let (file, seeds, text) = (folder.join("weir.toml"), folder.join("seeds"), config(broker));
    if file.exists() || seeds.exists() {
        let same = fs::read_to_string(&file).is_ok_and(|found| found == text)
            && Tables::read(&seeds).is_ok_and(|found| found == *tables);
        anyhow::ensure!(
            same,
            "{} holds other seeds or another configuration already; name another folder, or \
             remove weir.toml and seeds in it",
            folder.display()
        );
        return Ok(());
    }
    let written = tables.write_to(&seeds).and_then(|()| fs::write(&file, text));
    written.with_context(|| format!("{} can't be written", folder.display()))
}
