//! The devices of the world and how each writes: the shapes that the example seeds describe.

use serde_json::{Value, json};

use super::{EAST, HOUR, MINUTE, Publication, Timestamp, Weather};
use crate::simulate::weather::round;

/// How often an analyser draws a sample, and how long it takes.
const CYCLE: i64 = 4 * HOUR;
const ANALYSIS: i64 = 40 * MINUTE;
/// How many sondes and analyser cabinets there are.
const SONDES: u32 = 11;
const CABINETS: u32 = 9;

/// What a device is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Sonde,
    Cabinet,
    Gauge,
    Buoy,
    Air,
    SmallAir,
    /// A meter of this share of its park's load.
    Power {
        park: &'static str,
        percent: i32,
    },
    WaterMeter {
        litres_an_hour: i32,
    },
    Pulse,
    /// Nobody knows it, and it speaks once.
    Stranger,
}

/// One device.
#[derive(Clone, Debug)]
pub(super) struct Device {
    name: String,
    kind: Kind,
    every_ms: i64,
}

/// All devices, and when each speaks next.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    all: Vec<Device>,
    next: Vec<Timestamp>,
}

impl Devices {
    pub(super) fn new(start: Timestamp) -> Self {
        let device = |name: &str, kind, minutes| Device {
            name: name.to_owned(),
            kind,
            every_ms: minutes * MINUTE,
        };
        let mut all: Vec<Device> = Vec::new();
        all.extend((1..=SONDES).map(|n| device(&format!("sonde-{n:02}"), Kind::Sonde, 1)));
        all.extend((1..=CABINETS).map(|n| device(&format!("cabinet-{n:02}"), Kind::Cabinet, 5)));
        all.extend([
            device("gauge-01", Kind::Gauge, 5),
            device("buoy-01", Kind::Buoy, 5),
            device("air-setdz", Kind::Air, 1),
            device("air-hunnan", Kind::SmallAir, 1),
            device("000012340007", Kind::Power { park: "setdz", percent: 100 }, 1),
            device("000012340019", Kind::Power { park: "hunnan", percent: 100 }, 1),
            device("wm-setdz-1", Kind::WaterMeter { litres_an_hour: 3_200 }, 5),
            device("pulse-hunnan-1", Kind::Pulse, 5),
            device("sonde-99", Kind::Stranger, 40),
            device("000012340008", Kind::Power { park: "setdz", percent: 60 }, 1),
            device("000012340009", Kind::Power { park: "setdz", percent: 35 }, 1),
            device("wm-setdz-2", Kind::WaterMeter { litres_an_hour: 54_400 }, 5),
        ]);
        // Nobody's clock is nobody else's: each speaks at a second of its own.
        let next = all.iter().zip(0..).map(|(device, index)| {
            let first = if device.kind == Kind::Stranger { device.every_ms } else { 0 };
            start.plus(first + index * 2_000)
        });
        Self { next: next.collect(), all }
    }

    /// Gives the device that speaks next, if it does so up to `now`.
    pub(super) fn next_until(&mut self, now: Timestamp) -> Option<(&Device, Timestamp)> {
        let devices = self.all.iter().zip(&mut self.next);
        let (device, next) = devices.min_by_key(|(_, next)| **next)?;
        let at = *next;
        if at > now {
            return None;
        }
        let once = device.kind == Kind::Stranger;
        *next = if once { Timestamp(i64::MAX) } else { at.plus(device.every_ms) };
        Some((device, at))
    }
}

impl Device {
    /// Publishes what the device says at a time.
    pub(super) fn publish(
        &self,
        weather: &Weather,
        at: Timestamp,
        tell: &mut dyn FnMut(Publication),
    ) {
        let name = &self.name;
        let (network, topic, payload) = match self.kind {
            Kind::Sonde => return self.sonde(weather, at, tell),
            Kind::Cabinet => ("rivers", format!("water/{name}/data"), self.cabinet(weather, at)),
            Kind::Gauge => return self.gauge(weather, at, tell),
            Kind::Buoy => ("rivers", format!("lake/{name}/buoy"), self.buoy(weather, at)),
            Kind::Air => ("parks", format!("air/{name}/records"), self.air(weather, at)),
            Kind::SmallAir => ("parks", format!("air/{name}/list"), self.small_air(weather, at)),
            Kind::Power { park, percent } => {
                let share = f64::from(percent) / 100.0;
                ("parks", format!("energy/{park}/{name}/state"), self.power(weather, at, share))
            }
            Kind::WaterMeter { litres_an_hour } => {
                let rate = f64::from(litres_an_hour) / 1_000.0;
                ("parks", "meters/water".to_owned(), self.water(weather, at, rate))
            }
            Kind::Pulse => {
                let litres = (120.0 * hours(weather, at)).floor();
                ("parks", format!("pulses/{name}"), json!({ "litres": litres }))
            }
            Kind::Stranger => {
                let payload = json!({ "ts": at.millis(), "do": 7.1 });
                ("rivers", format!("water/{name}/data"), payload)
            }
        };
        tell(publication(network, topic, at, &payload));
    }

