//! All there is of one alert: of one that fires out of the state, of one that ended out of the
//! journal.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Looked, annotation, both, changed, contacts, happened, sentence, spark, tested};
use crate::daemon::alerts::open::{self, Open};
use crate::daemon::page::times::offset;
use crate::daemon::page::{value_view, words};
use crate::daemon::{said, threshold};
use crate::domain::alert::{AlertId, Route, Subject};
use crate::domain::assessment::{Bound, Limit, WaterClass};
use crate::domain::name::{DatastreamId, StationId};
use crate::domain::observation::Period;
use crate::domain::quality::Test;
use crate::domain::registry::{Datastream, Sampling, Station, Statistic};
use crate::domain::time::{DAY, HOUR, MINUTE, Timestamp, Validity};
use crate::http::view::alert::{
    FactView, InvalidationView, NeighbourView, OfView, SparkView, TestView, ToldView, WholeView,
};
use crate::http::view::alerts::HappenedView;
use crate::http::view::{Text, ValueView};
use crate::journal::Error;
use crate::journal::read::{AlertHeld, Reader, ToldHeld};
use crate::notify::clause_zh;
use crate::pipeline::explain::{Looked as State, Sight, explain};
use crate::pipeline::state::StreamState;

/// How many changes and deeds the page of one alert shows, the newest; it says how many are older.
const HISTORY_SHOWN_MAX: usize = 200;
/// How many changes and deeds of one alert are read.
const HISTORY_READ_MAX: u32 = 1_000;
/// How many notifications of one alert are shown, the newest.
const TOLD_SHOWN_MAX: usize = 100;
/// How many stations beside are shown.
const NEIGHBOURS_SHOWN_MAX: usize = 8;
/// How many invalidations and silences are shown.
const SAID_SHOWN_MAX: usize = 20;

/// One alert, as the page tells of it.
struct Told<'a> {
    looked: &'a Looked<'a>,
    /// What was told of it last.
    body: Value,
    last: &'a AlertHeld,
    open: Option<Open<'a>>,
    datastream: Option<&'a Datastream>,
    station: Option<&'a Station>,
    zone: &'a TimeZone,
    since: Timestamp,
}

impl Looked<'_> {
    /// Gives all there is of one alert; nothing where the journal has none of this number.
    pub(super) fn whole(&self, reader: &Reader, id: u64) -> Result<Option<WholeView>, Error> {
        let changes = reader.changes_of_alert(id)?;
        let Some(last) = changes.last() else { return Ok(None) };
        let (registry, now) = (self.registry(), self.now());
        let open = open::one((registry, &self.view.desk), now, AlertId(id));
        let body: Value = serde_json::from_str(&last.json).unwrap_or_default();
        let (datastream, station) = self.subject(last, &body, open.as_ref());
        let zone = station.map_or(&self.head.home, |station| &station.zone);
        let since = Timestamp::of_text_or_offset(annotation(&body, "since"), zone);
        let since = open.as_ref().map(|one| one.standing.event.since).or(since);
        let since = since.unwrap_or(last.at);
        let told = Told { looked: self, body, last, open, datastream, station, zone, since };
        let acts = reader.alert_acts(Some(id), (None, None), HISTORY_READ_MAX)?;
        let all = open::happened(&changes, &acts);
        let more = all.len().saturating_sub(HISTORY_SHOWN_MAX);
        let clock = |at| told.clock(at);
        let history = all.iter().skip(more).map(|one| happened(one, &clock)).collect();
        let mut channels = reader.told_of_alert(id)?;
        let cut = channels.len().saturating_sub(TOLD_SHOWN_MAX);
        let channels = channels.drain(cut..).map(|one| told.channel(&one)).collect();
        Ok(Some(told.view((history, more), channels)))
    }

    /// Finds whose values it is about, and where it is.
    fn subject(
        &self,
        last: &AlertHeld,
        body: &Value,
        open: Option<&Open<'_>>,
    ) -> (Option<&Datastream>, Option<&Station>) {
        let registry = self.registry();
        let numbered = |kind: &str| last.subject.strip_prefix(kind)?.trim().parse().ok();
        let event = open.map(|one| &one.standing.event);
        let doubted = event.and_then(|event| event.cause).map(|cause| cause.datastream);
        let own = numbered("datastream").map(DatastreamId);
        let datastream = own.or(doubted).and_then(|id| registry.datastream(id));
        let station = datastream.map(|one| one.station).or(numbered("station").map(StationId));
        let named = body.pointer("/commonLabels/station").and_then(Value::as_str);
        let called = |name: &str| registry.stations.iter().find(|one| *one.name == *name);
        let station = station.and_then(|id| registry.station(id)).or(named.and_then(called));
        (datastream, station)
    }
}

