//! A headless Chromium, driven over WebDriver: what it shows, what it asks the
//! network for, and what it has to complain about. It ends with its owner.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

/// A browser with one window.
pub(crate) struct Browser {
    driver: Child,
    client: reqwest::blocking::Client,
    /// The URL of the session, once there is one.
    session: String,
    /// Goes away with the browser.
    profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) fn start(width: u32, height: u32) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pages are tested in Chromium: install chromium and chromium-driver");
        let client = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(120))
            .build()
            .expect("a client");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut browser = Self {
            driver,
            client,
            session: format!("http://127.0.0.1:{port}"),
            profile,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let status = format!("{}/status", browser.session);
        while browser.client.get(&status).send().is_err() {
            assert!(Instant::now() < deadline, "chromedriver does not start");
            thread::sleep(Duration::from_millis(50));
        }
        let mut args: Vec<String> = [
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
            "hide-scrollbars",
        ]
        .map(|flag| format!("--{flag}"))
        .into();
        args.push(format!(
            "--user-data-dir={}",
            browser.profile.path().display()
        ));
        args.push(format!("--window-size={width},{height}"));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let made = browser.post("/session", &wanted);
        let id = made["sessionId"].as_str().expect("a session");
        browser.session = format!("{}/session/{id}", browser.session);
        browser
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let response = self.client.post(url).json(body).send().expect("an answer");
        let failed = !response.status().is_success();
        let answer: Value = response.json().expect("the answer is JSON");
        assert!(!failed, "{path}: {answer}");
        answer["value"].clone()
    }

    #[track_caller]
    pub(crate) fn open(&self, page: &Path) {
        // The browser's own first page asks for much.
        self.post("/url", &json!({"url": "about:blank"}));
        self.requests();
        self.complaints();
        let url = format!("file://{}", page.display());
        self.post("/url", &json!({"url": url}));
    }

    /// What a function body returns.
    #[track_caller]
    pub(crate) fn eval(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Presses keys one after the other.
    #[track_caller]
    pub(crate) fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("/actions", &json!({"actions": [keyboard]}));
    }

    /// A command of the DevTools protocol.
    #[track_caller]
    pub(crate) fn command(&self, name: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": name, "params": parameters}),
        )
    }

    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.command(
            "Emulation.setEmulatedMedia",
            &json!({"features": [feature]}),
        );
    }

    /// The window's content as a PNG.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let shot = self.command("Page.captureScreenshot", &json!({}));
        decoded(&shot["data"])
    }

    /// The page as it would be printed.
    pub(crate) fn print(&self) -> Vec<u8> {
        decoded(&self.post("/print", &json!({})))
    }

    /// Errors and refusals, the policy's among them, since the page was opened or the last call.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        log.as_array().expect("a log").clone()
    }

    /// The URLs that were asked for since the page was opened or the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "performance"}));
        let events = log.as_array().expect("a log").iter().map(|entry| {
            let text = entry["message"].as_str().expect("a message");
            serde_json::from_str::<Value>(text).expect("messages are JSON")
        });
        events
            .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|event| {
                let url = &event["message"]["params"]["request"]["url"];
                url.as_str().map(str::to_owned)
            })
            .collect()
    }
}

fn decoded(base64: &Value) -> Vec<u8> {
    let text = base64.as_str().expect("base64");
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .expect("base64")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; without it the driver would leave it running.
        let _ = self.client.delete(&self.session).send();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
