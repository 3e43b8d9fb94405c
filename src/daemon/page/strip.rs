//! The head of every page: whether weir itself is well.

use std::sync::atomic::Ordering;

use crate::daemon::deliver::SINK;
use crate::daemon::page::Observer;
use crate::http::view::Text;
use crate::http::view::strip::{PartState, StripView};

/// From how many points on that wait, a database is said to be behind: some seconds of a large
/// installation.
const BEHIND: u64 = 100_000;

impl Observer {
    /// Gives the head of a page.
    #[must_use]
    pub(super) fn strip(&self) -> StripView {
        let view = self.status.view.load_full();
        let alerts = view.map_or(0, |view| {
            let told = |id| view.desk.held(&view.registry, id, view.at.wall).is_none();
            view.desk.standing().filter(|(id, one)| one.fires() && told(*id)).count()
        });
        let brokers = self.status.brokers();
        let away = brokers.iter().filter(|broker| broker.fault.is_some()).count();
        let (of, connected) = (brokers.len(), brokers.len() - away);
        let words =
            Text::new(format!("brokers {connected} of {of}"), format!("消息代理 {connected}/{of}"));
        let mut parts = vec![PartState { words, well: of > 0 && away == 0 }];
        let reader = self.reader();
        if let Some(cursor) = reader.cursor(SINK).ok().flatten() {
            let (name, waiting) = (&self.sink, cursor.waiting);
            let well = self.status.sink_fault.load().is_none() && waiting < BEHIND;
            let words = match well {
                true => Text::new(format!("{name} takes all"), format!("{name} 正常")),
                false => Text::new(
                    format!("{name}: {waiting} points wait"),
                    format!("{name}：{waiting} 点等待写入"),
                ),
            };
            parts.push(PartState { words, well });
        }
        let letters = reader.dead_letter_counts().unwrap_or_default();
        let letters: u64 = letters.iter().map(|one| one.total).sum();
        if letters > 0 {
            let words = Text::new(format!("dead letters {letters}"), format!("死信 {letters}"));
            parts.push(PartState { words, well: false });
        }
        if self.status.full.load().is_some() || self.status.stopping.load(Ordering::Acquire) {
            let words = Text::new("nothing is acknowledged", "未确认任何消息");
            parts.push(PartState { words, well: false });
        }
        StripView { alerts, parts }
    }
}
