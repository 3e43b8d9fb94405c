//! The tests of quality control: `qc.csv`, one test for a scope a row.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::name::{DatastreamId, PropertyId, StationId};
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{
    Attenuated, Check, Climate, Datastream, Falls, FlatLine, GrossRange, Qc, Rate, Season, Spike,
    SpikeMethod, Thresholds, TimingGap, Tolerance, UnitMistake,
};
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND};
use crate::seed::cell;
use crate::seed::draft::Draft;
use crate::seed::sheet::{Cells, QC, Sheets, quoted};

/// How many rows of the climatology a scope may have.
pub(super) const CLIMATES_MAX: usize = 512;

/// What a row is about, the widest first: the narrowest that fits a datastream wins, test by test.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Scope {
    Property(PropertyId),
    Station(StationId, PropertyId),
    Datastream(DatastreamId),
}

/// One test as a row says it.
#[derive(Clone, Debug)]
enum Asked {
    GrossRange(GrossRange),
    Climate(Climate, Option<PropertyId>),
    Spike(Spike),
    Rate(Rate),
    FlatLine(FlatLine),
    Attenuated(Attenuated),
    TimingGap(TimingGap),
    Zero(Flag),
    UnitMistake(UnitMistake),
    Drift(Tolerance),
    Counter(Falls),
    Neighbour(Tolerance),
}

/// Reads `qc.csv` and gives every datastream, test by test, the row of the narrowest scope.
pub(super) fn tests(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&QC);
    let mut asked: HashMap<(Scope, Test), Vec<Asked>> = HashMap::new();
    let mut faults = std::mem::take(&mut draft.faults);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut faults);
        let scope = scope(&mut cells, draft);
        cells.required("source");
        let kind = kind(&mut cells);
        let one = kind.and_then(|kind| Some((kind.test, read(&mut cells, kind, draft)?)));
        let (Some(scope), Some((test, one))) = (scope, one) else { continue };
        let held = asked.entry((scope, test)).or_default();
        held.push(one);
        if test == Test::Climatology {
            if held.len() > CLIMATES_MAX {
                cells.refuse("scope", format_args!("at most {CLIMATES_MAX} rows of the test"));
            }
        } else if held.len() > 1 {
            cells.refuse("scope", "each scope once for a test");
        }
    }
    draft.faults = faults;
    let mut known: Vec<Arc<Qc>> = Vec::new();
    let ids: Vec<DatastreamId> = draft.datastreams.ids.values().copied().collect();
    for id in ids {
        let Some(stream) = draft.registry.datastreams.get_mut(id.index()) else { continue };
        let qc = of_datastream(&asked, stream);
        // Datastreams that are asked the same share it, so that it stays near the processor.
        let shared = known.iter().rev().find(|one| ***one == qc).cloned();
        stream.qc = shared.unwrap_or_else(|| {
            known.push(Arc::new(qc));
            known.last().cloned().unwrap_or_default()
        });
    }
}

fn of_datastream(asked: &HashMap<(Scope, Test), Vec<Asked>>, stream: &Datastream) -> Qc {
    let scopes = [
        Scope::Datastream(stream.id),
        Scope::Station(stream.station, stream.property),
        Scope::Property(stream.property),
    ];
    let mut qc = Qc::default();
    for test in Test::ALL {
        let narrowest = scopes.iter().find_map(|scope| asked.get(&(*scope, test)));
        let Some(rows) = narrowest else { continue };
        let mut climates = Vec::new();
        for one in rows {
            match one {
                Asked::GrossRange(spans) => qc.gross_range = Some(*spans),
                Asked::Climate(climate, companion) => {
                    climates.push(*climate);
                    qc.companion = qc.companion.or(*companion);
                }
                Asked::Spike(spike) => qc.spike = Some(*spike),
                Asked::Rate(rate) => qc.rate_of_change = Some(*rate),
                Asked::FlatLine(flat) => qc.flat_line = Some(*flat),
                Asked::Attenuated(attenuated) => qc.attenuated_signal = Some(*attenuated),
                Asked::TimingGap(gap) => qc.timing_gap = Some(*gap),
                Asked::Zero(flag) => qc.zero = Some(*flag),
                Asked::UnitMistake(mistake) => qc.unit_mistake = Some(*mistake),
                Asked::Drift(tolerance) => qc.drift = Some(*tolerance),
                Asked::Counter(falls) => qc.counter = Some(*falls),
                Asked::Neighbour(tolerance) => qc.neighbour = Some(*tolerance),
            }
        }
        if !climates.is_empty() {
            qc.climatology = Some(climates.into());
        }
    }
    let has_limits = !stream.limits.is_empty() || !stream.class_limits.is_empty();
    if has_limits { qc.doubting() } else { qc }
}

