//! A file of tests of rules, TOML: values of stations, and what must be pending, firing, resolved
//! and told of at which time.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::domain::alert::{AlertChange, Route, Severity};
use crate::domain::fault::Fault;

/// A file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it shows.
    #[serde(default)]
    pub about: String,
    /// The folder of the seeds, seen from the file's own; without, that of the configuration.
    pub seeds: Option<PathBuf>,
    /// Rows that are laid over tables of the seeds, CSV with a head, by the name of the table.
    #[serde(default)]
    pub rows: BTreeMap<String, String>,
    /// Values of stations.
    pub series: Vec<Series>,
    /// What must be at which time, in order of time.
    pub at: Vec<At>,
}

/// Values of a station.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The station.
    pub station: Spanned<String>,
    /// The table: `time`, and a column a datastream, as `weir qc --station` takes it.
    pub csv: Option<Spanned<String>>,
    /// The file that holds the table, seen from the file's own folder.
    pub file: Option<Spanned<PathBuf>>,
    /// How often a device sends: between two rows there are others, on the straight line from the
    /// one to the other; what is no number is repeated.
    pub every: Option<Spanned<String>>,
}

/// What must be at a time. A list that is there is all of it; one that is not is not looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The time, in the zone of the first station or with an offset.
    pub time: Spanned<String>,
    /// What lasts, but not for long enough yet.
    pub pending: Option<Vec<Alert>>,
    /// What fires.
    pub firing: Option<Vec<Alert>>,
    /// What resolved since the time before.
    pub resolved: Option<Vec<Alert>>,
    /// Every change that was told since the time before, in order.
    pub notified: Option<Vec<Alert>>,
}

/// An alert that is expected: whom it is about, and what else is said of it.
#[derive(Debug, Default)]
pub struct Alert {
    /// The datastream, or the station as a whole.
    pub of: String,
    /// What else must be so.
    pub parts: Parts,
}

/// What may be said of an alert besides whom it is about.
#[derive(Debug, Default)]
pub struct Parts {
    /// The rule.
    pub rule: Option<String>,
    /// How urgent.
    pub severity: Option<String>,
    /// Who is called.
    pub route: Option<String>,
    /// For which periods it fires, as `of` of rules.csv has them.
    pub reasons: Option<Vec<String>>,
    /// Whether it is by a suspect value.
    pub unconfirmed: Option<bool>,
    /// What happened: `firing`, `changed`, `resolved`, `withdrawn`, `past`.
    pub change: Option<String>,
    /// Since when it lasts.
    pub since: Option<String>,
    /// Words that stand in what is told of it, English or Chinese.
    pub says: Option<String>,
}

/// The table of an alert; its name alone is a table with nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    of: String,
    rule: Option<String>,
    severity: Option<String>,
    route: Option<String>,
    reasons: Option<Vec<String>>,
    unconfirmed: Option<bool>,
    change: Option<String>,
    since: Option<String>,
    says: Option<String>,
}

impl From<Written> for Alert {
    fn from(written: Written) -> Self {
        let Written { of, rule, severity, route, reasons, unconfirmed, .. } = written;
        let Written { change, since, says, .. } = written;
        let parts = Parts { rule, severity, route, reasons, unconfirmed, change, since, says };
        Self { of, parts }
    }
}

