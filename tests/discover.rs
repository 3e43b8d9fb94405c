//! What publishes on a broker becomes rows that the seeds take, whatever format it speaks.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod peer;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use weir::daemon::check::{self, Sound};
use weir::daemon::discover::survey::Survey;
use weir::daemon::discover::{Found, found};
use weir::domain::input::{Arrival, Input, Message, Qos};
use weir::domain::judgement::Judgement;
use weir::domain::ledger::Ledger;
use weir::domain::name::{NameKind, Names, NetworkId};
use weir::domain::registry::Registry;
use weir::domain::time::{Moment, Timestamp};
use weir::mqtt::publisher::Publisher;
use weir::pipeline::{Pipeline, Processed};
use weir::seed::{Tables, compile};

use peer::{Mosquitto, Weir};

/// 2026-05-01T08:00:30+08:00.
const NOW: Timestamp = Timestamp(1_777_593_630_000);
const FRAME: &str = "##0169QN=20260601120110456;ST=21;CN=2061;PW=123456;\
                     MN=PUHE0000000000000000DY01;Flag=8;CP=&&DataTime=20260601080000;\
                     w21003-Avg=1.62,w21003-Flag=N;w01019-Avg=0.5,w01019-Flag=L&&2080";

fn sound() -> Sound {
    check::edition(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.toml")).unwrap()
}

type Messages<'a> = &'a [(&'a str, &'a [u8])];

fn survey(messages: Messages<'_>, now: Timestamp) -> Survey {
    let mut survey = Survey::default();
    for (topic, payload) in messages {
        survey.hear(topic.as_bytes(), payload, false, now);
    }
    survey
}

/// Gives the example with the rows in it, each device at a station of its own.
fn with_rows(sound: &Sound, of: &Found, names: &mut Names) -> Arc<Registry> {
    let mut tables = Tables::default();
    for (name, bytes) in sound.edition.tables.iter() {
        tables.put(name, bytes.to_vec());
    }
    let mut add = |table: &str, rows: &str| {
        let text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
        tables.put(table, format!("{}\n{rows}", text.trim_end()).into_bytes());
    };
    let body = |rows: &str| rows.split_once('\n').unwrap().1.to_owned();
    add("topics.csv", &body(&of.rows.topics));
    add("profiles.csv", &body(&of.rows.profiles));
    let (mut devices, mut stations) = (String::new(), String::new());
    for (number, row) in body(&of.rows.devices).lines().enumerate() {
        let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
        assert_eq!(cells[2], "", "{row}");
        cells[2] = format!("here-{number}");
        devices.push_str(&format!("{}\n", cells.join(",")));
        let station =
            format!("here-{number},puhe,Here,此处,41.9,123.6,+08:00,,,,,made for a test\n");
        stations.push_str(&station);
    }
    add("devices.csv", &devices);
    add("stations.csv", &stations);
    let networks = ["rivers", "parks", "site"].map(str::to_owned);
    let registry = compile(&tables, Judgement::default(), &networks, names);
    Arc::new(registry.unwrap_or_else(|faults| panic!("{faults:#?}\n{:#?}", of.rows)))
}

/// Asserts that rows are found which hold these texts, that the seeds take them, and that under them
/// nothing of the messages is turned away but what is a comment.
#[track_caller]
fn check(messages: Messages<'_>, want: &[&str]) {
    check_at(NOW, messages, want);
}

#[track_caller]
fn check_at(now: Timestamp, messages: Messages<'_>, want: &[&str]) {
    let sound = sound();
    let of = found(&sound, "site", "", &survey(messages, now));
    let rows = format!("{}{}{}", of.rows.topics, of.rows.profiles, of.rows.devices);
    for want in want {
        assert!(rows.contains(want), "no `{want}` in\n{rows}\n{:#?}", of.words);
    }
    let mut names = Names::default();
    let registry = with_rows(&sound, &of, &mut names);
    let site = NetworkId(names.id(NameKind::Network, "site"));
    let at = Moment { wall: now, elapsed_ms: 0 };
    let mut pipeline = Pipeline::new(registry, at);
    let (mut out, mut ledger) = (Processed::default(), Ledger::default());
    for (topic, payload) in messages {
        let message = Message {
            network: site,
            packet_id: 0,
            dup: false,
            retain: false,
            qos: Qos::AtMostOnce,
            topic: topic.as_bytes(),
            payload,
            fault: None,
        };
        pipeline.process(&Arrival { at, input: Input::Message(message) }, &mut out);
        let refused = out.rejects.iter().filter(|reject| {
            let channel = reject.channel.as_deref().unwrap_or("(all)");
            !of.rows.profiles.contains(&format!("# {channel}"))
        });
        assert_eq!(refused.count(), 0, "{topic}: {:?}\n{rows}", out.rejects);
        ledger += out.fate.unwrap().ledger;
    }
    assert!(ledger.readings.stored > 0, "nothing was stored\n{rows}");
}

#[test]
fn json_of_a_sonde_is_a_pattern_a_profile_and_two_devices() {
    check(
        &[
            ("creek/sonde-01/data", br#"{"ts":1777593600000,"temp":12.5,"ph":7.62,"do":"6.8"}"#),
            ("creek/sonde-02/data", br#"{"ts":1777593600000,"temp":11.5,"ph":7.7,"do":"<0.2"}"#),
        ],
        &[
            "site,creek/{device}/data,json,,/ts,ms,,,,,",
            "creek-data,sensor,water_temperature,,/temp,Cel,1,number,continuous,,,instant,,5m,,",
            "creek-data,sensor,dissolved_oxygen,,/do,mg/L,1,text,",
            "site,sonde-01,,,creek-data,device,",
            "site,sonde-02,,,creek-data,device,",
        ],
    );
}

#[test]
fn json_has_its_device_records_and_times_where_it_likes() {
    check(
        &[(
            "meters",
            br#"{"meter":"wm-77","read_at":"2026-05-01 08:00:00","volume":"1201.5","flow":3}"#,
        )],
        &[
            "site,meters,json,/meter,/read_at,local,,,,,",
            "# /volume: the state of a counter, 1201.5 m3",
        ],
    );
    check(
        &[(
            "city/air-7/records",
            br#"{"time":1777593600000000,"records":[{"name":"SO2","value":11,"unit":"ug/m3"},
                {"name":"PM2.5","value":"35","unit":"ug/m3"},{"name":"X9","value":1}]}"#,
        )],
        &[
            "site,city/{device}/records,json,,/time,us,/records,/name,/value,/unit,",
            "sulphur_dioxide,,SO2,ug/m3,1,number",
            "pm2_5,,PM2.5,ug/m3,1,text",
            "# X9: what it measures is not known",
        ],
    );
    check(
        &[(
            "dtu/u-1/up",
            br#"{"rw_prot":{"Ver":"1.0.1","id":"u-1","r_data":[{"name":"ph","value":"7.1"}]}}"#,
        )],
        &["site,dtu/{device}/up,json,,,,/rw_prot/r_data,/name,/value,,", "ph,,ph,pH,1,text,"],
    );
    check(
        &[("factors/p-1", br#"{"Data":[{"Flag":"N","ParamID":"w01001","Rtd":"7.53"}]}"#)],
        &["site,factors/{device},json,,,,/Data,/ParamID,/Rtd,,", "ph,,w01001,pH,1,text,"],
    );
    check(
        &[
            ("dam/g-1/stage", br#"{"t":1777593600,"v":3.21}"#),
            ("dam/g-1/discharge", br#"{"t":1777593600,"v":14.2}"#),
        ],
        &[
            "site,dam/{device}/{channel},json,,/t,s,,,/v,,",
            "water_level,,stage,m,",
            "flow,,discharge,",
        ],
    );
    check(
        &[(
            "plant/energy/m-1/state",
            br#"{"time":1777593600,"phase":[{"u":229.8,"i":4.1},{"u":230.1,
            "i":3.9}],"total":{"p":1.2,"f":50.01,"e":1234.5},"model":"DTSD","ok":true}"#,
        )],
        &[
            "site,plant/energy/{device}/state,json,,/time,s,",
            "voltage,L1,/phase/0/u,V,",
            "current,L2,/phase/1/i,A,",
            "# plant-energy,sensor,electricity_energy,,/total/e,kWh,1,number,continuous,,,total,",
            "ignored,,/model,",
            "ignored,,/ok,",
        ],
    );
}

#[test]
fn hj_212_is_known_by_its_frames_and_factors_by_their_codes() {
    let noon = Timestamp(1_780_286_470_000);
    let want = [
        "site,hj212/station-9,hj212,MN,,,,,,,",
        "ammonia_nitrogen,,2061:w21003-Avg,mg/L,1,number,continuous,,,mean,1h,1h,",
        "permanganate_index,,2061:w01019-Avg,mg/L,",
        "site,PUHE0000000000000000DY01,,,hj212-station-9,device,,edition=2017,",
    ];
    check_at(noon, &[("hj212/station-9", FRAME.as_bytes())], &want);
    let topic = "hj212/PUHE0000000000000000DY01/up";
    check_at(noon, &[(topic, FRAME.as_bytes())], &["site,hj212/{device}/up,hj212,,,,,,,,"]);
}

#[test]
fn plain_numbers_are_of_the_channel_and_device_that_topics_name() {
    check(
        &[("probe/p-1/ph", b"7.62"), ("probe/p-1/do", b"6.85 mg/L"), ("probe/p-2/ph", b"7.5")],
        &[
            "site,probe/{device}/{channel},plain,,,,,,,,",
            "ph,,ph,pH,",
            "dissolved_oxygen,,do,mg/L,",
        ],
    );
    check(
        &[("well/w-7/level", b"3.2")],
        &["site,well/{device}/{channel},plain,", "water_level,,level,m,"],
    );
}

#[test]
fn rows_and_lines_name_their_columns_and_tags() {
    check(
        &[("file/l-1", b"time,ph,do\n2026-05-01 08:00:00,7.62,6.85\n2026-05-01 08:00:20,,<0.2\n")],
        &["site,file/{device},csv,,time,local,,,,,", "ph,,ph,pH,", "dissolved_oxygen,,do,mg/L,"],
    );
    check(
        &[("lines", b"water,site=puhe03 ph=7.62,do=6.85,q=1i 1777593600000000000")],
        &["site,lines,line_protocol,site,,,,,,,", "ph,,ph,pH,", "site,puhe03,"],
    );
    check(
        &[(
            "telegraf/gw-1",
            br#"{"fields":{"ph":7.62,"do":6.85},"name":"water","tags":{},"timestamp":1777593600}"#,
        )],
        &["site,telegraf/{device},telegraf,,,,,,,,", "ph,,ph,pH,", "site,gw-1,"],
    );
}

#[test]
fn senml_states_its_units() {
    check(
        &[(
            "packs/s-1",
            br#"[{"bn":"urn:dev:mac:0024befffe804ff1/","bt":1777593600,"bu":"Cel","n":"temp","v":16.4},
                {"n":"ph","u":"pH","v":7.62},{"n":"do","u":"mg/L","v":6.85,"t":-60}]"#,
        )],
        &[
            "site,packs/s-1,senml,bn,,,,,,,",
            "water_temperature,,temp,Cel,1,number,",
            "site,urn:dev:mac:0024befffe804ff1,",
        ],
    );
}

/// Writes a metric of Sparkplug B with a name, an alias and a number.
fn metric(name: &str, alias: u8, value: f64) -> Vec<u8> {
    let mut bytes = vec![0x0A, u8::try_from(name.len()).unwrap()];
    bytes.extend(name.as_bytes());
    bytes.extend([0x10, alias, 0x20, 10, 0x69]);
    bytes.extend(value.to_le_bytes());
    bytes
}

fn sparkplug(metrics: &[Vec<u8>]) -> Vec<u8> {
    // 1777593600000 as a varint of the payload's time.
    let mut bytes = vec![0x08];
    let mut time = 1_777_593_600_000_u64;
    while time >= 0x80 {
        bytes.push((time & 0x7F) as u8 | 0x80);
        time >>= 7;
    }
    bytes.push(time as u8);
    for metric in metrics {
        bytes.extend([0x12, u8::try_from(metric.len()).unwrap()]);
        bytes.extend(metric);
    }
    bytes
}

#[test]
fn sparkplug_b_is_a_node_and_its_devices_by_their_births() {
    let alias = |alias: u8, value: f64| metric("", alias, value).split_off(2);
    let birth = sparkplug(&[metric("ph", 1, 7.6), metric("do", 2, 6.8)]);
    let node = sparkplug(&[metric("bdSeq", 9, 0.0)]);
    let data = sparkplug(&[alias(1, 7.7)]);
    check(
        &[
            ("spBv1.0/park/NBIRTH/edge", &node),
            ("spBv1.0/park/DBIRTH/edge/sonde", &birth),
            ("spBv1.0/park/DDATA/edge/sonde", &data),
        ],
        &[
            "site,spBv1.0/park/{kind}/{device},sparkplug_b,",
            "site,spBv1.0/park/{kind}/{node}/{device},sparkplug_b,",
            "gateway,ignored,,*,",
            "ph,,ph,pH,",
            "site,edge/sonde,",
            "site,edge,",
        ],
    );
    // The seeds want both rows, whoever was heard.
    check(
        &[("spBv1.0/park/DBIRTH/edge/sonde", &birth)],
        &[
            "site,spBv1.0/park/{kind}/{device},sparkplug_b,",
            "site,spBv1.0/park/{kind}/{node}/{device},sparkplug_b,",
        ],
    );
}

#[test]
fn network_servers_of_lorawan_are_known_by_their_topics() {
    check(
        &[(
            "application/7/device/24e124136d151234/event/up",
            br#"{"deduplicationId":"3ac7e3c4","time":"2026-05-01T00:00:15.775Z","fPort":1,"fCnt":4,
                "data":"qg==","object":{"ph":7.62,"water":{"do":6.85}},
                "rxInfo":[{"rssi":-36,"snr":10.5}]}"#,
        )],
        &[
            "site,application/{place}/device/{device}/event/{kind},chirpstack,",
            "dissolved_oxygen,,water/do,mg/L,",
            "signal_strength,,@rssi,dBm,",
            "site,24e124136d151234,",
        ],
    );
    check(
        &[(
            "v3/app@tenant/devices/dev-1/up",
            br#"{"received_at":"2026-05-01T00:00:09.787Z","uplink_message":{"f_port":1,"f_cnt":5,
                "frm_payload":"AQ==","decoded_payload":{"ph":7.62},"rx_metadata":[{"rssi":-35}],
                "received_at":"2026-05-01T00:00:05.572Z"}}"#,
        )],
        &["site,v3/{place}/devices/{device}/{kind},things_stack,", "ph,,ph,pH,", "site,dev-1,"],
    );
}

