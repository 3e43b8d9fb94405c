//! What texts read like, whole, in both languages.

use serde_json::json;

use super::*;

/// An alert as the desk tells of it.
fn alert(number: u32, status: &str, more: &Value) -> Value {
    let mut annotations = json!({
        "summary_en": format!("Puhe at Daoyi: ammonia nitrogen {number}.620 mg/L, over class IV"),
        "summary_zh": format!("蒲河道义：氨氮{number}.620 mg/L，超出Ⅳ类标准限值"),
        "advice_en": "Look for a discharge upstream, take a sample.",
        "advice_zh": "排查上游排口，取样复核。",
        "value": format!("{number}.620 mg/L"), "limit": "1.5 mg/L",
        "clause": "GB 3838-2002 table 1 item 7", "since": "2026-06-01T02:40:00+08:00",
        "state": status, "severity": "", "unconfirmed": "",
        "operator": "Shenyang Water Works", "contact": "138 0000 0000",
    });
    let entries = annotations.as_object_mut().unwrap();
    entries.extend(more.as_object().unwrap().clone());
    json!({
        "status": status, "annotations": annotations, "fingerprint": format!("{number:016x}"),
        "labels": { "alertname": "water-class", "severity": "warning", "station": "puhe-daoyi" },
        "startsAt": "2026-06-01T02:40:00+08:00", "endsAt": "2026-06-01T04:05:00+08:00",
        "generatorURL": format!("https://weir.example/alert/{number}"),
    })
}

fn notice(alerts: &[Value], headline: [&str; 2]) -> Value {
    let [en, zh] = headline;
    let status = alerts.first().map_or("firing", |alert| alert["status"].as_str().unwrap());
    json!({
        "version": "4", "status": status, "alerts": alerts, "truncatedAlerts": 0,
        "commonAnnotations": { "summary_en": en, "summary_zh": zh },
        "commonLabels": { "alertname": "water-class" },
        "notice": { "kind": "alerts", "step": 0 },
    })
}

fn one(status: &str, more: &Value) -> Value {
    let alert = alert(2, status, more);
    let summary = |key: &str| alert["annotations"][key].as_str().unwrap().to_owned();
    let (en, zh) = (summary("summary_en"), summary("summary_zh"));
    notice(&[alert], [&en, &zh])
}

fn texts(settings: &str) -> Texts {
    let text = format!("name='n'\nkind='command'\ncommand=['/bin/true']\n{settings}");
    Texts::new(&toml::from_str(&text).unwrap())
}

#[track_caller]
fn check(language: &str, form: Form, body: &Value, want: &str) {
    let text = texts(&format!("language='{language}'")).write("7", body, form, 16_000);
    assert_eq!(text, want);
}

#[test]
fn one_alert_is_a_sentence_and_what_to_know_for_it() {
    let body = one("firing", &json!({ "unconfirmed": "true" }));
    check(
        "zh",
        Form::Plain,
        &body,
        "【告警】蒲河道义：氨氮2.620 mg/L，超出Ⅳ类标准限值\n\
         数值：2.620 mg/L，限值：1.5 mg/L（GB 3838-2002表1第7项）\n\
         时间：自 2026-06-01 02:40 起\n\
         级别：警告（未经确认）\n\
         处置：排查上游排口，取样复核。\n\
         归属：Shenyang Water Works，138 0000 0000\n\
         详情：https://weir.example/alert/2",
    );
    check(
        "en",
        Form::Plain,
        &body,
        "[alert] Puhe at Daoyi: ammonia nitrogen 2.620 mg/L, over class IV\n\
         Value: 2.620 mg/L, limit: 1.5 mg/L (GB 3838-2002 table 1 item 7)\n\
         Time: since 2026-06-01 02:40\n\
         Severity: warning (unconfirmed)\n\
         What to do: Look for a discharge upstream, take a sample.\n\
         Belongs to: Shenyang Water Works, 138 0000 0000\n\
         More: https://weir.example/alert/2",
    );
}

#[test]
fn in_markdown_it_is_a_list() {
    let body = one("firing", &json!({ "severity": "critical", "operator": "", "contact": "" }));
    check(
        "zh",
        Form::Markdown,
        &body,
        "**【严重告警】蒲河道义：氨氮2.620 mg/L，超出Ⅳ类标准限值**\n\n\
         - 数值：**2.620 mg/L**，限值：1.5 mg/L（GB 3838-2002表1第7项）\n\
         - 时间：自 2026-06-01 02:40 起\n\
         - 级别：严重\n\
         - 处置：排查上游排口，取样复核。\n\
         - [查看详情](https://weir.example/alert/2)",
    );
    check(
        "en",
        Form::Card,
        &body,
        "- Value: **2.620 mg/L**, limit: 1.5 mg/L (GB 3838-2002 table 1 item 7)\n\
         - Time: since 2026-06-01 02:40\n\
         - Severity: critical\n\
         - What to do: Look for a discharge upstream, take a sample.\n\
         - [More](https://weir.example/alert/2)",
    );
}

