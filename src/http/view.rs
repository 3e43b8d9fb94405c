//! What the page shows: plain text and numbers, already in the words of people. Who makes it knows
//! the registry; who shows it does not.

use serde::Serialize;

/// A text in both languages.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Text {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// The whole page.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct PageView {
    /// When the numbers were true, in the zone of weir.
    pub at: String,
    /// weir's version.
    pub version: String,
    /// The first digits of the edition's digest.
    pub edition: String,
    /// Alerts that fire, worst first.
    pub alerts: Vec<AlertView>,
    /// Places with their stations.
    pub places: Vec<PlaceView>,
    /// The ledger.
    pub ledger: LedgerView,
    /// The brokers.
    pub brokers: Vec<BrokerView>,
    /// Where points go.
    pub sink: SinkView,
    /// Damaged journals that were set aside.
    pub set_aside: Vec<String>,
    /// Why nothing is acknowledged, if so.
    pub full: Option<String>,
}

/// An alert that fires.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AlertView {
    /// One sentence that a tired person understands.
    pub sentence: Text,
    /// What to do.
    pub advice: Text,
    /// `critical`, `warning` or `notice`.
    pub severity: String,
    /// Since when.
    pub since: String,
}

/// A river, lake or park.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct PlaceView {
    /// Its name.
    pub name: Text,
    /// Its stations.
    pub stations: Vec<StationView>,
}

/// A station.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct StationView {
    /// Its name in tags.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// The class it must meet, empty if none.
    pub target: String,
    /// The worst class of its newest values, empty if none has a class.
    pub class: String,
    /// Whether a value exceeds a limit.
    pub exceeds: bool,
    /// Whether it is silent as a whole.
    pub silent: bool,
    /// Its newest values.
    pub values: Vec<ValueView>,
}

/// The newest value of a datastream.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ValueView {
    /// The property.
    pub property: Text,
    /// The symbol people write.
    pub symbol: String,
    /// Where at the station.
    pub position: String,
    /// The number as people write it, "–" if there is none.
    pub value: String,
    /// The unit.
    pub unit: String,
    /// The QARTOD flag.
    pub flag: u8,
    /// The verdict in words, empty where nothing is limited.
    pub verdict: Text,
    /// Whether it exceeds a limit.
    pub exceeds: bool,
    /// Whether it is silent.
    pub silent: bool,
    /// Its time.
    pub at: String,
    /// How old it is, s.
    pub age_s: i64,
}

/// One column of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the ledger's own words")]
pub struct CountsView {
    pub received: i64,
    pub stored: i64,
    pub rejected: i64,
    pub duplicate: i64,
}

/// The ledger.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LedgerView {
    /// Since when it counts.
    pub since: String,
    /// Messages.
    pub messages: CountsView,
    /// Readings.
    pub readings: CountsView,
    /// Messages that came at QoS 0.
    pub unprotected: i64,
    /// Whether received = stored + rejected + duplicate, in both columns.
    pub balances: bool,
}

/// A broker.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BrokerView {
    /// The network.
    pub network: String,
    /// What is wrong, if anything.
    pub fault: Option<String>,
    /// What it refuses, in words.
    pub refused: Vec<String>,
}

/// Where points go.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SinkView {
    /// Its name.
    pub name: String,
    /// How many points wait for it.
    pub waiting: u64,
    /// How many fields and points it refused.
    pub refused: u64,
    /// What is wrong, if anything.
    pub fault: Option<String>,
}
