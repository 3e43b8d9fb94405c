//! Chromium as a person uses it: Debian's chromedriver, told by WebDriver (W3C) what to do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::peer::{Process, free_port, listens, program, until};

/// How long a page may take to show something.
const PATIENCE: Duration = Duration::from_secs(20);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One chromedriver for all tests that run at a time; it ends with the last of them.
static SHARED: Mutex<Weak<Driver>> = Mutex::new(Weak::new());

#[derive(Debug)]
struct Driver {
    _process: Process,
    port: u16,
}

impl Driver {
    fn shared() -> Arc<Self> {
        let mut held = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(driver) = held.upgrade() {
            return driver;
        }
        let port = free_port();
        let mut command = Command::new(program("chromedriver", "chromium-driver"));
        command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = Arc::new(Self { _process: Process::start(&mut command), port });
        until("chromedriver", || listens(port));
        *held = Arc::downgrade(&driver);
        driver
    }

    /// Asks, and gives the value of the answer or what is wrong.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        // The connection stays open after the answer.
        let mut reader = BufReader::new(stream);
        let (mut status, mut length) = (String::new(), 0);
        reader.read_line(&mut status).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        let value = answer.get_mut("value").map(Value::take);
        match value {
            Some(value) if status.starts_with("HTTP/1.1 200") => Ok(value),
            value => Err(format!("{method} {path}: {}", value.unwrap_or_default())),
        }
    }
}

/// What a person sits in front of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Screen {
    Desk,
    Phone,
}

impl Screen {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Phone => "phone",
        }
    }

    const fn size(self) -> (u32, u32) {
        match self {
            Self::Desk => (1280, 800),
            Self::Phone => (390, 844),
        }
    }
}

/// A browser with a profile of its own: cookies, a language, a screen.
#[derive(Debug)]
pub struct Browser {
    driver: Arc<Driver>,
    session: String,
}

impl Browser {
    /// Opens a browser whose person reads this language, as `Accept-Language` has it.
    #[track_caller]
    pub fn open(language: &str) -> Self {
        let chromium = program("chromium", "chromium");
        let driver = Driver::shared();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "timeouts": { "script": 60_000, "pageLoad": 60_000 },
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": chromium,
                "args": arguments,
                "prefs": { "intl.accept_languages": language },
            },
        } } });
        let answer = driver.ask("POST", "/session", &wanted).unwrap_or_else(|e| panic!("{e}"));
        let session = answer["sessionId"].as_str().unwrap().to_owned();
        let browser = Self { driver, session };
        browser.on(Screen::Desk);
        browser
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.driver.ask("POST", &format!("/session/{}/{path}", self.session), body)
    }

    /// Sends a command of Chromium's own protocol.
    #[track_caller]
    pub fn tell(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Sits down in front of another screen.
    #[track_caller]
    pub fn on(&self, screen: Screen) {
        let (width, height) = screen.size();
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": screen == Screen::Phone,
        });
        self.tell("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Has the system ask for dark or light pages.
    #[track_caller]
    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.tell("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Lets pages run no script from the next one on, or lets them.
    #[track_caller]
    pub fn without_script(&self, without: bool) {
        self.tell("Emulation.setScriptExecutionDisabled", &json!({ "value": without }));
    }

    /// Runs a script of the test before any of a page, on each page from the next one on.
    #[track_caller]
    pub fn with_each_page(&self, script: &str) {
        self.tell("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": script }));
    }

    #[track_caller]
    pub fn go(&self, address: &str) {
        self.post("url", &json!({ "url": address }));
    }

    /// Gives the address of the page.
    #[track_caller]
    pub fn address(&self) -> String {
        let path = format!("/session/{}/url", self.session);
        let answer = self.driver.ask("GET", &path, &Value::Null);
        answer.unwrap_or_else(|error| panic!("{error}")).as_str().unwrap().to_owned()
    }

    /// Runs a script of the test in the page, which gives something back by `return`.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Runs one that gives something back by calling its last argument.
    #[track_caller]
    pub fn run_slow(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("execute/async", &json!({ "script": script, "args": arguments }))
    }

    /// Gives what is to be read in the first element that a selector finds; nothing where none is
    /// or none is shown.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let script = "const one = document.querySelector(arguments[0]);
            return one?.checkVisibility() ? one.innerText : '';";
        self.run(script, &[json!(selector)]).as_str().unwrap_or_default().to_owned()
    }

    /// Gives how many elements a selector finds.
    #[track_caller]
    pub fn count(&self, selector: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length;";
        self.run(script, &[json!(selector)]).as_u64().unwrap()
    }

    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let way = json!({ "using": "css selector", "value": selector });
        let found = self.post("element", &way);
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Presses what a selector finds, as a mouse would: it must be there to be seen.
    #[track_caller]
    pub fn press(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Writes into a field.
    #[track_caller]
    pub fn write(&self, selector: &str, words: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/value"), &json!({ "text": words }));
    }

    /// Waits until a selector finds an element in which these words are to be read.
    #[track_caller]
    pub fn sees(&self, selector: &str, words: &str) {
        self.waits(&format!("`{words}` in {selector}"), || self.text(selector).contains(words));
    }

    /// Waits until something holds of the page.
    #[track_caller]
    pub fn waits(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            if start.elapsed() > PATIENCE {
                panic!("waited in vain for {what} on {}:\n{}", self.address(), self.text("body"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Gives what the browser complained of since it was last asked: scripts that failed, what
    /// the policy of a page forbids, addresses that do not answer.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let answer = self.post("se/log", &json!({ "type": "browser" }));
        let lines = answer.as_array().unwrap().iter();
        let grave = lines.filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        let words = grave.map(|line| line["message"].as_str().unwrap_or_default().to_owned());
        // A connection for news ends after a minute, and the page opens another.
        words.filter(|words| !words.contains("ERR_INCOMPLETE_CHUNKED_ENCODING")).collect()
    }

    /// Takes a picture of the page from its head on, at most so high, as PNG.
    #[track_caller]
    pub fn picture(&self, height_max: u64) -> Vec<u8> {
        let script = "return [innerWidth, document.documentElement.scrollHeight];";
        let size = self.run(script, &[]);
        let (width, height) = (size[0].as_u64().unwrap(), size[1].as_u64().unwrap());
        let parameters = json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": {
                "x": 0, "y": 0, "width": width, "height": height.min(height_max), "scale": 1,
            },
        });
        let answer = self.tell("Page.captureScreenshot", &parameters);
        STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.driver.ask("DELETE", &format!("/session/{}", self.session), &Value::Null).ok();
    }
}