impl<'de> Deserialize<'de> for Alert {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Alert;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("the name of a datastream, or a table such as { of = \"a/ph\" }")
            }

            fn visit_str<E: de::Error>(self, of: &str) -> Result<Alert, E> {
                Ok(Alert { of: of.to_owned(), parts: Parts::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Alert, A::Error> {
                Written::deserialize(MapAccessDeserializer::new(map)).map(Alert::from)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A file that was read, and where things stand in it.
#[derive(Debug)]
pub struct Source {
    /// How faults name the file.
    pub name: String,
    /// The folder from which it names others.
    pub folder: PathBuf,
    text: String,
}

impl Source {
    /// Takes a text that stands in a file.
    #[must_use]
    pub fn new(file: &Path, text: String) -> Self {
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Self { name: file.display().to_string(), folder, text }
    }

    /// Reads the tests.
    ///
    /// # Errors
    /// It is no TOML, or says what nobody understands: the first such place. Of words that are
    /// none, all.
    pub fn script(&self) -> Result<Script, Vec<Fault>> {
        let script: Script = toml::from_str(&self.text).map_err(|error| {
            let line = error.span().map(|span| self.line(span.start));
            vec![self.fault(line, error.message().to_owned(), "a file of tests: docs/alerts.md")]
        })?;
        let faults: Vec<Fault> = script
            .at
            .iter()
            .flat_map(|at| at.alerts().flat_map(|one| self.words(at, one)))
            .collect();
        if faults.is_empty() { Ok(script) } else { Err(faults) }
    }

    /// Notes a fault.
    pub(super) fn fault(
        &self,
        line: Option<u64>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Fault {
        let (found, expected) = (found.into(), expected.into());
        Fault { file: self.name.clone(), line, found, expected }
    }

    /// Gives the line of a place.
    pub(super) fn line(&self, byte: usize) -> u64 {
        let before = self.text.as_bytes().get(..byte).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
    }

    /// Tells which words of an alert are none.
    fn words(&self, at: &At, alert: &Alert) -> Vec<Fault> {
        let Parts { severity, route, change, .. } = &alert.parts;
        let severities = [Severity::Notice, Severity::Warning, Severity::Critical];
        let changes = [
            AlertChange::Fired,
            AlertChange::Changed,
            AlertChange::Resolved,
            AlertChange::Withdrawn,
            AlertChange::Past,
        ];
        let known = [
            ("severity", severity, severities.map(Severity::word).to_vec()),
            ("route", route, Route::ALL.map(Route::word).to_vec()),
            ("change", change, changes.map(AlertChange::word).to_vec()),
        ];
        let line = Some(self.line(at.time.span().start));
        let wrong = known.into_iter().filter_map(|(key, said, words)| {
            let said = said.as_deref().filter(|said| !words.contains(said))?;
            Some(self.fault(line, format!("{key} `{said}`"), words.join(", ")))
        });
        wrong.collect()
    }
}

impl At {
    pub(super) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        let lists = [&self.pending, &self.firing, &self.resolved, &self.notified];
        lists.into_iter().flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        let source = Source::new(Path::new("tests/a.toml"), text.to_owned());
        let faults = source.script().err().unwrap_or_default();
        faults.iter().map(|fault| format!("{fault}\n")).collect()
    }

    #[test]
    fn an_alert_is_a_name_or_a_table() {
        let text = "series = []\n[[at]]\ntime = \"2026-06-01\"\n\
                    firing = [\"a/ph\", { of = \"b/ph\", severity = \"notice\" }]\n";
        let source = Source::new(Path::new("a.toml"), text.to_owned());
        let script = source.script().unwrap();
        let firing = script.at.first().unwrap().firing.as_ref().unwrap();
        let [first, second] = &**firing else { panic!("two") };
        assert_eq!((first.of.as_str(), second.of.as_str()), ("a/ph", "b/ph"));
        assert_eq!(second.parts.severity.as_deref(), Some("notice"));
    }

    #[test]
    fn what_nobody_understands_is_told_with_its_line() {
        let told = faults("series = []\n[[at]]\ntime = \"2026-06-01\"\nfires = []\n");
        assert!(told.contains("tests/a.toml:4: ") && told.contains("`fires`"), "{told}");
        let told = faults(
            "series = []\n[[at]]\ntime = \"2026-06-01\"\n\
             firing = [{ of = \"a\", severity = \"bad\", route = \"me\" }]\n",
        );
        assert!(told.contains("a.toml:3: found severity `bad`, expected notice"), "{told}");
        assert!(told.contains("route `me`, expected environment, instrument, weir"), "{told}");
    }
}
