//! A robot of DingTalk (钉钉), as open.dingtalk.com documents custom robots: Markdown, signed by
//! time and secret in the address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::Sha256;

use super::robot::{Meaning, Message};
use crate::domain::time::Timestamp;

/// How many messages a minute a robot takes; with more it is silent for ten minutes.
pub(super) const PER_MINUTE: u32 = 20;
/// The longest text, bytes: a whole message may have 20,000.
pub(super) const TEXT_BYTES_MAX: usize = 15_000;
/// How long a robot is silent that was sent to too often, s.
const SILENT_S: u64 = 600;

/// Writes a message.
pub(super) fn json(message: &Message<'_>) -> Value {
    let Message { title, text, mention, .. } = message;
    let all = mention.iter().any(|one| one == "all");
    let mobiles: Vec<&String> = mention.iter().filter(|one| *one != "all").collect();
    // Who is called must stand in the text, too.
    let called: String = mobiles.iter().map(|mobile| format!(" @{mobile}")).collect();
    let called = if called.is_empty() { called } else { format!("\n\n{}", called.trim_start()) };
    json!({
        "msgtype": "markdown",
        "markdown": { "title": title, "text": format!("{text}{called}") },
        "at": { "atMobiles": mobiles, "isAtAll": all },
    })
}

/// Gives the address with the time, ms, and what proves that the sender knows the secret: time, a
/// line feed and the secret by HMAC-SHA-256 under the secret, in base64.
pub(super) fn signed(url: &Url, secret: Option<&str>, now: Timestamp) -> Url {
    let mut url = url.clone();
    if let Some(secret) = secret {
        let time = now.millis().to_string();
        let sign = proof(secret, &format!("{time}\n{secret}"));
        url.query_pairs_mut().append_pair("timestamp", &time).append_pair("sign", &sign);
    }
    url
}

/// Gives the HMAC-SHA-256 of a text in base64.
pub(super) fn proof(key: &str, text: &str) -> String {
    // HMAC takes a key of any length (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Says what a code means.
pub(super) fn meaning(code: i64) -> Meaning {
    match code {
        0 => Meaning::Taken,
        -1 => Meaning::Busy,
        // 130101 is of robots, 410100 of the house as a whole.
        130_101 | 410_100 => Meaning::TooOften(SILENT_S),
        _ => Meaning::Refused,
    }
}
