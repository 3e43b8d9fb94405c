//! The raw message of a value, down to the bytes: the journal's inputs of then are played aside
//! until one of them yields the value.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::Instant;

use crate::daemon::page::doubts;
use crate::daemon::page::station::{at, called, formula, property_name, streams};
use crate::daemon::page::times::offset;
use crate::daemon::recompute::Editions;
use crate::daemon::recover;
use crate::daemon::status::View;
use crate::daemon::tap::heard::Ear;
use crate::daemon::threshold::{self, number};
use crate::decode::Announced;
use crate::domain::input::{Act, Arrival, Input, Message, Qos};
use crate::domain::name::{DatastreamId, DeviceId, Names};
use crate::domain::observation::{Observation, ObservationResult, Period, Side};
use crate::domain::registry::{Datastream, Registry};
use crate::domain::time::{MINUTE, Moment, Timestamp};
use crate::http::station::Wanted;
use crate::http::view::Text;
use crate::http::view::station::{RawMessage, RawPage};
use crate::journal;
use crate::journal::inputs::{Kept, Unpacked};
use crate::journal::read::Reader;
use crate::pipeline::{Pipeline, Processed, snapshot};

/// How many messages are looked at for one value.
const MESSAGES_SEARCHED_MAX: usize = 200_000;
/// How long it is searched.
const SEARCH_MAX: Duration = Duration::from_secs(3);
/// How many messages that say one value are shown.
const MESSAGES_SHOWN_MAX: usize = 4;
/// How many bytes of a payload are shown.
pub(super) const PAYLOAD_SHOWN_MAX: usize = 2_048;
/// By how much a device's clock may be ahead of the message's arrival, ms.
const AHEAD_MS: i64 = 15 * MINUTE;
/// For how long after the first message others that say the value are looked for, ms.
const AFTER_MS: i64 = 15 * MINUTE;

/// Finds the raw message of a value; nothing if there is no such series.
pub(super) fn page(view: &View, folder: &Path, wanted: &Wanted) -> Option<RawPage> {
    let station = called(view, &wanted.station)?;
    let (stream, _) = streams(view, station).find(|(one, _)| *one.name == *wanted.series)?;
    let zone = &station.zone;
    let mut page = RawPage {
        station: station.name.to_string(),
        name: Text::new(&*station.name_en, &*station.name_zh),
        series: stream.name.to_string(),
        property: property_name(&view.registry, stream),
        at: wanted.from.clone(),
        zone: offset(zone, view.at.wall),
        ..RawPage::default()
    };
    let millis = wanted.from.parse().ok().map(Timestamp);
    let time = millis.or_else(|| Timestamp::of_text_or_offset(&wanted.from, zone));
    let Some(time) = time.filter(|time| jiff::Timestamp::from_millisecond(time.millis()).is_ok())
    else {
        page.absent = Text::new("This is no time.", "这不是时间。");
        return Some(page);
    };
    page.at = at(time, zone);
    if wanted.period.is_empty() || wanted.period == Period::Native.word() {
        judged(view, stream, time, &mut page);
    }
    let made = |en: &str, zh: &str| Text::new(en, zh);
    if Period::AVERAGED.iter().any(|period| period.word() == wanted.period) {
        page.absent = made(
            "weir made this value itself, of the values of the time; no message says it.",
            "该值由weir根据该时段数值计算，没有对应的消息。",
        );
    } else if !stream.formulas.is_empty() {
        page.absent = made(
            "This value is derived from others by a formula; no message says it.",
            "该值由其他项目按公式推算，没有对应的消息。",
        );
    } else if let Err(error) = search(view, folder, (stream, time), &mut page) {
        page.absent = Text::new(
            format!("The journal can't be read: {error}"),
            format!("无法读取日志：{error}"),
        );
    }
    Some(page)
}

