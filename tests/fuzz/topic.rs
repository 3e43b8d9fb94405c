//! Patterns of topics: what weir asks the broker for is what it can read.

use weir::domain::name::{NetworkId, TopicId};
use weir::domain::registry::{Format, Level, Options, Pointers, TimeUnit, TopicRule};
use weir::mqtt::subscription::fits;

use super::Feed;

/// Says whether the first of two words ends in the other.
fn ends((word, end): (&str, &str)) -> bool {
    word.ends_with(end)
}

pub(crate) fn body(bytes: &[u8]) {
    let mut feed = Feed(bytes);
    let pattern = feed.text();
    let topic = String::from_utf8_lossy(feed.0).into_owned();
    let levels: Vec<Level> = pattern.split('/').map(Level::read).collect();
    let rule = TopicRule {
        id: TopicId(0),
        network: NetworkId(0),
        pattern: pattern.as_str().into(),
        levels,
        formats: vec![Format::Json],
        time_unit: TimeUnit::Milliseconds,
        pointers: Pointers::default(),
        options: Options::default(),
        marks: None,
    };
    let plain = |level: &Level| match level {
        Level::Literal(word) => !word.contains(['+', '#']),
        Level::Device | Level::Channel | Level::Place | Level::Kind | Level::Node => true,
    };
    let filter = rule.filter();
    let words = rule.read(&topic);
    if rule.levels.iter().all(plain) {
        assert_eq!(words.is_some(), fits(&filter, &topic), "{filter} {topic}");
    }
    if let Some(words) = words {
        assert_eq!(topic.split('/').count(), rule.levels.len());
        let at = |kind: &Level| rule.levels.iter().rposition(|level| level == kind);
        for (word, kind) in [(words.device, Level::Device), (words.channel, Level::Channel)] {
            let there = at(&kind).and_then(|place| topic.split('/').nth(place));
            // A node stands before the name of its device.
            let of_node = at(&Level::Node).is_some() && kind == Level::Device;
            let is_there = word == there || of_node && word.zip(there).is_some_and(ends);
            assert!(is_there, "{pattern} {topic}");
        }
    }
    // The topic that a pattern makes of plain words fits it, and one of a level more does not.
    let made: Vec<&str> = rule
        .levels
        .iter()
        .map(|level| match level {
            Level::Literal(word) => &**word,
            Level::Device | Level::Channel | Level::Place | Level::Kind | Level::Node => "word",
        })
        .collect();
    let made = made.join("/");
    assert!(rule.read(&made).is_some(), "{pattern} {made}");
    assert!(rule.read(&format!("{made}/more")).is_none(), "{pattern} {made}/more");
}
