//! Lines: whatever names and values, an independent reader finds in a line what was put into it.

use std::collections::HashMap;
use std::sync::LazyLock;

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};
use weir::domain::alert::{AlertChange, AlertEvent, AlertId, Before, Subject};
use weir::domain::assessment::{Assessment, Limit, Verdict, WaterClass};
use weir::domain::judgement::Judgement;
use weir::domain::name::{
    DatastreamId, LimitId, MarkId, PlaceId, PropertyId, RuleId, StationId, Table,
};
use weir::domain::observation::{
    Completeness, NilReason, Observation, ObservationResult, Period, QualifiedObservation, Side,
};
use weir::domain::quality::{Flag, Quality, Test};
use weir::domain::registry::{
    Air, Datastream, Energy, Mark, MarkUse, Marks, ObservedProperty, Place, Registry, Rule,
    Station, Statistic, WaterRules,
};
use weir::domain::time::{PhenomenonTime, Timestamp};
use weir::domain::unit::Units;
use weir::influx::line::{Points, Renderer, collision};

use super::{EXAMPLE, Feed};

/// One of each, to be renamed.
struct Model {
    datastream: Datastream,
    station: Station,
    place: Place,
    property: ObservedProperty,
    rule: Rule,
    limit: Limit,
}

static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    datastream: EXAMPLE.datastreams.iter().next().unwrap().clone(),
    station: EXAMPLE.stations.iter().next().unwrap().clone(),
    place: EXAMPLE.places.iter().next().unwrap().clone(),
    property: EXAMPLE.properties.iter().next().unwrap().clone(),
    rule: EXAMPLE.rules.iter().next().unwrap().clone(),
    limit: EXAMPLE.limits.iter().next().unwrap().clone(),
});

const STATISTICS: [Statistic; 6] = [
    Statistic::Instant,
    Statistic::Sample,
    Statistic::Mean,
    Statistic::Min,
    Statistic::Max,
    Statistic::Total,
];

fn table<T>(rows: Vec<T>) -> Table<T> {
    let mut table = Table::default();
    for (index, row) in rows.into_iter().enumerate() {
        table.put(index, row);
    }
    table
}

/// Two datastreams of one station, with any names.
fn registry(feed: &mut Feed<'_>) -> Registry {
    let model = &*MODEL;
    let mut name = || -> Box<str> { feed.text().into() };
    let station =
        Station { id: StationId(0), name: name(), place: PlaceId(0), ..model.station.clone() };
    let place = Place { id: PlaceId(0), name: name(), ..model.place.clone() };
    let (medium, position) = (name(), name());
    let properties = [name(), name()].into_iter().zip(0..).map(|(name, id)| ObservedProperty {
        id: PropertyId(id),
        name,
        medium: medium.clone(),
        ..model.property.clone()
    });
    let properties = table(properties.collect());
    let rule = Rule { id: RuleId(0), name: name(), ..model.rule.clone() };
    let limit = Limit {
        id: LimitId(0),
        instrument: name(),
        clause: name(),
        class: name(),
        ..model.limit.clone()
    };
    let digest = name();
    let mark = Mark {
        id: MarkId(0),
        vocabulary: "v".into(),
        text: feed.text().into(),
        quality: Flag::Fail,
        censoring: None,
        cause: "fault".into(),
        usage: MarkUse::Observation,
    };
    let streams = (0..2).map(|id| Datastream {
        id: DatastreamId(id),
        station: StationId(0),
        property: PropertyId(id),
        position: position.clone(),
        statistic: STATISTICS[usize::from(feed.byte()) % STATISTICS.len()],
        period_ms: Some([1, 1_000, 60_000, 90_000, 3_600_000][usize::from(feed.byte()) % 5]),
        ..model.datastream.clone()
    });
    Registry {
        digest,
        judgement: Judgement::default(),
        networks: Table::default(),
        import: None,
        units: Units::default(),
        datastreams: table(streams.collect()),
        properties,
        places: table(vec![place]),
        stations: table(vec![station]),
        marks: Marks { marks: table(vec![mark]), ..Marks::default() },
        profiles: Vec::new(),
        devices: Table::default(),
        device_ids: HashMap::new(),
        topics: Table::default(),
        sets: Table::default(),
        limits: table(vec![limit]),
        rules: table(vec![rule]),
        evaluated_rules: HashMap::new(),
        weir_rules: Vec::new(),
        line_rules: Default::default(),
        feeders: HashMap::new(),
        reaches: Vec::new(),
        air: Air::default(),
        water: WaterRules::default(),
        energy: Energy::default(),
        calendar: Vec::new(),
        checks: Vec::new(),
    }
}