/// Says how a value was judged, as far as weir remembers it.
fn judged(view: &View, stream: &Datastream, time: Timestamp, page: &mut RawPage) {
    let station = view.stations.get(stream.station.index()).and_then(Option::as_ref);
    let held = station.and_then(|station| station.streams.get(usize::from(stream.slot)));
    let entry = held.and_then(|held| held.history.at_or_before(time));
    if let Some(entry) = entry.filter(|entry| entry.time == time) {
        page.flag = Some(entry.flag().number());
        page.doubts = doubts(&view.registry, stream, &entry.quality);
    }
}

/// Why the search ends.
enum Halt {
    Enough,
    Fault(recover::Error),
}

impl From<journal::Error> for Halt {
    fn from(error: journal::Error) -> Self {
        Self::Fault(error.into())
    }
}

fn search(
    view: &View,
    folder: &Path,
    (stream, time): (&Datastream, Timestamp),
    page: &mut RawPage,
) -> Result<(), recover::Error> {
    let reader = Reader::open(folder)?;
    let since = reader.raw_since()?;
    let zone = view.registry.station(stream.station).map_or(TimeZone::UTC, |one| one.zone.clone());
    page.since = at(since.at, &zone);
    let after = reader.batch_before(time.plus(-AHEAD_MS))?;
    let mut editions = Editions::new(&reader, Names::from_journal(reader.names()?));
    let first = reader.edition_before(after + 1)?.unwrap_or_default();
    let first = editions.get(&first)?;
    let closing = reader.closing_from(after)?;
    let announced = closing.as_deref().map(snapshot::announced).transpose()?;
    let mut search = Search {
        pipeline: snapshot::aside(&first, Moment::default(), closing.as_deref())?,
        ear: Ear::new(Arc::clone(&first)),
        out: Processed::default(),
        id: stream.id,
        time,
        devices: Vec::new(),
        found: Vec::new(),
        first_at: None,
        looked: 0,
        until: Instant::now() + SEARCH_MAX,
        last: None,
    };
    search.adopt(&first, announced.map(Arc::new).unwrap_or_default());
    let ended = reader.inputs_after(after, |sequence, bytes| {
        for kept in Unpacked::new(bytes) {
            let torn = |torn| Halt::Fault(recover::Error::Torn(sequence, torn));
            let (at, kept) = kept.map_err(torn)?;
            search.take(at, kept, |digest| editions.get(digest))?;
        }
        Ok(())
    });
    if let Err(Halt::Fault(error)) = ended {
        return Err(error);
    }
    page.messages = search.found;
    if page.messages.is_empty() {
        let last = search.last.unwrap_or(time);
        page.absent = absent(since.at, since.all, (time, last), &zone);
    }
    Ok(())
}

/// Says why no message was found.
fn absent(
    since: Timestamp,
    all: bool,
    (time, last): (Timestamp, Timestamp),
    zone: &TimeZone,
) -> Text {
    let (kept, last) = (at(since, zone), at(last, zone));
    if !all && time < since {
        return Text::new(
            format!("Messages are kept since {kept}; that of this value is gone."),
            format!("消息自 {kept} 起保存；该值的消息已删除。"),
        );
    }
    Text::new(
        format!("No message that arrived until {last} says this value."),
        format!("截至 {last} 到达的消息中没有该值。"),
    )
}

/// A search under way.
struct Search {
    pipeline: Pipeline,
    ear: Ear,
    out: Processed,
    id: DatastreamId,
    time: Timestamp,
    /// The devices that feed the datastream, and their gateways.
    devices: Vec<DeviceId>,
    found: Vec<RawMessage>,
    first_at: Option<Timestamp>,
    looked: usize,
    until: Instant,
    /// When the last message arrived that was looked at.
    last: Option<Timestamp>,
}

impl Search {
    fn adopt(&mut self, registry: &Arc<Registry>, announced: Arc<Announced>) {
        self.ear = Ear::new(Arc::clone(registry)).knowing(announced);
        let feeders = registry.feeders.get(&self.id).map_or(&[][..], Vec::as_slice);
        let devices = feeders.iter().filter_map(|id| registry.devices.get(id.index()));
        let gateways = devices.flat_map(|device| registry.gateways_ever(device));
        self.devices = feeders.iter().copied().chain(gateways).collect();
    }

