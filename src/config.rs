//! `config/weir.toml`: how this installation runs. Each edge declares its own section beside the
//! code that uses it; here they are put together and every fault is told at once.

pub mod alerting;
mod file;
pub mod judgement;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::config::alerting::AlertingSection;
use crate::config::file::{File, Section};
use crate::config::judgement::JudgementSection;
use crate::domain::alerting::STEPS_MAX;
use crate::domain::fault::{Fault, SettingFault};
use crate::domain::judgement::Judgement;
use crate::domain::registry::IMPORT;
use crate::notify::Letterhead;
use crate::{http, influx, journal, mqtt, notify, telemetry};

/// The whole configuration. Relative paths are relative to its file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of the seeds.
    pub seeds: PathBuf,
    /// The zone of weir's own times, such as those of its page: an IANA name or an offset.
    #[serde(default = "zone")]
    pub zone: String,
    /// Brokers, one section `[[broker]]` each.
    #[serde(default, rename = "broker")]
    pub brokers: Vec<mqtt::config::Config>,
    /// The journal.
    pub journal: journal::Config,
    /// InfluxDB; without this section the embedded store is used.
    pub influx: Option<influx::Config>,
    /// Channels of notification, one section `[[channel]]` each.
    #[serde(default, rename = "channel")]
    pub channels: Vec<notify::Config>,
    /// Whom to call of each company that runs stations.
    #[serde(default)]
    pub contacts: BTreeMap<String, String>,
    /// The dead man's switch; without this section nobody outside is told that weir lives.
    pub heartbeat: Option<notify::heartbeat::Config>,
    /// The morning message; without this section there is none.
    pub morning: Option<notify::morning::Config>,
    /// The operator page.
    #[serde(default)]
    pub http: http::Config,
    /// Log lines.
    #[serde(default)]
    pub log: telemetry::Config,
    /// Settings that verdicts depend on; part of the edition.
    #[serde(default)]
    pub judgement: JudgementSection,
    /// How alerts are told; part of the edition.
    #[serde(default)]
    pub alerting: AlertingSection,
}

fn zone() -> String {
    "Asia/Shanghai".to_owned()
}

/// A configuration as far as it could be read, and everything that is wrong with it.
#[derive(Debug)]
pub struct Reading {
    /// The configuration; what could not be read of it is as by default or empty.
    pub config: Option<Config>,
    /// Every fault, in the order of the lines.
    pub faults: Vec<Fault>,
    /// Whether the seeds' folder is known.
    pub names_seeds: bool,
}

