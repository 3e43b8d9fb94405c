//! The formats as they are simulated: one or several ways of each, what a device of it is called,
//! on which topic it speaks, and how it names what it measures.

use crate::domain::registry::Hj212Edition;

/// A format as a simulated device speaks it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// A flat object a message.
    Json,
    /// HJ 212, in one of its editions.
    Hj212(Hj212Edition),
    /// SenML as JSON.
    SenmlJson,
    /// SenML as CBOR.
    SenmlCbor,
    /// Sparkplug B.
    SparkplugB,
    /// ChirpStack, version 4.
    Chirpstack,
    /// The Things Stack, version 3.
    ThingsStack,
    /// Tasmota's telemetry.
    Tasmota,
    /// Shelly's first generation.
    ShellyGen1,
    /// Shelly's later generations.
    ShellyGen2,
    /// Zigbee2MQTT.
    Zigbee2mqtt,
    /// A number a topic.
    Plain,
    /// Rows of cells.
    Csv,
    /// InfluxDB's line protocol.
    LineProtocol,
    /// Telegraf's JSON.
    Telegraf,
    /// Homie 5.
    Homie,
    /// Records of bytes.
    Binary,
    /// A list of points, as gateways of USR send it.
    Usr,
    /// A record a factor, as platforms hand on what stations of HJ 212 say.
    Paramid,
}

use Dialect::{
    Binary, Chirpstack, Csv, Hj212, Homie, Json, LineProtocol, Paramid, Plain, SenmlCbor,
    SenmlJson, ShellyGen1, ShellyGen2, SparkplugB, Tasmota, Telegraf, ThingsStack, Usr,
    Zigbee2mqtt,
};

/// What a device is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Of a river.
    Sonde,
    /// Of a river, with analysers beside the sonde.
    Cabinet,
    /// Of an outfall.
    Works,
    /// Of electricity.
    Meter,
}

/// The place of a Sparkplug node in its group, and the names of both.
pub(super) const GROUP: &str = "weir";
/// See [`GROUP`].
pub(super) const NODE: &str = "sim";

impl Dialect {
    /// Every one with its word.
    pub const WORDS: [(&'static str, Self); 22] = [
        ("json", Json),
        ("hj212-2005", Hj212(Hj212Edition::Of2005)),
        ("hj212-2017", Hj212(Hj212Edition::Of2017)),
        ("hj212-surface-water", Hj212(Hj212Edition::SurfaceWater)),
        ("hj212-2025", Hj212(Hj212Edition::Of2025)),
        ("senml-json", SenmlJson),
        ("senml-cbor", SenmlCbor),
        ("sparkplug_b", SparkplugB),
        ("chirpstack", Chirpstack),
        ("things_stack", ThingsStack),
        ("tasmota", Tasmota),
        ("shelly-gen1", ShellyGen1),
        ("shelly-gen2", ShellyGen2),
        ("zigbee2mqtt", Zigbee2mqtt),
        ("plain", Plain),
        ("csv", Csv),
        ("line_protocol", LineProtocol),
        ("telegraf", Telegraf),
        ("homie", Homie),
        ("binary", Binary),
        ("usr", Usr),
        ("paramid", Paramid),
    ];

    /// Gives what a word means: `all`, one of [`Dialect::WORDS`], or the format of several of them,
    /// such as `hj212`. Nothing where it means none.
    #[must_use]
    pub fn named(word: &str) -> Vec<Self> {
        let begins = |one: &str| one.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'));
        let meant =
            Self::WORDS.into_iter().filter(|(one, _)| word == "all" || *one == word || begins(one));
        meant.map(|(_, dialect)| dialect).collect()
    }

    /// Gives its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, dialect)| *dialect == self);
        found.map_or("", |(word, _)| word)
    }

