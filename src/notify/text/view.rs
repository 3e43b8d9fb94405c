//! What of a notification is put in words, in one language, so that templates need not look for it.

use serde_json::{Value, json};

use super::Context;
use crate::notify::config::Language;
use crate::notify::sentence::clause_zh;

/// Gives all of a notification, and beside it what is in words: `headline`, `kind` and `severity`
/// of the notice, `told` (the first alerts, each with `summary`, `value`, `limit`, `clause`,
/// `since`, `ended`, `level`, `unconfirmed`, `advice`, `owner`, `link`), `single` and `more`.
pub(super) fn view(id: &str, body: &Value, language: Language, shown: usize) -> Context {
    let mut view = body.as_object().cloned().unwrap_or_default();
    let alerts = body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told: Vec<Value> = alerts.iter().take(shown).map(|one| alert(one, language)).collect();
    let unlisted = body["truncatedAlerts"].as_u64().unwrap_or(0);
    let more = (alerts.len() - told.len()) as u64 + unlisted;
    let words = json!({
        "id": id,
        "language": language.word(),
        "headline": headline(body, language),
        "tag": tag(body, language),
        "kind": kind(body),
        "severity": worst(body),
        "single": alerts.len() == 1 && more == 0,
        "told": told,
        "more": more,
    });
    view.extend(words.as_object().cloned().unwrap_or_default());
    view
}

/// Gives the sentence that stands for the whole notice.
pub(super) fn headline(body: &Value, language: Language) -> String {
    let common = &body["commonAnnotations"];
    let summary = in_language(common, "summary", language);
    if !summary.is_empty() {
        return summary;
    }
    let summary = in_language(at(body, "/alerts/0/annotations"), "summary", language);
    let name = || line(at(body, "/commonLabels/alertname"));
    if summary.is_empty() { name() } else { summary }
}

/// Gives what a notice is in a word.
pub(super) fn tag(body: &Value, language: Language) -> &'static str {
    let over = body["status"] == "resolved";
    let [en, zh] = match (kind(body), worst(body)) {
        ("reminder", _) => ["still", "仍未解除"],
        ("escalation", _) => ["nobody has answered", "无人响应"],
        ("acknowledged", _) => ["taken on", "已受理"],
        ("morning", _) => ["morning report", "晨报"],
        ("test", _) => ["test", "测试"],
        _ if over => ["over", "解除"],
        (_, "critical") => ["critical", "严重告警"],
        (_, "notice") => ["notice", "提示"],
        _ => ["alert", "告警"],
    };
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

/// Gives what a notice is: one that does not say is about alerts.
pub(in crate::notify) fn kind(body: &Value) -> &str {
    at(body, "/notice/kind").as_str().filter(|kind| !kind.is_empty()).unwrap_or("alerts")
}

/// Gives the worst severity of the alerts of a notice.
pub(in crate::notify) fn worst(body: &Value) -> &'static str {
    let alerts = body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<&str> = alerts.iter().map(severity).collect();
    let worst = ["critical", "warning", "notice"].into_iter().find(|word| words.contains(word));
    worst.unwrap_or("warning")
}

/// Gives an alert's severity: it may rise, so an annotation goes before the label.
fn severity(alert: &Value) -> &str {
    let word = |path: &str| at(alert, path).as_str().filter(|word| !word.is_empty());
    word("/annotations/severity").or_else(|| word("/labels/severity")).unwrap_or_default()
}

/// Gives what stands at a JSON pointer.
pub(in crate::notify) fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn alert(alert: &Value, language: Language) -> Value {
    let annotations = &alert["annotations"];
    let over = alert["status"] == "resolved";
    let since = match line(&annotations["since"]) {
        since if since.is_empty() => line(&alert["startsAt"]),
        since => since,
    };
    let clause = line(&annotations["clause"]);
    let unconfirmed = line(&annotations["unconfirmed"]);
    json!({
        "summary": in_language(annotations, "summary", language),
        "advice": in_language(annotations, "advice", language),
        "value": line(&annotations["value"]),
        "limit": line(&annotations["limit"]),
        "clause": match language {
            Language::En => clause,
            Language::Zh => clause_zh(&clause).trim().to_owned(),
        },
        "since": minute(&since),
        "ended": if over { minute(&until(alert)) } else { String::new() },
        "level": level(severity(alert), language),
        "unconfirmed": !matches!(&*unconfirmed, "" | "false"),
        "owner": owner(annotations, language),
        "link": line(&alert["generatorURL"]),
    })
}

/// Gives the word of a severity.
fn level(severity: &str, language: Language) -> &str {
    match (severity, language) {
        ("critical", Language::Zh) => "严重",
        ("warning", Language::Zh) => "警告",
        ("notice", Language::Zh) => "提示",
        (severity, _) => severity,
    }
}

/// Gives whom the station belongs to, and who is called there.
fn owner(annotations: &Value, language: Language) -> String {
    let comma = match language {
        Language::En => ", ",
        Language::Zh => "，",
    };
    let both = [line(&annotations["operator"]), line(&annotations["contact"])];
    both.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(comma)
}

/// Gives a text in a language; where there is none, in the other.
fn in_language(annotations: &Value, key: &str, language: Language) -> String {
    let text = |language: Language| line(&annotations[format!("{key}_{}", language.word())]);
    let other = match language {
        Language::En => Language::Zh,
        Language::Zh => Language::En,
    };
    let first = text(language);
    if first.is_empty() { text(other) } else { first }
}

/// Gives a text in one line. What would begin a tag in a chat is a sign that looks the same.
fn line(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let tag = |next: &char| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '@');
        let begins = sign == '<' && signs.peek().is_some_and(tag);
        shown.push(if begins { '＜' } else { sign });
    }
    shown
}

/// Gives a time of RFC 3339 to the minute, as a clock on the wall shows it there.
/// Gives until when what an alert was about lasted: it ended later, as long as its rule keeps it.
fn until(alert: &Value) -> String {
    let well = alert.pointer("/annotations/well_since").map(line).unwrap_or_default();
    if well.is_empty() { line(&alert["endsAt"]) } else { well }
}

fn minute(time: &str) -> String {
    match (time.get(..10), time.get(11..16)) {
        (Some(day), Some(minute)) if !time.starts_with("0001-") => format!("{day} {minute}"),
        _ => String::new(),
    }
}