#[test]
fn homie_describes_itself() {
    check(
        &[
            ("homie/5/meter-7/$state", b"ready"),
            (
                "homie/5/meter-7/$description",
                br#"{"homie":"5.0","version":7,"nodes":{"l":{"properties":{
                "voltage":{"datatype":"float","unit":"V"},"label":{"datatype":"string"}}}}}"#,
            ),
            ("homie/5/meter-7/l/voltage", b"231.4"),
            ("homie/5/meter-7/l/label", b"kitchen"),
        ],
        &[
            "site,homie/5/{device}/{kind},homie,",
            "site,homie/5/{device}/{place}/{place},homie,",
            "voltage,,l/voltage,V,1,number,continuous,,,instant,,5m,,found by weir discover: 231.4 V",
            "ignored,,l/label,",
            "device_online,,@online,1,",
        ],
    );
}

#[test]
fn firmware_of_plugs_and_meters_is_known_by_its_topics() {
    check(
        &[
            (
                "tele/plug/SENSOR",
                br#"{"Time":"2026-05-01T08:00:00","ENERGY":{"Total":9098.245,
                "Power":[170,0,20],"Voltage":230}}"#,
            ),
            ("tele/plug/LWT", b"Online"),
        ],
        &[
            "site,tele/{device}/{kind},tasmota,",
            "active_power,L1,ENERGY/Power/0,W,",
            "electricity_energy,,ENERGY/Total,kWh,1,number,continuous,,,total,",
            "with one of STATION/electricity_energy/total in counters.csv",
            "device_online,,@online,1,",
        ],
    );
    check(
        &[
            (
                "shelly/pro3em/events/rpc",
                br#"{"src":"shellypro3em","method":"NotifyStatus","params":{
                "ts":1777593600.12,"em:0":{"id":0,"a_voltage":236.1,"a_act_power":375.5},
                "emdata:0":{"id":0,"total_act":2589773.39}}}"#,
            ),
            ("shellies/shellyem-1/emeter/0/power", b"36.9"),
        ],
        &[
            "site,shelly/{device}/events/rpc,shelly,",
            "site,shellies/{device}/{place}/{place}/{kind},shelly,",
            "active_power,L1,em:0/a_act_power,W,",
            "electricity_energy,,emdata:0/total_act,Wh,",
            "active_power,,emeter/0/power,W,",
        ],
    );
    check(
        &[
            (
                "zigbee2mqtt/socket",
                br#"{"power":36.9,"voltage":231,"linkquality":140,
                "last_seen":"2026-05-01T08:00:00+08:00"}"#,
            ),
            ("zigbee2mqtt/socket/availability", br#"{"state":"online"}"#),
        ],
        &[
            "site,zigbee2mqtt/{device},zigbee2mqtt,",
            "site,zigbee2mqtt/{device}/availability,zigbee2mqtt,",
            "active_power,,power,W,",
        ],
    );
}

