//! The page in Chromium, as an operator has it before them: what they see, what they can do, and
//! that nobody is left out.
#![cfg(feature = "demo")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_debug_implementations,
    reason = "a test may panic, waits by its own clock, and is nobody's library"
)]

mod acts;
mod axe;
mod driver;
#[path = "../peer/mod.rs"]
mod peer;
mod pictures;
mod scene;

use serde_json::json;

use driver::{Browser, Screen};
use scene::{Scene, many, reword};

/// How far the story is told: the wave passes, a probe sticks.
const TOLD: i64 = 37;
/// How many bytes a page may have.
const PAGE_BYTES_MAX: usize = 150 * 1024;

#[test]
fn a_breach_appears_and_a_lost_connection_is_said_without_a_reload() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(8);
    let browser = scene.seat("li.na", "en");
    browser.go(&scene.at("/"));
    browser.sees("h1", "Now");
    browser.run("window.kept = true;", &[]);
    assert!(!browser.text("#live_open").contains("Huishan"));

    scene.tell(TOLD);
    browser.sees("#live_open", "Puhe at Huishan");
    let still_there = || browser.run("return window.kept === true;", &[]) == json!(true);
    assert!(still_there(), "it was reloaded");

    scene.weir.stop();
    browser.sees("#lost", "No news since");
    browser.sees("#lost", "(UTC+8)");
    let faint = "return Number(getComputedStyle(document.querySelector('main')).opacity) < 1;";
    assert_eq!(browser.run(faint, &[]), json!(true), "old numbers look as new ones do");
    browser.sees("#live_open", "Puhe at Huishan");
    scene.weir.start();
    browser.waits("news to come again", || browser.text("#lost").is_empty());
    assert!(still_there(), "it was reloaded");
    assert_eq!(browser.run(faint, &[]), json!(false), "new numbers look as old ones do");
}

#[test]
fn a_page_is_in_the_language_of_its_browser_or_the_one_that_is_chosen() {
    let scene = Scene::new(TOLD, "");
    let browser = scene.seat("li.na", "zh-CN,zh");
    browser.go(&scene.at("/"));
    browser.sees("h1", "现状");
    assert_eq!(browser.run("return document.documentElement.lang;", &[]), json!("zh"));
    browser.press("header [hreflang=en]");
    browser.sees("h1", "Now");
    browser.go(&scene.at("/"));
    browser.sees("h1", "Now");
}

#[test]
fn names_from_outside_are_text() {
    let evil = "<b id=bold>B</b><img src=x onerror=window.ran=1><script>window.ran=1</script>";
    let mut scene = Scene::with(TOLD, "", |weir| {
        reword(weir, "stations.csv", "Puhe at Huishan", evil);
        reword(weir, "places.csv", "Puhe River", &format!("{evil} River"));
    });
    scene.tell(TOLD);
    let browser = scene.seat("li.na", "en");
    browser.go(&scene.at("/"));
    browser.sees("#live_open", "<b id=bold>");
    browser.with_each_page("document.addEventListener('news', () => { window.news = true; });");
    for page in pages(&browser, &scene) {
        browser.go(&scene.at(&page));
        if !WITHOUT_NAMES.contains(&&*page) {
            browser.sees("main", "<b id=bold>B</b><img src=x onerror=window.ran=1><script>");
        }
        // News come by another way than the page.
        browser.waits("news", || browser.run("return window.news === true;", &[]) == json!(true));
        assert_eq!(browser.count("#bold, main img, main script"), 0, "{page}");
        assert_eq!(browser.run("return window.ran === undefined;", &[]), json!(true), "{page}");
        assert_eq!(browser.complaints(), [""; 0], "{page}");
    }
}

/// The pictures that `docs/` shows in each language, by page, screen and theme, with their names
/// there.
const SHOWN: [(&str, &str); 6] = [
    ("now-light-desk", "now"),
    ("alerts-light-desk", "alerts"),
    ("alert-light-desk", "alert"),
    ("station-light-desk", "station"),
    ("handover-light-desk", "handover"),
    ("now-dark-phone", "phone"),
];
/// The pages that operators see, but that of one alert.
const PAGES: [&str; 9] = [
    "/",
    "/alerts",
    "/alerts/silences",
    "/alerts/history",
    "/stations",
    "/stations/puhe-huishan",
    "/handover",
    "/weir",
    "/weir/edition",
];
/// Those of them on which no station is named.
const WITHOUT_NAMES: [&str; 3] = ["/alerts/silences", "/weir", "/weir/edition"];

/// Gives all of them, once there is an alert.
#[track_caller]
fn pages(browser: &Browser, scene: &Scene) -> Vec<String> {
    let alert = acts::wave(browser, scene);
    let mut pages: Vec<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    pages.push(format!("/alerts/{alert}"));
    pages
}

