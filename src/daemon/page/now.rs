//! The first page: what is wrong, where, how bad, since when and who has it.

mod map;

use std::cmp::Reverse;

use jiff::tz::TimeZone;

use crate::daemon::page::{Observer, evaluated};
use crate::daemon::status::View;
use crate::domain::alert::{AlertId, Route, Severity};
use crate::domain::registry::Registry;
use crate::domain::time::{HOUR, Timestamp};
use crate::http::view::Text;
use crate::http::view::now::{NowView, OpenView};
use crate::notify::{Letterhead, notification};
use crate::pipeline::state::{Standing, severity};

/// How many alerts the first page shows, those first that nobody looks after; all are counted.
const OPEN_SHOWN_MAX: usize = 20;
/// How long a shift lasts of which nobody said when it began.
pub(super) const SHIFT_MS: i64 = 8 * HOUR;

impl Observer {
    /// Gives the first page.
    #[must_use]
    pub(super) fn now(&self) -> NowView {
        let mut page = NowView { troubles: self.troubles(), ..NowView::default() };
        let Some(view) = self.status.view.load_full() else { return page };
        let now = view.at.wall;
        (page.at, page.zone) = (clock(now, &self.home), zone(now, &self.home));
        page.shift = minute(now.plus(-SHIFT_MS), &self.home);
        page.classes = evaluated::tally(&view);
        map::draw(&view, &mut page);
        open_alerts(&view, &self.config.letterhead(), &mut page);
        page
    }

    /// Tells what keeps weir from its work, and what goes on nevertheless.
    fn troubles(&self) -> Vec<Text> {
        let mut troubles = Vec::new();
        if let Some(full) = self.status.full.load().as_deref() {
            troubles.push(Text::new(
                format!("Nothing is acknowledged: the journal takes no more. {full}"),
                format!("未确认任何消息：日志无法写入。{full}"),
            ));
        }
        for file in self.status.set_aside.load().iter() {
            let file = file.display();
            troubles.push(Text::new(
                format!("The journal was damaged and set aside; move {file} to a safe place."),
                format!("本地日志已损坏并移至一旁，请将 {file} 转移到安全位置。"),
            ));
        }
        for broker in self.status.brokers() {
            let network = &broker.network;
            if let Some(fault) = &broker.fault {
                troubles.push(Text::new(
                    format!("Broker {network} is away: {fault}. Its stations keep what they can."),
                    format!("消息代理 {network} 断开：{fault}。站点会尽量保留数据。"),
                ));
            }
            for (filter, reason) in &broker.refused {
                troubles.push(Text::new(
                    format!("Broker {network} refuses `{filter}`: {reason}"),
                    format!("消息代理 {network} 拒绝 `{filter}`：{reason}"),
                ));
            }
        }
        if let Some(fault) = self.status.sink_fault.load().as_deref() {
            let sink = &self.sink;
            troubles.push(Text::new(
                format!(
                    "{sink} takes no points: {fault}. They wait in the journal; values, verdicts \
                     and alerts go on."
                ),
                format!("{sink} 不接收数据点：{fault}。数据点在日志中等待，评价与告警照常。"),
            ));
        }
        troubles
    }
}

/// Adds the alerts that fire: first those that nobody looks after, then the worst, then the oldest.
pub(super) fn open_alerts(view: &View, head: &Letterhead, page: &mut NowView) {
    let registry = &*view.registry;
    let now = view.at.wall;
    let mut open: Vec<(AlertId, &Standing, Severity)> = Vec::new();
    for (id, standing) in view.desk.standing().filter(|(_, one)| one.fires()) {
        if view.desk.held(registry, id, now).is_some() {
            page.held += 1;
            continue;
        }
        let severity = severity(registry, &standing.event);
        *match severity {
            Severity::Critical => &mut page.critical,
            Severity::Warning => &mut page.warning,
            Severity::Notice => &mut page.notice,
        } += 1;
        page.instrument += usize::from(route(registry, standing) == Some(Route::Instrument));
        page.waiting += usize::from(standing.acknowledged.is_none());
        open.push((id, standing, severity));
    }
    if let Some(changed) = open.iter().map(|(_, one, _)| one.event.at).max() {
        page.changed = clock(changed, &head.home);
        page.changed_s = (now.since(changed) / 1_000).max(0);
    }
    open.sort_by_key(|(_, one, severity)| {
        (one.acknowledged.is_some(), Reverse(*severity), one.event.since)
    });
    let shown = open.iter().take(OPEN_SHOWN_MAX);
    let shown = shown.map(|(id, one, severity)| {
        let told = notification(registry, &one.event, head).body;
        let text = |key: &str| {
            let text = told.pointer(&format!("/commonAnnotations/{key}"));
            text.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        };
        let held = one.acknowledged.as_ref();
        OpenView {
            id: id.0,
            severity: severity.word().to_owned(),
            route: route(registry, one).map_or("", Route::word).to_owned(),
            sentence: Text::new(text("summary_en"), text("summary_zh")),
            since: clock(one.event.since, &head.home),
            age_s: (now.since(one.event.since) / 1_000).max(0),
            person: held.map_or_else(String::new, |by| by.person.clone()),
            until: held
                .and_then(|by| by.until)
                .map_or_else(String::new, |at| clock(at, &head.home)),
            unconfirmed: one.event.unconfirmed,
        }
    });
    page.alerts = shown.collect();
}

fn route(registry: &Registry, standing: &Standing) -> Option<Route> {
    registry.rule(standing.event.rule).map(|rule| rule.route)
}

/// Writes month, day, hour and minute.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    let text = minute(at, zone);
    text.get(5..).map_or(String::new(), |text| text.replace('T', " "))
}

/// Writes a time to the minute, as a field for a date and time has it.
pub(super) fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.rfc3339(zone).chars().take(16).collect()
}

/// Writes the offset of a zone, such as `UTC+8`.
pub(super) fn zone(at: Timestamp, zone: &TimeZone) -> String {
    let text = at.rfc3339(zone);
    let Some(offset) = text.get(text.len().saturating_sub(6)..) else { return "UTC".to_owned() };
    match offset.strip_suffix(":00").unwrap_or(offset).split_at_checked(1) {
        Some((sign @ ("+" | "-"), hours)) if hours != "00" => {
            format!("UTC{sign}{}", hours.trim_start_matches('0'))
        }
        _ => "UTC".to_owned(),
    }
}