#[test]
fn what_nobody_can_tell_is_said_and_what_is_known_left_out() {
    let messages: Messages<'_> = &[
        ("a/b/c", b"hello there"),
        ("bin/x", &[0, 1, 2, 3]),
        ("water/sonde-01/data", br#"{"ts":1777593600000,"ph":7}"#),
        ("weir/weir-rivers/status", b"online"),
        ("lonely", b"7.2"),
        ("cmnd/plug/POWER", b"ON"),
        ("zigbee2mqtt/bridge/state", b"online"),
    ];
    let of = found(&sound(), "rivers", "", &survey(messages, NOW));
    // The network of another name at the same broker describes it.
    let parks: Messages<'_> = &[("pulses/p-1", br#"{"litres":5}"#)];
    let other = found(&sound(), "rivers", "", &survey(parks, NOW));
    assert!(other.words.iter().any(|one| one.starts_with("1 topics are known")), "{other:?}");
    let words = of.words.join("\n");
    for want in [
        "`a/b/c` is of no format that is known: it begins `hello there`",
        "`lonely` is plain, but neither topic nor payload names a device",
        "2 topics are known to the seeds, or weir's own",
        "2 topics bring no readings",
    ] {
        assert!(words.contains(want), "no `{want}` in\n{words}");
    }
    assert_eq!(of.rows.devices.lines().count(), 1, "{}", of.rows.devices);
}

