//! The English sentence.

mod cause;
mod further;

use crate::domain::alert::{AlertChange, Severity, Subject, WeirCondition};
use crate::domain::assessment::Bound;
use crate::domain::observation::Period;
use crate::domain::quality::Test;
use crate::domain::time::{MINUTE, PhenomenonTime, SECOND};

use super::{Behind, Days, Kind, Scene, Topic, one_name};

const DAYS: Days = Days { day: "%m-%d ", year: "%Y-%m-%d " };

impl Scene<'_> {
    /// Gives the English sentence, without a full stop.
    pub(in crate::notify) fn english(&self) -> String {
        let since = self.clock(self.event.since, &DAYS);
        let until = self.clock(self.until(), &DAYS);
        let who = self.who_english();
        let mut text = match (self.event.change, self.topic) {
            (AlertChange::Withdrawn, _) => withdrawn(&who, &since),
            (_, Topic::Instrument) => self.of_instrument(&who, (&since, &until)),
            (_, Topic::Rise) => self.of_rise(&who, (&since, &until)),
            (_, Topic::NotAssessable) => self.of_unassessable(&who, (&since, &until)),
            (_, Topic::Index) => self.of_index(&who, (&since, &until)),
            (AlertChange::Past, _) => format!(
                "{who}: was {} {} from {since} to {until}, {} at first; over before it could be \
                 told, found in what the broker had kept",
                if self.event.share.is_some() { "near" } else { self.side() },
                self.limit_words(),
                self.said()
            ),
            (AlertChange::Fired | AlertChange::Changed, Topic::Exceedance) => {
                self.exceeds_since(&who, &since)
            }
            (AlertChange::Resolved, Topic::Exceedance) if self.counts_no_more() => format!(
                "{who}: taken back: {} does not count any more{}, nor does any other value of the \
                 alert since {since}",
                self.said(),
                self.why_it_counts_no_more()
            ),
            (AlertChange::Resolved, Topic::Exceedance) => format!(
                "{who}: {}, no longer {} {}; {}",
                self.said(),
                if self.warns { "near" } else { self.side() },
                self.limit_words(),
                if self.is_taken_back() {
                    "what it began with was revised".to_owned()
                } else {
                    format!("it was from {since} to {until}")
                }
            ),
            (_, Topic::Silence) => self.of_silence(&who, (&since, &until)),
            (AlertChange::Fired | AlertChange::Changed, Topic::Weir(condition)) => {
                format!("weir: {}{}", self.trouble(condition), self.since(", ", &since))
            }
            (AlertChange::Resolved, Topic::Weir(condition)) => {
                format!("weir: over, from {since} to {until}: {}", self.trouble(condition))
            }
        };
        if let Some((station, over)) = self.upstream {
            let since = self.clock(over.since, &DAYS);
            let until = over.until.map(|until| self.clock(until, &DAYS));
            let lasted =
                until.map_or(format!("since {since}"), |until| format!("{since} to {until}"));
            text.push_str(&format!(", after {} {lasted}", station.name_en));
        }
        if self.event.unconfirmed {
            text.push_str(&self.unconfirmed());
        }
        text
    }

    /// `: no dissolved oxygen since 08:00 (expected every 5 min)`, or that all of it is silent.
    fn of_silence(&self, who: &str, (since, until): (&str, &str)) -> String {
        let symbol = self.property.map(|property| &property.symbol);
        if self.event.change == AlertChange::Resolved {
            return match symbol {
                Some(symbol) => {
                    format!("{who}: {symbol} comes again; there was none from {since} to {until}")
                }
                None => format!("{who}: speaks again; it was silent from {since} to {until}"),
            };
        }
        let (expected, offline) = (self.expected(), self.offline());
        let since = self.since(" ", since);
        let silent = symbol.map_or_else(|| self.silent(), |symbol| format!("no {symbol}"));
        // What stands between commas needs the second only if more follows.
        let silent = if since.is_empty() { silent.trim_end_matches(',') } else { &silent };
        format!("{who}: {silent}{since}{expected}{offline}")
    }

    /// What exceeds a limit, since when, and whether that was told otherwise before.
    fn exceeds_since(&self, who: &str, since: &str) -> String {
        let revised = if self.event.revised { "; the value was revised" } else { "" };
        let since = self.since(", ", since);
        format!("{who}{}{}{since}{revised}", self.standing(), self.exceeds())
    }

    /// `, since 12:00`; nothing where that stands beside.
    fn since(&self, before: &str, since: &str) -> String {
        if self.in_row { String::new() } else { format!("{before}since {since}") }
    }

    /// `, critical, confirmed`, where it is more severe than its rule or was told as unconfirmed.
    fn standing(&self) -> String {
        let severity = self.event.severity.filter(|_| !self.in_row).map(Severity::word);
        let confirmed = self.event.confirmed.then_some("confirmed");
        severity.into_iter().chain(confirmed).map(|word| format!(", {word}")).collect()
    }

    /// ` (unconfirmed: one sample, the next is of 16:00)`.
    fn unconfirmed(&self) -> String {
        match (self.event.cause, self.event.change, self.next_sample()) {
            (_, AlertChange::Resolved, _) => String::from(" (no other value confirmed it)"),
            (Some(_), _, _) => format!(" (unconfirmed, suspect: {})", self.fault_name()),
            (None, AlertChange::Past, Some(_)) => String::from(" (unconfirmed: one sample)"),
            (None, _, Some(next)) => {
                let next = self.clock(next, &DAYS);
                format!(" (unconfirmed: one sample, the next is of {next})")
            }
            (None, _, None) => String::from(" (unconfirmed)"),
        }
    }

    /// ` (invalidated by a person)`.
    fn why_it_counts_no_more(&self) -> String {
        match self.event.cause.map(|cause| cause.test) {
            Some(Test::Person) => String::from(" (invalidated by a person)"),
            Some(_) => format!(" ({})", self.fault_name()),
            None => String::new(),
        }
    }

    fn who_english(&self) -> String {
        match (self.gateway, self.network) {
            (Some(gateway), Some(network)) => return format!("gateway {gateway} of {network}"),
            (Some(gateway), None) => return format!("gateway {gateway}"),
            (None, Some(network)) if self.topic == Topic::Silence => {
                return format!("network {network}");
            }
            (None, _) => {}
        }
        match (self.place, self.station) {
            (Some(place), Some(station)) => one_name(&place.name_en, &station.name_en, ", "),
            (None, Some(station)) => station.name_en.to_string(),
            (Some(place), None) => place.name_en.to_string(),
            (None, None) => match (self.event.subject, self.set) {
                (Subject::Weir { .. }, _) => String::from("weir"),
                (_, Some(set)) => format!("stations of {}", set.name),
                (_, None) => format!("alert {}", self.event.alert.0),
            },
        }
    }

    /// `, class V by ammonia nitrogen: 1.620 mg/L, 0.08 times over class IV (GB 3838-2002 table 1
    /// item 7, limit 1.5 mg/L), sample of 12:00, the one before (08:00) was 1.410 mg/L`.
    fn exceeds(&self) -> String {
        let now = if self.event.change == AlertChange::Changed { "now " } else { "" };
        let class = self.event.class.filter(|_| self.event.share.is_none());
        let mut text = match class {
            Some(class) => format!(
                ", {now}class {} by {}: {}, {}",
                class.name(),
                self.item(),
                self.value_text(),
                self.against()
            ),
            None => format!(": {now}{} {}, {}", self.item(), self.value_text(), self.against()),
        };
        if let Some(what) = self.what() {
            text.push_str(&format!(", {what}"));
        }
        if let Some(before) = self.event.before {
            let when = self.when(before.span);
            text.push_str(&format!(", the one before ({when}) was {}", self.before_text()));
        }
        let beside: Vec<&str> = self.beside().map(values_of).collect();
        if !beside.is_empty() {
            text.push_str(&format!(", exceeded by {}, too", beside.join(" and ")));
        }
        text
    }

    /// `sample of 12:00`.
    fn what(&self) -> Option<String> {
        let kind = match (self.event.period, self.kind()) {
            (Period::DayMaxEightHours, _) => "greatest mean of 8 h",
            (_, Kind::Sample) => "sample",
            (_, Kind::Instant) => "value",
            (_, Kind::Mean) => "mean",
            (_, Kind::Least) => "minimum",
            (_, Kind::Greatest) => "maximum",
            (_, Kind::Total) => "total",
        };
        Some(format!("{kind} of {}", self.when(self.event.span?)))
    }

    /// `12:00`, `10:00–11:00`, `2026-03-01`, `2026-03`.
    fn when(&self, span: PhenomenonTime) -> String {
        let Some(at) = self.civil(span.start()) else { return String::new() };
        match self.event.period {
            Period::Native | Period::Hour | Period::EightHours => self.clock_span(span, &DAYS),
            Period::Day | Period::DayMaxEightHours => at.strftime("%Y-%m-%d").to_string(),
            Period::Month => at.strftime("%Y-%m").to_string(),
            Period::Quarter => format!("quarter {} of {}", (at.month() + 2) / 3, at.year()),
            Period::Year => at.year().to_string(),
        }
    }

    /// `ammonia nitrogen at inlet`.
    fn item(&self) -> String {
        let name = self.property.map_or("value", |property| &property.name_en);
        let position = self.of.map_or("", |datastream| &datastream.position);
        let at = if position.is_empty() { String::new() } else { format!(" at {position}") };
        format!("{name}{at}")
    }

    /// `ammonia nitrogen 1.620 mg/L (sample of 12:00)`.
    fn said(&self) -> String {
        let said = format!("{} {}", self.item(), self.value_text());
        match self.what() {
            Some(what) => format!("{} ({what})", said.trim_end()),
            None => said.trim_end().to_owned(),
        }
    }

    /// `0.08 times over class IV (GB 3838-2002 table 1 item 7, limit 1.5 mg/L)`.
    fn against(&self) -> String {
        let (plain, limit) = (self.against_plainly(), self.limit.map(|limit| limit.bound));
        match (self.share(), self.multiple(), self.event.multiple, limit) {
            (Some(share), _, _, Some(Bound::Max(_))) => {
                format!("{share} of the limit (warning), not yet {plain}")
            }
            (Some(_), _, _, _) => format!("near the limit (warning), not yet {plain}"),
            (None, Some(multiple), _, _) => format!("{multiple} times {plain}"),
            (None, None, Some(_), _) => format!("just {plain}"),
            (None, None, None, _) => plain,
        }
    }

    /// `over class IV (GB 3838-2002 table 1 item 7, limit 1.5 mg/L)`.
    fn against_plainly(&self) -> String {
        format!("{} {}", self.side(), self.limit_words())
    }

    fn side(&self) -> &'static str {
        match self.limit.map(|limit| limit.bound) {
            Some(Bound::Max(_)) | None => "over",
            Some(Bound::Min(_)) => "below",
            Some(Bound::Range { .. }) => "outside",
        }
    }

    /// `class IV (GB 3838-2002 table 1 item 7, limit 1.5 mg/L)`.
    fn limit_words(&self) -> String {
        let Some(limit) = self.limit else { return String::from("its limit") };
        let energy = self.property.is_some_and(|property| &*property.medium == "energy");
        let class = match (limit.water_class, &*limit.class) {
            (Some(class), _) => format!("class {}", class.name()),
            (None, "") => String::from("the limit"),
            (None, class) if energy => format!("the limit of {class}"),
            (None, class) => format!("class {class}"),
        };
        format!("{class} ({}, limit {})", self.clause(), self.limit_text())
    }

    /// `; its device went offline at 08:05`, where that was said.
    fn offline(&self) -> String {
        let said = self.event.offline.map(|at| self.clock(at, &DAYS));
        said.map_or(String::new(), |at| format!("; its device went offline at {at}"))
    }

    /// `silent`, with what lies behind: `silent with the 20 devices behind it, at 3 stations,`.
    fn silent(&self) -> String {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let Behind { devices, stations } = self.behind;
        let (of_devices, of_stations) = (plural(devices), plural(stations));
        let devices = format!("{devices} device{of_devices}");
        let stations = format!("{stations} station{of_stations}");
        match self.event.subject {
            Subject::Device(_) => format!("silent with the {devices} behind it, at {stations},"),
            Subject::Network(_) => {
                format!("its broker is connected, but none of its {devices} at {stations} speaks")
            }
            Subject::Datastream(_)
            | Subject::Station(_)
            | Subject::Evaluated { .. }
            | Subject::Weir { .. } => "silent".into(),
        }
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

    /// `ends on 2026-12-20 16:00`.
    fn ends(&self) -> String {
        let Some(until) = self.event.until else { return String::from("ends soon") };
        let verb = if until <= self.event.at { "ended" } else { "ends" };
        format!("{verb} on {}", self.date(until))
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
            (WeirCondition::BrokerDropping, network) => format!(
                "{} drops messages, because queues of its clients are full; whose, only it knows",
                network.map_or("a broker".to_owned(), |network| format!("broker {network}"))
            ),
            (WeirCondition::DeadLettersRising, _) => String::from(
                "many messages are turned away, `weir dead-letters` tells which and why",
            ),
            (WeirCondition::JournalFilling, _) => String::from(
                "the journal is nearly full, at its limit nothing is acknowledged any more",
            ),
            (
                WeirCondition::CertificateEnding
                | WeirCondition::AuthorityEnding
                | WeirCondition::ServerCertificateEnding,
                network,
            ) => format!("{} {}", certificate(condition, network), self.ends()),
            (WeirCondition::FilterRefused, Some(network)) => {
                format!("broker {network} refuses a filter, what fits it does not come")
            }
            (WeirCondition::FilterRefused, None) => String::from(
                "a broker, named on the page, refuses a filter, what fits it does not come",
            ),
        }
    }
}