#[test]
fn what_is_over_says_from_when_to_when_and_no_longer_what_to_do() {
    let body = one("resolved", &json!({ "value": "", "operator": "" }));
    check(
        "zh",
        Form::Plain,
        &body,
        "【解除】蒲河道义：氨氮2.620 mg/L，超出Ⅳ类标准限值\n\
         时间：2026-06-01 02:40 至 2026-06-01 04:05\n\
         级别：警告\n\
         归属：138 0000 0000\n\
         详情：https://weir.example/alert/2",
    );
    check(
        "en",
        Form::Markdown,
        &body,
        "**[over] Puhe at Daoyi: ammonia nitrogen 2.620 mg/L, over class IV**\n\n\
         - Time: 2026-06-01 02:40 to 2026-06-01 04:05\n\
         - Severity: warning\n\
         - Belongs to: 138 0000 0000\n\
         - [More](https://weir.example/alert/2)",
    );
}

#[test]
fn several_are_numbered_below_one_sentence_for_all() {
    let bare = json!({
        "advice_en": "", "advice_zh": "", "operator": "", "contact": "", "clause": "",
    });
    let mut alerts = vec![alert(2, "firing", &bare), alert(3, "firing", &bare)];
    alerts.iter_mut().for_each(|alert| alert["generatorURL"] = "".into());
    let mut body = notice(&alerts, ["Puhe: 52 alerts", "蒲河：52条告警"]);
    body["truncatedAlerts"] = 50.into();
    check(
        "zh",
        Form::Plain,
        &body,
        "【告警】蒲河：52条告警\n\n\
         1. 蒲河道义：氨氮2.620 mg/L，超出Ⅳ类标准限值\n\
         数值：2.620 mg/L，限值：1.5 mg/L\n\
         时间：自 2026-06-01 02:40 起\n\
         级别：警告\n\n\
         2. 蒲河道义：氨氮3.620 mg/L，超出Ⅳ类标准限值\n\
         数值：3.620 mg/L，限值：1.5 mg/L\n\
         时间：自 2026-06-01 02:40 起\n\
         级别：警告\n\n\
         另有 50 条告警未列出。",
    );
    check(
        "en",
        Form::Markdown,
        &body,
        "**[alert] Puhe: 52 alerts**\n\n\
         **1. Puhe at Daoyi: ammonia nitrogen 2.620 mg/L, over class IV**\n\
         - Value: **2.620 mg/L**, limit: 1.5 mg/L\n\
         - Time: since 2026-06-01 02:40\n\
         - Severity: warning\n\n\
         **2. Puhe at Daoyi: ammonia nitrogen 3.620 mg/L, over class IV**\n\
         - Value: **3.620 mg/L**, limit: 1.5 mg/L\n\
         - Time: since 2026-06-01 02:40\n\
         - Severity: warning\n\n\
         50 more alerts are not listed.",
    );
}

#[test]
fn so_many_alerts_are_written_out_and_fewer_where_there_is_no_room() {
    let alerts: Vec<Value> = (0..50).map(|number| alert(number, "firing", &json!({}))).collect();
    let body = notice(&alerts, ["Puhe: 50 alerts", "蒲河：50条告警"]);
    let texts = texts("language='en'");
    let whole = texts.write("7", &body, Form::Plain, 64_000);
    assert_eq!(whole.matches("Value:").count(), ALERTS_SHOWN_MAX);
    assert!(whole.ends_with("40 more alerts are not listed."), "{whole}");
    for (bytes_max, shown) in [(2_000, 5), (1_000, 3), (700, 2), (500, 1)] {
        let text = texts.write("7", &body, Form::Plain, bytes_max);
        assert!(text.len() <= bytes_max, "{}", text.len());
        assert_eq!(text.matches("Value:").count(), shown, "{bytes_max}: {text}");
        assert!(text.ends_with(&format!("{} more alerts are not listed.", 50 - shown)));
    }
    let text = texts.write("7", &body, Form::Plain, 101);
    assert!(text.starts_with("[alert] Puhe: 50 alerts\n") && text.ends_with('…'), "{text}");
    assert!(text.len() <= 101);
}