#[test]
fn a_frame_that_cannot_be_read_shows_no_password() {
    let sound = sound();
    let wrong = FRAME.replace("2080", "FFFF");
    let two = format!("{wrong}\r\n{wrong}\r\n");
    let odd = format!("\r\n{}", wrong.replace("PW=", "pw="));
    for payload in [&wrong, &two, &odd] {
        let of = found(&sound, "site", "", &survey(&[("hj/up", payload.as_bytes())], NOW));
        let told = format!("{:?}{:?}", of.words, of.rows);
        assert!(told.contains("##0169QN=20260601120110456"), "{told}");
        assert!(!told.contains("123456;"), "{told}");
    }
}

#[test]
fn what_weir_answers_is_left_out() {
    let mut sound = sound();
    let registry = Arc::get_mut(&mut sound.registry).unwrap();
    let rule = registry.topics.get_mut(0).unwrap();
    rule.options.ack = Some("hj212/{device}/down".into());
    let messages: Messages<'_> = &[("hj212/MN01/down", b"7.2"), ("hj212/MN01/up/x", b"7.2")];
    let words = found(&sound, "rivers", "", &survey(messages, NOW)).words.join("\n");
    assert!(words.contains("1 topics are known to the seeds, or weir's own"), "{words}");
    assert!(!words.contains("hj212/{device}/down"), "{words}");
}