impl Told<'_> {
    fn clock(&self, at: Timestamp) -> String {
        self.looked.clock_at(at, self.zone)
    }

    /// Gives when it was over, and the time of now while it fires.
    fn end(&self) -> Timestamp {
        if self.open.is_some() { self.looked.now() } else { self.last.at }
    }

    fn said(&self, key: &str) -> &str {
        annotation(&self.body, key)
    }

    fn label(&self, key: &str) -> &str {
        let held = self.body.pointer("/commonLabels").and_then(|held| held.get(key));
        held.and_then(Value::as_str).unwrap_or_default()
    }

    fn state(&self) -> Option<&StreamState> {
        let stream = self.datastream?;
        let station = self.looked.view.stations.get(stream.station.index())?.as_ref()?;
        station.streams.get(usize::from(stream.slot))
    }

    fn view(
        &self,
        (history, history_more): (Vec<HappenedView>, usize),
        told: Vec<ToldView>,
    ) -> WholeView {
        let (registry, now) = (self.looked.registry(), self.looked.now());
        let standing = self.open.as_ref().map(|one| one.standing);
        let acknowledged = standing.is_some_and(|one| one.acknowledged.is_some());
        let shelved = standing.and_then(|one| one.shelved_until).is_some_and(|until| now < until);
        let severity = match &self.open {
            Some(one) => one.severity.word(),
            None => self.said("severity"),
        };
        let (tested, tests) = self.tests().unwrap_or_default();
        let lasting = match &self.open {
            Some(_) => lasts(now.since(self.since)),
            None => Text::default(),
        };
        WholeView {
            id: self.last.alert,
            at: self.clock(now),
            zone: offset(self.zone, now),
            fires: self.open.is_some(),
            severity: severity.to_owned(),
            route: self.label("route").to_owned(),
            sentence: match &self.open {
                Some(one) => sentence(registry, &one.standing.event, self.looked.head),
                None => both(&self.body, "summary"),
            },
            advice: both(&self.body, "advice"),
            state: match &self.open {
                Some(one) => open::state(registry, one, &|at| self.clock(at)),
                None => {
                    let Text { en, zh } = changed(&self.last.change);
                    let at = self.clock(self.last.at);
                    Text::new(format!("{en} {at}"), format!("{zh} {at}"))
                }
            },
            waits: self.open.as_ref().is_some_and(|one| one.held.is_none()) && !acknowledged,
            lasts: lasting,
            undoable: acknowledged || shelved,
            facts: self.facts(),
            spark: self.spark(),
            neighbours: self.neighbours(),
            tests,
            tested,
            told,
            history,
            history_more,
            silences: self.silences(),
            invalidations: self.invalidations(),
            of: self.of(),
            people: contacts(self.looked.head),
        }
    }

    fn of(&self) -> OfView {
        let property = self.datastream.and_then(|of| self.looked.registry().property(of.property));
        let words = |one: &Station| Text::new(&*one.name_en, &*one.name_zh);
        OfView {
            station: self.station.map_or(String::new(), |one| one.name.to_string()),
            station_words: self.station.map(words).unwrap_or_default(),
            place: self.label("place").to_owned(),
            property: property.map_or(String::new(), |one| one.name.to_string()),
            position: self.datastream.map_or(String::new(), |one| one.position.to_string()),
            rule: self.label("alertname").to_owned(),
            from: self.since.rfc3339(self.zone),
            values: self.datastream.is_some() && self.station.is_some(),
        }
    }

    fn facts(&self) -> Vec<FactView> {
        let mut facts = Facts(Vec::new());
        self.value_facts(&mut facts);
        self.limit_facts(&mut facts);
        let named = |key: &str| Text::same(self.said(key));
        facts.add(("value before", "前值"), self.before());
        facts.add(("at present", "现值"), self.present());
        facts.add(("since", "起始"), Text::same(self.clock(self.since)));
        let reasons = self.said("reasons").split_whitespace().filter_map(period_named);
        facts.add(("by which values", "依据"), joined(reasons.map(words::period)));
        if let Some(test) = Test::ALL.into_iter().find(|one| one.name() == self.said("cause")) {
            facts.add(("found by the test", "质控检验"), threshold::name(test));
        }
        if self.said("unconfirmed") == "true" {
            let words = Text::new("unconfirmed: a suspect value says so", "待核实：数值可疑");
            facts.add(("certainty", "可靠性"), words);
        }
        for (key, en, zh) in [
            ("condition", "of weir", "weir 自身"),
            ("gateway", "gateway", "网关"),
            ("network", "network", "网络"),
            ("index", "index", "指数"),
            ("set", "set of stations", "点位组"),
        ] {
            facts.add((en, zh), Text::same(self.label(key)));
        }
        if let Some(Subject::Device(_) | Subject::Network(_)) = self.line() {
            facts.add(("behind it", "其下"), self.behind());
        }
        facts.add(("ends", "到期"), self.time("until"));
        facts.add(("belongs to", "运维单位"), named("operator"));
        facts.add(("to be called", "联系人"), named("contact"));
        let rule = self.label("alertname");
        let route = Route::from_word(self.label("route"));
        let route_en = route.map_or(String::new(), |one| format!(" (route {})", one.word()));
        let route_zh = route.map_or(String::new(), |one| format!("（{}）", one.word_zh()));
        let rule = Text::new(format!("{rule}{route_en}"), format!("{rule}{route_zh}"));
        facts.add(("rule", "规则"), rule);
        facts.0
    }

    /// Gives a time that was told, in the form of the page; nothing where there is none.
    fn time(&self, key: &str) -> Text {
        let at = Timestamp::of_text_or_offset(self.said(key), self.zone);
        Text::same(at.map_or(String::new(), |at| self.clock(at)))
    }

    /// Gives the newest value, while the alert fires: it may be well again for a while before the
    /// alert ends.
    fn present(&self) -> Text {
        let (Some(station), Some(stream), Some(_)) = (self.station, self.datastream, &self.open)
        else {
            return Text::default();
        };
        let value =
            self.state().and_then(|held| value_view(self.looked.view, station, stream, held));
        let Some(ValueView { value, unit, verdict, .. }) = value else { return Text::default() };
        let at = self.state().and_then(|held| held.newest);
        let when = at.map_or(String::new(), |newest| self.clock(newest.time));
        let verdict = match verdict.en.is_empty() {
            true => Text::default(),
            false => Text::new(format!(" – {}", verdict.en), format!(" – {}", verdict.zh)),
        };
        let amount = format!("{value} {unit}");
        let amount = amount.trim_end();
        Text::new(
            format!("{amount}{}, {when}", verdict.en),
            format!("{amount}{}，{when}", verdict.zh),
        )
    }

    fn line(&self) -> Option<Subject> {
        self.open.as_ref().map(|one| one.standing.event.subject)
    }

    /// Says how much speaks by way of a gateway or network.
    fn behind(&self) -> Text {
        let Some(line) = self.line() else { return Text::default() };
        let behind = self.looked.registry().behind(line, self.looked.now());
        let (mut devices, mut stations) = (0, std::collections::BTreeSet::new());
        for (_, assignment) in behind {
            devices += 1;
            stations.insert(assignment.station);
        }
        let stations = stations.len();
        Text::new(
            format!("{devices} devices of {stations} stations"),
            format!("{stations} 个站点的 {devices} 台设备"),
        )
    }

    /// Says the value, what it is and of when.
    fn value_facts(&self, facts: &mut Facts) {
        let value = self.said("value");
        if value.is_empty() {
            return;
        }
        let period = period_named(self.said("period")).unwrap_or_default();
        let start = Timestamp::of_text_or_offset(self.said("value_from"), self.zone);
        let end = Timestamp::of_text_or_offset(self.said("value_to"), self.zone);
        let when = match (start, end) {
            (Some(start), Some(end)) if start < end => {
                format!("{} – {}", self.clock(start), self.clock(end))
            }
            (Some(start), _) => self.clock(start),
            (None, _) => String::new(),
        };
        let what = self.what(period, start);
        let over = !self.said("multiple").is_empty();
        let words = Text::new(
            format!("{value} – {}, {when}", what.en),
            format!("{value} – {}，{when}", what.zh),
        );
        facts.0.push(FactView { name: Text::new("value", "数值"), words, over });
        let class = WaterClass::WITH_LIMITS.into_iter().chain([WaterClass::WorseThanV]);
        let class = class.into_iter().find(|one| one.name() == self.said("class"));
        facts.add(("its own class", "单项类别"), class.map(words::class).unwrap_or_default());
        let target = self.station.map_or("", |station| &*station.target_class);
        facts.add(("target of the station", "目标类别"), words::target(target));
    }

    /// Says what a value is, and of an average how complete it is.
    fn what(&self, period: Period, start: Option<Timestamp>) -> Text {
        if period == Period::Native {
            return self.datastream.map_or_else(Text::default, single);
        }
        let Text { en, zh } = words::period(period);
        let kept = self.state().zip(start).and_then(|(held, start)| match period {
            Period::Hour => held.hours.at(start),
            Period::Day => held.days.at(start),
            Period::Native
            | Period::EightHours
            | Period::DayMaxEightHours
            | Period::Month
            | Period::Quarter
            | Period::Year => None,
        });
        let Some(kept) = kept else {
            return Text::new(format!("mean of the {en}"), format!("{zh}均值"));
        };
        let hourly = self.datastream.and_then(|one| one.hour_mean);
        let expected = hourly.filter(|_| period == Period::Hour).map(|one| one.expected);
        let (of_en, of_zh) = expected.map_or((String::new(), String::new()), |expected| {
            (format!(" of {expected}"), format!("，应有 {expected}"))
        });
        let valid = kept.valid;
        Text::new(
            format!("mean of the {en} of {valid}{of_en} values"),
            format!("{zh}均值（有效 {valid}{of_zh}）"),
        )
    }

    fn before(&self) -> Text {
        let (value, at) = (self.said("before"), self.time("before_from"));
        if value.is_empty() { Text::default() } else { Text::same(format!("{value}, {}", at.en)) }
    }

    /// Says the limit, where it stands and since when, and how far over it the value is.
    fn limit_facts(&self, facts: &mut Facts) {
        let bound = self.said("limit");
        if bound.is_empty() {
            return;
        }
        let clause = self.said("clause");
        let limit = self.limit();
        let side = limit.map_or(Text::default(), |one| match one.bound {
            Bound::Max(_) => Text::new("at most ", "不大于 "),
            Bound::Min(_) => Text::new("at least ", "不小于 "),
            Bound::Range { .. } => Text::new("from ", ""),
        });
        let class = limit.filter(|one| !one.class.is_empty());
        let class = class.map_or(String::new(), |one| format!(" {}", one.class));
        let force = limit.map_or(Text::default(), |one| self.in_force(one.in_force));
        facts.add(
            ("limit", "限值"),
            Text::new(
                format!("{}{bound}, {clause}{class}{}", side.en, force.en),
                format!("{}{bound}，{}{class}{}", side.zh, clause_zh(clause), force.zh),
            ),
        );
        let (multiple, share) = (self.said("multiple"), self.said("share"));
        if !multiple.is_empty() {
            let words = Text::new(format!("{multiple} times over"), format!("超标 {multiple} 倍"));
            facts.0.push(FactView { name: Text::new("how far", "程度"), words, over: true });
        } else if !share.is_empty() {
            let words = Text::new(format!("{share} of the limit"), format!("占标率 {share}"));
            facts.add(("how far", "程度"), words);
        }
    }

    /// Finds the limit: of an alert that ended, the one that held then and stands where it was
    /// told.
    fn limit(&self) -> Option<&Limit> {
        let registry = self.looked.registry();
        if let Some(one) = &self.open {
            return registry.limit(one.standing.event.limit?);
        }
        let ids = self.datastream?.limits.iter();
        let mut held = ids.filter_map(|id| registry.limit(*id));
        let told = self.said("clause");
        held.find(|one| {
            one.in_force.holds(self.since)
                && format!("{} {}", one.instrument, one.clause).trim_end() == told
        })
    }

    /// Says from when to when a limit is in force.
    fn in_force(&self, validity: Validity) -> Text {
        let date =
            |at: Timestamp| at.rfc3339(self.zone).split('T').next().unwrap_or_default().to_owned();
        match (validity.from.map(date), validity.to.map(date)) {
            (None, None) => Text::default(),
            (Some(from), None) => {
                Text::new(format!(", in force since {from}"), format!("，自 {from} 起施行"))
            }
            (None, Some(to)) => {
                Text::new(format!(", in force until {to}"), format!("，至 {to} 止"))
            }
            (Some(from), Some(to)) => {
                Text::new(format!(", in force {from} to {to}"), format!("，{from} 至 {to} 施行"))
            }
        }
    }

    fn amount(&self, datastream: &Datastream, value: f64) -> String {
        let registry = self.looked.registry();
        let property = registry.property(datastream.property);
        let decimals = property.map_or(2, |one| usize::from(one.decimals));
        let unit = property.map_or("", |one| registry.unit_label(one));
        format!("{value:.decimals$} {unit}").trim_end().to_owned()
    }

    fn spark(&self) -> Option<SparkView> {
        let (datastream, held) = (self.datastream?, self.state()?);
        let span = spark::span(datastream, self.since, self.end());
        let entries = held.history.between(span.0, span.1);
        let limits: Vec<&Limit> = self.limit().into_iter().collect();
        let drawn = spark::Drawn {
            datastream,
            entries: &entries,
            limits: &limits,
            span,
            since: self.since,
        };
        let amount = |value| self.amount(datastream, value);
        spark::spark(&drawn, &amount, &|at| self.clock(at))
    }

    /// Gives what stations upstream and downstream show of the same property; where the water has
    /// no way, those of the same place.
    fn neighbours(&self) -> Vec<NeighbourView> {
        let (Some(datastream), Some(station)) = (self.datastream, self.station) else {
            return Vec::new();
        };
        let registry = self.looked.registry();
        let way = |ends: (StationId, StationId)| match ends {
            (upstream, downstream) if downstream == station.id => {
                Some((upstream, Text::new("upstream", "上游")))
            }
            (upstream, downstream) if upstream == station.id => {
                Some((downstream, Text::new("downstream", "下游")))
            }
            _ => None,
        };
        let reaches = registry.reaches.iter();
        let mut beside: Vec<(StationId, Text)> =
            reaches.filter_map(|one| way((one.upstream, one.downstream))).collect();
        if beside.is_empty() {
            let place = registry.stations.iter().filter(|one| one.place == station.place);
            let others = place.filter(|one| one.id != station.id);
            beside = others.map(|one| (one.id, Text::new("same place", "同一地点"))).collect();
        }
        let shown = beside.into_iter().filter_map(|(id, way)| {
            let there = registry.station(id)?;
            let ids = there.datastreams.iter().filter_map(|id| registry.datastream(*id));
            let mut same = ids.filter(|one| one.property == datastream.property && one.official);
            let stream = same.next()?;
            let held = self.looked.view.stations.get(id.index()).and_then(Option::as_ref);
            let held = held.and_then(|held| held.streams.get(usize::from(stream.slot)));
            let value = held.and_then(|held| value_view(self.looked.view, there, stream, held));
            Some(NeighbourView {
                way,
                station: there.name.to_string(),
                words: Text::new(&*there.name_en, &*there.name_zh),
                value,
            })
        });
        shown.take(NEIGHBOURS_SHOWN_MAX).collect()
    }

    /// Gives the tests that ran on the value that did it, or on the newest, and of when it is.
    fn tests(&self) -> Option<(String, Vec<TestView>)> {
        let (datastream, held) = (self.datastream?, self.state()?);
        let view = self.looked.view;
        let registry = &view.registry;
        let own = self.said("period") == Period::Native.word();
        let own = own.then(|| Timestamp::of_text_or_offset(self.said("value_from"), self.zone));
        let own =
            own.flatten().and_then(|at| held.history.at_or_before(at).filter(|one| one.time == at));
        let at = own.or_else(|| held.history.newest())?.time;
        let state =
            State { registry, stations: &view.stations, invalidations: &view.invalidations };
        let unit = registry.property(datastream.property);
        let unit = unit.map_or("", |property| registry.unit_label(property));
        let tests = explain(state, datastream.id, at)?.tests;
        let asked = tests.iter().filter(|one| one.sight != Sight::NotAsked);
        Some((self.clock(at), tested::rows(datastream, asked, unit)))
    }

    fn silences(&self) -> Vec<crate::http::view::alerts::SilenceView> {
        let Some(one) = &self.open else { return Vec::new() };
        let (looked, event) = (self.looked, &one.standing.event);
        let at = (looked.registry(), &*looked.view.desk);
        let covering = open::covering(at, looked.now(), event).take(SAID_SHOWN_MAX);
        covering.map(|(id, silence)| looked.silence(id, silence)).collect()
    }

    /// Gives what stands about the values since it began.
    fn invalidations(&self) -> Vec<InvalidationView> {
        let Some(datastream) = self.datastream else { return Vec::new() };
        let view = self.looked.view;
        let (since, end) = (self.since, self.end().plus(1));
        let standing = view.invalidations.iter().filter(|one| {
            one.revoked.is_none() && one.scope.covers(datastream) && one.touches(since, end)
        });
        let shown = standing.take(SAID_SHOWN_MAX).map(|one| InvalidationView {
            id: one.id,
            span: format!("{} – {}", self.clock(one.from), self.clock(one.to)),
            suspect: one.flag == crate::domain::quality::Flag::Suspect,
            person: one.said.person.clone(),
            reason: said::reason(&view.registry, one),
        });
        shown.collect()
    }

    fn channel(&self, one: &ToldHeld) -> ToldView {
        let (came, attempts) = (one.confirmed_at.map(|at| self.clock(at)), one.attempts);
        let confirmed = came.is_some();
        let came = match came {
            Some(at) => Text::new(format!("has it since {at}"), format!("{at} 已送达")),
            None => Text::new(
                format!("not delivered yet, {attempts} attempts"),
                format!("尚未送达，已尝试 {attempts} 次"),
            ),
        };
        let (channel, answer) = (one.channel.clone(), one.words.clone());
        ToldView { at: self.clock(one.at), channel, came, answer, confirmed }
    }
}

