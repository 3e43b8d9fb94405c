//! The first page: what is wrong, where, how bad, since when and who has it.

mod map;

pub(super) use self::map::{dot, unwell};

use crate::daemon::alerts::open::{self, Open};
use crate::daemon::page::alerts::sentence;
use crate::daemon::page::times::{clock, minute, offset};
use crate::daemon::page::{Observer, evaluated};
use crate::daemon::status::View;
use crate::domain::alert::{Route, Severity};
use crate::domain::registry::Registry;
use crate::domain::time::HOUR;
use crate::http::view::Text;
use crate::http::view::now::{NowView, OpenView};
use crate::notify::Letterhead;
use crate::pipeline::state::Standing;

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
        (page.at, page.zone) = (clock(now, &self.home, now), offset(&self.home, now));
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
    let mut open = open::firing((registry, &view.desk), now, |_| true);
    let firing = open.len();
    open.retain(|one| one.held.is_none());
    page.held = firing - open.len();
    for one in &open {
        *match one.severity {
            Severity::Critical => &mut page.critical,
            Severity::Warning => &mut page.warning,
            Severity::Notice => &mut page.notice,
        } += 1;
        page.instrument += usize::from(route(registry, one.standing) == Some(Route::Instrument));
        page.waiting += usize::from(one.standing.acknowledged.is_none());
    }
    let clock = |at| clock(at, &head.home, now);
    if let Some(changed) = open.iter().map(|one| one.standing.event.at).max() {
        page.changed = clock(changed);
        page.changed_s = (now.since(changed) / 1_000).max(0);
    }
    let shown = open.iter().take(OPEN_SHOWN_MAX);
    page.alerts = shown.map(|one| open_view(view, head, one)).collect();
    page.silences = view.desk.silences(now).count();
}

/// Gives an alert that fires in one sentence.
pub(super) fn open_view(view: &View, head: &Letterhead, one: &Open<'_>) -> OpenView {
    let (registry, now) = (&*view.registry, view.at.wall);
    let clock = |at| clock(at, &head.home, now);
    let (event, held) = (&one.standing.event, one.standing.acknowledged.as_ref());
    OpenView {
        id: one.id.0,
        severity: one.severity.word().to_owned(),
        route: route(registry, one.standing).map_or("", Route::word).to_owned(),
        sentence: sentence(registry, event, head),
        since: clock(event.since),
        age_s: (now.since(event.since) / 1_000).max(0),
        person: held.map_or_else(String::new, |by| by.person.clone()),
        until: held.and_then(|by| by.until).map_or_else(String::new, clock),
        unconfirmed: event.unconfirmed,
    }
}

fn route(registry: &Registry, standing: &Standing) -> Option<Route> {
    registry.rule(standing.event.rule).map(|rule| rule.route)
}