#[test]
fn a_pattern_that_shares_topics_is_a_comment() {
    let messages: Messages<'_> = &[
        ("mix/p-1/ph", b"7.62"),
        ("mix/p-2/ph", b"7.5"),
        ("mix/p-1/data", br#"{"ts":1777593600000,"do":6.8}"#),
    ];
    let sound = sound();
    let of = found(&sound, "site", "", &survey(messages, NOW));
    assert!(of.rows.topics.contains("# site,mix/{device}/"), "{}", of.rows.topics);
    with_rows(&sound, &of, &mut Names::default());
}

#[test]
fn channels_without_end_are_found_in_part() {
    let many: Vec<String> = (0..600).map(|at| format!("\"k{at}\":{at}")).collect();
    let deep = format!("{}1{}", "{\"d\":".repeat(20), "}".repeat(20));
    let payload = format!("{{\"ph\":7,{},\"deep\":{deep}}}", many.join(","));
    let of = found(&sound(), "site", "", &survey(&[("flood/f-1", payload.as_bytes())], NOW));
    assert_eq!(of.rows.unknown, 512, "{:?}", of.words);
    assert!(of.words.iter().any(|one| one.starts_with("`f-1` has more channels")), "{of:?}");
    assert!(!of.rows.profiles.contains("/deep"), "{}", of.rows.profiles);
}