/// Says which certificate ends.
fn certificate(condition: WeirCondition, network: Option<&str>) -> String {
    match (condition, network) {
        (WeirCondition::ServerCertificateEnding, network) => {
            format!("the certificate that broker {} shows", network.unwrap_or_default())
        }
        (WeirCondition::AuthorityEnding, Some(network)) => {
            format!("the authority that broker {network} is known by (ca_file)")
        }
        (WeirCondition::AuthorityEnding, None) => {
            "an authority that the database or a channel is known by (ca_file)".to_owned()
        }
        (_, Some(network)) => {
            format!("the certificate that weir shows broker {network} (certificate_file)")
        }
        (_, None) => "the certificate of the page (certificate_file of [http])".to_owned(),
    }
}

fn withdrawn(who: &str, since: &str) -> String {
    format!(
        "{who}: an alert since {since} is withdrawn, because its rule or subject changed or left \
         the seeds; nobody can say whether it is over"
    )
}

/// Gives what the values of a period are called.
fn values_of(period: Period) -> &'static str {
    match period {
        Period::Native => "single values",
        Period::Hour => "the hour's mean",
        Period::EightHours => "the mean of eight hours",
        Period::Day => "the day's mean",
        Period::DayMaxEightHours => "the day's greatest mean of 8 h",
        Period::Month => "the month's mean",
        Period::Quarter => "the quarter's mean",
        Period::Year => "the year's mean",
    }
}
