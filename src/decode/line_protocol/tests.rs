//! Lines as clients write them, and their traps.

use crate::decode::device_name;
use crate::decode::told::Desk;
use crate::domain::registry::{Format, Pointers, TimeUnit};

fn desk() -> Desk {
    let mut desk = Desk::new(Format::LineProtocol, &["ph", "do", "q", "count", "ignored"]);
    desk.rule.time_unit = TimeUnit::Nanoseconds;
    desk
}

#[test]
fn a_field_is_a_channel_and_the_time_is_at_the_end() {
    desk().check(
        "water,site=puhe03,st=21 ph=7.62,do=6.85,q=1i 1777593600000000000",
        &["0 ph=7.62 @0", "0 do=6.85 @0", "0 q=1 @0"],
    );
}

#[test]
fn the_unit_of_time_is_agreed_and_no_time_is_the_arrival() {
    let mut seconds = desk();
    seconds.rule.time_unit = TimeUnit::Seconds;
    seconds.check("water ph=7 1777593660", &["0 ph=7 @60"]);
    desk().check("water ph=7", &["0 ph=7"]);
    seconds.says(
        "water ph=7 1777593600000000000",
        "0 ph refused: time 1777593600000000000 is not a time",
    );
}

#[test]
fn every_kind_of_field_is_read() {
    desk().check(
        "w ph=-1.5e1,q=t,count=18446744073709551615u,ignored=\"x, y=\\\"1\\\"\"",
        &["0 ph=-15", "0 q=1", "0 count=18446744073709552000"],
    );
    desk().says("w ph=\"7.62\"", "say `text` in the `as` column");
    Desk::new(Format::LineProtocol, &["text"]).check("w text=\"7.62\"", &["0 text=7.62"]);
}

#[test]
fn escapes_are_undone() {
    let desk = Desk::new(Format::LineProtocol, &["dissolved oxygen,a=b"]);
    desk.check("w\\ 1,s=a\\,b dissolved\\ oxygen\\,a\\=b=6", &["0 dissolved oxygen,a=b=6"]);
}

#[test]
fn a_bad_line_costs_no_other() {
    let told = desk().told("# a comment\nwater ph=7.6\nwater ph=NaN\nwater do=6.9\n");
    assert!(told.starts_with("0 ph=7.6\n2 do=6.9\n1 (line) refused: not line protocol: line 2:"));
    desk().says("water", "not line protocol: line 1:");
    desk().says("{\"ph\":7}", "not line protocol");
    desk().says(b"water ph=7.6\xFF", "byte 12: no UTF-8 text");
}

#[test]
fn a_number_beyond_any_double_is_none() {
    desk().says("water ph=1e999,do=6.9", "0 do=6.9\n0 ph refused");
}

#[test]
fn a_tag_or_the_measurement_may_stand_before_the_channel() {
    let mut tagged = Desk::new(Format::LineProtocol, &["L1/u", "L2/u"]);
    tagged.rule.pointers = Pointers { channel: "phase".into(), ..Pointers::default() };
    tagged.check("power,phase=L1 u=231.4\npower,phase=L2 u=230", &["0 L1/u=231.4", "1 L2/u=230"]);
    let mut of = Desk::new(Format::LineProtocol, &["water/t", "air/t"]);
    of.rule.pointers = Pointers { channel: "_measurement".into(), ..Pointers::default() };
    of.check("water t=12\nair t=20", &["0 water/t=12", "1 air/t=20"]);
}

#[test]
fn a_message_is_of_one_device() {
    let mut desk = desk();
    desk.rule.pointers = Pointers { device: "site".into(), ..Pointers::default() };
    let payload = "w,site=A ph=7\nw,site=B ph=8\nw ph=9";
    assert_eq!(device_name(&desk.rule, payload.as_bytes()).as_deref(), Ok("A"));
    desk.check(
        payload,
        &[
            "0 ph=7",
            "1 (line) refused: the payload says device `B`, the topic says `A`",
            "2 (line) refused: the payload says device ``, the topic says `A`",
        ],
    );
    assert!(device_name(&desk.rule, b"w ph=7").is_err());
}
