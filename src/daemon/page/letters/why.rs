//! Why a message was turned away and what running it again can do, for whoever is on duty. The
//! words of the reason itself stand behind: they are for who mends seeds and devices.

use crate::http::view::Text;

/// Says why a message was turned away, by the word of its reason and that reason in a sentence.
pub(super) fn why(code: &str, words: &str) -> Text {
    if is_cut_off(words) {
        return Text::new(
            "the message breaks off: a part of it is missing",
            "报文不完整，中途截断",
        );
    }
    let (en, zh) = match code {
        "topic_not_text" => ("its address (topic) is not text", "主题不是文本"),
        "broken_packet" => ("it arrived damaged", "报文到达时已损坏"),
        "payload_too_long" => ("it is longer than weir takes", "报文超出允许长度"),
        "unknown_topic" => ("nobody told weir of this address (topic)", "主题未登记"),
        "empty_payload" => ("it is empty", "报文为空"),
        "malformed" => ("it is not in the format of this device", "报文格式与设备约定不符"),
        "no_device" => ("it does not say of which device it is", "报文未说明来自哪台设备"),
        "devices_differ" => {
            ("it names one device and its address another", "报文与主题所指设备不一致")
        }
        "unknown_device" => ("nobody told weir of this device", "设备未登记"),
        "not_in_service" => ("the device belonged to no station then", "设备当时不属于任何站点"),
        "unknown_channel" => ("nobody told weir of this channel", "通道未登记"),
        "repeated_channel" => ("one channel stands in it twice", "同一通道重复出现"),
        "wrong_type" => ("there is no number where one belongs", "应为数值处不是数值"),
        "out_of_range" => ("the number is too large to be one", "数值大到无法表示"),
        "unknown_unit" => ("nobody told weir of this unit", "单位未登记"),
        "wrong_dimension" => ("the unit does not fit what is measured", "单位与监测项目不符"),
        "bad_time" => ("its time can't be read", "报文时间无法识别"),
        "implausible_time" => ("the device's clock is wrong", "设备时钟错误"),
        "retained_without_time" => {
            ("it is an old message of the broker without a time", "通信服务器保留的旧报文，无时间")
        }
        "crashed" => ("weir itself failed on it", "weir处理该报文时出错"),
        _ => (code, code),
    };
    Text::new(en, zh)
}

/// Says whether a message lacks its end: by the words of the formats.
fn is_cut_off(words: &str) -> bool {
    ["ends in the middle", "it ends before byte", "the payload ends in"]
        .iter()
        .any(|end| words.contains(end))
}

/// Says whether running it again can come to anything else.
pub(super) fn can_be_mended(code: &str, words: &str) -> bool {
    let never = ["topic_not_text", "broken_packet", "payload_too_long", "empty_payload"];
    !is_cut_off(words)
        && !never.contains(&code)
        && !matches!(code, "repeated_channel" | "out_of_range" | "retained_without_time")
}

/// Says what running it again can do, and what is to be mended before.
pub(super) fn chance(code: &str, words: &str) -> Text {
    if is_cut_off(words) {
        return Text::new(
            "Running it again comes to the same: what is missing was never here. Look whether the \
             device sends it again; if it happens often, look at its line.",
            "重新解析结果不变：缺失部分从未到达。请查看设备是否补发；若经常出现，请检查通信线路。",
        );
    }
    if !can_be_mended(code, words) {
        return Text::new(
            "Running it again comes to the same: its bytes do not change. The device or its line \
             is to be mended.",
            "重新解析结果不变：报文字节不会改变。须检修设备或通信线路。",
        );
    }
    let table = match code {
        "unknown_topic" | "no_device" | "devices_differ" | "malformed" => "topics.csv",
        "unknown_device" | "not_in_service" | "implausible_time" => "devices.csv",
        "unknown_unit" => "units.csv",
        "crashed" => {
            return Text::new(
                "Run it again once a newer weir is installed; please report it.",
                "安装新版weir后可重新解析；请上报该问题。",
            );
        }
        _ => "profiles.csv",
    };
    Text::new(
        format!(
            "If the device is right, run it again once the seeds are mended ({table}) and in \
             force; if the device is wrong, it is to be mended, and this message stays."
        ),
        format!(
            "若设备无误，修正基础表（{table}）并生效后可重新解析；若设备有误，须检修设备，此报文保留。"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reject::Reason;

    #[track_caller]
    fn check(reason: &Reason, en: &str, zh: &str, mended: bool) {
        let (code, words) = (reason.code(), reason.to_string());
        let why = why(code, &words);
        assert_eq!((&*why.en, &*why.zh), (en, zh));
        assert_eq!(can_be_mended(code, &words), mended, "{code}");
        let chance = chance(code, &words);
        assert_eq!(chance.en.contains("comes to the same"), !mended, "{chance:?}");
        assert_eq!(chance.zh.contains("结果不变"), !mended, "{chance:?}");
    }

    #[test]
    fn what_is_cut_off_is_never_whole_again() {
        let fault = |fault: &str| Reason::Malformed { format: "JSON", fault: fault.into() };
        let (en, zh) = ("the message breaks off: a part of it is missing", "报文不完整，中途截断");
        check(&fault("it ends in the middle, after 41 bytes"), en, zh, false);
        check(&fault("it ends before byte 12"), en, zh, false);
        check(&fault("0: the payload ends in the length, expected four digits"), en, zh, false);
        check(
            &fault("byte 3: found `x`"),
            "it is not in the format of this device",
            "报文格式与设备约定不符",
            true,
        );
    }

    #[test]
    fn each_reason_is_said_in_both_languages_with_what_can_be_done() {
        let text = || Box::<str>::from("x");
        let of_bytes = [
            Reason::TopicNotText,
            Reason::BrokenPacket { fault: text() },
            Reason::PayloadTooLong { bytes: 9, bytes_max: 8 },
            Reason::EmptyPayload,
            Reason::RepeatedChannel,
            Reason::OutOfRange { found: text() },
            Reason::RetainedWithoutTime,
        ];
        let of_seeds = [
            Reason::UnknownTopic,
            Reason::NoDevice { pointer: text() },
            Reason::DevicesDiffer { payload: text(), topic: text() },
            Reason::UnknownDevice { nearest: None },
            Reason::NotInService,
            Reason::UnknownChannel { nearest: None },
            Reason::WrongType { found: text(), expected: "a number" },
            Reason::UnknownUnit { unit: text(), nearest: None },
            Reason::WrongDimension { unit: text(), expected: text() },
            Reason::BadTime { found: text(), expected: "ms" },
            Reason::ImplausibleTime { time: text() },
            Reason::Panicked { fault: text() },
        ];
        for (reasons, mended) in [(&of_bytes[..], false), (&of_seeds[..], true)] {
            for reason in reasons {
                let said = why(reason.code(), &reason.to_string());
                assert!(said.en != reason.code() && !said.zh.is_ascii(), "{said:?}");
                check(reason, &said.en, &said.zh, mended);
            }
        }
    }
}