#[test]
fn what_payloads_unpack_to_and_births_announce_has_limits_that_are_said() {
    let mut survey = Survey::default();
    let pack = |payload: &[u8]| zstd::encode_all(payload, 3).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut digits = vec![b'1'; 3 << 20];
    digits.iter_mut().step_by(200).for_each(|digit| *digit = random.u8(b'0'..=b'9'));
    let packed = pack(&digits);
    assert!((digits.len() / 200..64 << 10).contains(&packed.len()), "{}", packed.len());
    for device in 0..45 {
        survey.hear(format!("shellies/f-{device}").as_bytes(), &packed, false, NOW);
    }
    let reached = |survey: &Survey, want: &str| {
        let words = found(&sound(), "site", "", survey).words;
        assert!(words.iter().any(|one| one.contains(want)), "no `{want}` in {words:#?}");
    };
    reached(&survey, "payloads beyond 128 MiB unpacked were not looked at");

    let birth = br#"{"homie":"5.0","nodes":{"p":{"properties":{"u":{"datatype":"float"}}}}}"#;
    let mut survey = Survey::default();
    for device in 0..1_030 {
        survey.hear(format!("homie/5/d-{device:04}/$description").as_bytes(), birth, true, NOW);
    }
    for device in ["d-0000", "d-1029"] {
        survey.hear(format!("homie/5/{device}/p/u").as_bytes(), b"7.1", false, NOW);
    }
    reached(&survey, "6 births beyond 1024 or 16 MiB were not remembered");
}

#[test]
fn any_bytes_at_all_make_rows_that_the_seeds_take_or_none() {
    let sound = sound();
    let mut random = fastrand::Rng::with_seed(7);
    let parts: [&[u8]; 12] = [
        b"{\"ts\":1777593600,\"ph\":7}",
        b"[{\"n\":\"ph\",\"v\":7}]",
        FRAME.as_bytes(),
        b"\x81\xa1",
        b"\x12\x03",
        b"time,a\n1,2\n",
        b"m,a=b c=1 1777593600000000000",
        b"\"",
        b"\x1f\x8b",
        b"7.1",
        b"#",
        b"\n",
    ];
    let words =
        ["spBv1.0", "tele", "x", "NBIRTH", "SENSOR", "#1", "\u{6c34}", "", "status", "em:0"];
    for round in 0..200 {
        let mut survey = Survey::default();
        for _ in 0..8 {
            let payload: Vec<u8> = (0..random.usize(0..4))
                .flat_map(|_| match random.bool() {
                    true => parts[random.usize(0..parts.len())].to_vec(),
                    false => (0..random.usize(0..9)).map(|_| random.u8(..)).collect(),
                })
                .collect();
            let topic: Vec<&str> =
                (0..random.usize(1..6)).map(|_| words[random.usize(0..words.len())]).collect();
            survey.hear(topic.join("/").as_bytes(), &payload, random.bool(), NOW);
        }
        let of = found(&sound, "site", "", &survey);
        let rows = of.rows.devices.lines().count();
        assert!(rows <= 20, "round {round}: {}", of.rows.devices);
    }
}

