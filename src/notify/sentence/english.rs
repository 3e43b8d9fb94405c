//! The English sentence.

use crate::domain::alert::{AlertChange, Subject, WeirCondition};
use crate::domain::assessment::Bound;
use crate::domain::time::{MINUTE, SECOND};

use super::{Scene, Topic};

impl Scene<'_> {
    /// Gives the English sentence, without a full stop.
    pub(in crate::notify) fn english(&self) -> String {
        let since = self.clock(self.event.since);
        let until = self.clock(self.event.at);
        let who = self.who_english();
        let mut text = match (self.event.change, self.topic) {
            (AlertChange::Withdrawn, _) => format!(
                "{who}: an alert since {since} is withdrawn, because its rule or subject left the \
                 seeds; nobody can say whether it is over"
            ),
            (AlertChange::Past, _) => format!(
                "{who}: was {} from {since} to {until}, {} at first; over before it could be told, \
                 found in what the broker had kept",
                self.against_plainly(),
                self.said()
            ),
            (AlertChange::Fired, Topic::Exceedance) => {
                format!("{who}: {}, {}, since {since}", self.said(), self.against())
            }
            (AlertChange::Resolved, Topic::Exceedance) => format!(
                "{who}: {}, no longer {}; it was from {since} to {until}",
                self.said(),
                self.against_plainly()
            ),
            (AlertChange::Fired, Topic::Silence) => match self.property {
                Some(property) => {
                    format!("{who}: no {} since {since}{}", property.symbol, self.expected())
                }
                None => format!("{who}: silent since {since}{}", self.expected()),
            },
            (AlertChange::Resolved, Topic::Silence) => match self.property {
                Some(property) => format!(
                    "{who}: {} comes again; there was none from {since} to {until}",
                    property.symbol
                ),
                None => format!("{who}: speaks again; it was silent from {since} to {until}"),
            },
            (AlertChange::Fired, Topic::Weir(condition)) => {
                format!("weir: {}, since {since}", self.trouble(condition))
            }
            (AlertChange::Resolved, Topic::Weir(condition)) => {
                format!("weir: over, from {since} to {until}: {}", self.trouble(condition))
            }
        };
        if let Some((station, since)) = self.upstream {
            text.push_str(&format!(", after {} since {}", station.name_en, self.clock(since)));
        }
        if self.event.unconfirmed {
            text.push_str(" (unconfirmed: the value is suspect)");
        }
        text
    }

    fn who_english(&self) -> String {
        match (self.place, self.station) {
            (Some(place), Some(station)) => format!("{}, {}", place.name_en, station.name_en),
            (None, Some(station)) => station.name_en.to_string(),
            (_, None) => match self.event.subject {
                Subject::Weir { .. } => String::from("weir"),
                Subject::Datastream(_) | Subject::Station(_) => {
                    format!("alert {}", self.event.alert.0)
                }
            },
        }
    }

    /// `NH3-N 1.62 mg/L`.
    fn said(&self) -> String {
        let symbol = self.property.map_or("value", |property| &property.symbol);
        let position = self.datastream.map_or("", |datastream| &datastream.position);
        let at = if position.is_empty() { String::new() } else { format!(" at {position}") };
        format!("{symbol}{at} {}", self.value_text()).trim_end().to_owned()
    }

    /// `0.08 times over class IV (GB 3838-2002 table 1, limit 1.5)`.
    fn against(&self) -> String {
        match (self.multiple(), self.event.multiple) {
            (Some(multiple), _) => format!("{multiple} times {}", self.against_plainly()),
            (None, Some(_)) => format!("just {}", self.against_plainly()),
            (None, None) => self.against_plainly(),
        }
    }

    /// `over class IV (GB 3838-2002 table 1, limit 1.5)`.
    fn against_plainly(&self) -> String {
        let Some(limit) = self.limit else { return String::from("over its limit") };
        let class = match (limit.water_class, &*limit.class) {
            (Some(class), _) => format!("class {}", class.name()),
            (None, "") => String::from("the limit"),
            (None, class) => class.to_owned(),
        };
        let (side, number) = match limit.bound {
            Bound::Max(limit) => ("over", limit.to_string()),
            Bound::Min(limit) => ("under", limit.to_string()),
            Bound::Range { low, high } => ("outside", format!("{low} to {high}")),
        };
        format!("{side} {class} ({}, limit {number})", self.clause())
    }

    fn expected(&self) -> String {
        match self.expected_every_ms {
            Some(every) if every >= MINUTE && every % MINUTE == 0 => {
                format!(" (expected every {} min)", every / MINUTE)
            }
            Some(every) => format!(" (expected every {} s)", every / SECOND),
            None => String::new(),
        }
    }

    fn trouble(&self, condition: WeirCondition) -> String {
        match (condition, self.network) {
            (WeirCondition::BrokerAway, Some(network)) => {
                format!("broker {network} does not answer, its readings wait there or are lost")
            }
            (WeirCondition::BrokerAway, None) => String::from("a broker does not answer"),
            (WeirCondition::SinkAway, _) => {
                String::from("InfluxDB takes no points, they wait in the journal")
            }
            (WeirCondition::JournalFull, _) => String::from(
                "the journal can't be written, nothing is acknowledged until there is room",
            ),
            (WeirCondition::ChannelFailing, _) => {
                String::from("a notification channel fails, its messages wait")
            }
            (WeirCondition::ClockStepped, _) => String::from("the wall clock jumped"),
            (WeirCondition::BrokerUnreadable, Some(network)) => {
                format!("broker {network} sends again and again what can't be read")
            }
            (WeirCondition::BrokerUnreadable, None) => String::from(
                "a broker, named on the page, sends again and again what can't be read",
            ),
            (WeirCondition::SessionTaken, Some(network)) => format!(
                "broker {network} ends weir's session again and again, it seems that another \
                 client uses the client_id of weir"
            ),
            (WeirCondition::SessionTaken, None) => String::from(
                "a broker, named in the log, ends weir's session again and again, it seems that \
                 another client uses the client_id of weir",
            ),
            (WeirCondition::PointsDamaged, _) => String::from(
                "points in the journal are damaged and will not reach InfluxDB, all others will",
            ),
            (WeirCondition::JournalDamaged, _) => String::from(
                "the journal was damaged and set aside, a new one was begun; what was not \
                 delivered from it yet is in the old file only",
            ),
            (WeirCondition::FilterRefused, Some(network)) => {
                format!("broker {network} refuses a filter, what fits it does not come")
            }
            (WeirCondition::FilterRefused, None) => String::from(
                "a broker, named on the page, refuses a filter, what fits it does not come",
            ),
        }
    }
}
