//! `weir simulate`: simulated devices.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use crate::cli::table;
use crate::config::Config;
use crate::domain::input::Qos;
use crate::simulate::dialect::Dialect;
use crate::simulate::fleet::STATIONS_MAX;
use crate::simulate::seeds::NETWORK;
use crate::simulate::{self, Options, Play};
use crate::telemetry;

/// What stands at the end of the help.
pub(super) const EXAMPLE: &str = "\
Formats:
  json  hj212-2005  hj212-2017  hj212-surface-water  hj212-2025  senml-json  senml-cbor
  sparkplug_b  chirpstack  things_stack  tasmota  shelly-gen1  shelly-gen2  zigbee2mqtt
  plain  csv  line_protocol  telegraf  homie  binary  usr  paramid
  `hj212`, `senml` and `shelly` mean all of theirs, `all` means all.

Try weir with nothing but a broker (`mosquitto` starts one):
  weir simulate --format all --seeds trial
  weir run --config trial/weir.toml          # in another terminal

See what a station of HJ 212 sends, and whether it is acknowledged:
  weir simulate --format hj212-2017 --acknowledge
  mosquitto_sub -v -t 'hj212/#'

Play last summer's flood at sixty times its speed, with weir's clock set to its time:
  weir simulate --format json --play flood.csv --speed 60 --seeds flood
  weir run --config flood/weir.toml --clock-start 2026-07-01T00:00:00Z --speed 60
where flood.csv has a column `time` and one a property (`ph`, `NH3-N[ug/L]`).";

/// What is asked of `weir simulate`.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// A format, several times for several; `all` for all.
    #[arg(long = "format", value_name = "FORMAT", required = true, value_parser = format)]
    formats: Vec<Formats>,
    /// How many stations each format has, with a device each.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(STATIONS_MAX)))]
    stations: u32,
    /// How many devices speak a second, of all formats and stations together; without, each once
    /// in ten seconds. A device speaks at most once a second.
    #[arg(long, value_name = "R", value_parser = rate, conflicts_with = "play")]
    rate: Option<f64>,
    /// The broker: mqtt://host:1883, or mqtts://host:8883 with TLS.
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    broker: String,
    /// The user, where the broker asks for one; the password is in --password-file or
    /// --password-env.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The file that holds the user's password.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// The environment variable that holds the user's password.
    #[arg(long, value_name = "NAME", requires = "user", conflicts_with = "password_file")]
    password_env: Option<String>,
    /// The authority to trust, PEM; mqtts needs it.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The simulation's own certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
    /// The quality of service: 0, sent and forgotten, or 1, confirmed by the broker.
    #[arg(long, value_enum, default_value_t = Quality::One)]
    qos: Quality,
    /// For how long, such as 30s or 5m; until Ctrl-C without.
    #[arg(long = "for", value_name = "TIME", value_parser = super::length)]
    length: Option<Duration>,
    /// Which world: the same number is the same world.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Have stations of HJ 212 ask that each frame be acknowledged on `hj212/MN/down`, and send it
    /// again, three times, where it is not within ten seconds.
    #[arg(long)]
    acknowledge: bool,
    /// Write into this folder the seeds and the configuration that have weir read the simulation.
    /// What else stands there is not written over.
    #[arg(long, value_name = "FOLDER")]
    seeds: Option<PathBuf>,
    /// Write everything that is said into this file, to compare with what arrives: CSV, a row a
    /// value, with the unit in which it was sent.
    #[arg(long, value_name = "FILE")]
    told: Option<PathBuf>,
    /// Play this series instead: CSV with a column `time` (UTC+8, or with an offset), rows in
    /// order, and one a property, named as in properties.csv or by its symbol, with another unit in
    /// brackets. Each device says each row; an empty cell is not said.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    play: Option<PathBuf>,
    /// How many times as fast as its own time a series is played. Its times stay what they are:
    /// run weir with `--clock-start` and the same `--speed`. With --seeds it begins when the weir
    /// of that configuration runs; else start weir first.
    #[arg(long, value_name = "X", default_value_t = 1.0, requires = "play",
          value_parser = super::speed)]
    speed: f64,
    /// Move the times of a series so that its first is now, for a weir whose clock is the real one.
    #[arg(long, requires = "play", conflicts_with = "speed")]
    shift_to_now: bool,
}

