//! What is likely in JSON that no format names: where its times are, its records, its device, and
//! which of its values are channels.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::daemon::discover::guess::{CHANNELS_MAX, Cells, Guess, Heard, Kind, NAMELESS, merge};
use crate::decode::number;
use crate::decode::time::device_time;
use crate::domain::registry::TimeUnit;
use crate::domain::time::{DAY, Timestamp};

/// How deep channels are looked for.
const DEPTH_MAX: usize = 8;
/// How keys are called, in small letters and without signs; the likeliest first.
const TIMES: [&str; 13] = [
    "time",
    "ts",
    "t",
    "timestamp",
    "datetime",
    "date",
    "readat",
    "datatime",
    "sampletime",
    "collecttime",
    "reporttime",
    "lastseen",
    "clock",
];
const NAMES: [&str; 10] =
    ["name", "n", "channel", "param", "paramid", "point", "tag", "key", "code", "id"];
const VALUES: [&str; 7] = ["value", "v", "val", "rtd", "data", "num", "reading"];
const UNITS: [&str; 3] = ["unit", "u", "units"];
const DEVICES: [&str; 14] = [
    "device",
    "deviceid",
    "devid",
    "dev",
    "sn",
    "serial",
    "serialnumber",
    "imei",
    "deveui",
    "mac",
    "mn",
    "meter",
    "meterid",
    "id",
];
/// What stands beside the one value of a topic that names the channel.
const BESIDE: [&str; 4] = ["quality", "q", "status", "flag"];

/// Says whether JSON is Telegraf's: a metric, or a batch of them.
pub(super) fn is_telegraf(payload: &[u8]) -> bool {
    let is_metric = |value: &Value| value["fields"].is_object() && value["name"].is_string();
    match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Object(map)) => {
            let batch = map.get("metrics").and_then(Value::as_array);
            let alone = Value::Object(map.clone());
            is_metric(&alone)
                || batch.is_some_and(|all| !all.is_empty() && all.iter().all(is_metric))
        }
        Ok(_) | Err(_) => false,
    }
}

/// Says whether a payload is a pack of SenML, by the labels that its records must have: as JSON an
/// array of objects, as CBOR an array.
pub(super) fn is_senml(payload: &[u8]) -> bool {
    const LABELS: [&str; 14] =
        ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t"];
    match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Array(records)) => {
            let known = |record: &Value| {
                let record = record.as_object();
                record.is_some_and(|record| {
                    let label = |key: &String| LABELS.contains(&&**key) || key == "ut";
                    !record.is_empty() && record.keys().all(label)
                })
            };
            !records.is_empty() && records.iter().all(known)
        }
        Ok(_) => false,
        // An array of CBOR: no text begins so.
        Err(_) => payload.first().is_some_and(|first| (0x81..=0x9F).contains(first)),
    }
}

/// Guesses JSON that the seeds map.
pub(super) fn json(base: Guess, payloads: &[&[u8]], last: Timestamp) -> Vec<Guess> {
    let mut of_devices: BTreeMap<(Cells, Option<String>), Guess> = BTreeMap::new();
    for payload in payloads {
        let Ok(value) = serde_json::from_slice::<Value>(payload) else { continue };
        let Some((cells, device, channels)) = mapped(&value, last) else { continue };
        let in_topic = device.as_deref().filter(|name| {
            base.topic.split('/').any(|word| word == *name) && !cells.device.is_empty()
        });
        let cells = match in_topic {
            Some(_) => Cells { device: String::new(), ..cells },
            None => cells,
        };
        let key = (cells.clone(), device.clone());
        let guess =
            of_devices.entry(key).or_insert_with(|| Guess { cells, device, ..base.clone() });
        for (name, heard) in channels {
            merge(&mut guess.channels, name, heard);
        }
    }
    // What only some payloads state is not to be counted on: the most telling one speaks.
    let mut guesses: Vec<Guess> = of_devices.into_values().collect();
    if let Some(most) = guesses.iter().max_by_key(|one| one.channels.len()) {
        let cells = most.cells.clone();
        guesses.retain(|one| one.cells == cells);
    }
    guesses
}

