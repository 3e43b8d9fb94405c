//! What people do on the page: they come in, work alerts off together, and leave.

use serde_json::json;

use crate::TOLD;
use crate::driver::Browser;
use crate::peer::until;
use crate::scene::{PASSWORD, Scene};

/// The alert of the wave in the list of those that are open.
const WAVE: &str = "tr.critical";

/// Waits for the wave's alert, and gives its number.
#[track_caller]
pub fn wave(browser: &Browser, scene: &Scene) -> String {
    browser.waits("the wave's alert", || {
        browser.go(&scene.at("/alerts"));
        !browser.text(WAVE).is_empty()
    });
    let id = format!("return document.querySelector('{WAVE}').id.slice('alert-'.length);");
    browser.run(&id, &[]).as_str().unwrap().to_owned()
}

/// Acknowledges an alert of the list that is before somebody.
#[track_caller]
pub fn acknowledge(browser: &Browser, row: &str, words: &str) {
    browser.waits(row, || browser.count(row) > 0);
    browser.press(&format!("{row} input[type=checkbox]"));
    browser.write("#deed-words", words);
    browser.press("button[value=acknowledge]");
    browser.waits("what came of it", || !browser.text(".said").is_empty());
}

#[test]
fn an_alert_is_worked_off_by_two_and_a_restart_forgets_nothing() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD);
    let [li_na, wang] = ["li.na", "wang.lei"].map(|person| scene.seat(person, "en"));
    let alert = wave(&li_na, &scene);
    wave(&wang, &scene);
    wang.run("window.kept = true;", &[]);

    acknowledge(&li_na, WAVE, "boat <b>is</b> on its way");
    li_na.sees(WAVE, "li.na");
    // The other one sees it as it happens, and says something, too.
    wang.sees(WAVE, "li.na");
    assert_eq!(wang.run("return window.kept === true;", &[]), json!(true), "it was reloaded");
    wang.press(&format!("{WAVE} a"));
    wang.sees("#live_happened", "boat <b>is</b> on its way");
    wang.write("#deed-words", "outfall 7 is open");
    wang.press("button[value=comment]");
    wang.sees("#live_happened", "outfall 7 is open");

    scene.weir.stop();
    scene.weir.start();
    for (browser, person) in [(&li_na, "li.na"), (&wang, "wang.lei")] {
        browser.go(&scene.at(&format!("/alerts/{alert}")));
        browser.sees("header", person);
        browser.sees("#live_happened", "boat <b>is</b> on its way");
        browser.sees("#live_happened", "outfall 7 is open");
        browser.sees("#live_head", "li.na");
    }
    // Both at once: each is told what came of it, and both stand in what happened.
    for (browser, words) in [(&li_na, "sample is taken"), (&wang, "sample is with the lab")] {
        browser.write("#deed-words", words);
    }
    std::thread::scope(|both| {
        both.spawn(|| li_na.press("button[value=acknowledge]"));
        both.spawn(|| wang.press("button[value=acknowledge]"));
    });
    for browser in [&li_na, &wang] {
        browser.sees(".said", &alert);
        browser.sees("#live_happened", "sample is taken");
        browser.sees("#live_happened", "sample is with the lab");
    }
}

#[test]
fn a_sensor_is_blamed_from_its_alert_and_the_blame_is_taken_back() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD);
    let browser = scene.seat("li.na", "en");
    let alert = wave(&browser, &scene);
    browser.go(&scene.at(&format!("/alerts/{alert}")));
    browser.press("details:has(input[value=invalidate]) summary");
    browser.write("#i-words", "the probe lies in a bucket");
    browser.press("details:has(input[value=invalidate]) button");
    browser.sees(".said", "invalid");
    browser.sees("main", "the probe lies in a bucket");
    browser.write("input[id^=r-words]", "it was the other probe");
    browser.press("form:has(input[value=revoke]) button");
    browser.sees(".said", "revoked");
    let said = "return !document.querySelector('#said');";
    browser.waits("nothing to be said of the values", || browser.run(said, &[]) == json!(true));
}

#[test]
fn values_are_judged_on_the_page_of_their_station_and_taken_back() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD);
    let browser = scene.seat("li.na", "en");
    wave(&browser, &scene);
    let oxygen = "?series=puhe-huishan%2Fdissolved_oxygen&table=1";
    let page = scene.at(&format!("/stations/puhe-huishan{oxygen}"));
    browser.go(&page);
    let marks = || browser.count(".plot .failed");
    assert_eq!(marks(), 0);
    browser.press("details.say summary");
    let property = "document.querySelector('.say select[name=property]').value = arguments[0];";
    browser.run(property, &[json!("dissolved_oxygen")]);
    browser.write(".say input[name=words]", "the probe lies in a bucket");
    browser.press(".say button");
    browser.sees(".said", "invalidation 1 of puhe-huishan");
    browser.sees("[aria-labelledby=said]", "the probe lies in a bucket");
    browser.sees("[aria-labelledby=said]", "li.na");
    browser.sees("#live_station", "flag 4");
    browser.go(&page);
    assert!(marks() > 10, "{} values are marked", marks());

    browser.write("form:has(input[value=revoke]) input[name=words]", "it was the other probe");
    browser.press("form:has(input[value=revoke]) button");
    browser.sees(".said", "revoked");
    browser.sees("[aria-labelledby=said]", "Nothing stands");
    browser.go(&page);
    assert_eq!(marks(), 0);
    let chief = scene.seat("chief", "en");
    chief.go(&scene.at("/audit"));
    for words in ["the probe lies in a bucket", "it was the other probe"] {
        let row = "return [...document.querySelectorAll('tbody tr')]
            .find((row) => row.textContent.includes(arguments[0])).textContent;";
        let row = chief.run(row, &[json!(words)]);
        assert!(row.as_str().unwrap().contains("li.na"), "{row}");
    }
}