impl Config {
    /// Gives the settings that are part of the edition.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        self.judgement.judgement(self.alerting.alerting())
    }

    /// Reads a file for a command that needs to know only where things are: files that it names
    /// and ranges of settings are not looked at.
    ///
    /// # Errors
    /// Everything in it that can't be read, each with its line.
    pub fn read(file: &Path) -> Result<Self, Vec<Fault>> {
        let (mut read, config) = open(file)?;
        match config {
            Some(config) if read.faults.is_empty() => Ok(config),
            Some(_) | None => Err(std::mem::take(&mut read.faults)),
        }
    }

    /// Reads a file whole, with all that it names but the seeds.
    #[must_use]
    pub fn survey(file: &Path) -> Reading {
        match open(file) {
            Ok((read, config)) => survey(read, config, Self::note_all),
            Err(faults) => Reading { config: None, faults, names_seeds: false },
        }
    }

    /// Reads a file whole to run by it: a template of a channel may be broken, since notifications
    /// go out without it, and a daemon that does not start says nothing at all.
    #[must_use]
    pub fn survey_to_run(file: &Path) -> Reading {
        match open(file) {
            Ok((read, config)) => survey(read, config, Self::note_to_run),
            Err(faults) => Reading { config: None, faults, names_seeds: false },
        }
    }

    /// Reads a file of which only what belongs to the edition is needed.
    #[must_use]
    pub fn survey_judgement(file: &Path) -> Reading {
        match open(file) {
            Ok((read, config)) => survey(read, config, Self::note_judgement),
            Err(faults) => Reading { config: None, faults, names_seeds: false },
        }
    }

    /// Reads a text; paths stay as they are written.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let (read, config) = File::read(name, text);
        let Reading { config, faults, .. } = survey(read, config, Self::note_all);
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            Some(_) | None => Err(faults),
        }
    }

    /// Makes relative paths absolute, seen from the file's folder.
    fn resolve(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| *path = folder.join(&*path);
        resolve(&mut self.seeds);
        resolve(&mut self.journal.data_folder);
        for broker in &mut self.brokers {
            let files = [
                &mut broker.password_file,
                &mut broker.ca_file,
                &mut broker.certificate_file,
                &mut broker.key_file,
                &mut broker.hj212_keys_file,
            ];
            files.into_iter().flatten().for_each(resolve);
        }
        if let Some(influx) = &mut self.influx {
            let files = [&mut influx.token_file, &mut influx.password_file, &mut influx.ca_file];
            files.into_iter().flatten().for_each(resolve);
        }
        for channel in &mut self.channels {
            channel.files().for_each(resolve);
        }
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.ca_file.iter_mut().for_each(resolve);
        }
        let files = [
            &mut self.http.token_file,
            &mut self.http.users_file,
            &mut self.http.certificate_file,
            &mut self.http.key_file,
        ];
        files.into_iter().flatten().for_each(resolve);
        self.http.data_folder = Some(self.journal.data_folder.clone());
    }

    /// Gives the names of the networks.
    #[must_use]
    pub fn networks(&self) -> Vec<String> {
        self.brokers.iter().map(|broker| broker.network.clone()).collect()
    }

    /// Gives the zone of weir's own times.
    #[must_use]
    pub fn home(&self) -> TimeZone {
        zone_named(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// Gives what every notification says of the installation.
    #[must_use]
    pub fn letterhead(&self) -> Letterhead {
        let (contacts, page) = (self.contacts.clone(), self.http.address.clone());
        Letterhead { home: self.home(), contacts, page }
    }

    /// Has every room look at its section.
    fn note_all(&self, file: &mut File) {
        self.note(file, notify::Config::faults);
    }

    /// Tells of a channel of a step that no alert is ever passed on to.
    fn unreached(&self, channel: &notify::Config) -> Option<SettingFault> {
        let steps = self.alerting.escalate_after_min.len();
        let (step, most) = (usize::from(channel.step), STEPS_MAX);
        (step > steps && step <= most).then(|| {
            let found = format!("step = {step}, and escalate_after_min of [alerting] has {steps}");
            SettingFault::new("step", found, "a step that alerts are passed on to, or 0")
        })
    }

    fn note_to_run(&self, file: &mut File) {
        self.note(file, notify::Config::faults_to_run);
    }

    fn note(&self, file: &mut File, channel_faults: fn(&notify::Config) -> Vec<SettingFault>) {
        let top = Section::one("");
        if self.brokers.is_empty() {
            let expected = "at least one, with network and url";
            file.note(&top, [SettingFault::new("broker", "no [[broker]]", expected)]);
        }
        for (index, broker) in self.brokers.iter().enumerate() {
            let others = self.brokers.get(..index).unwrap_or_default();
            let section = Section::nth("broker", index);
            if broker.network == IMPORT {
                let found = format!("network `{IMPORT}`");
                let expected = "another name: this one is of tables that are imported";
                file.note(&section, [SettingFault::new("network", found, expected)]);
            }
            if others.iter().any(|other| other.network == broker.network) {
                let found = format!("network `{}` twice", broker.network);
                let fault = SettingFault::new("network", found, "one [[broker]] a network");
                file.note(&section, [fault]);
            }
            let host = broker.host();
            let same = |one: &mqtt::config::Config| {
                one.client_id == broker.client_id && host.is_some() && one.host() == host
            };
            if others.iter().any(same) {
                let found =
                    format!("two brokers with one url and client_id `{}`", broker.client_id);
                let expected = "a client_id of its own, or each throws the other off";
                file.note(&section, [SettingFault::new("client_id", found, expected)]);
            }
            file.note(&section, broker.faults());
        }
        file.note(&Section::one("journal"), self.journal.faults());
        if let Some(influx) = &self.influx {
            file.note(&Section::one("influx"), influx.faults());
        }
        for (index, channel) in self.channels.iter().enumerate() {
            let others = self.channels.get(..index).unwrap_or_default();
            let section = Section::nth("channel", index);
            if others.iter().any(|other| other.name == channel.name) {
                let found = format!("channel `{}` twice", channel.name);
                let expected = "a name of its own for each channel";
                file.note(&section, [SettingFault::new("name", found, expected)]);
            }
            file.note(&section, self.unreached(channel));
            file.note(&section, channel_faults(channel));
            file.note(&section, self.broker_of(channel));
        }
        if let Some(heartbeat) = &self.heartbeat {
            file.note(&Section::one("heartbeat"), heartbeat.faults());
        }
        if let Some(morning) = &self.morning {
            let names: Vec<&str> = self.channels.iter().map(|one| one.name.as_str()).collect();
            file.note(&Section::one("morning"), morning.faults(&names));
        }
        file.note(&Section::one("http"), self.http.faults());
        file.note(&Section::one("log"), self.log.faults());
        if zone_named(&self.zone).is_none() {
            let found = format!("zone `{}`", self.zone);
            let expected = "an IANA name such as Asia/Shanghai, or +08:00";
            file.note(&top, [SettingFault::new("zone", found, expected)]);
        }
        self.note_judgement(file);
    }

    /// Tells what is wrong with the broker that a channel of MQTT names.
    fn broker_of(&self, channel: &notify::Config) -> Option<SettingFault> {
        let network = channel.broker.as_ref()?;
        let broker = self.brokers.iter().find(|broker| broker.network == *network);
        let found = match broker {
            None => format!("no [[broker]] of network `{network}`"),
            Some(broker) if broker.protocol == mqtt::config::Protocol::V311 => {
                format!("broker `{network}` of protocol 3.1.1")
            }
            Some(_) => return None,
        };
        let expected = "the network of a [[broker]] that speaks MQTT 5";
        Some(SettingFault::new("broker", found, expected))
    }

    fn note_judgement(&self, file: &mut File) {
        file.note(&Section::one("judgement"), self.judgement.faults());
        file.note(&Section::one("alerting"), self.alerting.faults());
    }
}

/// Opens a file and makes its paths absolute.
fn open(file: &Path) -> Result<(File, Option<Config>), Vec<Fault>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let (found, expected) = (error.to_string(), "a readable TOML file".to_owned());
        vec![Fault { file: name.clone(), line: None, found, expected }]
    })?;
    let (read, mut config) = File::read(&name, &text);
    if let Some(config) = &mut config {
        config.resolve(file.parent().unwrap_or(Path::new("")));
    }
    Ok((read, config))
}

