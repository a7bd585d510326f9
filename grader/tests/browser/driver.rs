//! A browser driven over WebDriver: the few commands that these tests need, as plain HTTP.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// The tab key, as WebDriver writes it.
pub(crate) const TAB: char = '\u{e004}';
/// The enter key.
pub(crate) const ENTER: char = '\u{e007}';

/// The key under which WebDriver gives the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One headless Chromium with a driver of its own; both end with this.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    _home: tempfile::TempDir,
}

impl Browser {
    /// A fresh browser, or nothing where none is installed.
    pub(crate) fn start() -> Option<Self> {
        let (Some(driver), Some(chromium)) = (find("chromedriver"), find("chromium")) else {
            let what = "no chromium with chromedriver on this machine";
            assert!(std::env::var_os("REPORT_NEEDS_TOOLS").is_none(), "{what}");
            eprintln!("skipped: {what}");
            return None;
        };
        // Chromium wants a home to write to, which not every user has.
        let home = tempfile::tempdir().unwrap();
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .env("HOME", home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = port(&mut driver);
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            _home: home,
        };
        // Root has no sandbox of Chromium's own, and small machines have a small /dev/shm.
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ];
        let options = json!({ "binary": chromium, "args": args });
        let capabilities = json!({ "alwaysMatch": { "goog:chromeOptions": options } });
        let made = browser.post("", json!({ "capabilities": capabilities }));
        let id = made["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    /// Loads a page and waits until its scripts have run.
    pub(crate) fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// What a function body returns in the page; a promise is waited for.
    pub(crate) fn script(&self, body: &str) -> Value {
        self.post("/execute/sync", json!({ "script": body, "args": [] }))
    }

    /// Waits until a function body returns true. A test that waits in vain is ended by the
    /// driver's own limit on scripts.
    pub(crate) fn until(&self, body: &str) {
        let wait = format!(
            "const holds = () => {{ {body} }};
             return new Promise(done => {{
                 const look = () => holds() ? done(true) : requestAnimationFrame(look);
                 look();
             }})"
        );
        assert_eq!(self.script(&wait), true);
    }

    /// Clicks where a reader would, after scrolling there.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("/element/{element}/click"), json!({}));
    }

    /// Types into a field.
    pub(crate) fn write(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(
            &format!("/element/{element}/value"),
            json!({ "text": text }),
        );
    }

    /// Empties a field.
    pub(crate) fn clear(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("/element/{element}/clear"), json!({}));
    }

    /// Chooses the option of a value.
    pub(crate) fn choose(&self, selector: &str, value: &str) {
        let place = self.script(&format!(
            "return [...document.querySelector('{selector}').options]
                 .findIndex(option => option.value === '{value}') + 1"
        ));
        self.click(&format!("{selector} option:nth-child({place})"));
    }

    /// Presses one key, wherever the focus is.
    pub(crate) fn keys(&self, key: char) {
        let press = [
            json!({ "type": "keyDown", "value": key }),
            json!({ "type": "keyUp", "value": key }),
        ];
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": press });
        self.post("/actions", json!({ "actions": [keyboard] }));
    }

    /// The text of an element as it is shown.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.script(&format!(
            "return document.querySelector('{selector}').innerText"
        ));
        text.as_str().unwrap().to_owned()
    }

    /// CPU time of the page's main thread so far, in milliseconds: load on the machine does not
    /// count.
    pub(crate) fn cpu_ms(&self) -> f64 {
        let ask = |command: &str, params: Value| {
            let asked = json!({ "cmd": command, "params": params });
            self.post("/goog/cdp/execute", asked)
        };
        ask("Performance.enable", json!({ "timeDomain": "threadTicks" }));
        let answer = ask("Performance.getMetrics", json!({}));
        let metrics = answer["metrics"].as_array().unwrap();
        let busy = metrics
            .iter()
            .find(|metric| metric["name"] == "TaskDuration");
        busy.unwrap()["value"].as_f64().unwrap() * 1000.0
    }

    /// The window's size in pixels.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.post("/window/rect", json!({ "width": width, "height": height }));
    }

    fn find(&self, selector: &str) -> String {
        let asked = json!({ "using": "css selector", "value": selector });
        let found = self.post("/element", asked);
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .proxy(None);
        let agent: ureq::Agent = config.build().into();
        let url = format!("{}{path}", self.session);
        let mut response = agent.post(&url).send_json(&body).unwrap();
        let status = response.status();
        let mut answer: Value = response.body_mut().read_json().unwrap();
        assert!(status.is_success(), "{path} {body}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ending the session ends Chromium; then the driver may go.
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that a driver says it listens on.
fn port(driver: &mut Child) -> u16 {
    let said = BufReader::new(driver.stdout.take().unwrap());
    for line in said.lines() {
        let line = line.unwrap();
        let port = line.split_once("successfully on port ");
        if let Some((_, port)) = port {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver names no port");
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
