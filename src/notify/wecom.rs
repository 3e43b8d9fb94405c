//! A robot of WeCom (企业微信), as developer.work.weixin.qq.com documents robots of groups (path
//! 91770): Markdown; who has the address may send.

use serde_json::{Value, json};

use super::robot::{Meaning, Message};

/// How many messages a minute a robot takes.
pub(super) const PER_MINUTE: u32 = 20;
/// The longest text, bytes: 4,096 may be sent, and who is called takes some.
pub(super) const TEXT_BYTES_MAX: usize = 3_600;
/// The longest list of who is called, bytes.
const CALLED_BYTES_MAX: usize = 400;
/// How long to wait where it was sent to too often, s.
const SILENT_S: u64 = 60;

/// Writes a message.
pub(super) fn json(message: &Message<'_>) -> Value {
    let mut called = String::new();
    for user in message.mention {
        let one = format!("<@{user}>");
        if called.len() + one.len() <= CALLED_BYTES_MAX {
            called.push_str(&one);
        }
    }
    let called = if called.is_empty() { called } else { format!("\n\n{called}") };
    let content = format!("{}{called}", message.text);
    json!({ "msgtype": "markdown", "markdown": { "content": content } })
}

/// Says what a code means.
pub(super) fn meaning(code: i64) -> Meaning {
    match code {
        0 => Meaning::Taken,
        -1 => Meaning::Busy,
        // Of the interface, and of this caller.
        45_009 | 45_033 => Meaning::TooOften(SILENT_S),
        _ => Meaning::Refused,
    }
}
