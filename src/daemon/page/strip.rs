//! The head of every page: whether weir itself is well.

use std::sync::atomic::Ordering;

use crate::daemon::deliver::SINK;
use crate::daemon::page::now::SHIFT_MS;
use crate::daemon::page::times::{east_min, offset};
use crate::daemon::page::{Observer, letters};
use crate::http::view::Text;
use crate::http::view::strip::{PartState, StripView};

/// The page that says more of weir itself.
const WEIR: &str = "/weir";

/// From how many points on that wait, a database is said to be behind: some seconds of a large
/// installation.
const BEHIND: u64 = 100_000;

impl Observer {
    /// Gives the head of a page.
    #[must_use]
    pub(super) fn strip(&self) -> StripView {
        let view = self.status.view.load_full();
        let now = view.as_ref().map(|view| view.at.wall);
        let alerts = view.map_or(0, |view| {
            let told = |id| view.desk.held(&view.registry, id, view.at.wall).is_none();
            view.desk.standing().filter(|(id, one)| one.fires() && told(*id)).count()
        });
        let brokers = self.status.brokers();
        let away = brokers.iter().filter(|broker| broker.fault.is_some()).count();
        let (of, connected) = (brokers.len(), brokers.len() - away);
        let words =
            Text::new(format!("brokers {connected} of {of}"), format!("消息代理 {connected}/{of}"));
        let mut parts = vec![PartState { words, well: of > 0 && away == 0, address: WEIR }];
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
            parts.push(PartState { words, well, address: WEIR });
        }
        let since = now.map(|now| now.plus(-SHIFT_MS));
        let letters = since.and_then(|since| letters::counted_since(&reader, since).ok());
        parts.extend(letters.and_then(|(count, more)| broken(count, more)));
        if self.status.full.load().is_some() || self.status.stopping.load(Ordering::Acquire) {
            let words = Text::new("nothing is acknowledged", "未确认任何消息");
            parts.push(PartState { words, well: false, address: WEIR });
        }
        let (zone, east_min) = now.map_or_else(Default::default, |now| {
            (offset(&self.home, now), east_min(&self.home, now))
        });
        StripView { alerts, zone, east_min, parts }
    }
}

/// Says how many messages were turned away within a shift; nothing where none was. Older ones are
/// on the page of weir, where nobody is hurried by them.
fn broken(count: usize, more: bool) -> Option<PartState> {
    let (en, zh) = match (count, more) {
        (0, false) => return None,
        (_, false) => (count.to_string(), count.to_string()),
        (_, true) => (format!("more than {count}"), format!("{count} 条以上")),
    };
    let words = Text::new(format!("broken messages in 8 h: {en}"), format!("8小时内异常报文 {zh}"));
    Some(PartState { words, well: false, address: "/handover#letters" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_counts_the_broken_messages_of_a_shift() {
        assert_eq!(broken(0, false), None);
        let three = broken(3, false).unwrap();
        assert_eq!((&*three.words.en, three.well), ("broken messages in 8 h: 3", false));
        assert_eq!((&*three.words.zh, three.address), ("8小时内异常报文 3", "/handover#letters"));
        assert_eq!(&*broken(100, true).unwrap().words.zh, "8小时内异常报文 100 条以上");
    }
}