    fn sonde(&self, weather: &Weather, at: Timestamp, tell: &mut dyn FnMut(Publication)) {
        let minute = weather.minute(at);
        if self.name == "sonde-05" && (30..60).contains(&minute) {
            return;
        }
        let wave = weather.wave(&self.name, at);
        let sun = Weather::sun(at);
        let noise = |what: &str| weather.noise(&format!("{}{what}", self.name), at);
        let own = weather.trait_of(&self.name);
        let turbidity = if self.name == "sonde-09" && minute >= 15 {
            23.7
        } else {
            round(24.0 + 6.0 * own + 60.0 * wave + 1.5 * noise("turb"), 1)
        };
        let ph = if self.name == "sonde-10" && (45..90).contains(&minute) {
            14.2
        } else {
            round(7.6 + 0.2 * own + 0.15 * sun - 0.4 * wave + 0.02 * noise("ph"), 2)
        };
        let broken = self.name == "sonde-07" && minute == 25;
        let payload = json!({
            "ts": at.millis(),
            "temp": round(18.5 + own + 1.2 * sun + 0.05 * noise("temp"), 2),
            "ph": if broken { Value::from("---") } else { Value::from(ph) },
            "do": round(weather.oxygen(&self.name, at), 2),
            "ec": round(720.0 + 90.0 * own + 480.0 * wave + 4.0 * noise("ec"), 0),
            "turb": turbidity,
            "battery": round(12.6 + 0.2 * sun, 1),
        });
        let mut said = publication("rivers", format!("water/{}/data", self.name), at, &payload);
        if self.name == "sonde-03" && minute == 12 {
            said.payload.truncate(41);
        }
        if self.name == "sonde-11" && minute == 20 {
            tell(said.clone());
        }
        tell(said);
    }

    fn gauge(&self, weather: &Weather, at: Timestamp, tell: &mut dyn FnMut(Publication)) {
        let level = round(2.1 + 0.1 * weather.noise(&self.name, at), 2);
        let flow = round(38.0 + 20.0 * (level - 2.1), 1);
        for (channel, value) in [("stage", level), ("discharge", flow)] {
            let payload = json!({ "t": at.millis() / 1_000, "v": value });
            let topic = format!("gauge/{}/{channel}", self.name);
            tell(publication("rivers", topic, at, &payload));
        }
    }

    /// An analyser draws a sample every four hours and repeats its result until the next.
    fn cabinet(&self, weather: &Weather, at: Timestamp) -> Value {
        let ready = at.millis() - ANALYSIS + EAST;
        let drawn = Timestamp(ready.div_euclid(CYCLE) * CYCLE - EAST);
        let noise = |what: &str| weather.noise(&format!("{}{what}", self.name), drawn);
        json!({
            "ts": at.millis(),
            "nh3n": round(0.62 + 0.2 * noise("nh3n"), 3),
            "codmn": round(4.6 + 0.6 * noise("codmn"), 2),
            "tp": round(140.0 + 30.0 * noise("tp"), 0),
            "tn": round(6.8 + 0.8 * noise("tn"), 2),
        })
    }

    fn buoy(&self, weather: &Weather, at: Timestamp) -> Value {
        let sun = Weather::sun(at);
        let noise = |what: &str| weather.noise(&format!("{}{what}", self.name), at);
        let drawn = Timestamp(at.millis().div_euclid(CYCLE) * CYCLE);
        let sample = |what: &str| weather.noise(&format!("{}{what}", self.name), drawn);
        json!({
            "buoy": { "id": self.name, "battery_v": 12.8 },
            "time": at.rfc3339(&east()),
            "water": {
                "temperature": round(20.1 + 1.5 * sun + 0.05 * noise("t"), 2),
                "ph": round(8.2 + 0.2 * sun + 0.02 * noise("ph"), 2),
                "oxygen": { "mg_per_l": round(8.4 + 1.6 * sun + 0.05 * noise("do"), 2) },
            },
            "algae": { "chlorophyll": round(18.0 + 4.0 * sun + 0.4 * noise("chl"), 1) },
            "nutrients": {
                "tp": round(0.062 + 0.01 * sample("tp"), 3),
                "tn": round(1.12 + 0.1 * sample("tn"), 2),
            },
        })
    }

