//! The interface of programs and the page about weir, of the program itself between a real broker
//! and a receiver: every answer is held against the description that weir serves.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod described;
mod peer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use described::differences;
use peer::{Hook, Mosquitto, TOKEN, Weir, escaped, free_port, get, until};
use serde_json::{Value, json};
use weir::domain::input::Qos;
use weir::mqtt::publisher::Publisher;

/// A device that nobody knows, called so as to break a page.
const STRANGER: &str = "sonde-<b>'9";
/// Method, address, head and body.
type Request<'r> = (&'r str, &'r str, &'r str, &'r str);

const JSON: &str = "Content-Type: application/json\r\n";

/// Has oxygen at Daoyi be too low for twenty minutes, an hour ago, and sends what nobody knows.
async fn bad_water(broker: &Mosquitto) {
    let now = jiff::Timestamp::now().as_millisecond();
    let start = (now - 3_600_000) / 60_000 * 60_000;
    let publisher = Publisher::connect(&broker.url(), "devices").unwrap();
    let send = async |topic: &str, payload: String| {
        let payload = payload.into_bytes();
        publisher.publish(topic, payload, Qos::AtLeastOnce, false).await.unwrap();
    };
    for minute in 0..20 {
        let (ts, oxygen) = (start + minute * 60_000, 2.0 + minute as f64 / 100.0);
        let payload = format!("{{\"ts\":{ts},\"do\":{oxygen},\"ph\":7.6,\"temp\":18.5}}");
        send("water/sonde-02/data", payload).await;
    }
    send(&format!("water/{STRANGER}/data"), "{\"do\":7}".to_owned()).await;
    publisher.flush().await;
    publisher.close().await;
}

/// Asks with a body, and gives status, head and body of the answer.
fn ask(weir: &Weir, method: &str, path: &str, head: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", weir.page())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let own = if head.contains("Authorization") {
        String::new()
    } else {
        format!("Authorization: Bearer {TOKEN}\r\n")
    };
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n{own}{head}\r\n\
         {body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (status, head.to_owned(), body.to_owned())
}

/// A daemon whose answers are held against its description.
struct Site {
    weir: Weir,
    document: Value,
}