/// What a row may ask of a test, and how it is read.
struct Kind {
    test: Test,
    /// Its parameters, for people.
    parameters: &'static str,
    read: fn(&mut Cells<'_>, &mut Parameters, &Draft) -> Option<Asked>,
}

const fn kind_of(
    test: Test,
    parameters: &'static str,
    read: fn(&mut Cells<'_>, &mut Parameters, &Draft) -> Option<Asked>,
) -> Kind {
    Kind { test, parameters, read }
}

/// Every test that a row can ask for.
const KINDS: [Kind; 12] = [
    kind_of(Test::GrossRange, "none", |cells, _, _| spans(cells).map(Asked::GrossRange)),
    kind_of(Test::Climatology, "`within`", climatology),
    kind_of(Test::Spike, "`method`, `suspect`, `fail`", spike),
    kind_of(Test::RateOfChange, "`suspect`, `fail`, `noise`", rate),
    kind_of(Test::FlatLine, "`tolerance`, `suspect`, `fail`, `unless`", flat_line),
    kind_of(Test::AttenuatedSignal, "`check`, `over`, `needs`, `suspect`, `fail`", attenuated),
    kind_of(Test::TimingGap, "`fail`", |cells, said, _| {
        let fail_ms = said.needed(cells, "fail", DURATION)?;
        Some(Asked::TimingGap(TimingGap { fail_ms }))
    }),
    kind_of(Test::OutOfWater, "`zero`", zero),
    kind_of(Test::UnitMistake, "`factor`, `within`", unit_mistake),
    kind_of(Test::Drift, "`suspect`", |cells, said, _| {
        said.needed(cells, "suspect", TOLERANCE).map(Asked::Drift)
    }),
    kind_of(Test::Counter, "`fall`, `tolerance`", counter),
    kind_of(Test::Neighbour, "`suspect`", |cells, said, _| {
        said.needed(cells, "suspect", TOLERANCE).map(Asked::Neighbour)
    }),
];

fn kind(cells: &mut Cells<'_>) -> Option<&'static Kind> {
    let text = cells.text("test");
    let kind = KINDS.iter().find(|kind| kind.test.name() == text);
    if kind.is_none() {
        let words: Vec<String> = KINDS.iter().map(|kind| quoted(kind.test.name())).collect();
        cells.refuse("test", words.join(" or "));
    }
    kind
}

/// Reads what a row asks of a test.
fn read(cells: &mut Cells<'_>, kind: &Kind, draft: &Draft) -> Option<Asked> {
    let spans = ["fail_low", "fail_high", "suspect_low", "suspect_high"];
    if !matches!(kind.test, Test::GrossRange | Test::Climatology) {
        cells.empty(&spans, kind.test.name());
    }
    if kind.test != Test::Climatology {
        cells.empty(&["season"], kind.test.name());
    }
    let mut said = Parameters::read(cells);
    let asked = (kind.read)(cells, &mut said, draft)?;
    for (key, _) in &said.words {
        let (name, known) = (kind.test.name(), kind.parameters);
        let expected = format!("a parameter of {name} ({known}) in `parameters`");
        cells.fault(quoted(key), expected);
    }
    Some(asked)
}

fn climatology(cells: &mut Cells<'_>, said: &mut Parameters, draft: &Draft) -> Option<Asked> {
    let (of, within) = said.companion(cells, draft).unzip();
    climate(cells, within).map(|climate| Asked::Climate(climate, of))
}

fn spike(cells: &mut Cells<'_>, said: &mut Parameters, _: &Draft) -> Option<Asked> {
    let words = [("average", SpikeMethod::Average), ("differential", SpikeMethod::Differential)];
    let method = said.word(cells, "method", &words).unwrap_or_default();
    let thresholds = said.thresholds(cells, NUMBER, false);
    Some(Asked::Spike(Spike { method, thresholds }))
}

fn zero(cells: &mut Cells<'_>, said: &mut Parameters, _: &Draft) -> Option<Asked> {
    if said.missing(cells, "zero") {
        return None;
    }
    let words = [("suspect", Flag::Suspect), ("fail", Flag::Fail)];
    said.word(cells, "zero", &words).map(Asked::Zero)
}

fn spans(cells: &mut Cells<'_>) -> Option<GrossRange> {
    let fail = span(cells, "fail_low", "fail_high");
    let suspect = span(cells, "suspect_low", "suspect_high");
    if let (Some(fail), Some(suspect)) = (fail, suspect)
        && (suspect.0 < fail.0 || fail.1 < suspect.1)
    {
        cells.refuse("suspect_low", "a suspect span inside the fail span");
    }
    if fail.is_none() && suspect.is_none() {
        cells.fault("no span", "`fail_low` and `fail_high`, or the suspect ones");
        return None;
    }
    Some(GrossRange { fail, suspect })
}

fn climate(cells: &mut Cells<'_>, companion: Option<(f64, f64)>) -> Option<Climate> {
    let span = spans(cells);
    let text = cells.text("season");
    let parts = text.split_once('=').and_then(|(division, parts)| {
        let (_, season) = Season::ALL.into_iter().find(|(word, _)| *word == division)?;
        let (first, last) = parts.split_once("..").unwrap_or((parts, parts));
        Some((season, first.parse::<i64>().ok()?, last.parse::<i64>().ok()?))
    });
    let fits = |&(season, first, last): &(Season, i64, i64)| {
        let (least, most) = season.parts();
        least <= first && first <= last && last <= most
    };
    let Some(season) = parts.filter(fits) else {
        let words: Vec<String> = Season::ALL
            .into_iter()
            .map(|(word, season)| format!("{word}={}..{}", season.parts().0, season.parts().1))
            .collect();
        let expected = format!("parts in order, of {}, such as `month=6..8`,", words.join(" or "));
        cells.refuse("season", expected);
        return None;
    };
    Some(Climate { season, companion, span: span? })
}

fn rate(cells: &mut Cells<'_>, said: &mut Parameters, _: &Draft) -> Option<Asked> {
    let relative =
        said.text("suspect").or(said.text("fail")).is_some_and(|text| text.contains('%'));
    for key in ["suspect", "fail"] {
        if said.text(key).is_some_and(|text| text.contains('%') != relative) {
            let expected = "both thresholds of a rate in the unit, or both in %";
            cells.fault(quoted(cells.text("parameters")), expected);
            return None;
        }
    }
    let thresholds = said.thresholds(cells, RATE, false);
    let noise = said.optional(cells, "noise", NUMBER).unwrap_or(0.0);
    Some(Asked::Rate(Rate { thresholds, relative, noise }))
}

fn flat_line(cells: &mut Cells<'_>, said: &mut Parameters, _: &Draft) -> Option<Asked> {
    let tolerance = said.needed(cells, "tolerance", NUMBER)?;
    let lasts = said.pair(cells, DURATION);
    let unless = said.span(cells, "unless");
    if tolerance <= 0.0 {
        cells.fault(
            quoted(cells.text("parameters")),
            "a `tolerance` above 0 in `parameters`: values closer together are a line",
        );
    }
    if let (Some(suspect), Some(fail)) = lasts
        && suspect > fail
    {
        let expected = "`suspect` no longer than `fail` in `parameters`";
        cells.fault(quoted(cells.text("parameters")), expected);
    }
    Some(Asked::FlatLine(FlatLine { tolerance, suspect_ms: lasts.0, fail_ms: lasts.1, unless }))
}

fn attenuated(cells: &mut Cells<'_>, said: &mut Parameters, _: &Draft) -> Option<Asked> {
    let words = [("std", Check::Deviation), ("range", Check::Range)];
    let check = said.word(cells, "check", &words).unwrap_or_default();
    let over_ms = said.needed(cells, "over", DURATION)?;
    let needs = said.optional(cells, "needs", NUMBER).unwrap_or(2.0);
    let thresholds = said.thresholds(cells, NUMBER, true);
    // A count of values in a window, which is bounded by the ring.
    let needs = needs.clamp(1.0, 1e6) as u32;
    Some(Asked::Attenuated(Attenuated { check, thresholds, over_ms: Some(over_ms), needs }))
}

fn counter(cells: &mut Cells<'_>, said: &mut Parameters, _: &Draft) -> Option<Asked> {
    if said.missing(cells, "fall") {
        return None;
    }
    let words = [("suspect", Flag::Suspect), ("fail", Flag::Fail)];
    let flag = said.word(cells, "fall", &words)?;
    let tolerance = said.optional(cells, "tolerance", NUMBER).unwrap_or(0.0);
    if tolerance < 0.0 {
        let expected = "a `tolerance` of 0 or more in `parameters`";
        cells.fault(quoted(cells.text("parameters")), expected);
        return None;
    }
    Some(Asked::Counter(Falls { flag, tolerance }))
}

fn unit_mistake(cells: &mut Cells<'_>, said: &mut Parameters, _: &Draft) -> Option<Asked> {
    let factor = said.needed(cells, "factor", NUMBER)?;
    let within = said.optional(cells, "within", NUMBER).unwrap_or(2.0);
    if factor <= 1.0 || within < 1.0 || within * within >= factor {
        let expected = "a `factor` above 1, such as 1000, and a `within` from 1 to below its root";
        cells.fault(quoted(cells.text("parameters")), expected);
        return None;
    }
    Some(Asked::UnitMistake(UnitMistake { factor, within }))
}

/// What reads a value, and what it expects.
type Reader<T> = (fn(&str) -> Option<T>, &'static str);
const NUMBER: Reader<f64> = (finite, "a number");
const DURATION: Reader<i64> = (cell::duration, "a duration such as `30m`, `12h` or `1d`");
const RATE: Reader<f64> = (rate_of, "a change in a time such as `2/h`, or `30%/h`");
const TOLERANCE: Reader<Tolerance> = (tolerance, "a distance such as `0.2`, `5%` or `0.2+5%`");
const SPAN: Reader<(f64, f64)> = (ends, "a span such as `-0.5..0.5`");

/// The cell `parameters`: `suspect=2/h fail=5/h`, each word once.
struct Parameters {
    words: Vec<(String, String)>,
}

impl Parameters {
    fn read(cells: &mut Cells<'_>) -> Self {
        let text = cells.text("parameters");
        let mut words: Vec<(String, String)> = Vec::new();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) if words.iter().all(|(held, _)| held != key) => {
                    words.push((key.to_owned(), value.to_owned()));
                }
                Some(_) => cells.fault(quoted(word), "each parameter once in `parameters`"),
                None => cells.fault(quoted(word), "`name=value` in `parameters`"),
            }
        }
        Self { words }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.words.iter().find(|(held, _)| held == key).map(|(_, value)| value.as_str())
    }

    /// Takes a parameter out and reads it by one of the readers below.
    fn optional<T>(
        &mut self,
        cells: &mut Cells<'_>,
        key: &str,
        (read, expected): Reader<T>,
    ) -> Option<T> {
        let at = self.words.iter().position(|(held, _)| held == key)?;
        let (_, text) = self.words.remove(at);
        let found = read(&text);
        if found.is_none() {
            let expected = format!("{expected} for `{key}` in `parameters`");
            cells.fault(quoted(&text), expected);
        }
        found
    }

    fn needed<T>(&mut self, cells: &mut Cells<'_>, key: &str, reader: Reader<T>) -> Option<T> {
        if self.missing(cells, key) {
            return None;
        }
        self.optional(cells, key, reader)
    }

    /// Says whether a parameter is missing that must be there, and tells so.
    fn missing(&self, cells: &mut Cells<'_>, key: &str) -> bool {
        let missing = self.text(key).is_none();
        if missing {
            cells.refuse("parameters", format_args!("`{key}=…`"));
        }
        missing
    }

    fn word<T: Copy>(
        &mut self,
        cells: &mut Cells<'_>,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let at = self.words.iter().position(|(held, _)| held == key)?;
        let (_, text) = self.words.remove(at);
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<String> = words.iter().map(|(word, _)| quoted(word)).collect();
            let expected = format!("{} for `{key}` in `parameters`", list.join(" or "));
            cells.fault(quoted(&text), expected);
        }
        found
    }