fn observation(feed: &mut Feed<'_>) -> QualifiedObservation {
    let how = feed.byte();
    let number = feed.double();
    let mut quality = Quality::default();
    let flags = [Flag::Pass, Flag::NotEvaluated, Flag::Suspect, Flag::Fail, Flag::Missing];
    quality.set(Test::GrossRange, flags[usize::from(feed.byte()) % flags.len()]);
    let result = match how & 3 {
        0 => ObservationResult::Value(number),
        1 => ObservationResult::Censored { side: Side::Below, limit: number },
        2 => ObservationResult::Censored { side: Side::Above, limit: number },
        _ => ObservationResult::Nil(NilReason::Missing),
    };
    // Few times, so that values share lines.
    let start = Timestamp(if how & 4 == 0 { i64::from(how >> 6) } else { i64::MIN });
    let phenomenon_time = if how & 8 == 0 {
        PhenomenonTime::Instant(start)
    } else {
        PhenomenonTime::Interval { start, end: start.plus(1) }
    };
    let expected = u32::from(feed.byte() % 4);
    QualifiedObservation {
        observation: Observation {
            // The third is none of the edition's.
            datastream: DatastreamId(u32::from(feed.byte() % 3)),
            period: if how & 16 == 0 { Period::Native } else { Period::Hour },
            phenomenon_time,
            result,
            raw: (how & 32 != 0).then_some(number / 3.0),
            clock: Flag::Pass,
            mark: (how & 2 == 0).then_some(MarkId(0)),
        },
        quality,
        revision: how & 0x80 != 0,
        completeness: (expected != 3).then_some(Completeness {
            received: 9,
            valid: 1,
            expected,
            extremes: None,
        }),
        flag_only: how & 0x40 != 0,
    }
}

/// What a name is in a line: as it is, but for what can't be written.
fn written(name: &str) -> String {
    let mut letters = name.chars().peekable();
    let mut out = String::new();
    while let Some(letter) = letters.next() {
        let lost = letter.is_ascii_control()
            || letter == '\\'
                && letters.peek().is_none_or(|next| {
                    matches!(next, ',' | '=' | ' ' | '\\' | '"') || next.is_ascii_control()
                });
        out.push(if lost { '_' } else { letter });
    }
    out
}

/// The same of a text in quotes.
fn quoted(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_control() { ' ' } else { letter }).collect()
}

fn measurement(name: &str) -> String {
    match name.strip_prefix('#') {
        Some(rest) => format!("_{}", written(rest)),
        None if name.is_empty() => "_".to_owned(),
        None => written(name),
    }
}

/// The tags of a line that have a value, by the reader.
fn tags(line: &ParsedLine<'_>) -> Vec<(String, String)> {
    let tags = line.series.tag_set.iter().flatten();
    tags.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn texts(line: &ParsedLine<'_>) -> HashMap<String, String> {
    let text = |value: &FieldValue<'_>| {
        if let FieldValue::String(text) = value { text.to_string() } else { format!("{value:?}") }
    };
    line.field_set.iter().map(|(key, value)| (key.to_string(), text(value))).collect()
}