impl Site {
    fn get(&self, path: &str) -> Value {
        let (status, body) = get(self.weir.page(), path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    #[track_caller]
    fn holds(&self, pointer: &str, value: &Value) {
        let schema = self.document.pointer(pointer);
        let schema = schema.unwrap_or_else(|| panic!("no {pointer}"));
        let differs = differences(&self.document, schema, value);
        assert_eq!(differs, [] as [&str; 0], "{pointer}: {value}");
    }

    /// Gets an address as the description has it, with what its path and query need.
    #[track_caller]
    fn described(&self, path: &str, address: &str) -> Value {
        let value = self.get(&format!("/api/v1{address}"));
        let path = path.replace('/', "~1");
        let answer = "get/responses/200/content/application~1json/schema";
        self.holds(&format!("/paths/{path}/{answer}"), &value);
        value
    }

    #[track_caller]
    fn post(&self, address: &str, schema: &str, body: &Value) -> String {
        self.holds(&format!("/components/schemas/{schema}"), body);
        let path = format!("/api/v1{address}");
        let (status, _, said) = ask(&self.weir, "POST", &path, JSON, &body.to_string());
        assert_eq!(status, 200, "{body}: {said}");
        self.holds("/components/schemas/Done", &serde_json::from_str(&said).unwrap());
        said
    }

    #[track_caller]
    fn refused(&self, request: Request<'_>, status: u16, words: &str) {
        let (method, address, head, body) = request;
        let path = format!("/api/v1{address}");
        let (answered, headers, said) = ask(&self.weir, method, &path, head, body);
        assert_eq!(answered, status, "{method} {address}: {said}");
        assert!(headers.contains("application/problem+json"), "{headers}");
        let problem = serde_json::from_str(&said).unwrap();
        self.holds("/components/schemas/Problem", &problem);
        assert_eq!(problem["status"], status);
        assert!(said.contains(words), "{method} {address}: no `{words}` in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_it_is_described() {
    let (broker, hook) = (Mosquitto::start(""), Hook::start());
    let mut weir = Weir::install(&broker.url(), &hook.config());
    weir.start();
    let document = serde_json::from_str(&get(weir.page(), "/api/v1/openapi.json").1).unwrap();
    let site = Site { weir, document };
    bad_water(&broker).await;
    let open = || site.get("/api/v1/alerts?route=environment")["value"].clone();
    until("the alert", || open().as_array().is_some_and(|alerts| !alerts.is_empty()));
    let alert = open()[0]["id"].as_u64().unwrap();
    let acknowledge = json!({ "acknowledge": { "alerts": [alert], "until": "8h" } });
    let act = json!({ "what": "alerts", "words": "on the way", "deed": acknowledge });
    site.post("/acts", "Asked", &act);
    let silence = json!({ "silence": { "of": { "station": "puhe-daoyi" }, "until": "2h" } });
    let act = json!({ "what": "alerts", "words": "dredging", "deed": silence });
    site.post("/acts", "Asked", &act);
    let invalidate = json!({
        "what": "invalidate", "station": "puhe-daoyi", "property": "ph",
        "from": "2026-01-01", "to": "2026-01-02", "suspect": true, "reason": "fouled",
    });
    site.post("/acts", "Asked", &invalidate);
    until("the silence", || open()[0]["held"].is_string());
    until("the receiver", || !hook.got().is_empty());

    let answers = every_answer(&site, alert);
    let first = |path: &str| answers[path]["value"][0].clone();
    assert_eq!(answers["/stations"]["value"].as_array().unwrap().len(), 2);
    assert_eq!(answers["/datastreams"]["unit_of_measurement"]["symbol"], "mg/L");
    assert_eq!(first("/observations")["result"], 1.99, "2.0 as calibrated");
    assert_eq!(first("/observations")["result_quality"]["flag"], 1);
    let verdicts = answers["/assessments"]["verdicts"].as_array().unwrap();
    let oxygen = |one: &&Value| one["observed_property"] == "dissolved_oxygen";
    let oxygen = verdicts.iter().find(oxygen).unwrap();
    assert_eq!(oxygen["limit"]["clause"], "table 1 item 3", "{oxygen}");
    assert_eq!(answers["/alerts/{id}"]["notifications"][0]["channel"], "duty");
    assert_eq!(answers["/alerts/{id}"]["open"]["acknowledged"]["person"], "tester");
    assert_eq!(first("/silences")["reason"], "dredging");
    let done = answers["/acts"]["value"].as_array().unwrap();
    let done: Vec<&str> = done.iter().map(|act| act["what"].as_str().unwrap()).collect();
    assert_eq!(done, ["invalidated", "silenced", "acknowledged"]);
    assert_eq!(first("/dead-letters")["code"], "unknown_device");
    assert_eq!(answers["/ledger"]["messages"]["received"], 21);
    assert_eq!(answers["/status"]["ready"], true);

    the_parts_of_a_list_make_the_whole(&site);
    what_is_wrong_is_refused_with_its_mend(&site);
    the_examples_of_the_document_work(&site);
    let kind = json!({ "device": STRANGER, "channel": "", "code": "unknown_device" });
    let said = site.post("/dead-letters/retry", "Retry", &kind);
    assert!(said.contains("1 tried, 0 ended well"), "{said}");
    let said = site.post("/channels/duty/test", "Nothing", &json!({}));
    assert!(said.contains("duty: confirmed 200"), "{said}");
    the_page_shows_the_same(&site);
    who_may_not_is_told_so(&site);
    let Site { mut weir, .. } = site;
    weir.stop();
}

/// Gets every address of the description, and gives the answers by their paths.
fn every_answer(site: &Site, alert: u64) -> BTreeMap<String, Value> {
    let datastream = format!("?datastream={}", escaped("puhe-daoyi/dissolved_oxygen"));
    let asked: BTreeMap<&str, String> = [
        ("/stations", "?place=puhe&limit=2".to_owned()),
        ("/stations/{name}", "/puhe-daoyi".to_owned()),
        ("/stations/{name}/datastreams", "/puhe-daoyi".to_owned()),
        ("/datastreams", datastream.clone()),
        ("/observations", format!("{datastream}&limit=5")),
        ("/assessments", "?station=puhe-daoyi".to_owned()),
        ("/alerts/{id}", format!("/{alert}")),
    ]
    .into();
    let mut answers = BTreeMap::new();
    for (path, of) in site.document["paths"].as_object().unwrap() {
        // The embedded store keeps no verdicts: tests/kept.rs asks a database for them.
        if of.get("get").is_none() || ["/openapi.json", "/assessments/history"].contains(&&**path) {
            continue;
        }
        let with = asked.get(path.as_str()).map_or("", |with| with);
        let address = match path.find("/{") {
            Some(at) => {
                let end = path.find('}').unwrap() + 1;
                format!("{}{with}{}", &path[..at], &path[end..])
            }
            None => format!("{path}{with}"),
        };
        answers.insert(path.clone(), site.described(path, &address));
    }
    answers
}

/// Follows `next` to the end.
fn the_parts_of_a_list_make_the_whole(site: &Site) {
    let rows = fs::read_to_string(site.weir.folder().join("seeds/stations.csv")).unwrap();
    let rows = rows.lines().count() - 1;
    for (first, key, want) in [
        ("/api/v1/stations?limit=4", "/name", Some(rows)),
        ("/api/v1/acts?limit=1", "/at", Some(3)),
        ("/api/v1/observations?datastream=puhe-daoyi%2Fph&limit=7", "/phenomenon_time", Some(20)),
        ("/api/v1/alerts/history?limit=1", "/at", None),
    ] {
        let (mut seen, mut count, mut next) = (BTreeSet::new(), 0, Some(first.to_owned()));
        while let Some(path) = next {
            let part = site.get(&path);
            for one in part["value"].as_array().unwrap() {
                seen.insert(one.pointer(key).unwrap().to_string());
                count += 1;
            }
            next = part["next"].as_str().map(str::to_owned);
            assert!(count < 1_000, "{first} has no end");
        }
        assert!(want.is_none_or(|want| want == count && want == seen.len()), "{first}: {count}");
        assert!(count > 0, "{first}");
    }
}

fn what_is_wrong_is_refused_with_its_mend(site: &Site) {
    let long = format!("\"{}\"", "x".repeat(65 << 10));
    let elsewhere = format!("{JSON}Origin: https://evil.example\r\n");
    let typed = "Content-Type: text/plain\r\n";
    let of = |station: &str| {
        format!(
            "{{\"what\":\"invalidate\",\"station\":\"{station}\",\
        \"from\":\"2026-01-01\",\"to\":\"2026-01-02\",\"suspect\":true,\
        \"reason\":\"x\"}}"
        )
    };
    let (unknown, known) = (of("puhe-daoy"), of("puhe-daoyi"));
    let cases: &[(Request<'_>, u16, &str)] = &[
        (("GET", "/nothing", "", ""), 404, "openapi.json"),
        (("GET", "/stations/puhe-daoy", "", ""), 404, "the nearest is `puhe-daoyi`"),
        (("GET", "/stations?place=puh", "", ""), 404, "no place is called `puh`"),
        (("GET", "/datastreams?datastream=x", "", ""), 404, "no datastream is called `x`"),
        (("GET", "/alerts/999", "", ""), 404, "the journal has no alert 999"),
        (("GET", "/alerts?station=x", "", ""), 400, "x"),
        (("GET", "/alerts?after=x", "", ""), 400, "expected the number of an alert"),
        (("GET", "/acts?from=yesterday", "", ""), 400, "expected a time"),
        (("GET", "/ledger?limit=1", "", ""), 400, "key `limit` is not known here"),
        (("GET", "/stations?limit=2000", "", ""), 400, "stands behind `next`"),
        (("GET", "/assessments/history?station=puhe-daoyi", "", ""), 404, "without a database"),
        (("DELETE", "/stations", "", ""), 405, "this address takes GET"),
        (("POST", "/stations", JSON, "{}"), 405, "this address takes GET"),
        (("GET", "/dead-letters/retry", "", ""), 405, "this address takes POST"),
        (("POST", "/acts", JSON, "{"), 400, "the body is no JSON"),
        (("POST", "/acts", JSON, "{\"what\":\"dance\"}"), 400, "dance"),
        (("POST", "/acts", JSON, &unknown), 422, "the nearest is `puhe-daoyi`"),
        (("POST", "/acts", typed, &known), 415, "application/json"),
        (("POST", "/acts", &elsewhere, &known), 403, "weir's own pages only"),
        (("POST", "/acts", JSON, &long), 413, "64 KiB"),
        (("POST", "/dead-letters/retry", JSON, "{}"), 422, "give either ids"),
        (("POST", "/channels/nobody/test", JSON, "{}"), 422, "there is no channel `nobody`"),
    ];
    for (request, status, words) in cases {
        site.refused(*request, *status, words);
    }
    let (_, head, _) = ask(&site.weir, "GET", "/api/v1/ledger", "", "");
    assert!(head.contains("cache-control: no-store"), "{head}");
}

/// Does what docs/api.md shows, each line that begins with `curl`.
fn the_examples_of_the_document_work(site: &Site) {
    let document = fs::read_to_string("docs/api.md").unwrap();
    let mut count = 0;
    for line in document.lines().filter(|line| line.starts_with("curl ")) {
        let (_, rest) = line.split_once("http://127.0.0.1:8420").unwrap();
        let path = rest.split(['\'', '"', ' ']).next().unwrap();
        let body = line.split_once("-d '").map(|(_, body)| body.trim_end_matches('\''));
        let (status, _, said) = match body {
            None => ask(&site.weir, "GET", path, "", ""),
            Some(body) => ask(&site.weir, "POST", path, JSON, body),
        };
        assert_eq!(status, 200, "{line}: {said}");
        count += 1;
    }
    assert!(count >= 6, "{count} examples");
}

/// Gives the account other roles, each of which counts at once.
fn who_may_not_is_told_so(site: &Site) {
    let file = site.weir.folder().join("users.toml");
    let users = fs::read_to_string(&file).unwrap();
    let comment = "{\"what\":\"alerts\",\"words\":\"x\",\"deed\":{\"comment\":{\"alerts\":[1]}}}";
    let status = |path: &str, body: &str| ask(&site.weir, "POST", path, JSON, body).0;
    for (role, acts, tests) in [("operate", 200, 403), ("view", 403, 403)] {
        fs::write(&file, users.replace("admin", role)).unwrap();
        until(role, || status("/api/v1/acts", comment) == acts);
        assert_eq!(status("/api/v1/acts", comment), acts, "{role}");
        until(role, || status("/api/v1/channels/duty/test", "{}") == tests);
        if role == "view" {
            // The door itself says so, before anything is read.
            site.refused(("POST", "/acts", JSON, "{"), 403, "may look, not act");
        }
        if role == "operate" {
            let retry = ("POST", "/dead-letters/retry", JSON, "{}");
            site.refused(retry, 403, "needs the role admin");
        }
    }
    let page = get(site.weir.page(), "/weir").1;
    assert!(page.contains("sonde-") && !page.contains("<form method=\"post\" action=\"/act\""));
    fs::write(&file, users).unwrap();
}

fn the_page_shows_the_same(site: &Site) {
    let page = get(site.weir.page(), "/weir?lang=en").1;
    for words in [
        "Balances",
        "sonde-&lt;b&gt;&#x27;9",
        "unknown_device",
        "embedded store",
        "takes points",
        "connected",
        "confirmed",
        "committer: at one piece of work",
        "[[channel]] duty",
        "journal_bytes_max",
    ] {
        assert!(page.contains(words), "no `{words}` in {page}");
    }
    assert!(!page.contains("<b>") && !page.contains("style="), "{page}");
    assert!(!page.contains("/a</code>"), "the path of a channel's address may be a key");
    let chinese = get(site.weir.page(), "/weir?lang=zh").1;
    for words in ["台账", "平衡", "异常报文", "通知渠道", "现行基础表版本", "重新解析"]
    {
        assert!(chinese.contains(words), "no `{words}` in {chinese}");
    }
    assert!(!chinese.contains("Dead letters") && !chinese.contains("at one piece of work"));
    a_broken_message_can_be_opened(site, &page, &chinese);

    let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let kind = escaped(&json!([STRANGER, "", "unknown_device"]).to_string());
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let body = format!("token={token}&deed=retry&back=/weir&kind={kind}");
    let (status, head, _) = ask(&site.weir, "POST", "/act", form, &body);
    assert_eq!(status, 303, "{head}");
    assert!(head.contains("location: /weir") && head.contains("1+tried%2C+0+ended+well"), "{head}");
    let (_, head, _) =
        ask(&site.weir, "POST", "/act", form, &format!("token={token}&deed=test&channel=duty"));
    assert!(head.contains("duty%3A+confirmed+200"), "{head}");

    // What the folder of the seeds would change, and what is wrong with it.
    let file = site.weir.folder().join("seeds/stations.csv");
    let rows = fs::read_to_string(&file).unwrap();
    let same = get(site.weir.page(), "/weir/edition?lang=en").1;
    assert!(same.contains("None: the folder is what is in force."), "{same}");
    fs::write(&file, rows.replace("Puhe at Daoyi", "Puhe by Daoyi")).unwrap();
    let differs = get(site.weir.page(), "/weir/edition?lang=en").1;
    assert!(differs.contains("stations.csv: changed puhe-daoyi: name_en"), "{differs}");
    fs::write(&file, format!("{rows}x,y\n")).unwrap();
    let faulty = get(site.weir.page(), "/weir/edition?lang=zh").1;
    assert!(
        faulty.contains("错误：修正前维持现行版本") && faulty.contains("stations.csv"),
        "{faulty}"
    );
    fs::write(&file, rows).unwrap();
}

/// From its row on the page about weir to its bytes, in both languages, without running it again.
#[track_caller]
fn a_broken_message_can_be_opened(site: &Site, page: &str, chinese: &str) {
    assert!(page.contains("nobody told weir of this device"), "{page}");
    assert!(chinese.contains("设备未登记") && chinese.contains("未知设备"), "{chinese}");
    assert!(!chinese.contains("死信") && !chinese.contains("重跑"), "{chinese}");
    let address = page.split("href=\"/weir/letters/").nth(1).unwrap().split('"').next().unwrap();
    let shown = get(site.weir.page(), &format!("/weir/letters/{address}?lang=en")).1;
    for words in [
        "{&quot;do&quot;:7}",
        "7b 22 64 6f 22 3a 37 7d",
        "water&#x2f;sonde-&lt;b&gt;&#x27;9&#x2f;data",
        "once the seeds are mended (devices.csv)",
        "the device is not in devices.csv",
        "Run again, once the seeds are mended</button>",
    ] {
        assert!(shown.contains(words), "no `{words}` in {shown}");
    }
    let shown = get(site.weir.page(), &format!("/weir/letters/{address}?lang=zh")).1;
    assert!(shown.contains("修正基础表（devices.csv）并生效后可重新解析"), "{shown}");
    assert_eq!(get(site.weir.page(), "/weir/letters/4000000000").0, 404);
    assert_eq!(get(site.weir.page(), "/weir/letters/x").0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_said_with_what_still_works() {
    let broker = Mosquitto::start("");
    let nobody = free_port();
    let influx = format!(
        "[influx]\nurl = 'http://127.0.0.1:{nobody}/K3Y'\ndialect = 'influx1'\nbucket = 'weir'\n"
    );
    let mut weir = Weir::install(&broker.url(), &influx);
    weir.start();
    bad_water(&broker).await;
    let sink = || {
        let sinks: Value = serde_json::from_str(&get(weir.page(), "/api/v1/sinks").1).unwrap();
        sinks["value"][0].clone()
    };
    until("points that wait", || {
        sink()["waiting"].as_u64() > Some(0) && sink()["fault"].is_string()
    });
    until("their age", || sink()["oldest_s"].as_u64() > Some(0));
    let page = get(weir.page(), "/weir?lang=en").1;
    assert!(page.contains("What still works: messages are taken"), "{page}");
    let chinese = get(weir.page(), "/weir?lang=zh").1;
    assert!(chinese.contains("仍正常：消息照常接收"), "{chinese}");
    for shown in [&page, &chinese, &get(weir.page(), "/api/v1/status").1] {
        assert!(!shown.contains("K3Y"), "{shown}");
    }
    // Nothing is not what a database says that is away; what weir remembers is had for the asking.
    let path = "/api/v1/observations?datastream=puhe-daoyi%2Fdissolved_oxygen";
    for path in [path, "/api/v1/assessments/history?station=puhe-daoyi"] {
        let (status, said) = get(weir.page(), path);
        assert!(status == 503 && said.contains("#away") && !said.contains("K3Y"), "{said}");
    }
    let held: Value =
        serde_json::from_str(&get(weir.page(), &format!("{path}&stored=false")).1).unwrap();
    assert_eq!(held["value"].as_array().unwrap().len(), 20);
    assert_eq!(held["value"][0]["result_quality"]["doubts"], json!([]));
    weir.stop();
}