    fn take(
        &mut self,
        at: Moment,
        kept: Kept<'_>,
        edition: impl FnOnce(&str) -> Result<Arc<Registry>, recover::Error>,
    ) -> Result<(), Halt> {
        let enough = self.first_at.is_some_and(|first| at.wall.since(first) > AFTER_MS);
        let spent = self.looked >= MESSAGES_SEARCHED_MAX || Instant::now() > self.until;
        if enough || spent || self.found.len() >= MESSAGES_SHOWN_MAX {
            return Err(Halt::Enough);
        }
        let input = match kept {
            Kept::Message(_) | Kept::Act(Act::Retry { .. }) | Kept::Edition(_) => {
                recover::input(kept, edition).map_err(Halt::Fault)?
            }
            Kept::Tick
            | Kept::Act(_)
            | Kept::Condition(_)
            | Kept::Recompute(_)
            | Kept::AlertAct(_) => return Ok(()),
        };
        if let Input::Edition(registry) = &input {
            self.adopt(registry, Arc::default());
            self.pipeline.process(&Arrival { at, input }, &mut self.out);
            return Ok(());
        }
        let message = match &input {
            Input::Message(message) | Input::Act(Act::Retry { message, .. }) => *message,
            Input::Tick
            | Input::Act(_)
            | Input::Edition(_)
            | Input::Condition(_)
            | Input::Recompute(_)
            | Input::AlertAct(_) => return Ok(()),
        };
        self.looked += 1;
        self.last = Some(at.wall);
        if self.concerns(&message) {
            self.pipeline.process(&Arrival { at, input }, &mut self.out);
            self.note(at.wall, &message);
        }
        Ok(())
    }

    /// Says whether a message may be of a device that feeds the datastream.
    fn concerns(&self, message: &Message<'_>) -> bool {
        let registry = self.pipeline.registry();
        let Ok(topic) = std::str::from_utf8(message.topic) else { return false };
        let rules = registry.topics.iter().filter(|rule| rule.network == message.network);
        let mut words = rules.filter_map(|rule| rule.read(topic));
        words.next().is_some_and(|words| match words.device {
            None => true,
            Some(name) => {
                let id = registry.device_ids.get(&(message.network, name.into()));
                id.is_some_and(|id| self.devices.contains(id))
            }
        })
    }

    /// Notes a message that yielded the value.
    fn note(&mut self, arrived: Timestamp, message: &Message<'_>) {
        let heard = self.ear.hear(message, arrived);
        let mut of = self.out.observations.iter().filter(|one| !one.flag_only);
        let of = of.find(|one| {
            let observation = &one.observation;
            observation.datastream == self.id
                && observation.period == Period::Native
                && observation.phenomenon_time.start() == self.time
        });
        let Some(observation) = of.map(|one| one.observation) else { return };
        let registry = Arc::clone(self.pipeline.registry());
        let Some(stream) = registry.datastream(self.id) else { return };
        let zone = registry.station(stream.station).map_or(TimeZone::UTC, |one| one.zone.clone());
        let mine = || heard.iter().filter(|one| one.datastream == Some(self.id));
        let stated = [observation.phenomenon_time.start(), observation.phenomenon_time.end()];
        let same = |time: Option<Timestamp>| time.is_some_and(|time| stated.contains(&time));
        let reading = mine().find(|one| same(one.device_time)).or_else(|| mine().next());
        let mut shown = of_message(&registry, (stream, &zone), message, observation);
        shown.arrived = at(arrived, &zone);
        if let Some(reading) = reading {
            let device = registry.devices.get(reading.device.index());
            shown.device = device.map_or(String::new(), |device| device.name.to_string());
            shown.channel = reading.channel.to_string();
            shown.said = threshold::with(written(reading.result), &reading.unit);
            shown.device_time = reading.device_time.map_or(String::new(), |time| at(time, &zone));
        }
        self.first_at.get_or_insert(arrived);
        self.found.push(shown);
    }
}