/// Facts of which those without words are left out.
struct Facts(Vec<FactView>);

impl Facts {
    fn add(&mut self, (en, zh): (&str, &str), words: Text) {
        if !words.en.is_empty() {
            self.0.push(FactView { name: Text::new(en, zh), words, over: false });
        }
    }
}

fn joined(all: impl Iterator<Item = Text>) -> Text {
    let (en, zh): (Vec<String>, Vec<String>) = all.map(|one| (one.en, one.zh)).unzip();
    Text::new(en.join(", "), zh.join("、"))
}

fn period_named(word: &str) -> Option<Period> {
    std::iter::once(Period::Native).chain(Period::AVERAGED).find(|one| one.word() == word)
}

/// Says what a datastream's own value is.
fn single(datastream: &Datastream) -> Text {
    let (en, zh) = match (datastream.sampling, datastream.statistic) {
        (Sampling::Sampled { .. }, _) | (_, Statistic::Sample) => ("sample", "样品"),
        (_, Statistic::Instant) => ("single value", "瞬时值"),
        (_, Statistic::Mean) => ("mean that the device states", "设备均值"),
        (_, Statistic::Min) => ("least value that the device states", "设备最小值"),
        (_, Statistic::Max) => ("greatest value that the device states", "设备最大值"),
        (_, Statistic::Total) => ("total", "累计值"),
    };
    Text::new(en, zh)
}

/// Says for how long something lasts, in one unit, to the minute.
fn lasts(ms: i64) -> Text {
    let units = [(DAY, "d", "天"), (HOUR, "h", "小时"), (MINUTE, "min", "分钟")];
    let fits = units.into_iter().find(|(unit, ..)| ms >= 2 * unit);
    match fits {
        Some((unit, en, zh)) => {
            Text::new(format!("for {} {en}", ms / unit), format!("已持续 {} {zh}", ms / unit))
        }
        None => Text::new("for less than 2 min", "不到 2 分钟"),
    }
}