/// Gives a word for a page, for the names of its pictures.
fn word(page: &str) -> String {
    let parts: Vec<&str> = page.split('/').filter(|part| !part.is_empty()).collect();
    match *parts {
        [] => "now".to_owned(),
        ["alerts", number] if number.parse::<u64>().is_ok() => "alert".to_owned(),
        ["stations", _] => "station".to_owned(),
        _ => parts.join("-"),
    }
}

#[test]
fn every_page_is_for_everybody_on_every_screen_and_keeps_its_policy() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(14);
    // Hunhe at Dongling has little oxygen, too, and somebody looks after it.
    scene.tell_but(TOLD, "sonde-05");
    scene.say((15..TOLD).map(|minute| {
        let payload = format!("{{\"ts\":{},\"temp\":18.1,\"do\":2.6}}", scene.minute(minute));
        ("water/sonde-05/data".to_owned(), payload)
    }));
    let operator = scene.seat("li.na", "en");
    let chief = scene.seat("chief", "en");
    let mut pages = pages(&operator, &scene);
    acts::acknowledge(&operator, "tr.warning", "boat is on its way");
    pages.extend(["/login", "/audit", "/nothing/of/this/name"].map(str::to_owned));
    operator.complaints();
    for page in &pages {
        let browser = if page == "/audit" { &chief } else { &operator };
        for language in ["en", "zh"] {
            browser.go(&scene.at(&format!("{page}?lang={language}")));
            for (dark, theme) in [(false, "light"), (true, "dark")] {
                browser.dark(dark);
                for screen in [Screen::Desk, Screen::Phone] {
                    browser.on(screen);
                    let name = format!("{}-{theme}-{}", word(page), screen.word());
                    pictures::take(browser, &format!("{name}-{language}"));
                    if let Some((_, shown)) = SHOWN.iter().find(|(one, _)| *one == name) {
                        pictures::show(browser, &format!("{shown}-{language}"));
                    }
                    nothing_sticks_out(browser, &name);
                    // Two of four have each word and each width once.
                    if (screen == Screen::Phone) == dark {
                        axe::nobody_is_left_out(browser, &format!("{page} {language} {name}"));
                    }
                }
            }
            let missing = |words: &String| words.contains("404") && page.starts_with("/nothing");
            let complaints = browser.complaints();
            assert!(complaints.iter().all(missing), "{page} {language}: {complaints:?}");
        }
        let bytes = peer::get(scene.weir.page(), page).1.len();
        assert!(bytes > 0 && bytes < PAGE_BYTES_MAX, "{page}: {bytes} bytes");
    }
}

/// Nobody must scroll sideways to read.
#[track_caller]
fn nothing_sticks_out(browser: &Browser, name: &str) {
    let script = "const wide = document.documentElement.scrollWidth;
        const inside = (one) => one.closest('.wide');
        const out = [...document.body.querySelectorAll('*')].filter((one) =>
            !inside(one) && one.getBoundingClientRect().right > innerWidth + 1);
        return wide > innerWidth ? out.map((one) => one.outerHTML.slice(0, 120)) : [];";
    assert_eq!(browser.run(script, &[]), json!([]), "{name}");
}

#[test]
fn without_script_a_page_is_whole() {
    let mut scene = Scene::new(TOLD, "");
    scene.tell(TOLD);
    let browser = scene.seat("li.na", "en");
    browser.without_script(true);
    for page in pages(&browser, &scene) {
        browser.go(&scene.at(&page));
        if !WITHOUT_NAMES.contains(&&*page) {
            browser.sees("main", "Puhe at Huishan");
        }
        assert_eq!(browser.count("noscript meta[http-equiv=refresh]"), 1, "{page}");
    }
}

#[test]
fn ten_thousand_stations_and_a_thousand_alerts_are_pages_that_can_be_read() {
    let (stations, over) = (10_000, 1_000);
    let scene = Scene::with(TOLD, "", |weir| many(weir, stations));
    let at = jiff::Timestamp::now().as_millisecond() - 60_000;
    scene.say((0..stations).map(|number| {
        // Ammonia of class IV is 1.5 mg/L at most, and one value is enough for an alert.
        let ammonia = if number < over { 2.4 } else { 0.4 };
        let payload = format!("{{\"ts\":{at},\"do\":7.1,\"nh3n\":{ammonia}}}");
        (format!("water/many-{number}/data"), payload)
    }));
    let browser = scene.seat("li.na", "en");
    browser.go(&scene.at("/"));
    browser.sees("#live_summary", &format!("{over} critical"));
    for page in PAGES {
        browser.go(&scene.at(page));
        let bytes = peer::get(scene.weir.page(), page).1.len();
        assert!(bytes < PAGE_BYTES_MAX, "{page}: {bytes} bytes");
    }
}