    fn air(&self, weather: &Weather, at: Timestamp) -> Value {
        let sun = Weather::sun(at);
        let noise = |what: &str| weather.noise(&format!("{}{what}", self.name), at);
        let pm10 = 52.0 + 6.0 * noise("PM10");
        let records = [
            ("SO2", format!("{:.0}", 9.0 + noise("SO2")), "ug/m3"),
            ("NO2", format!("{:.0}", 31.0 - 8.0 * sun + 2.0 * noise("NO2")), "ug/m3"),
            ("CO", format!("{:.2}", 0.6 + 0.05 * noise("CO")), "mg/m3"),
            ("O3", format!("{:.0}", 78.0 + 40.0 * sun + 3.0 * noise("O3")), "ug/m3"),
            ("PM10", format!("{pm10:.0}"), "ug/m3"),
            ("PM2.5", format!("{:.0}", pm10 * 0.5), "ug/m3"),
            ("TSP", format!("{:.0}", pm10 * 1.6), "ug/m3"),
            ("TA", format!("{:.1}", 19.0 + 5.0 * sun), "Cel"),
            ("RH", format!("{:.0}", 58.0 - 15.0 * sun), "%"),
            ("PA", format!("{:.1}", 1_002.0 + noise("PA")), "hPa"),
            ("WS", format!("{:.1}", 2.4 + noise("WS")), "m/s"),
            ("WD", format!("{:.0}", 210.0 + 20.0 * noise("WD")), "deg"),
        ];
        let records = records
            .map(|(name, value, unit)| json!({ "name": name, "value": value, "unit": unit }));
        json!({ "time": at.millis() * 1_000, "records": records })
    }

    fn small_air(&self, weather: &Weather, at: Timestamp) -> Value {
        let sun = Weather::sun(at);
        let noise = |what: &str| weather.noise(&format!("{}{what}", self.name), at);
        let nanos = at.millis() * 1_000_000;
        let record =
            |name: &str, value: f64| json!({ "t": nanos, "n": name, "v": round(value, 1) });
        json!([
            record("no2", 26.0 - 6.0 * sun + 2.0 * noise("no2")),
            record("o3", 84.0 + 38.0 * sun + 3.0 * noise("o3")),
            record("pm10", 47.0 + 5.0 * noise("pm10")),
            record("pm25", 24.0 + 3.0 * noise("pm25")),
            record("pm1", 15.0 + 2.0 * noise("pm1")),
        ])
    }

    fn power(&self, weather: &Weather, at: Timestamp, share: f64) -> Value {
        let load = 1.0 + 0.4 * Weather::sun(at);
        let noise = |what: &str| weather.noise(&format!("{}{what}", self.name), at);
        let phase = |name: &str| {
            let volts = 226.0 - 2.0 * load + 0.6 * noise(name);
            let amperes = share * (210.0 * load + 3.0 * noise(name));
            json!({ "u": round(volts * 10.0, 0), "i": round(amperes, 1) })
        };
        json!({
            "time": at.millis() / 1_000,
            "phase": [phase("L1"), phase("L2"), phase("L3")],
            "total": {
                "p": round(133_000.0 * share * load, 0),
                "pf": 0.94,
                "f": round(50.0 + 0.02 * noise("f"), 2),
                "e": round(share * (812_400.0 + 133.0 * hours(weather, at)), 1),
                "q": round(share * (294_900.0 + 48.3 * hours(weather, at)), 1),
            },
        })
    }

    fn water(&self, weather: &Weather, at: Timestamp, rate: f64) -> Value {
        let volume = 48_210.0 + rate * hours(weather, at);
        let read_at = jiff::Timestamp::from_millisecond(at.millis())
            .map(|at| east().to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string());
        json!({
            "meter": self.name,
            "read_at": read_at.unwrap_or_default(),
            "volume": format!("{volume:.2}"),
        })
    }
}

fn east() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::fixed(jiff::tz::offset(8))
}

/// Hours of the story, by which counters grow.
fn hours(weather: &Weather, at: Timestamp) -> f64 {
    at.since(weather.start) as f64 / HOUR as f64
}

fn publication(
    network: &'static str,
    topic: String,
    at: Timestamp,
    payload: &Value,
) -> Publication {
    Publication { network, topic, payload: payload.to_string().into_bytes(), at }
}