pub(crate) fn body(bytes: &[u8]) {
    let mut feed = Feed(bytes);
    let registry = registry(&mut feed);
    // What would overwrite each other is refused before it is rendered.
    if !collision(&registry).is_empty() {
        return;
    }
    let observations: Vec<_> = (0..4).map(|_| observation(&mut feed)).collect();
    let number = feed.double();
    let assessment = Assessment {
        datastream: DatastreamId(0),
        period: Period::Hour,
        phenomenon_time: PhenomenonTime::Instant(Timestamp(7)),
        value: Some(number),
        verdict: Verdict::Exceeds { limit: LimitId(0), multiple: Some(number * 2.0) },
        class: None,
        share: Some(number),
        near: [None, Some(false), Some(true)][usize::from(feed.byte()) % 3],
        unconfirmed: true,
        changed: true,
    };
    let span = PhenomenonTime::Instant(Timestamp(i64::from_le_bytes(feed.eight())));
    let before = Before { result: ObservationResult::Value(number), span };
    let subject = Subject::Datastream(DatastreamId(1));
    let since = Timestamp(i64::from_le_bytes(feed.eight()));
    let number_of = AlertId(u64::from_le_bytes(feed.eight()));
    let (change, times) = (AlertChange::Fired, (Timestamp(8), since));
    let alert = AlertEvent {
        value: Some(number),
        limit: Some(LimitId(0)),
        class: [None, Some(WaterClass::WorseThanV)][usize::from(feed.byte()) % 2],
        before: Some(before),
        span: Some(span),
        share: Some(number),
        ..AlertEvent::plain(number_of, RuleId(0), subject, change, times)
    };
    let mut out = Vec::new();
    let mut renderer = Renderer::new(&registry);
    let (assessments, alerts) = (&[assessment], &[alert]);
    let points = Points { observations: &observations, assessments, alerts, ..Points::default() };
    let count = renderer.render(&registry, points, &mut out);
    let text = String::from_utf8(out).expect("lines are UTF-8");
    assert_eq!(text.bytes().filter(|byte| *byte == b'\n').count(), count, "{text:?}");
    let lines: Vec<ParsedLine<'_>> =
        parse_lines(&text).map(|line| line.unwrap_or_else(|e| panic!("{e}: {text:?}"))).collect();
    assert_eq!(lines.len(), count, "{text:?}");
    let [values @ .., assessed, alerted] = lines.as_slice() else { panic!("{text:?}") };
    check_values(&registry, &observations, values);
    let limit = registry.limit(LimitId(0)).unwrap();
    let words = [&*limit.instrument, &*limit.clause, &*limit.class];
    let limit: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let limit = quoted(&limit.join(" "));
    for (line, name, at) in [(assessed, "assessment", 7), (alerted, "alert", 8)] {
        assert_eq!((line.series.measurement.as_str(), line.timestamp), (name, Some(at)));
        assert_eq!(texts(line).get("limit"), Some(&limit), "{text:?}");
        check_places(&registry, line);
    }
    assert_eq!(texts(assessed)["edition"], quoted(&registry.digest));
    let rule = written(&registry.rule(RuleId(0)).unwrap().name);
    let told = tags(alerted).into_iter().find(|(key, _)| key == "rule").map(|(_, rule)| rule);
    assert_eq!(told.unwrap_or_default(), rule, "{text:?}");
}

/// Station, place and position stand in every line as they are called.
fn check_places(registry: &Registry, line: &ParsedLine<'_>) {
    let tags: HashMap<String, String> = tags(line).into_iter().collect();
    let position = &registry.datastream(DatastreamId(0)).unwrap().position;
    for (key, name) in [
        ("place", &registry.places.get(0).unwrap().name),
        ("station", &registry.stations.get(0).unwrap().name),
        ("position", position),
    ] {
        let want = Some(written(name)).filter(|name| !name.is_empty());
        assert_eq!(tags.get(key), want.as_ref(), "{key} of {line:?}");
    }
}