type Mapped = (Cells, Option<String>, BTreeMap<String, Heard>);

fn mapped(value: &Value, last: Timestamp) -> Option<Mapped> {
    let mut cells = Cells::default();
    let records: Vec<&Map<String, Value>> = match value {
        Value::Array(all) => {
            ".".clone_into(&mut cells.each);
            all.iter().filter_map(Value::as_object).collect()
        }
        Value::Object(map) => match list(map, "", last) {
            Some((each, all)) => {
                cells.each = each;
                all.iter().filter_map(Value::as_object).collect()
            }
            None => vec![map],
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    let first = records.first()?;
    let outer = value.as_object();
    if let Some((key, unit)) = outer.into_iter().chain([*first]).find_map(|map| time(map, last)) {
        (cells.time, cells.time_unit) = (pointer("", key), unit);
    }
    let device = outer.and_then(|outer| device(outer, "", true));
    let name = device.as_ref().map(|(_, name)| name.clone());
    cells.device = device.map(|(pointer, _)| pointer).unwrap_or_default();
    let mut channels = BTreeMap::new();
    if let Some((name_key, value_key)) =
        long(first).filter(|_| records.iter().all(|one| long(one).is_some()))
    {
        cells.channel = pointer("", name_key);
        cells.value = pointer("", value_key);
        let unit = key_of(first, &UNITS);
        cells.unit = unit.map(|unit| pointer("", unit)).unwrap_or_default();
        for record in records {
            let name = record.get(name_key).map(scalar).unwrap_or_default();
            let unit = unit.and_then(|unit| record.get(unit)).and_then(Value::as_str);
            let value = record.get(value_key).unwrap_or(&Value::Null);
            merge(&mut channels, name, Heard { unit: unit.map(str::to_owned), ..heard(value) });
        }
        return Some((cells, name, channels));
    }
    if let Some(value_key) = alone(first, &cells) {
        cells.value = pointer("", value_key);
        let unit = key_of(first, &UNITS);
        cells.unit = unit.map(|unit| pointer("", unit)).unwrap_or_default();
        cells.in_topic = true;
        let unit = unit.and_then(|unit| first.get(unit)).and_then(Value::as_str);
        let value = first.get(value_key).unwrap_or(&Value::Null);
        let heard = Heard { unit: unit.map(str::to_owned), ..heard(value) };
        channels.insert(NAMELESS.to_owned(), heard);
        return Some((cells, name, channels));
    }
    for record in records {
        let mut at = String::new();
        leaves(&Value::Object(record.clone()), &mut at, 0, &cells, &mut channels);
    }
    let any = channels.values().any(|heard| heard.kind != Kind::Nothing);
    any.then_some((cells, name, channels))
}

/// Finds the array of records, at the top or a level below: of objects with a name and a value, or
/// with a time.
fn list<'v>(
    map: &'v Map<String, Value>,
    at: &str,
    last: Timestamp,
) -> Option<(String, &'v Vec<Value>)> {
    let is_record = |value: &Value| {
        value.as_object().is_some_and(|one| long(one).is_some() || time(one, last).is_some())
    };
    let here = map.iter().find_map(|(key, value)| {
        let all = value.as_array().filter(|all| !all.is_empty() && all.iter().all(is_record))?;
        Some((pointer(at, key), all))
    });
    here.or_else(|| {
        let mut inside = map.iter().filter(|_| at.is_empty());
        inside.find_map(|(key, value)| list(value.as_object()?, &pointer("", key), last))
    })
}

/// Gives the keys of name and value of a record that has both.
fn long(map: &Map<String, Value>) -> Option<(&str, &str)> {
    let value = key_of(map, &VALUES)?;
    let is_name = |key: &&str| map.get(*key).is_some_and(Value::is_string);
    let name = key_of(map, &NAMES).filter(is_name)?;
    Some((name, value))
}

/// Gives the key of the value of a record that has nothing else but what stands beside one.
fn alone<'v>(map: &'v Map<String, Value>, cells: &Cells) -> Option<&'v str> {
    let value =
        key_of(map, &VALUES).filter(|_| cells.each.is_empty() && cells.device.is_empty())?;
    let beside = |key: &&String| {
        **key != *value
            && cells.time != pointer("", key)
            && ![&UNITS[..], &BESIDE[..]].concat().contains(&&*plain(key))
    };
    let scalar = map.get(value).is_some_and(|value| !value.is_object() && !value.is_array());
    (scalar && !map.keys().any(|key| beside(&key))).then_some(value)
}