/// What a word of `--format` means.
type Formats = (String, Vec<Dialect>);

fn format(word: &str) -> Result<Formats, String> {
    let meant = Dialect::named(word);
    if meant.is_empty() {
        let words: Vec<&str> = Dialect::WORDS.iter().map(|(word, _)| *word).collect();
        return Err(format!("expected `all` or of {}", words.join(", ")));
    }
    Ok((word.to_owned(), meant))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "expected a number above zero".to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Quality {
    #[value(name = "0")]
    Zero,
    #[value(name = "1")]
    One,
}

/// Publishes until the time is up or somebody presses Ctrl-C.
///
/// # Errors
/// What is asked for can't be done.
pub(super) async fn run(command: Simulate) -> anyhow::Result<ExitCode> {
    telemetry::start(&telemetry::Config { level: "warn".to_owned(), ..Default::default() })?;
    let section = section(&command)?;
    let whole = format!("seeds = 'seeds'\n{section}[journal]\ndata_folder = 'data'\n");
    let config = Config::parse("--broker", &whole).map_err(|faults| {
        let list: Vec<String> =
            faults.iter().map(|one| format!("{}, expected {}", one.found, one.expected)).collect();
        anyhow::anyhow!(list.join("\n"))
    })?;
    let mut dialects: Vec<Dialect> = Vec::new();
    for dialect in command.formats.into_iter().flat_map(|(_, dialects)| dialects) {
        if !dialects.contains(&dialect) {
            dialects.push(dialect);
        }
    }
    let play = command.play.as_deref().map(|file| {
        let (file, bytes) = (table::name(Some(file)), table::read(Some(file))?);
        let (speed, shift_to_now) = (command.speed, command.shift_to_now);
        anyhow::Ok(Play { file, bytes, speed, shift_to_now })
    });
    let broker = config.brokers.into_iter().next();
    let options = Options {
        dialects,
        stations: command.stations,
        rate: command.rate,
        play: play.transpose()?,
        broker: broker.ok_or_else(|| anyhow::anyhow!("no broker"))?,
        section,
        length: command.length,
        seed: command.seed,
        qos: match command.qos {
            Quality::Zero => Qos::AtMostOnce,
            Quality::One => Qos::AtLeastOnce,
        },
        acknowledge: command.acknowledge,
        seeds: command.seeds,
        told: command.told,
    };
    let outcome = simulate::run(options).await?;
    let lost = command.qos == Quality::One && outcome.confirmed < outcome.sent;
    Ok(if lost { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Writes the section of the broker, for the simulation and for weir.
fn section(command: &Simulate) -> anyhow::Result<String> {
    let mut lines = vec![
        "[[broker]]".to_owned(),
        format!("network = \"{NETWORK}\""),
        setting("url", &command.broker),
        format!("client_id = \"weir-{NETWORK}\""),
    ];
    lines.extend(command.user.iter().map(|user| setting("user", user)));
    lines.extend(command.password_env.iter().map(|name| setting("password_env", name)));
    let files = [
        ("password_file", &command.password_file),
        ("ca_file", &command.ca_file),
        ("certificate_file", &command.certificate_file),
        ("key_file", &command.key_file),
    ];
    for (key, file) in files {
        let Some(file) = file else { continue };
        lines.push(setting(key, &whole(file)?.display().to_string()));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn setting(key: &str, value: &str) -> String {
    format!("{key} = {}", toml::Value::from(value))
}

/// The configuration stands in another folder than the command is given in.
fn whole(file: &Path) -> anyhow::Result<PathBuf> {
    use anyhow::Context as _;
    file.canonicalize().with_context(|| format!("{} can't be read", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_format() {
        for (word, _) in Dialect::WORDS {
            assert!(EXAMPLE.split_whitespace().any(|one| one == word), "{word}");
        }
    }
}
