//! `config/weir.toml`: how this installation runs. Each edge declares its own section beside the
//! code that uses it; here they are put together and every fault is told at once.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::domain::fault::Fault;
use crate::domain::registry::Judgement;
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND};
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
    /// The operator page.
    #[serde(default)]
    pub http: http::Config,
    /// Log lines.
    #[serde(default)]
    pub log: telemetry::Config,
    /// Settings that verdicts depend on; part of the edition.
    #[serde(default)]
    pub judgement: JudgementSection,
}

fn zone() -> String {
    "Asia/Shanghai".to_owned()
}

/// The section `[judgement]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgementSection {
    /// For how many hours single observations are remembered: duplicates, revisions and late
    /// data are recognised within them. Default 26.
    pub lateness_horizon_h: u32,
    /// By how many seconds a device's clock may be ahead before its time is flagged. Default 300.
    pub clock_ahead_max_s: u32,
    /// By how many hours ahead a time is rejected. Default 24.
    pub clock_ahead_reject_h: u32,
    /// By how many days a device's clock may be behind before its time is flagged: data that waited
    /// in a logger for less is late and good. Default 31.
    pub clock_behind_max_d: u32,
    /// How many minutes after its end an hour that is not complete is given out. Default 10.
    pub settle_hour_min: u32,
}

impl Default for JudgementSection {
    fn default() -> Self {
        Self {
            lateness_horizon_h: 26,
            clock_ahead_max_s: 300,
            clock_ahead_reject_h: 24,
            clock_behind_max_d: 31,
            settle_hour_min: 10,
        }
    }
}

impl JudgementSection {
    /// Gives the settings in milliseconds.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        Judgement {
            lateness_horizon_ms: i64::from(self.lateness_horizon_h) * HOUR,
            clock_ahead_max_ms: i64::from(self.clock_ahead_max_s) * SECOND,
            clock_ahead_reject_ms: i64::from(self.clock_ahead_reject_h) * HOUR,
            clock_behind_max_ms: i64::from(self.clock_behind_max_d) * DAY,
            settle_hour_ms: i64::from(self.settle_hour_min) * MINUTE,
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn read(file: &Path) -> Result<Self, Vec<Fault>> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| {
            let (found, expected) = (error.to_string(), "a readable TOML file".to_owned());
            vec![Fault { file: name.clone(), line: None, found, expected }]
        })?;
        let mut config = Self::parse(&name, &text)?;
        config.resolve(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Reads a text; paths stay as they are written.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let config: Self = toml::from_str(text).map_err(|whole| faults(name, text, &whole))?;
        let faults = config.contradictions(name, text);
        if faults.is_empty() { Ok(config) } else { Err(faults) }
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
            ];
            files.into_iter().flatten().for_each(resolve);
        }
        if let Some(influx) = &mut self.influx {
            let files = [&mut influx.token_file, &mut influx.password_file, &mut influx.ca_file];
            files.into_iter().flatten().for_each(resolve);
        }
        for channel in &mut self.channels {
            let files = [&mut channel.secret_file, &mut channel.template, &mut channel.ca_file];
            files.into_iter().flatten().for_each(resolve);
        }
        self.http.token_file.iter_mut().for_each(resolve);
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

    fn contradictions(&self, name: &str, text: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |word: &str, found: String, expected: &str| {
            let line = text.lines().position(|line| line.contains(word));
            let line = line.and_then(|line| u64::try_from(line + 1).ok());
            faults.push(Fault {
                file: name.to_owned(),
                line,
                found,
                expected: expected.to_owned(),
            });
        };
        if self.brokers.is_empty() {
            fault("[[broker]]", "no [[broker]]".to_owned(), "at least one, with network and url");
        }
        for (index, broker) in self.brokers.iter().enumerate() {
            let others = self.brokers.get(..index).unwrap_or_default();
            if others.iter().any(|other| other.network == broker.network) {
                let found = format!("network `{}` twice", broker.network);
                fault(&broker.network, found, "one [[broker]] a network");
            }
        }
        for broker in &self.brokers {
            for (found, expected) in broker.faults() {
                fault(&format!("\"{}\"", broker.network), found, expected);
            }
        }
        if let Some((found, expected)) = self.http.fault() {
            fault("listen", found, expected);
        }
        for (index, channel) in self.channels.iter().enumerate() {
            let others = self.channels.get(..index).unwrap_or_default();
            if others.iter().any(|other| other.name == channel.name) {
                let found = format!("channel `{}` twice", channel.name);
                fault(&channel.name, found, "a name of its own for each channel");
            }
        }
        if zone_named(&self.zone).is_none() {
            let found = format!("zone `{}`", self.zone);
            fault(&self.zone, found, "an IANA name such as Asia/Shanghai, or +08:00");
        }
        faults
    }
}

fn zone_named(name: &str) -> Option<TimeZone> {
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let (sign, rest) = name.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()? * 3_600 + minutes.parse::<i32>().ok()? * 60;
    let seconds = match sign {
        "+" => seconds,
        "-" => -seconds,
        _ => return None,
    };
    Some(TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?))
}

/// Tells every section's fault. The parser stops at its first, so each section is read alone,
/// with all others blanked out so that lines keep their numbers.
fn faults(name: &str, text: &str, whole: &toml::de::Error) -> Vec<Fault> {
    let mut found = vec![fault(name, text, whole)];
    let lines: Vec<&str> = text.lines().collect();
    let heads = lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with('['));
    let mut starts: Vec<usize> = heads.map(|(index, _)| index).collect();
    starts.insert(0, 0);
    starts.dedup();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(lines.len());
        let blank = "\n".repeat(*start);
        let section = lines.get(*start..end).unwrap_or_default().join("\n");
        let alone = format!("{blank}{section}");
        if let Err(error) = toml::from_str::<Config>(&alone) {
            // Alone, a section lacks the others, which is said of line 1; that is no fault.
            let one = fault(name, &alone, &error);
            let lacks = error.message().starts_with("missing field");
            if one.line.is_some_and(|line| !lacks || line > 1 && line > *start as u64) {
                found.push(one);
            }
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.line == b.line);
    found
}

fn fault(name: &str, text: &str, error: &toml::de::Error) -> Fault {
    let line = error.span().map(|span| {
        let before = text.get(..span.start.min(text.len())).unwrap_or_default();
        u64::try_from(before.matches('\n').count() + 1).unwrap_or(u64::MAX)
    });
    let (found, expected) = match error.message().split_once(", expected ") {
        Some((found, expected)) => (found.to_owned(), expected.to_owned()),
        None => (error.message().to_owned(), "what config/weir.toml shows".to_owned()),
    };
    Fault { file: name.to_owned(), line, found, expected }
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
        assert_eq!(config.judgement.judgement(), Judgement::default());
    }

    #[test]
    fn every_section_tells_its_fault() {
        let text = SOUND.replace("client_id", "clientid").replace("data_folder", "data_foldr");
        check(
            &text,
            &["weir.toml:6: found unknown field `clientid`", "weir.toml:9: found unknown"],
        );
    }

    #[test]
    fn two_brokers_of_one_network_are_refused() {
        let broker = "[[broker]]\nnetwork = \"rivers\"\nurl = \"mqtt://b\"\nclient_id = \"w\"\n";
        check(&format!("{SOUND}{broker}"), &["weir.toml:4: found network `rivers` twice"]);
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
}