/// Finds a key of a list, the likeliest first.
fn key_of<'v>(map: &'v Map<String, Value>, keys: &[&str]) -> Option<&'v str> {
    keys.iter().find_map(|key| map.keys().find(|one| plain(one) == *key)).map(String::as_str)
}

/// Finds the time of a record, and how it is written.
fn time(map: &Map<String, Value>, last: Timestamp) -> Option<(&str, &'static str)> {
    TIMES.iter().find_map(|name| {
        let (key, value) = map.iter().find(|(key, _)| plain(key) == *name)?;
        Some((key.as_str(), time_unit(value, last)?))
    })
}

/// Says how a time is written, if it is one of this century.
fn time_unit(value: &Value, last: Timestamp) -> Option<&'static str> {
    let raw = match value {
        Value::String(_) | Value::Number(_) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let plausible = |unit| {
        let at = device_time(&raw, unit, &zone).ok().flatten()?;
        // Ten years back, two days ahead.
        let age = last.since(at);
        (-2 * DAY..3_660 * DAY).contains(&age).then_some(())
    };
    let units = [
        ("rfc3339", TimeUnit::Rfc3339),
        ("local", TimeUnit::Local),
        ("s", TimeUnit::Seconds),
        ("ms", TimeUnit::Milliseconds),
        ("us", TimeUnit::Microseconds),
        ("ns", TimeUnit::Nanoseconds),
    ];
    units.into_iter().find(|(_, unit)| plausible(*unit).is_some()).map(|(word, _)| word)
}

/// Finds what names the device, at the top or one level below: a text, or a number with many
/// digits.
fn device(map: &Map<String, Value>, at: &str, deep: bool) -> Option<(String, String)> {
    let here = DEVICES.iter().find_map(|name| {
        let (key, value) = map.iter().find(|(key, _)| plain(key) == *name)?;
        let said = scalar(value);
        let is_name = value.is_string() || value.is_u64() && said.len() >= 4;
        (is_name && !said.is_empty()).then(|| (pointer(at, key), said))
    });
    here.or_else(|| {
        let mut inside = map.iter().filter(|_| deep && at.is_empty());
        inside.find_map(|(key, value)| device(value.as_object()?, &pointer("", key), false))
    })
}

fn leaves(
    value: &Value,
    at: &mut String,
    depth: usize,
    cells: &Cells,
    out: &mut BTreeMap<String, Heard>,
) {
    if depth > DEPTH_MAX || out.len() >= CHANNELS_MAX {
        return;
    }
    let mut inside = |key: &str, value: &Value| {
        let length = at.len();
        at.push_str(&pointer("", key));
        leaves(value, at, depth + 1, cells, out);
        at.truncate(length);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| inside(key, value)),
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(index, value)| inside(&index.to_string(), value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            if *at != cells.time && *at != cells.device {
                merge(out, at.clone(), heard(value));
            }
        }
    }
}

fn heard(value: &Value) -> Heard {
    let sample = scalar(value);
    let kind = match value {
        Value::Number(_) | Value::Null => Kind::Number,
        Value::String(text) if number::written(text).is_some() => Kind::Text,
        Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Kind::Nothing,
    };
    Heard { sample, unit: None, kind }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => number::cut(text).into(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            number::cut(&value.to_string()).into()
        }
    }
}

/// Goes a level down in a JSON pointer.
fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Leaves letters and digits, in small letters.
fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}