    /// Gives the format as the seeds name it.
    #[must_use]
    pub fn format(self) -> &'static str {
        let word = self.word();
        if matches!(self, Usr | Paramid) {
            return "json";
        }
        word.split_once('-').map_or(word, |(format, _)| format)
    }

    /// Gives the station of a number.
    pub(super) fn station(self, number: u32) -> String {
        format!("sim-{}-{number}", self.word().replace('_', "-"))
    }

    /// Gives the device of a number, as it calls itself.
    pub(super) fn device(self, number: u32) -> String {
        match self {
            // 24 digits of hex, as the standard wants an MN to be.
            Hj212(edition) => {
                let of = match edition {
                    Hj212Edition::Of2005 => 2005,
                    Hj212Edition::Of2017 => 2017,
                    Hj212Edition::SurfaceWater => 2018,
                    Hj212Edition::Of2025 => 2025,
                };
                format!("51A0{of}{number:016}")
            }
            Chirpstack => format!("51a0{number:012x}"),
            SparkplugB => format!("{NODE}/sonde-{number}"),
            Json | SenmlJson | SenmlCbor | ThingsStack | Tasmota | ShellyGen1 | ShellyGen2
            | Zigbee2mqtt | Plain | Csv | LineProtocol | Telegraf | Homie | Binary | Usr
            | Paramid => self.station(number),
        }
    }

    /// Gives the rows of `topics.csv` after the network, without the empty cells at their ends:
    /// pattern, format, device, time, `time_unit`, each, channel, value, unit, options, mark,
    /// marks.
    pub(super) fn topics(self) -> &'static [&'static str] {
        match self {
            Json => &["json/{device},json,,/ts,ms"],
            Hj212(_) => &["hj212/{device}/up,hj212,,,,,,,,ack=hj212/{device}/down"],
            SenmlJson | SenmlCbor => &["senml/{device},senml"],
            SparkplugB => &[
                "spBv1.0/weir/{kind}/{device},sparkplug_b",
                "spBv1.0/weir/{kind}/{node}/{device},sparkplug_b",
            ],
            Chirpstack => &["application/{place}/device/{device}/event/{kind},chirpstack"],
            ThingsStack => &["v3/{place}/devices/{device}/{kind},things_stack"],
            Tasmota => &["tele/{device}/{kind},tasmota"],
            ShellyGen1 => &["shellies/{device}/{place}/{place}/{kind},shelly"],
            ShellyGen2 => &["shelly/{device}/events/rpc,shelly"],
            Zigbee2mqtt => &["zigbee2mqtt/{device},zigbee2mqtt"],
            Plain => &["plain/{device}/{channel},plain"],
            Csv => &["csv/{device},csv,,time,local"],
            LineProtocol => &["lines/{device},line_protocol,,,ns"],
            Telegraf => &["telegraf/{device},telegraf,,,s"],
            Homie => &["homie/5/{device}/{kind},homie", "homie/5/{device}/{place}/{place},homie"],
            Binary => &["bin/{device}/up,binary,,u32be@0,s,,,,,record=16"],
            Usr => &["dtu/{device}/up,json,,,,/rw_prot/r_data,/name,/value,,,/err,err-codes"],
            Paramid => {
                &["factors/{device},json,,/DataTime,local,/Data,/ParamID,/Rtd,,,/Flag,hj212-2017"]
            }
        }
    }

    /// Gives what devices that speak so are.
    pub(super) fn kind(self) -> Kind {
        match self {
            Hj212(Hj212Edition::SurfaceWater) => Kind::Cabinet,
            Hj212(_) => Kind::Works,
            Tasmota | ShellyGen1 | ShellyGen2 | Zigbee2mqtt | Usr => Kind::Meter,
            Json | SenmlJson | SenmlCbor | SparkplugB | Chirpstack | ThingsStack | Plain | Csv
            | LineProtocol | Telegraf | Homie | Binary | Paramid => Kind::Sonde,
        }
    }

    /// Says whether its messages have a time; of the others it is their arrival.
    pub(super) fn is_dated(self) -> bool {
        !matches!(self, Plain | ShellyGen1 | Homie | Usr)
    }

    /// Says whether its numbers are texts.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Usr | Paramid)
    }

    /// Gives its edition, of HJ 212.
    pub(super) fn edition(self) -> Option<Hj212Edition> {
        if let Hj212(edition) = self { Some(edition) } else { None }
    }

    /// Gives how a device names what it measures, as a row of `profiles.csv` has it; none where the
    /// format has no word for it. `codes` are the property's in HJ 212 and in HJ/T 212-2005.
    pub(super) fn channel(self, property: &str, codes: [&str; 2]) -> Option<String> {
        let [code, old] = codes;
        let meter = |words: [&str; 4]| {
            let of = ["active_power", "voltage", "current", "electricity_energy"];
            let at = of.iter().position(|one| *one == property)?;
            words.get(at).filter(|word| !word.is_empty()).map(|word| (*word).to_owned())
        };
        let of = |code: &str, what: &str| (!code.is_empty()).then(|| format!("{code}{what}"));
        match self {
            Json => Some(format!("/{property}")),
            Hj212(Hj212Edition::Of2005) => of(old, "-Rtd"),
            Hj212(_) => of(code, "-Rtd"),
            Paramid => of(code, ""),
            Homie => Some(format!("sensors/{}", property.replace('_', "-"))),
            // Their places say what is meant.
            Binary | Usr => None,
            Tasmota => meter(["ENERGY/Power", "ENERGY/Voltage", "ENERGY/Current", "ENERGY/Total"])
                .or_else(|| Some(format!("SENSOR/{property}"))),
            ShellyGen1 => {
                meter(["emeter/0/power", "emeter/0/voltage", "emeter/0/current", "emeter/0/total"])
            }
            ShellyGen2 => meter([
                "em1:0/act_power",
                "em1:0/voltage",
                "em1:0/current",
                "em1data:0/total_act_energy",
            ]),
            Zigbee2mqtt => meter(["power", "voltage", "current", "energy"])
                .or_else(|| Some(property.to_owned())),
            SenmlJson | SenmlCbor | SparkplugB | Chirpstack | ThingsStack | Plain | Csv
            | LineProtocol | Telegraf => Some(property.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, want: &[&str]) {
        let found: Vec<&str> = Dialect::named(word).into_iter().map(Dialect::word).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn a_format_means_all_of_its_dialects() {
        check("hj212", &["hj212-2005", "hj212-2017", "hj212-surface-water", "hj212-2025"]);
        check("hj212-2025", &["hj212-2025"]);
        check("senml", &["senml-json", "senml-cbor"]);
        check("shel", &[]);
        check("", &[]);
        assert_eq!(Dialect::named("all").len(), Dialect::WORDS.len());
    }

    #[test]
    fn every_dialect_is_of_a_format_of_the_seeds() {
        for (word, dialect) in Dialect::WORDS {
            assert!(crate::seed::format(dialect.format()).is_some(), "{word}");
        }
    }
}