#[test]
fn a_notice_is_called_what_it_is() {
    let title = |language: &str, kind: &str, status: &str, severity: &str| {
        let mut body = one(status, &json!({ "severity": severity }));
        body["notice"]["kind"] = kind.into();
        body["commonAnnotations"] = json!({ "summary_en": "Words", "summary_zh": "语句" });
        texts(&format!("language='{language}'")).title(&body)
    };
    for (kind, status, severity, en, zh) in [
        ("alerts", "firing", "", "[alert] Words", "【告警】语句"),
        ("alerts", "firing", "critical", "[critical] Words", "【严重告警】语句"),
        ("alerts", "firing", "notice", "[notice] Words", "【提示】语句"),
        ("alerts", "resolved", "critical", "[over] Words", "【解除】语句"),
        ("reminder", "firing", "", "[still] Words", "【仍未解除】语句"),
        ("escalation", "firing", "", "[nobody has answered] Words", "【无人响应】语句"),
        ("acknowledged", "firing", "", "[taken on] Words", "【已受理】语句"),
        ("morning", "firing", "", "[morning report] Words", "【晨报】语句"),
        ("test", "firing", "", "[test] Words", "【测试】语句"),
    ] {
        assert_eq!(title("en", kind, status, severity), en);
        assert_eq!(title("zh", kind, status, severity), zh);
    }
}

#[test]
fn a_title_is_short_and_what_is_missing_costs_no_notification() {
    let long = "很".repeat(500);
    let title = texts("").title(&notice(&[], ["", &long]));
    assert_eq!(title.chars().count(), TITLE_CHARS_MAX);
    assert!(title.starts_with("【告警】很很") && title.ends_with('…'));
    check("en", Form::Markdown, &notice(&[], ["All is well", ""]), "**[alert] All is well**");
    check("zh", Form::Card, &notice(&[], ["All is well", ""]), "All is well");
    check("en", Form::Plain, &Value::Null, "[alert]");
    let odd = json!({ "alerts": [{}, 7, { "annotations": 3 }], "status": 9 });
    let text = texts("").write("7", &odd, Form::Plain, 16_000);
    assert!(text.starts_with("【告警】"), "{text}");
}

#[test]
fn names_begin_no_line_and_no_tag_of_a_chat() {
    let body = one(
        "firing",
        &json!({ "summary_en": "a\nb <at id=all></at> <0.02", "value": "<0.02 mg/L" }),
    );
    let text = texts("language='en'").write("7", &body, Form::Markdown, 16_000);
    assert!(text.starts_with("**[alert] a b ＜at id=all>＜/at> <0.02**\n"), "{text}");
    assert!(text.contains("**<0.02 mg/L**"), "{text}");
}

fn with_template(name: &str, template: &str) -> (tempfile::TempDir, Texts) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, template).unwrap();
    let texts = texts(&format!("language='en'\ntemplate='{}'", path.display()));
    (folder, texts)
}

#[test]
fn an_operators_template_writes_instead() {
    let body = one("firing", &json!({}));
    for (name, template, want) in [
        (
            "a.jinja",
            "{{ told[0].value }} at {{ commonLabels.alertname }}\n",
            "2.620 mg/L at water-class",
        ),
        (
            "a.json",
            "{\"t\": {{ title }}}",
            "{\"t\": \"[alert] Puhe at Daoyi: ammonia nitrogen 2.620 mg/L, over class IV\"}",
        ),
        ("en.txt", "{{ id }} {{ kind }} {{ severity }} {{ language }}", "7 alerts warning en"),
        (
            "a.txt",
            "{{ 'weir' | base64 }} {{ 'what' | hmac_sha256('key') }} {{ 'a b&' | urlencode }}",
            "d2Vpcg== b59f11781f13ebddc6e28e44ba0214d79f27e3fe1ec643e09a9ffe90eeceff7b a%20b%26",
        ),
    ] {
        let (_folder, texts) = with_template(name, template);
        assert_eq!(texts.write("7", &body, Form::Plain, 16_000), want);
    }
}

#[test]
fn where_a_template_is_broken_or_fails_weirs_own_text_says_so() {
    let body = one("firing", &json!({}));
    let own = texts("language='en'").write("7", &body, Form::Plain, 16_000);
    for (template, fault) in [
        ("{% if %}", "of channel `n`: syntax error"),
        ("{{ nobody.there }}", "undefined value"),
        ("{{ told[0].value | round }}", "round"),
    ] {
        let (_folder, texts) = with_template("a.jinja", template);
        let text = texts.write("7", &body, Form::Plain, 16_000);
        let excuse = text.strip_prefix(&*own).unwrap();
        let begins = "\n\n(The template fails, so this is weir's own text: ";
        assert!(excuse.starts_with(begins) && excuse.contains(fault), "{excuse}");
    }
    let gone = texts("language='zh'\ntemplate='/nowhere/a.jinja'");
    let text = gone.write("7", &body, Form::Plain, 16_000);
    assert!(text.contains("\n\n（模板出错，以上为weir内置文本：template `/nowhere"), "{text}");
}
