//! What is said of deeds, in both languages, on the page and on a terminal.

use super::*;

#[track_caller]
fn came(of: Came, en: &str, zh: &str) {
    assert_eq!(of.words(), Text::new(en, zh));
    assert_eq!(of.line(), en, "a terminal says what the page says");
}

#[track_caller]
fn refused(of: Refusal, line: &str, words: [&str; 2]) {
    let [en, zh] = words;
    assert_eq!(of.words(), Text::new(en, zh));
    assert_eq!(of.line(), line);
}

#[test]
fn what_came_of_a_deed_is_said_in_both_languages() {
    came(Came::Acknowledged(vec![7]), "7 is acknowledged", "告警 7 已确认");
    came(Came::Shelved(vec![7, 9]), "7, 9 are shelved", "告警 7、9 已搁置");
    came(Came::Commented(vec![7]), "7 has a comment", "告警 7 已添加备注");
    came(Came::Undone(vec![7, 9]), "7, 9 wait for somebody again", "告警 7、9 恢复为待处理");
    let of = Text::new("station puhe-huishan", "蒲河辉山");
    came(Came::Silenced { id: 3, of }, "silence 3: station puhe-huishan", "静默 3：蒲河辉山");
    came(Came::SilenceEnded(3), "silence 3 has ended", "静默 3 已结束");
    let retried = Came::Retried { tried: 6, ended_well: 2 };
    came(retried, "6 tried, 2 ended well", "已重新解析 6 条，成功 2 条");
    let tested = |answer: &str| Came::Tested { channel: "duty".into(), answer: answer.into() };
    came(tested("200: ok"), "duty: confirmed 200: ok", "duty：对方已确认，应答 200: ok");
    came(tested(""), "duty: confirmed", "duty：对方已确认");
}

#[test]
fn many_alerts_are_counted() {
    let all: Vec<u64> = (1..=50).collect();
    let Text { en, zh } = Came::Acknowledged(all).words();
    assert!(en.ends_with("19, 20 and 30 more are acknowledged"), "{en}");
    assert!(zh.ends_with("19、20 及另外 30 条 已确认"), "{zh}");
}

#[test]
fn a_refusal_says_the_mend_and_a_terminal_the_command_for_it() {
    refused(
        Refusal::NoAlert(99),
        "no alert 99 is open; see weir alerts ls",
        ["no alert 99 is open", "没有未解除的告警 99"],
    );
    let near = Some("puhe".to_owned());
    let en = "no place is called `puh`; the nearest is `puhe`";
    refused(
        Refusal::Unknown { kind: Called::Place, name: "puh".into(), near },
        en,
        [en, "没有名为“puh”的地点，最接近的是“puhe”"],
    );
    let en = "the reason is a line of 1 to 900 bytes";
    refused(
        Refusal::NoLine { field: Field::Reason, most: 900 },
        en,
        [en, "请填写原因：一行文字，1 至 900 字节（约 300 个汉字）"],
    );
    refused(
        Refusal::NoLine { field: Field::Behalf, most: 100 },
        "the person of `--for` is a line of 1 to 100 bytes",
        [
            "the person for whom is a line of 1 to 100 bytes",
            "请填写代办对象：一行文字，1 至 100 字节（约 33 个汉字）",
        ],
    );
    refused(
        Refusal::Ended { alert: 7, how: "resolved" },
        "7 has ended: resolved",
        ["7 has ended: resolved", "告警 7 已解除"],
    );
    let later = Refusal::Untested { channel: "duty".into(), later: true, answer: "503".into() };
    refused(later, "duty: later 503", ["duty: later 503", "duty：对方暂不可用，应答 503"]);
}

#[test]
fn no_word_of_a_terminal_stands_on_the_page() {
    let all = [
        Refusal::NoAlert(1),
        Refusal::SilenceOfAll,
        Refusal::NoSilence(1),
        Refusal::EndsFirst,
        Refusal::NoRoom,
        Refusal::NoInvalidation(1),
        Refusal::NoLine { field: Field::Behalf, most: 1 },
    ];
    for one in all {
        let Text { en, zh } = one.words();
        assert_ne!(one.line(), en);
        for command in ["weir ", "--", ".csv"] {
            assert!(!en.contains(command) && !zh.contains(command), "{en} {zh}");
        }
    }
}