fn of_message(
    registry: &Registry,
    (stream, zone): (&Datastream, &TimeZone),
    message: &Message<'_>,
    observation: Observation,
) -> RawMessage {
    let unit = registry.property(stream.property).map_or("", |one| registry.unit_label(one));
    let time = observation.phenomenon_time.end();
    let calibration = stream.calibrations.iter().find(|one| one.validity.holds(time));
    let sent = observation.raw.map_or_else(
        || written(observation.result),
        |raw| written(observation.result.map(|_| raw)),
    );
    let network = registry.networks.get(message.network.index());
    let head = message.payload.get(..PAYLOAD_SHOWN_MAX).unwrap_or(message.payload);
    let since = calibration.and_then(|one| one.validity.from).map(|from| at(from, zone));
    let since = since.map_or(String::new(), |since| format!(" ({since} …)"));
    RawMessage {
        topic: String::from_utf8_lossy(message.topic).into_owned(),
        network: network.map_or(String::new(), ToString::to_string),
        qos: match message.qos {
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce => 1,
            Qos::ExactlyOnce => 2,
        },
        retained: message.retain,
        dup: message.dup,
        bytes: message.payload.len(),
        text: text_of(head, head.len() < message.payload.len()),
        hex: dump(head),
        cut: head.len() < message.payload.len(),
        converted: threshold::with(sent, unit),
        calibration: calibration
            .map_or(String::new(), |one| format!("{}{since}", formula(one, unit))),
        value: threshold::with(written(observation.result), unit),
        edition: registry.digest.chars().take(12).collect(),
        ..RawMessage::default()
    }
}

fn written(result: ObservationResult) -> String {
    match result {
        ObservationResult::Value(value) => number(value),
        ObservationResult::Censored { side: Side::Below, limit } => format!("<{}", number(limit)),
        ObservationResult::Censored { side: Side::Above, limit } => format!(">{}", number(limit)),
        ObservationResult::Nil(_) => "–".to_owned(),
    }
}

/// Gives bytes as text, if they are text: the last letter of a beginning may be cut.
pub(super) fn text_of(bytes: &[u8], cut: bool) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if cut && error.error_len().is_none() => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(good).unwrap_or_default()
        }
        Err(_) => "",
    };
    let plain = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t');
    if whole.chars().all(plain) { whole.to_owned() } else { String::new() }
}

/// Writes bytes sixteen a row: where they begin, each in hex, and those that are letters.
pub(super) fn dump(bytes: &[u8]) -> Vec<[String; 3]> {
    let rows = bytes.chunks(16).enumerate();
    rows.map(|(number, row)| {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let letter = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
        let letters = row.iter().map(|byte| if *byte == b' ' { ' ' } else { letter(byte) });
        [format!("{:04x}", number * 16), hex.join(" "), letters.collect()]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_sixteen_a_row_with_their_letters() {
        let rows = dump(b"{\"do\": 6.5}\x00\xff 12345");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0][0], "0000");
        assert!(rows[0][1].starts_with("7b 22 64 6f") && rows[0][1].ends_with("20 31 32"));
        assert_eq!(rows[0][2], "{\"do\": 6.5}.. 12");
        assert_eq!(rows[1], ["0010".to_owned(), "33 34 35".to_owned(), "345".to_owned()]);
    }

    #[test]
    fn what_is_no_text_is_shown_as_bytes_only() {
        let check = |bytes: &[u8], cut: bool, want: &str| assert_eq!(text_of(bytes, cut), want);
        check("溶解氧\n".as_bytes(), false, "溶解氧\n");
        check(b"\x01\x02", false, "");
        check(b"\xff\xfe", true, "");
        // The letter at the end is cut, not broken.
        let letters = "溶解氧".as_bytes();
        check(&letters[..8], true, "溶解");
        check(&letters[..8], false, "");
    }
}