fn check_values(
    registry: &Registry,
    observations: &[QualifiedObservation],
    lines: &[ParsedLine<'_>],
) {
    let medium = &registry.properties.get(0).unwrap().medium;
    let mut fields = lines.iter().flat_map(|line| {
        line.field_set.iter().map(move |(key, value)| (line, key.to_string(), value))
    });
    for line in lines {
        check_places(registry, line);
        let mut keys: Vec<String> = line.field_set.iter().map(|(key, _)| key.to_string()).collect();
        keys.sort();
        assert!(keys.windows(2).all(|two| two[0] != two[1]), "a field twice: {line:?}");
        let begins = line.series.measurement.to_string();
        let (bare, of_period) = (measurement(medium), measurement(&format!("{medium}_")));
        assert!(begins == bare || begins.starts_with(&of_period), "{begins} of {medium}");
    }
    for qualified in observations {
        let Some(stream) = registry.datastream(qualified.observation.datastream) else { continue };
        let result = qualified.observation.result;
        let number = result.number().filter(|number| number.is_finite());
        let at = qualified.observation.phenomenon_time.start().millis();
        let mut next = |ending: &str| {
            let (line, key, value) = fields.next().expect("a field for what was observed");
            assert_eq!(line.timestamp, Some(at));
            let statistic = of_statistic(stream.statistic);
            let field = written(&format!("{}{statistic}", field(registry, stream)));
            assert_eq!(key, format!("{field}{ending}"));
            value.clone()
        };
        let flag = if number.is_some() { qualified.flag() } else { Flag::Missing };
        if qualified.flag_only {
            assert_eq!(next("_qc"), FieldValue::I64(flag.number().into()));
            continue;
        }
        if let Some(number) = number {
            assert_eq!(double(&next("")), number.to_bits());
        }
        if flag != Flag::Pass || qualified.revision {
            assert_eq!(next("_qc"), FieldValue::I64(flag.number().into()));
        }
        if let Some(number) = number {
            let raw = qualified.observation.raw.filter(|raw| raw.is_finite());
            if let Some(raw) = raw.or(qualified.revision.then_some(number)) {
                assert_eq!(double(&next("_raw")), raw.to_bits());
            }
            let side = match result {
                ObservationResult::Censored { side: Side::Below, .. } => Some("<"),
                ObservationResult::Censored { side: Side::Above, .. } => Some(">"),
                ObservationResult::Value(_) | ObservationResult::Nil(_) => {
                    qualified.revision.then_some("")
                }
            };
            if let Some(side) = side {
                assert!(matches!(next("_censored"), FieldValue::String(text) if &*text == side));
            }
        }
        let mark = qualified.observation.mark.and_then(|mark| registry.marks.get(mark));
        let native = qualified.observation.period == Period::Native;
        let unmarked = (qualified.revision && native).then(String::new);
        if let Some(text) = mark.map(|mark| quoted(&mark.text)).or(unmarked) {
            assert!(matches!(next("_mark"), FieldValue::String(mark) if *mark == *text));
        }
        if qualified.completeness.is_some_and(|of| of.expected > 0) {
            assert!(matches!(next("_coverage"), FieldValue::F64(share) if share <= 1.0));
        }
    }
    assert!(fields.next().is_none(), "a field of nothing observed");
}

fn double(value: &FieldValue<'_>) -> u64 {
    let FieldValue::F64(number) = value else { panic!("{value:?} is no double") };
    number.to_bits()
}

fn field<'a>(registry: &'a Registry, stream: &Datastream) -> &'a str {
    match &*registry.property(stream.property).unwrap().name {
        "" => "_",
        name => name,
    }
}

fn of_statistic(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Instant | Statistic::Sample | Statistic::Mean => "",
        Statistic::Min => "_min",
        Statistic::Max => "_max",
        Statistic::Total => "_total",
    }
}
