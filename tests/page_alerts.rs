//! Alerts worked off on the page: the program itself, asked and told over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use peer::{Hook, Mosquitto, Weir, bad_water, get, said_of_it, send_form, until};

/// Sends a form of the page; gives what is said of it.
fn act(weir: &Weir, fields: &[(&str, &str)]) -> String {
    let answer = post(weir, "en", &[&[("token", ""), ("back", "/alerts")], fields].concat());
    assert!(answer.starts_with("HTTP/1.0 303") && answer.contains("location: /alerts"), "{answer}");
    said_of_it(&answer)
}

/// The same in Chinese.
fn act_zh(weir: &Weir, fields: &[(&str, &str)]) -> String {
    said_of_it(&post(weir, "zh", &[&[("token", ""), ("back", "/alerts")], fields].concat()))
}

fn post(weir: &Weir, language: &str, fields: &[(&str, &str)]) -> String {
    send_form(weir.page(), language, fields)
}

fn page(weir: &Weir, path: &str) -> String {
    let (status, page) = get(weir.page(), path);
    assert_eq!(status, 200, "{path}: {page}");
    assert!(page.len() < 150_000, "{path} has {} bytes", page.len());
    page
}

/// Asks for a page until something stands on it.
fn until_shown(weir: &Weir, path: &str, wants: &[&str]) {
    until(&format!("{wants:?} on {path}"), || {
        let page = get(weir.page(), path).1;
        wants.iter().all(|want| page.contains(want))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_worked_off_on_the_page_and_stays_so_after_a_restart() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let mut weir = Weir::install(&broker.url(), &hook.config());
    weir.start();
    until_shown(&weir, "/alerts?lang=en", &["No station has spoken yet"]);
    bad_water(&broker, "sonde-01").await;
    bad_water(&broker, "sonde-02").await;
    until_shown(&weir, "/alerts?lang=en", &["id=\"alert-1\"", "id=\"alert-2\"", "Puhe at Daoyi"]);
    until_shown(&weir, "/alerts/2?lang=en", &["Who was told", "has it since"]);
    let one = page(&weir, "/alerts/2?lang=en");
    for want in [
        "dissolved oxygen",
        "nobody looks after it",
        "at least 3 mg&#x2f;L, GB 3838-2002 table 1 item 3 IV",
        "single value",
        "at present",
        "does not meet",
        "upstream",
        "gross range",
        "<path class=\"values\" d=\"M",
        "What to do:",
        "/stations/puhe-daoyi",
        "It&#x27;s the sensor",
    ] {
        assert!(
            one.contains(&want.replace("&#x27;", "'")) || one.contains(want),
            "`{want}`: {one}"
        );
    }
    let chinese = page(&weir, "/alerts/2?lang=zh");
    assert!(chinese.contains("蒲河道义") && chinese.contains("表1第3项"), "{chinese}");

    // Who it is, no form can say.
    let other = ("person", "Li <Na>");
    let said =
        act(&weir, &[other, ("deed", "acknowledge"), ("alert", "2"), ("words", "on the way")]);
    assert!(said.contains("2 is acknowledged"), "{said}");
    until_shown(&weir, "/alerts/2?lang=en", &["acknowledged by tester", "on the way"]);
    until_shown(&weir, "/alerts?lang=en&state=acknowledged", &["id=\"alert-2\""]);
    assert!(!page(&weir, "/alerts?lang=en&state=waiting").contains("id=\"alert-2\""));

    let both = [("alert", "1"), ("alert", "2"), ("shelve_until", "4h"), ("deed", "shelve")];
    assert_eq!(act(&weir, &both), "1, 2 are shelved");
    until_shown(&weir, "/alerts?lang=en", &["hidden, nobody is told: <b>2</b>"]);
    act(&weir, &[("alert", "1"), ("deed", "undo")]);
    until_shown(&weir, "/alerts?lang=en", &["id=\"alert-1\""]);

    silenced(&weir);
    what_came_of_it_is_said_in_the_language_of_the_page(&weir);
    several_are_worked_off(&weir);
    wrong_values(&weir);
    act(&weir, &[("deed", "acknowledge"), ("alert", "2"), ("words", "on the way")]);
    let unchanging = ["/alerts/history?lang=en", "/alerts/silences?lang=en"];
    let before = unchanging.map(|path| page(&weir, path));
    assert!(before[0].contains("shelved") && before[0].contains("on the way"), "{}", before[0]);
    assert_eq!(get(weir.page(), "/alerts/99").0, 404);
    weir.kill();
    weir.start();
    until_shown(&weir, "/alerts/2?lang=en", &["acknowledged by tester", "on the way"]);
    assert_eq!(unchanging.map(|path| page(&weir, path)), before);
    weir.stop();
}

fn silenced(weir: &Weir) {
    let of = [("deed", "silence"), ("station", "puhe-huishan"), ("until", "8h")];
    assert!(act(weir, &of).contains("the reason is a line"));
    let said = act(weir, &[&of[..], &[("words", "works at the intake")]].concat());
    assert_eq!(said, "silence 1: station puhe-huishan");
    until_shown(weir, "/alerts/silences?lang=en", &["works at the intake", "Puhe at Huishan"]);
    until_shown(weir, "/alerts/1?lang=en", &["silenced by 1", "Silences that cover it"]);
    act(weir, &[("deed", "end_silence"), ("id", "1")]);
    until_shown(weir, "/alerts/silences?lang=en", &["Nothing is silenced"]);
}

/// Those that are ticked are silenced, each station and property once, are the sensor's, and are
/// given to somebody.
fn several_are_worked_off(weir: &Weir) {
    let list = page(weir, "/alerts?lang=en");
    let offered = ["value=\"silence_each\"", "value=\"sensor\"", "list=\"people\""];
    for want in [&offered[..], &["<option value=\"tester\">"]].concat() {
        assert!(list.contains(want), "{want}: {list}");
    }
    act(weir, &[("alert", "2"), ("deed", "undo")]);
    let both = [("alert", "1"), ("alert", "2"), ("alert", "2")];
    let silence = [&both[..], &[("deed", "silence_each"), ("silence_until", "4h")]].concat();
    assert!(act(weir, &silence).contains("the reason is a line"));
    let said = act(weir, &[&silence[..], &[("words", "dredging")]].concat());
    let want = "2 silences, one for each station and property\n\
        silence 3: station puhe-huishan, property dissolved_oxygen\n\
        silence 4: station puhe-daoyi, property dissolved_oxygen";
    assert_eq!(said, want);
    until_shown(weir, "/alerts?lang=en", &["hidden, nobody is told: <b>2</b>"]);
    until_shown(
        weir,
        "/alerts/silences?lang=zh",
        &["蒲河辉山，溶解氧", "蒲河道义，溶解氧", "dredging"],
    );
    for id in ["3", "4"] {
        act(weir, &[("deed", "end_silence"), ("id", id)]);
    }
    let gone = [("alert", "2"), ("alert", "99"), ("deed", "silence_each"), ("silence_until", "4h")];
    let said = act(weir, &[&gone[..], &[("words", "x")]].concat());
    assert_eq!(said, "no alert 99 is open", "of several none is silenced where one is wrong");
    assert!(page(weir, "/alerts/silences?lang=en").contains("Nothing is silenced"));

    // Whoever it is given to has it.
    act(weir, &[("alert", "2"), ("deed", "acknowledge"), ("behalf", "王磊")]);
    until_shown(weir, "/alerts?lang=en", &["acknowledged by 王磊"]);
    until_shown(weir, "/alerts/2?lang=en", &["acknowledged by 王磊"]);
    until_shown(weir, "/alerts/2?lang=zh", &["王磊 已确认", "代 王磊</span>"]);
}

/// Every deed of the page, what came of it and why it was not done, as a Chinese page says it.
fn what_came_of_it_is_said_in_the_language_of_the_page(weir: &Weir) {
    let of = [("station", "puhe-huishan"), ("property", "pH")];
    let whole = [&of[..], &[("from", "2026-01-01"), ("to", "2026-01-02")]].concat();
    for (deed, fields, want) in [
        ("comment", vec![("alert", "2"), ("words", "已取样")], "告警 2 已添加备注"),
        ("comment", vec![("alert", "2")], "请填写备注：一行文字，1 至 900 字节（约 300 个汉字）"),
        ("acknowledge", vec![("alert", "1"), ("alert", "2")], "告警 1、2 已确认"),
        ("acknowledge", vec![], "未选择告警，请先勾选"),
        ("acknowledge", vec![("alert", "99")], "没有未解除的告警 99"),
        ("undo", vec![("alert", "1"), ("alert", "2")], "告警 1、2 恢复为待处理"),
        ("undo", vec![("alert", "2")], "告警 2 未确认也未搁置，无可撤销"),
        ("shelve", vec![("alert", "2"), ("shelve_until", "1h")], "告警 2 已搁置"),
        ("shelve", vec![("alert", "2"), ("until", "soon")], "“soon”：截止时间应形如 8h、2d"),
        (
            "silence",
            [&of[..], &[("until", "1h"), ("words", "x")]].concat(),
            "静默 2：蒲河辉山，pH值",
        ),
        ("silence", vec![("until", "1h"), ("words", "x")], "不能静默全部告警"),
        ("end_silence", vec![("id", "2")], "静默 2 已结束"),
        ("end_silence", vec![("id", "2")], "没有静默 2"),
        (
            "invalidate",
            [&whole[..], &[("words", "标定")]].concat(),
            "人工判定 1（蒲河辉山）：自 2026-01-01T00:00:00+08:00 起",
        ),
        ("invalidate", of.to_vec(), "时间应形如 2026-03-01"),
        ("revoke", vec![("id", "1"), ("words", "误判")], "已撤销人工判定 1（蒲河辉山）"),
        ("revoke", vec![("id", "1"), ("words", "误判")], "人工判定 1 已由 tester 撤销"),
        ("retry", vec![("id", "7")], "已重新解析 0 条，成功 0 条"),
        ("retry", vec![("id", "x")], "请指定要重新解析的异常报文"),
        ("test", vec![("channel", "duty")], "duty：对方已确认"),
        ("dance", vec![], "没有“dance”这种操作"),
    ] {
        let said = act_zh(weir, &[&[("deed", deed)], &fields[..]].concat());
        assert!(said.contains(want), "{deed}: {said}");
    }
    // A form that is not taken is told by a page, too.
    let other = post(weir, "zh", &[("token", "of another session"), ("deed", "undo")]);
    assert!(other.starts_with("HTTP/1.0 403") && other.contains("请刷新页面后重新提交"), "{other}");
}

/// It was the sensor: the alert ends, is there still, and what was said can be revoked there.
fn wrong_values(weir: &Weir) {
    let one = page(weir, "/alerts/1?lang=en");
    let from = one.split("name=\"from\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = [
        ("deed", "invalidate"),
        ("station", "puhe-huishan"),
        ("property", "dissolved_oxygen"),
        ("from", from),
        ("to", "now"),
        ("words", "fouled"),
    ];
    assert!(act(weir, &form).contains("invalidation 2 of puhe-huishan"));
    until_shown(weir, "/alerts/1?lang=en", &["Said of the values", "fouled", "4 failed"]);
    assert!(
        act(weir, &[("deed", "revoke"), ("id", "2"), ("words", "it was not")])
            .contains("2 of puhe-huishan is revoked")
    );
    until("it is revoked", || !page(weir, "/alerts/1?lang=en").contains("Said of the values"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sensors_of_several_alerts_are_blamed_at_once_and_it_is_taken_back() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    weir.start();
    bad_water(&broker, "sonde-01").await;
    bad_water(&broker, "sonde-02").await;
    until_shown(&weir, "/alerts?lang=en", &["id=\"alert-1\"", "id=\"alert-2\""]);
    let sensor = [("alert", "1"), ("alert", "2"), ("alert", "2"), ("deed", "sensor")];
    assert!(act(&weir, &sensor).contains("the reason is a line"));
    let words = ("words", "biofilm");
    let gone = [("alert", "1"), ("alert", "99"), ("deed", "sensor"), words];
    assert_eq!(act(&weir, &gone), "no alert 99 is open");
    let said = act(&weir, &[&sensor[..], &[words]].concat());
    let want = "the values of 2 datastreams from when each alert began\n";
    assert!(said.starts_with(want), "{said}");
    let stations = ["puhe-huishan", "puhe-daoyi"];
    for station in stations {
        assert!(said.contains(&format!(" of {station}: from 20")), "{said}");
        let path = format!("/stations/{station}?lang=en");
        until_shown(&weir, &path, &["biofilm", "does not count", "tester"]);
    }
    until_shown(&weir, "/alerts?lang=en", &["Nothing fires."]);
    for id in ["1", "2"] {
        let said = act(&weir, &[("deed", "revoke"), ("id", id), ("words", "it was clean")]);
        assert!(said.contains(" is revoked"), "{said}");
    }
    for station in stations {
        until_shown(&weir, &format!("/stations/{station}?lang=en"), &["Nothing stands"]);
    }
}