#[test]
fn several_that_are_ticked_are_silenced_and_the_answer_is_in_the_language_of_the_page() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD);
    let browser = scene.seat("li.na", "zh-CN,zh");
    wave(&browser, &scene);
    let rows = browser.count("tr[data-row]");
    for at in 1..=rows {
        browser.press(&format!("tr[data-row]:nth-of-type({at}) input[type=checkbox]"));
    }
    browser.write("#deed-words", "河道清淤");
    browser.press("button[value=silence_each]");
    browser.sees(".said", "已设静默");
    browser.sees("#live_rows", "没有需要通知的告警");
    browser.go(&scene.at("/alerts/silences"));
    browser.sees("main", "河道清淤");
    let given = "return [...document.querySelectorAll('#people option')].map((one) => one.value);";
    browser.go(&scene.at("/alerts?state=held"));
    let people = browser.run(given, &[]);
    assert!(people.as_array().unwrap().contains(&json!("wang.lei")), "{people}");
    assert!(!people.as_array().unwrap().contains(&json!("guest")), "{people}");
}

#[test]
fn who_goes_from_page_to_page_waits_for_none_and_finds_the_way_back() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD);
    let browser = scene.seat("li.na", "en");
    let begun = std::time::Instant::now();
    // More than a browser has connections for.
    for page in ["/", "/alerts", "/stations", "/weir", "/alerts/history", "/handover"].repeat(2) {
        browser.go(&scene.at(page));
    }
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    browser.go(&scene.at("/"));
    browser.sees("h1", "Now");
    browser.go(&scene.at("/alerts"));
    browser.run("history.back();", &[]);
    browser.sees("h1", "Now");
    // Without news a page is pale after five seconds.
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert_eq!(browser.text("#lost"), "");
}

#[test]
fn a_drawing_goes_on_while_somebody_looks_at_it() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD - 5);
    let browser = scene.seat("li.na", "en");
    browser.go(&scene.at("/stations/puhe-huishan?series=puhe-huishan%2Fdissolved_oxygen&span=6h"));
    browser.sees("h1", "Huishan");
    browser.run("window.kept = true;", &[]);
    let drawn = || browser.text("#drawing figcaption");
    let before = drawn();
    scene.tell(TOLD);
    // It is drawn anew once a minute.
    let begun = std::time::Instant::now();
    while drawn() == before {
        assert!(begun.elapsed().as_secs() < 90, "{before}");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    assert_eq!(browser.run("return window.kept === true;", &[]), json!(true), "it was reloaded");
    assert_eq!(browser.count("#drawing svg.plot"), 1);
}

#[test]
fn who_comes_in_may_do_what_their_role_says_until_they_leave() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD);
    let browser = Browser::open("en");
    browser.go(&scene.at("/alerts"));
    browser.sees("h1", "Log in");
    scene.log_in(&browser, "guest", "a guess");
    browser.sees("#fault", "Name or password is wrong");
    assert!(!browser.text("body").contains("Huishan"));
    scene.log_in(&browser, "guest", PASSWORD);
    // Where they wanted to go.
    browser.sees(WAVE, "Puhe at Huishan");
    let cookie = "return document.cookie;";
    assert!(!browser.run(cookie, &[]).as_str().unwrap().contains("weir="), "scripts read it");

    // Who may look has nothing to press, and is refused who tries all the same.
    assert_eq!(browser.count("form[action='/act'] button, fieldset"), 0);
    assert_eq!(acted(&browser, "token"), 403);
    browser.go(&scene.at("/audit"));
    browser.sees("main", "for administrators");
    let operator = scene.seat("li.na", "en");
    wave(&operator, &scene);
    // An operator's own forms carry a token that no other page can know.
    assert_eq!(acted(&operator, "wrong"), 403);
    from_elsewhere(&operator, &scene);
    wave(&operator, &scene);
    assert!(!operator.text(WAVE).contains("li.na"), "{}", operator.text(WAVE));
    let chief = scene.seat("chief", "en");
    chief.go(&scene.at("/audit"));
    chief.sees("main", "Audit");

    browser.go(&scene.at("/"));
    browser.press("form[action='/logout'] button");
    browser.sees("h1", "Log in");
    browser.run("history.back();", &[]);
    browser.go(&scene.at("/alerts"));
    browser.sees("h1", "Log in");
}

/// Sends what a form would, from the page itself, and gives the status of the answer. The token is
/// the page's own where it has one.
#[track_caller]
fn acted(browser: &Browser, token: &str) -> u64 {
    let script = "const done = arguments[arguments.length - 1];
        const own = document.querySelector('input[name=token]');
        const token = arguments[0] === 'token' && own ? own.value : arguments[0];
        const body = new URLSearchParams({ token, deed: 'acknowledge', alert: '1', back: '/' });
        fetch('/act', { method: 'POST', body }).then((answer) => done(answer.status));";
    browser.run_slow(script, &[json!(token)]).as_u64().unwrap()
}

/// A page of somebody else sends a form to weir.
#[track_caller]
fn from_elsewhere(browser: &Browser, scene: &Scene) {
    let act = scene.at("/act");
    let form = format!(
        "<form method=post action={act}><input name=deed value=acknowledge>\
         <input name=alert value=1><input name=back value=/><button>win</button></form>"
    );
    browser.go(&format!("data:text/html,{form}"));
    browser.press("button");
    browser.waits("an answer", || !browser.text("body").contains("win"));
    until("weir", || crate::peer::get(scene.weir.page(), "/ready").0 == 200);
}