#[test]
fn one_station_for_all_gives_each_device_a_position() {
    let messages: Messages<'_> = &[("probe/p-1/ph", b"7.62"), ("probe/p-2/ph", b"7.5")];
    let of = found(&sound(), "site", "puhe-daoyi", &survey(messages, NOW));
    assert!(of.rows.devices.contains("site,p-1,puhe-daoyi,p-1,probe,"), "{}", of.rows.devices);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_site_is_set_up_from_what_its_broker_carries() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let publisher = Publisher::connect(&broker.url(), "site").unwrap();
    // Without seconds of its own it is of the moment at which it comes.
    let sonde = |ph: f64| format!("{{\"pH\":{ph},\"turb\":12.1,\"salinity\":0.3}}").into_bytes();
    for (device, ph) in [("s-1", 7.5), ("s-2", 7.6)] {
        let topic = format!("newsite/{device}/telemetry");
        publisher.publish(&topic, sonde(ph), Qos::AtLeastOnce, true).await.unwrap();
    }
    publisher.flush().await;
    let out = weir.folder().join("found");
    let shown = out.display().to_string();
    let arguments =
        ["discover", "--for", "2s", "--out", &shown, "--network", "rivers", "newsite/#"];
    let (done, told) = weir.command(&arguments);
    assert!(done && told.contains("2 devices, 1 channels that are left to you"), "{told}");
    let (done, told) = weir.command(&arguments);
    assert!(!done && told.contains("topics.csv is there already"), "{told}");
    assert!(told.contains("another folder with --out") && !told.contains("listening"), "{told}");

    add_rows(&weir, &out.join("rivers"), |device| {
        let position = if device == "s-1" { "a" } else { "b" };
        ("hunhe-dongling".to_owned(), position)
    });
    let (done, told) = weir.command(&["check"]);
    assert!(done, "{told}");
    weir.start();
    for device in ["s-1", "s-2"] {
        let topic = format!("newsite/{device}/telemetry");
        publisher.publish(&topic, sonde(7.4), Qos::AtLeastOnce, false).await.unwrap();
    }
    publisher.flush().await;
    peer::until("four readings", || weir.count("/total/readings/stored") == 4);
    weir.stop();
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_or_is_not_there_costs_its_own_rows_alone() {
    let mut broker = Mosquitto::start("");
    let weir = Weir::install(&broker.url(), "");
    let gone = format!("network = 'parks'\nurl = 'mqtt://127.0.0.1:{}'", peer::free_port());
    weir.configure(&format!("network = 'parks'\nurl = '{}'", broker.url()), &gone);
    let publisher = Publisher::connect(&broker.url(), "site").unwrap();
    publisher.publish("n/s-1/d", b"{\"pH\":7}".to_vec(), Qos::AtLeastOnce, true).await.unwrap();
    publisher.flush().await;
    publisher.close().await;
    let out = weir.folder().join("found");
    let shown = out.display().to_string();
    let arguments = ["discover", "--for", "3600s", "--out", &shown, "n/#"];
    let (done, told) = std::thread::scope(|scope| {
        let listening = scope.spawn(|| weir.command(&arguments));
        std::thread::sleep(std::time::Duration::from_secs(4));
        broker.stop();
        listening.join().unwrap()
    });
    assert!(!done, "the second was not reached: {told}");
    assert_eq!(told.matches(" ended after ").count(), 2, "{told}");
    assert!(told.contains(" ended after 0 s: "), "{told}");
    let rows = fs::read_to_string(out.join("rivers/devices.csv")).unwrap();
    assert!(rows.contains("rivers,s-1,"), "{rows}\n{told}");
    assert!(!out.join("parks/devices.csv").exists(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_needs_no_configuration() {
    let broker = Mosquitto::start("");
    let publisher = Publisher::connect(&broker.url(), "site").unwrap();
    let publish = |topic: &'static str| {
        publisher.publish(topic, b"{\"pH\":7.1}".to_vec(), Qos::AtLeastOnce, true)
    };
    publish("site7/s-1/d").await.unwrap();
    // Of the example's own, which is no installation.
    publish("water/sonde-01/data").await.unwrap();
    publisher.flush().await;
    publisher.close().await;
    let folder = tempfile::TempDir::new().unwrap();
    let weir = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        let output = command.current_dir(&folder).arg("discover").args(arguments).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&told).into_owned())
    };
    let (done, told) = weir(&["--broker", &broker.url(), "--for", "2s"]);
    assert!(done && told.contains("\nsite,s-1,"), "{told}");
    assert!(told.contains("\nsite,sonde-01,") && told.contains("ph,,/pH,pH,"), "{told}");
    let (done, told) = weir(&["--broker", "nonsense", "--for", "1s"]);
    assert!(!done && told.contains("--broker: found"), "{told}");
    for arguments in [&["--broker", &broker.url(), "--config", "none.toml"][..], &[]] {
        let (done, told) = weir(arguments);
        assert!(!done && told.contains("expected a readable TOML file"), "{told}");
        assert!(!told.contains("nothing was changed"), "{told}");
    }
}

