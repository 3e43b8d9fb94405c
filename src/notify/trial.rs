//! A notice that is a test: of no alert, but in the shape of one.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::domain::time::Timestamp;

/// Writes a test for a channel: its id and its body.
#[must_use]
pub fn trial(channel: &str, now: Timestamp, home: &TimeZone) -> (String, Value) {
    let labels = json!({
        "alertname": "weir-test", "severity": "notice", "kind": "test", "route": "weir",
    });
    let at = now.rfc3339(home);
    let annotations = json!({
        "summary_en": format!("weir: this is a test of the channel {channel}; nothing happened"),
        "summary_zh": format!("weir：这是通知渠道{channel}的测试消息，并无异常"),
        "advice_en": "Nothing is to be done.",
        "advice_zh": "无需处理。",
        "value": "", "limit": "", "clause": "", "severity": "notice", "since": at,
        "state": "firing", "unconfirmed": "", "operator": "", "contact": "",
    });
    let fingerprint = "0000000000000000";
    let body = json!({
        "version": "4",
        "groupKey": "weir/test",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "weir",
        "groupLabels": { "alertname": "weir-test" },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "route": "weir",
        "cause": Value::Null,
        "notice": { "kind": "test", "step": 0 },
        "alerts": [{
            "status": "firing",
            "labels": labels,
            "annotations": annotations,
            "startsAt": at,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": fingerprint,
        }],
    });
    (format!("test-{}", now.millis()), body)
}
