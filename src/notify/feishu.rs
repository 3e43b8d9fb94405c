//! A robot of Feishu (飞书) or Lark, as open.feishu.cn documents custom robots: a card, with time
//! and signature in its body.

use serde_json::{Value, json};

use super::dingtalk::proof;
use super::robot::{Meaning, Message};
use crate::domain::time::Timestamp;

/// How many messages a minute a robot takes.
pub(super) const PER_MINUTE: u32 = 100;
/// How many a second.
pub(super) const PER_SECOND: u32 = 5;
/// The longest text, bytes: a whole request may have 20 KB.
pub(super) const TEXT_BYTES_MAX: usize = 12_000;
/// How long to wait where it was sent to too often, s.
const SILENT_S: u64 = 60;

/// Writes a card, of the colour of what it says; signed by an empty text under time, s, line feed
/// and secret as the key.
pub(super) fn json(message: &Message<'_>, secret: Option<&str>, now: Timestamp) -> Value {
    let called: String = message.mention.iter().map(|id| format!("<at id={id}></at>")).collect();
    let called = if called.is_empty() { called } else { format!("\n\n{called}") };
    let mut json = json!({
        "msg_type": "interactive",
        "card": {
            "config": { "wide_screen_mode": true },
            "header": {
                "title": { "tag": "plain_text", "content": message.title },
                "template": colour(message),
            },
            "elements": [
                { "tag": "markdown", "content": format!("{}{called}", message.text) },
            ],
        },
    });
    if let (Some(secret), Some(object)) = (secret, json.as_object_mut()) {
        let time = now.millis().div_euclid(1_000).to_string();
        let sign = proof(&format!("{time}\n{secret}"), "");
        object.insert("timestamp".to_owned(), time.into());
        object.insert("sign".to_owned(), sign.into());
    }
    json
}

fn colour(message: &Message<'_>) -> &'static str {
    match (message.alarms, message.over, message.severity) {
        (false, _, _) => "blue",
        (true, true, _) => "green",
        (true, false, "critical") => "red",
        (true, false, "notice") => "yellow",
        (true, false, _) => "orange",
    }
}

/// Says what a code means.
pub(super) fn meaning(code: i64) -> Meaning {
    match code {
        0 => Meaning::Taken,
        // The second is of the house as a whole.
        11_232 | 99_991_400 => Meaning::TooOften(SILENT_S),
        _ => Meaning::Refused,
    }
}