fn survey(mut read: File, config: Option<Config>, look: fn(&Config, &mut File)) -> Reading {
    if let Some(config) = &config {
        look(config, &mut read);
    }
    let names_seeds = config.is_some() && !read.lacks("", "seeds");
    read.faults.sort_by_key(|fault| fault.line);
    Reading { config, faults: read.faults, names_seeds }
}

fn zone_named(name: &str) -> Option<TimeZone> {
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let (sign, rest) = name.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let hours = hours.parse::<i32>().ok().filter(|hours| (0..=14).contains(hours))?;
    let minutes = minutes.parse::<i32>().ok().filter(|minutes| (0..60).contains(minutes))?;
    let seconds = hours * 3_600 + minutes * 60;
    let seconds = match sign {
        "+" => seconds,
        "-" => -seconds,
        _ => return None,
    };
    Some(TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "seeds = \"../seeds\"\n\n[[broker]]\nnetwork = \"rivers\"\n\
        url = \"mqtt://127.0.0.1:1883\"\nclient_id = \"weir\"\n\n[journal]\n\
        data_folder = \"../data\"\n";

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let faults = Config::parse("weir.toml", text).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), want.len(), "{told:#?}");
        for (told, want) in told.iter().zip(want) {
            assert!(told.starts_with(want), "{told} does not start with {want}");
        }
    }

    #[test]
    fn a_small_configuration_is_enough() {
        let config = Config::parse("weir.toml", SOUND).unwrap();
        assert_eq!(config.networks(), ["rivers"]);
        assert_eq!(config.judgement(), Judgement::default());
    }

    #[test]
    fn every_section_tells_its_fault() {
        let text = SOUND.replace("client_id", "clientid").replace("data_folder", "data_foldr");
        check(
            &text,
            &[
                "weir.toml:3: found no `client_id`",
                "weir.toml:6: found unknown field `clientid`",
                "weir.toml:8: found no `data_folder`",
                "weir.toml:9: found unknown",
            ],
        );
    }

    #[test]
    fn no_broker_has_the_network_of_tables_that_are_imported() {
        let text = SOUND.replace("\"rivers\"", "\"import\"");
        check(&text, &["weir.toml:4: found network `import`, expected another name"]);
    }

    #[test]
    fn two_brokers_of_one_network_are_refused() {
        let broker = "[[broker]]\nnetwork = \"rivers\"\nurl = \"mqtt://b\"\nclient_id = \"w\"\n";
        check(&format!("{SOUND}{broker}"), &["weir.toml:11: found network `rivers` twice"]);
    }

    #[test]
    fn a_step_that_no_alert_reaches_is_said() {
        let channel = "[[channel]]\nname = 'n'\nkind = 'webhook'\nurl = 'http://h'\nstep = 2\n";
        let found = "weir.toml:14: found step = 2, and escalate_after_min of [alerting] has 1";
        let steps = |steps: &str| format!("[alerting]\nescalate_after_min = {steps}\n");
        check(&format!("{SOUND}{channel}{}", steps("[15]")), &[found]);
        Config::parse("weir.toml", &format!("{SOUND}{channel}{}", steps("[15, 60]"))).unwrap();
    }

    #[test]
    fn no_broker_is_said() {
        check(
            "seeds = \"s\"\n[journal]\ndata_folder = \"d\"\n",
            &["weir.toml: found no [[broker]]"],
        );
    }

    #[test]
    fn an_unknown_zone_is_said_with_its_line() {
        check(&format!("zone = \"Mars\"\n{SOUND}"), &["weir.toml:1: found zone `Mars`"]);
    }

    #[test]
    fn an_offset_that_no_zone_has_is_said() {
        for zone in ["+999999999:00", "+15:00", "-08:60", "+-8:00"] {
            let want = format!("weir.toml:1: found zone `{zone}`");
            check(&format!("zone = \"{zone}\"\n{SOUND}"), &[&want]);
        }
        Config::parse("weir.toml", &format!("zone = \"+05:30\"\n{SOUND}")).unwrap();
    }

    const EXAMPLE: &str = include_str!("../config/weir.toml");

    /// The example with everything in force that it only shows.
    fn shown_in_full() -> String {
        let is_key = |line: &str| {
            let key = line.split(" = ").next().unwrap_or_default();
            line.contains(" = ")
                && key.chars().all(|one| matches!(one, 'a'..='z' | '0'..='9' | '_'))
        };
        let lines = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
            Some(shown) if shown.starts_with('[') || is_key(shown) => format!("{shown}\n"),
            Some(_) | None => format!("{line}\n"),
        });
        lines.collect()
    }

    #[test]
    fn the_example_shows_every_setting_and_no_other() {
        let (file, config) = File::read("weir.toml", &shown_in_full());
        assert_eq!(file.faults, []);
        let config = config.unwrap();
        assert!(config.influx.is_some() && config.heartbeat.is_some());
        assert_eq!(config.channels.len(), 1);
        let sections = ["[[broker]]", "[journal]", "[influx]", "[[channel]]", "[http]", "[log]"];
        for section in sections.into_iter().chain(["[heartbeat]", "[judgement]", ""]) {
            // What a section may hold is told beside a setting that it may not.
            let wrong = match section {
                "" => format!("nothing = 1\n{EXAMPLE}"),
                section => shown_in_full().replacen(section, &format!("{section}\nnothing = 1"), 1),
            };
            let (file, _) = File::read("weir.toml", &wrong);
            let fault = file.faults.iter().find(|fault| fault.found.contains("nothing")).unwrap();
            let known: Vec<&str> = fault.expected.split('`').skip(1).step_by(2).collect();
            assert!(!known.is_empty(), "{fault}");
            let text = shown_in_full();
            let from = text.find(section).unwrap() + section.len();
            let until = text[from..].find("\n[").map_or(text.len(), |end| from + end);
            for key in known {
                let shown = text[from..until].contains(&format!("\n{key} = "))
                    || text.contains(&format!("\n[{key}]"))
                    || text.contains(&format!("\n[[{key}]]"));
                assert!(shown, "{section} {key} is not shown");
            }
        }
    }

    #[test]
    fn what_the_example_shows_as_default_is_the_default() {
        let shown: toml::Table = toml::from_str(&shown_in_full()).unwrap();
        let small = "seeds = 's'\n[[broker]]\nnetwork = 'n'\nurl = 'mqtt://b'\nclient_id = 'c'\n\
            [journal]\ndata_folder = 'd'\n[influx]\nurl = 'http://d'\n\
            [[channel]]\nname = 'n'\nkind = 'webhook'\nurl = 'http://c'\n";
        let Config {
            brokers, journal, influx, channels, http, log, judgement, alerting, zone, ..
        } = File::read("", small).1.unwrap();
        let (broker, influx, channel) = (&brokers[0], influx.unwrap(), &channels[0]);
        let integer = |section: &toml::Value, key: &str| section[key].as_integer().unwrap();
        let shown_broker = &shown["broker"][0];
        for (key, default) in [
            ("keep_alive_s", i64::from(broker.keep_alive_s)),
            ("connect_timeout_s", broker.connect_timeout_s.cast_signed()),
            ("session_expiry_s", i64::from(broker.session_expiry_s)),
            ("receive_maximum", i64::from(broker.receive_maximum)),
            ("payload_bytes_max", broker.payload_bytes_max as i64),
            ("gather_ms", broker.gather_ms.cast_signed()),
        ] {
            assert_eq!(integer(shown_broker, key), default, "{key}");
        }
        let bytes = journal.journal_bytes_max.cast_signed();
        assert_eq!(integer(&shown["journal"], "journal_bytes_max"), bytes);
        assert_eq!(integer(&shown["journal"], "raw_keep_days"), i64::from(journal.raw_keep_days));
        assert_eq!(integer(&shown["influx"], "timeout_s"), influx.timeout_s.cast_signed());
        let connect = influx.connect_timeout_s.cast_signed();
        assert_eq!(integer(&shown["influx"], "connect_timeout_s"), connect);
        let timeout = channel.timeout_s.cast_signed();
        assert_eq!(integer(&shown["channel"][0], "timeout_s"), timeout);
        let routes: Vec<&str> = shown["channel"][0]["routes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|route| route.as_str().unwrap())
            .collect();
        assert_eq!(routes, channel.routes);
        let beat = notify::heartbeat::Config::default();
        assert_eq!(shown["heartbeat"]["name"].as_str(), Some(&*beat.name));
        for (key, default) in [
            ("interval_s", beat.interval_s),
            ("stuck_after_s", beat.stuck_after_s),
            ("timeout_s", beat.timeout_s),
        ] {
            assert_eq!(integer(&shown["heartbeat"], key), default.cast_signed(), "{key}");
        }
        assert_eq!(shown["http"]["listen"].as_str(), Some(&*http.listen));
        assert_eq!(shown["log"]["level"].as_str(), Some(&*log.level));
        assert_eq!(shown["zone"].as_str(), Some(&*zone));
        let JudgementSection { lateness_horizon_h, settle_hour_min, round_periods, .. } = judgement;
        let shown_alerting = shown["alerting"].clone().try_into::<AlertingSection>();
        let shown_alerting = shown_alerting.unwrap().alerting();
        let shown = &shown["judgement"];
        assert_eq!(integer(shown, "lateness_horizon_h"), i64::from(lateness_horizon_h));
        assert_eq!(integer(shown, "settle_hour_min"), i64::from(settle_hour_min));
        assert_eq!(shown["round_periods"].as_bool(), Some(round_periods));
        assert_eq!(shown["suspect_in_means"].as_bool(), Some(judgement.suspect_in_means));
        assert_eq!(shown["suspect_in_class"].as_bool(), Some(judgement.suspect_in_class));
        assert_eq!(shown_alerting, alerting.alerting());
    }
}