/// Does what a person does with the rows: fills in the stations, and adds them to the seeds.
fn add_rows(weir: &Weir, found: &Path, stand: impl Fn(&str) -> (String, &'static str)) {
    let seeds = weir.folder().join("seeds");
    for table in ["topics.csv", "profiles.csv", "devices.csv"] {
        let rows = fs::read_to_string(found.join(table)).unwrap();
        let mut text = fs::read_to_string(seeds.join(table)).unwrap();
        for row in rows.lines().skip(1) {
            let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
            if table == "devices.csv" && !row.starts_with('#') {
                let (station, position) = stand(&cells[1]);
                (cells[2], cells[3]) = (station, position.to_owned());
            }
            text.push_str(&format!("{}\n", cells.join(",")));
        }
        fs::write(seeds.join(table), text).unwrap();
    }
}

#[test]
fn what_simulated_devices_of_every_format_send_becomes_seeds_by_which_it_is_stored() {
    let broker = Mosquitto::start("");
    let mut weir = Weir::install(&broker.url(), "");
    let simulate = || {
        let mut devices = Command::new(env!("CARGO_BIN_EXE_weir"));
        devices.args(["simulate", "--format", "all", "--rate", "18", "--broker", &broker.url()]);
        peer::Process::start(devices.stdout(Stdio::null()).stderr(Stdio::null()))
    };
    let out = weir.folder().join("found");
    let shown = out.display().to_string();
    let mut devices = simulate();
    let arguments = ["discover", "--for", "8s", "--network", "rivers", "--out", &shown];
    let (done, told) = weir.command(&arguments);
    assert!(done, "{told}");
    for word in [
        "chirpstack",
        "csv",
        "hj212",
        "homie",
        "json",
        "line_protocol",
        "plain",
        "senml",
        "shelly",
        "sparkplug_b",
        "tasmota",
        "telegraf",
        "things_stack",
        "zigbee2mqtt",
    ] {
        assert!(told.contains(&format!(" is {word}: ")), "no {word} in {told}");
    }
    devices.kill();

    let devices = fs::read_to_string(out.join("rivers/devices.csv")).unwrap();
    let path = weir.folder().join("seeds/stations.csv");
    let mut stations = fs::read_to_string(&path).unwrap();
    let slug = |device: &str| device.replace(['/', ':'], "-");
    for row in devices.lines().skip(1).filter(|row| !row.starts_with('#')) {
        let device = slug(row.split(',').nth(1).unwrap());
        let row = format!("{device},puhe,Here,此处,41.9,123.6,+08:00,,,,,made for a test\n");
        stations.push_str(&row);
    }
    fs::write(path, stations).unwrap();
    add_rows(&weir, &out.join("rivers"), |device| (slug(device), ""));
    let (done, told) = weir.command(&["check"]);
    assert!(done, "{told}");
    weir.start();
    let mut devices = simulate();
    peer::until("readings", || weir.count("/total/readings/stored") > 300);
    devices.kill();
    weir.stop();
    let ledger = weir.ledger();
    let total = &ledger["total"]["readings"];
    // Counters and names that say nothing are left to a person; nothing else is turned away.
    let letters = weir.command(&["dead-letters", "ls"]).1;
    let rows = fs::read_to_string(out.join("rivers/profiles.csv")).unwrap();
    let left = |line: &&str| {
        rows.lines().any(|row| {
            let channel = row.strip_prefix("# ").and_then(|row| row.split_once(": "));
            channel.is_some_and(|(channel, _)| line.contains(channel))
        })
    };
    let others: Vec<&str> = letters
        .lines()
        .filter(|line| line.contains("rivers") && !left(line))
        // Records of bytes have no row, and a device without a known channel none in force.
        .filter(|line| !line.contains("unknown_topic") && !line.contains("unknown_device"))
        .collect();
    assert!(others.is_empty() && total["stored"].as_i64() > Some(300), "{others:#?}");
}
