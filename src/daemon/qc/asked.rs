//! What `weir qc` is asked: a TOML file with a table for each column, by the names of QARTOD's
//! tests. The names that ioos_qc gives them and their parameters are understood, too.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::domain::fault::Fault;
use crate::domain::registry::{
    Attenuated, Check, Climate, FlatLine, GrossRange, Qc, Rate, Season, Spike, SpikeMethod,
    Thresholds, TimingGap,
};
use crate::domain::time::SECOND;

/// What is asked of a table.
#[derive(Clone, Debug)]
pub struct Asked {
    /// In which zone a time is that states none, and in which seasons and hours are counted.
    pub zone: TimeZone,
    /// What is asked of which column.
    pub columns: BTreeMap<String, Column>,
}

/// What is asked of a column.
#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    /// The tests.
    pub qc: Qc,
    /// The column by whose values rows of the climatology may hold.
    pub companion: Option<String>,
}

/// The tests of a column, as the file says them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tests {
    companion: Option<String>,
    #[serde(alias = "gross_range_test")]
    gross_range: Option<Spans>,
    #[serde(default, alias = "climatology_test")]
    climatology: Vec<Row>,
    #[serde(alias = "spike_test")]
    spike: Option<Spikes>,
    #[serde(alias = "rate_of_change_test")]
    rate_of_change: Option<Rates>,
    #[serde(alias = "flat_line_test")]
    flat_line: Option<Flat>,
    #[serde(alias = "attenuated_signal_test")]
    attenuated_signal: Option<Signal>,
    timing_gap: Option<Gap>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spans {
    #[serde(alias = "suspect_span")]
    suspect: Option<[f64; 2]>,
    #[serde(alias = "fail_span")]
    fail: Option<[f64; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(alias = "period")]
    season: String,
    #[serde(alias = "tspan")]
    parts: [i64; 2],
    #[serde(alias = "zspan")]
    within: Option<[f64; 2]>,
    #[serde(alias = "vspan")]
    suspect: Option<[f64; 2]>,
    #[serde(alias = "fspan")]
    fail: Option<[f64; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spikes {
    #[serde(default)]
    method: Method,
    #[serde(alias = "suspect_threshold")]
    suspect: Option<f64>,
    #[serde(alias = "fail_threshold")]
    fail: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    #[default]
    Average,
    Differential,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rates {
    #[serde(alias = "threshold")]
    suspect: Option<f64>,
    fail: Option<f64>,
    per: Option<Length>,
    #[serde(default)]
    noise: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {
    #[serde(alias = "suspect_threshold")]
    suspect: Option<Length>,
    #[serde(alias = "fail_threshold")]
    fail: Option<Length>,
    tolerance: f64,
    unless: Option<[f64; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signal {
    #[serde(default, alias = "check_type")]
    check: Strength,
    #[serde(alias = "suspect_threshold")]
    suspect: Option<f64>,
    #[serde(alias = "fail_threshold")]
    fail: Option<f64>,
    #[serde(alias = "test_period")]
    over: Option<Length>,
    #[serde(alias = "min_obs")]
    needs: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Strength {
    #[default]
    Std,
    Range,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gap {
    fail: Length,
}

/// A length of time: seconds, or text such as `24h`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Length {
    Seconds(f64),
    Text(String),
}

impl Length {
    /// Gives it in milliseconds, if it is one and above zero.
    fn millis(&self) -> Option<i64> {
        let millis = match self {
            Self::Seconds(seconds) => (seconds * SECOND as f64).round() as i64,
            Self::Text(text) => {
                let length: jiff::SignedDuration = text.parse().ok()?;
                i64::try_from(length.as_millis()).ok()?
            }
        };
        (millis > 0).then_some(millis)
    }
}

/// Reads what is asked.
///
/// # Errors
/// Everything that is wrong with it, each with its column and test.
pub fn read(file: &str, text: &str) -> Result<Asked, Vec<Fault>> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| {
            let before = text.get(..span.start).unwrap_or_default();
            before.matches('\n').count() as u64 + 1
        });
        let (found, expected) = (error.message().to_owned(), "TOML".to_owned());
        vec![Fault { file: file.to_owned(), line, found, expected }]
    })?;
    let mut faults = Faults { file, found: Vec::new() };
    let zone = table.remove("zone").map_or(Some(TimeZone::UTC), |zone| {
        let zone = zone.as_str().and_then(zone_of);
        if zone.is_none() {
            faults.add("zone", "a zone that is none", "an offset such as `+08:00`");
        }
        zone
    });
    let mut columns = BTreeMap::new();
    for (name, value) in table {
        match value.try_into::<Tests>() {
            Ok(tests) => {
                let column = tests.column(&name, &mut faults);
                columns.insert(name, column);
            }
            Err(error) => faults.add(&name, error.message(), "tests and parameters as in --help"),
        }
    }
    if columns.is_empty() && faults.found.is_empty() {
        faults.add("", "no tests", "a table for a column, such as `[ph]`");
    }
    match zone {
        Some(zone) if faults.found.is_empty() => Ok(Asked { zone, columns }),
        _ => Err(faults.found),
    }
}

/// Reads a zone: an offset or an IANA name.
#[must_use]
pub fn zone_of(text: &str) -> Option<TimeZone> {
    let stated = jiff::fmt::temporal::DateTimeParser::new().parse_time_zone(text);
    stated.ok()
}

/// What is wrong so far.
struct Faults<'a> {
    file: &'a str,
    found: Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, place: &str, found: &str, expected: &str) {
        let found = if place.is_empty() { found.to_owned() } else { format!("{place}: {found}") };
        let (file, expected) = (self.file.to_owned(), expected.to_owned());
        self.found.push(Fault { file, line: None, found, expected });
    }
}

impl Tests {
    fn column(self, name: &str, faults: &mut Faults<'_>) -> Column {
        let place = |test: &str| format!("{name}.{test}");
        let rows = self.climatology.into_iter();
        let climates: Vec<Climate> =
            rows.filter_map(|row| row.climate(&place("climatology"), faults)).collect();
        let qc = Qc {
            gross_range: self.gross_range.map(|said| said.spans(&place("gross_range"), faults)),
            climatology: (!climates.is_empty()).then(|| climates.into()),
            spike: self.spike.map(|said| Spike {
                method: match said.method {
                    Method::Average => SpikeMethod::Average,
                    Method::Differential => SpikeMethod::Differential,
                },
                thresholds: rising(&place("spike"), (said.suspect, said.fail), faults),
            }),
            rate_of_change: self.rate_of_change.map(|said| {
                let place = place("rate_of_change");
                let per = millis(&place, said.per.as_ref(), faults).unwrap_or(SECOND);
                let a_second = |rate: f64| rate * SECOND as f64 / per as f64;
                let Thresholds { suspect, fail } =
                    rising(&place, (said.suspect, said.fail), faults);
                let thresholds =
                    Thresholds { suspect: suspect.map(a_second), fail: fail.map(a_second) };
                Rate { thresholds, relative: false, noise: said.noise }
            }),
            flat_line: self.flat_line.map(|said| said.flat_line(&place("flat_line"), faults)),
            attenuated_signal: self
                .attenuated_signal
                .map(|said| said.attenuated(&place("attenuated_signal"), faults)),
            timing_gap: self.timing_gap.and_then(|said| {
                let fail_ms = millis(&place("timing_gap"), Some(&said.fail), faults)?;
                Some(TimingGap { fail_ms })
            }),
            ..Qc::default()
        };
        Column { qc, companion: self.companion }
    }
}

impl Spans {
    fn spans(self, place: &str, faults: &mut Faults<'_>) -> GrossRange {
        let Self { suspect, fail } = self;
        spans(place, (suspect, fail), faults)
    }
}

/// Reads the spans of values.
fn spans(
    place: &str,
    (suspect, fail): (Option<[f64; 2]>, Option<[f64; 2]>),
    faults: &mut Faults<'_>,
) -> GrossRange {
    for [low, high] in [suspect, fail].into_iter().flatten() {
        if low > high {
            faults.add(place, &format!("[{low}, {high}]"), "a span from low to high");
        }
    }
    if let (Some([low, high]), Some([least, most])) = (suspect, fail)
        && (low < least || high > most)
    {
        let found = format!("suspect [{low}, {high}]");
        faults.add(place, &found, &format!("a span inside fail [{least}, {most}]"));
    }
    if suspect.is_none() && fail.is_none() {
        faults.add(place, "no span", "`suspect` or `fail`, or both");
    }
    let pair = |span: Option<[f64; 2]>| span.map(|[low, high]| (low, high));
    GrossRange { suspect: pair(suspect), fail: pair(fail) }
}

impl Row {
    fn climate(self, place: &str, faults: &mut Faults<'_>) -> Option<Climate> {
        let word = self.season.to_lowercase();
        let known = Season::ALL.into_iter().find(|(name, _)| *name == word);
        let Some((_, season)) = known else {
            let words: Vec<&str> = Season::ALL.into_iter().map(|(name, _)| name).collect();
            faults.add(place, &format!("season `{}`", self.season), &words.join(", "));
            return None;
        };
        let ([first, last], (least, most)) = (self.parts, season.parts());
        if first > last || first < least || last > most {
            let found = format!("parts [{first}, {last}]");
            faults.add(place, &found, &format!("two of {least} to {most}, in order"));
        }
        let span = spans(place, (self.suspect, self.fail), faults);
        let companion = self.within.map(|[low, high]| (low, high));
        Some(Climate { season: (season, first, last), companion, span })
    }
}

impl Flat {
    fn flat_line(self, place: &str, faults: &mut Faults<'_>) -> FlatLine {
        let suspect_ms = millis(place, self.suspect.as_ref(), faults);
        let fail_ms = millis(place, self.fail.as_ref(), faults);
        if let (Some(suspect), Some(fail)) = (suspect_ms, fail_ms)
            && suspect > fail
        {
            faults.add(place, "`suspect` longer than `fail`", "a shorter time to doubt");
        }
        if suspect_ms.is_none() && fail_ms.is_none() {
            faults.add(place, "no time", "`suspect` or `fail`, or both");
        }
        let unless = self.unless.map(|[low, high]| (low, high));
        if unless.is_some_and(|(low, high)| low > high) {
            faults.add(place, "`unless` from high to low", "a span from low to high");
        }
        FlatLine { tolerance: self.tolerance, suspect_ms, fail_ms, unless }
    }
}

impl Signal {
    fn attenuated(self, place: &str, faults: &mut Faults<'_>) -> Attenuated {
        let (suspect, fail) = (self.suspect, self.fail);
        if let (Some(suspect), Some(fail)) = (suspect, fail)
            && suspect < fail
        {
            faults.add(place, "`suspect` below `fail`", "more to doubt than to fail");
        }
        if suspect.is_none() && fail.is_none() {
            faults.add(place, "no threshold", "`suspect` or `fail`, or both");
        }
        Attenuated {
            check: match self.check {
                Strength::Std => Check::Deviation,
                Strength::Range => Check::Range,
            },
            thresholds: Thresholds { suspect, fail },
            over_ms: millis(place, self.over.as_ref(), faults),
            needs: self.needs.unwrap_or(1),
        }
    }
}

/// Reads thresholds of what is worse the more there is of it.
fn rising(
    place: &str,
    (suspect, fail): (Option<f64>, Option<f64>),
    faults: &mut Faults<'_>,
) -> Thresholds {
    if suspect.is_none() && fail.is_none() {
        faults.add(place, "no threshold", "`suspect` or `fail`, or both");
    }
    if [suspect, fail].into_iter().flatten().any(|threshold| threshold.is_nan() || threshold < 0.0)
    {
        faults.add(place, "a threshold below zero", "one from zero on");
    }
    if let (Some(suspect), Some(fail)) = (suspect, fail)
        && suspect > fail
    {
        faults.add(place, "`suspect` above `fail`", "less to doubt than to fail");
    }
    Thresholds { suspect, fail }
}

fn millis(place: &str, length: Option<&Length>, faults: &mut Faults<'_>) -> Option<i64> {
    let length = length?;
    let millis = length.millis();
    if millis.is_none() {
        let found = match length {
            Length::Seconds(seconds) => seconds.to_string(),
            Length::Text(text) => format!("`{text}`"),
        };
        faults.add(place, &found, "a time above zero, seconds or such as `24h`");
    }
    millis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn faults(text: &str) -> Vec<String> {
        let read = read("qc.toml", text).map(|asked| asked.columns.len());
        read.unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_names_of_ioos_qc_say_the_same() {
        let ours = "[ph]\ngross_range = { suspect = [5, 10], fail = [0, 14] }\n\
                    spike = { suspect = 1, fail = 2, method = 'differential' }\n\
                    rate_of_change = { suspect = 3.6, per = '1h' }\n\
                    flat_line = { suspect = '50m', fail = '80m', tolerance = 0.01 }\n\
                    climatology = [{ season = 'month', parts = [1, 2], suspect = [6, 9] }]\n\
                    attenuated_signal = { suspect = 0.2, fail = 0.1, over = '1h', needs = 3, \
                    check = 'range' }\n";
        let theirs = "[ph]\ngross_range_test = { suspect_span = [5, 10], fail_span = [0, 14] }\n\
                      [ph.spike_test]\nsuspect_threshold = 1\nfail_threshold = 2\n\
                      method = 'differential'\n\
                      [ph.rate_of_change_test]\nthreshold = 0.001\n\
                      [ph.flat_line_test]\nsuspect_threshold = 3000\nfail_threshold = 4800\n\
                      tolerance = 0.01\n\
                      [[ph.climatology_test]]\nperiod = 'month'\ntspan = [1, 2]\nvspan = [6, 9]\n\
                      [ph.attenuated_signal_test]\nsuspect_threshold = 0.2\n\
                      fail_threshold = 0.1\ntest_period = 3600\nmin_obs = 3\n\
                      check_type = 'range'\n";
        assert_eq!(read("", ours).unwrap().columns, read("", theirs).unwrap().columns);
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let text = "zone = 'Mars'\n\
                    [ph]\ngross_range = { suspect = [5, 15], fail = [0, 14] }\n\
                    flat_line = { suspect = '-3h', tolerance = 0 }\n\
                    [do]\nspike = { suspect = 2, fail = 1 }\nrate_of_change = {}\n\
                    climatology = [{ season = 'month', parts = [11, 13], suspect = [6, 9] }]\n\
                    [ec]\nspyke = { suspect = 1 }\n";
        let told = faults(text);
        for part in [
            "zone: a zone that is none",
            "ph.gross_range: suspect [5, 15]",
            "a span inside fail [0, 14]",
            "ph.flat_line: `-3h`",
            "do.spike: `suspect` above `fail`",
            "do.rate_of_change: no threshold",
            "do.climatology: parts [11, 13]",
            "ec: unknown field `spyke`",
        ] {
            assert!(told.iter().any(|told| told.contains(part)), "{part}: {told:#?}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let told = faults("[ph]\nspike = { suspect = }\n");
        assert!(told[0].contains("qc.toml:2"), "{told:?}");
        assert!(faults("")[0].contains("no tests"));
    }
}