    /// Reads `suspect` and `fail`, one of them at least.
    fn pair<T: Copy>(
        &mut self,
        cells: &mut Cells<'_>,
        reader: Reader<T>,
    ) -> (Option<T>, Option<T>) {
        if self.text("suspect").or(self.text("fail")).is_none() {
            cells.refuse("parameters", "`suspect=…` or `fail=…`, or both,");
        }
        (self.optional(cells, "suspect", reader), self.optional(cells, "fail", reader))
    }

    /// Reads two thresholds, of which the one to fail is not the milder one.
    fn thresholds(
        &mut self,
        cells: &mut Cells<'_>,
        reader: Reader<f64>,
        falling: bool,
    ) -> Thresholds {
        let (suspect, fail) = self.pair(cells, reader);
        if let (Some(suspect), Some(fail)) = (suspect, fail)
            && (if falling { fail > suspect } else { fail < suspect })
        {
            let expected = "a `fail` that is no milder than `suspect` in `parameters`";
            cells.fault(quoted(cells.text("parameters")), expected);
        }
        for threshold in [suspect, fail].into_iter().flatten().filter(|one| *one < 0.0) {
            cells.fault(threshold.to_string(), "a threshold of 0 or more in `parameters`");
        }
        Thresholds { suspect, fail }
    }

