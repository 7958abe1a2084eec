//! The program that drives the browser, and its dialect of WebDriver.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use http::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// The programs, as Debian names them.
const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];
/// Set where a test that has no browser is a failure.
const NEEDED: &str = "SPACEPORT_NEEDS_BROWSER";
/// What the driver says once it listens, before its port.
const SAYS_PORT: &str = "started successfully on port ";

/// Says that a test is left out for want of something, or fails for it where nothing may be wanting.
#[track_caller]
pub fn left_out(wanting: &str) {
    let line = format!("left out: {wanting} is not there; `cargo xtask test` gets it");
    assert!(std::env::var_os(NEEDED).is_none(), "{line}");
    println!("{line}");
}

/// A driver on a port of its own.
pub struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    /// Starts one; `None` where there is no browser.
    #[track_caller]
    pub fn start() -> Option<Self> {
        if let Some(missing) = PROGRAMS.iter().find(|program| !is_installed(program)) {
            left_out(missing);
            return None;
        }
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once(SAYS_PORT)?.1.trim_end_matches('.').to_owned())
        });
        // It says more later, and would not go on if nobody read it.
        std::thread::spawn(move || said.for_each(drop));
        let address = format!("http://127.0.0.1:{}/", port.expect("the driver says its port"));
        Some(Self { process, address })
    }

    /// Where it answers.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// What a session is to be like: no window, nothing asked of the world outside, and every message of a page kept.
pub fn capabilities() -> Capabilities {
    let mut args = vec![
        "--headless=new",
        "--window-size=1280,800",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-sync",
        "--no-first-run",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
    ];
    // Its sandbox needs a user to change to; root has none below it.
    if rustix::process::geteuid().is_root() {
        args.push("--no-sandbox");
    }
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": args, "binary": binary() },
        "goog:loggingPrefs": { "browser": "ALL" },
        "unhandledPromptBehavior": "ignore",
    });
    wanted.as_object().expect("it is one").clone()
}

fn binary() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(PROGRAMS[0])).find(|place| place.exists());
    found.as_deref().and_then(Path::to_str).expect("it was found before").to_owned()
}

/// A command that only this browser's driver knows.
#[derive(Debug)]
pub struct Own {
    path: &'static str,
    body: Value,
}

impl Own {
    /// A command of the browser's own protocol for developers.
    pub fn devtools(command: &str, params: Value) -> Self {
        Self { path: "goog/cdp/execute", body: json!({ "cmd": command, "params": params }) }
    }

    /// What the console has had since it was asked last.
    pub fn console() -> Self {
        Self { path: "se/log", body: json!({ "type": "browser" }) }
    }
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