    fn span(&mut self, cells: &mut Cells<'_>, key: &str) -> Option<(f64, f64)> {
        self.optional(cells, key, SPAN)
    }

    /// Reads `within=property:low..high`.
    fn companion(
        &mut self,
        cells: &mut Cells<'_>,
        draft: &Draft,
    ) -> Option<(PropertyId, (f64, f64))> {
        let at = self.words.iter().position(|(held, _)| held == "within")?;
        let (_, text) = self.words.remove(at);
        let (property, span) = text.split_once(':').unwrap_or((&text, ""));
        let property = cells.find_part("parameters", property, &draft.properties);
        let span = ends(span);
        if span.is_none() {
            let expected = "`within=property:low..high` in `parameters`";
            cells.fault(quoted(&text), expected);
        }
        Some((property?, span?))
    }
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads a change in a time, a second; of a share where it is in %.
fn rate_of(text: &str) -> Option<f64> {
    let (change, per) = text.split_once('/')?;
    let per = match per {
        "s" => SECOND,
        "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    let change = match change.strip_suffix('%') {
        Some(share) => finite(share)? / 100.0,
        None => finite(change)?,
    };
    Some(change * SECOND as f64 / per as f64)
}

pub(super) fn tolerance(text: &str) -> Option<Tolerance> {
    let share = |text: &str| finite(text.strip_suffix('%')?).map(|share| share / 100.0);
    let read = match text.split_once('+') {
        Some((absolute, of)) => Tolerance { absolute: finite(absolute)?, share: share(of)? },
        None => match share(text) {
            Some(share) => Tolerance { absolute: 0.0, share },
            None => Tolerance { absolute: finite(text)?, share: 0.0 },
        },
    };
    Some(read).filter(|one| one.absolute >= 0.0 && one.share >= 0.0)
}

pub(super) fn ends(text: &str) -> Option<(f64, f64)> {
    let (low, high) = text.split_once("..")?;
    Some((finite(low)?, finite(high)?)).filter(|(low, high)| low <= high)
}

fn scope(cells: &mut Cells<'_>, draft: &Draft) -> Option<Scope> {
    match cells.text("scope").split_once(':') {
        Some(("property", name)) => {
            cells.find_part("scope", name, &draft.properties).map(Scope::Property)
        }
        Some(("datastream", name)) => {
            cells.find_part("scope", name, &draft.datastreams).map(Scope::Datastream)
        }
        Some(("station", names)) => {
            let (station, property) = names.split_once('/').unwrap_or((names, ""));
            let station = cells.find_part("scope", station, &draft.stations);
            let property = cells.find_part("scope", property, &draft.properties);
            Some(Scope::Station(station?, property?))
        }
        Some(_) | None => {
            cells.refuse("scope", "`property:NAME`, `station:NAME/property` or `datastream:NAME`");
            None
        }
    }
}

/// Reads the two ends of a span, or none of both.
fn span(cells: &mut Cells<'_>, low: &str, high: &str) -> Option<(f64, f64)> {
    match (cells.optional_number(low), cells.optional_number(high)) {
        (Some(from), Some(to)) => {
            if to <= from {
                cells.refuse(high, format_args!("more than `{low}`"));
            }
            Some((from, to))
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            cells.refuse(high, format_args!("both ends of the span or none, as `{low}`,"));
            None
        }
    }
}
