//! A browser as a person uses it: what they open, click, type and see.
//!
//! Everything is waited for, up to a deadline. When the browser is dropped, what its pages have complained of fails the test.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use spaceport_tests::{TestHost, wait};
use tokio::runtime::Runtime;

use crate::driver::{Driver, Own, capabilities};

/// How long anything may take to show: the machine may be busy with other tests.
const SHOWN: Duration = Duration::from_secs(30);

/// Whether what a selector finds first holds some words.
const HOLDS: &str = "return document.querySelector(arguments[0])?.textContent.includes(arguments[1])";

/// A browser of the test's own, with cookies of its own.
pub struct Browser {
    client: Client,
    runtime: Runtime,
    excused: RefCell<Vec<&'static str>>,
    /// Goes last: the session is ended through it.
    _driver: Driver,
}

impl Browser {
    /// Starts one; `None`, which ends the test, where the machine has none.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let driver = Driver::start()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connect = builder.capabilities(capabilities()).connect(driver.address());
        let client = runtime.block_on(connect).unwrap_or_else(|error| panic!("no session with the browser: {error}"));
        Some(Self { client, runtime, excused: RefCell::default(), _driver: driver })
    }

    /// One in which the host's first user is signed in.
    #[track_caller]
    pub fn signed_in(host: &TestHost) -> Option<Self> {
        let browser = Self::start()?;
        browser.open(&host.at("/login"));
        browser.sign_in("", host.token());
        browser.finds("header .menu");
        Some(browser)
    }

    /// Fills in the form for signing in, which is shown.
    #[track_caller]
    pub fn sign_in(&self, name: &str, secret: &str) {
        self.fill("[name=name]", name);
        self.fill("[name=secret]", secret);
        self.click("main .primary");
    }

    /// Opens an address.
    #[track_caller]
    pub fn open(&self, address: &str) {
        self.wait_on(self.client.goto(address)).unwrap_or_else(|error| panic!("{address}: {error}"));
    }

    /// The address of the page.
    pub fn address(&self) -> String {
        self.wait_on(self.client.current_url()).unwrap().into()
    }

    /// Waits until the page is at this address.
    #[track_caller]
    pub fn arrives(&self, address: &str) {
        self.until(&format!("the address {address}"), || {
            let url = self.wait_on(self.client.current_url()).ok()?;
            (url.as_str() == address).then_some(())
        });
    }

    /// Clicks what this selector finds first.
    #[track_caller]
    pub fn click(&self, css: &str) {
        self.act(css, |element| self.wait_on(element.click()));
    }

    /// Clicks the link or button with these words.
    #[track_caller]
    pub fn click_words(&self, words: &str) {
        let path = format!("//*[self::a or self::button or self::summary][contains(normalize-space(.), \"{words}\")]");
        self.until(&format!("{words:?} to click"), || {
            self.wait_on(self.client.find(Locator::XPath(&path))).and_then(|found| self.wait_on(found.click())).ok()
        });
    }

    /// Puts a text into a field, in place of what is there.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        self.act(css, |element| {
            self.wait_on(element.clear())?;
            self.wait_on(element.send_keys(text))
        });
    }

    /// Types into an element, or chooses files by their paths.
    #[track_caller]
    pub fn type_into(&self, css: &str, keys: &str) {
        self.act(css, |element| self.wait_on(element.send_keys(keys)));
    }

    /// Types where the focus is.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let focused = self.wait_on(self.client.active_element()).unwrap();
        self.wait_on(focused.send_keys(keys)).unwrap();
    }

    #[track_caller]
    fn act(&self, css: &str, act: impl Fn(Element) -> Result<(), CmdError>) {
        let mut last = None;
        let done = wait::until(SHOWN, || {
            let tried = self.wait_on(self.client.find(Locator::Css(css))).and_then(&act);
            tried.map_err(|error| last = Some(error)).ok()
        });
        assert!(done.is_some(), "{css}: {last:?}\n{}", self.report());
    }

    /// Waits until what this selector finds first holds these words.
    #[track_caller]
    pub fn shows(&self, css: &str, words: &str) {
        self.holds_with(&format!("{words:?} in {css}"), HOLDS, vec![json!(css), json!(words)]);
    }

    /// Waits until this selector finds something.
    #[track_caller]
    pub fn finds(&self, css: &str) {
        self.holds_with(css, "return document.querySelector(arguments[0]) !== null", vec![json!(css)]);
    }

    /// Waits until this expression is true on the page.
    #[track_caller]
    pub fn holds(&self, expression: &str) {
        self.holds_with(expression, &format!("return !!({expression})"), Vec::new());
    }

    #[track_caller]
    fn holds_with(&self, what: &str, script: &str, args: Vec<Value>) {
        self.until(what, || {
            // While one page follows another there is none to ask.
            let answer = self.wait_on(self.client.execute(script, args.clone())).ok()?;
            (answer == json!(true)).then_some(())
        });
    }

    /// The value of an expression on the page, now.
    #[track_caller]
    pub fn value(&self, expression: &str) -> Value {
        let answer = self.wait_on(self.client.execute(&format!("return ({expression})"), Vec::new()));
        answer.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Runs statements on the page.
    #[track_caller]
    pub fn run(&self, script: &str) {
        self.wait_on(self.client.execute(script, Vec::new())).unwrap_or_else(|error| panic!("{script:.200}: {error}"));
    }

    /// What a script gives to its last argument, a function.
    #[track_caller]
    pub fn answer(&self, script: &str) -> Value {
        let answer = self.wait_on(self.client.execute_async(script, Vec::new()));
        answer.unwrap_or_else(|error| panic!("{script:.200}: {error}"))
    }

    /// Looks at what is in a frame.
    #[track_caller]
    pub fn in_frame<T>(&self, css: &str, look: impl FnOnce() -> T) -> T {
        self.act(css, |element| self.wait_on(element.enter_frame()));
        let found = look();
        self.wait_on(self.client.enter_parent_frame()).unwrap();
        found
    }

    /// Waits until the page of a Space shows these words of its app.
    #[track_caller]
    pub fn app_shows(&self, css: &str, words: &str) {
        self.until(&format!("{words:?} in {css} of the app"), || {
            let frame = self.wait_on(self.client.find(Locator::Css("#app"))).ok()?;
            self.wait_on(frame.enter_frame()).ok()?;
            let answer = self.wait_on(self.client.execute(HOLDS, vec![json!(css), json!(words)])).ok();
            let _ = self.wait_on(self.client.enter_parent_frame());
            (answer == Some(json!(true))).then_some(())
        });
    }

    /// Says yes to what the page asks.
    #[track_caller]
    pub fn agree(&self) {
        self.until("a question", || self.wait_on(self.client.accept_alert()).ok());
    }

    /// Makes the page this wide, as on a telephone, or as it was at first with `None`.
    #[track_caller]
    pub fn set_width(&self, width: Option<u32>) {
        let (command, params) = match width {
            Some(width) => {
                let params = json!({ "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": true });
                ("Emulation.setDeviceMetricsOverride", params)
            }
            None => ("Emulation.clearDeviceMetricsOverride", json!({})),
        };
        self.devtools(command, params);
    }

    /// Makes the pages' part of the window exactly this large.
    #[track_caller]
    pub fn set_size(&self, width: u32, height: u32) {
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", params);
    }

    /// Which colours the person wants: `light` or `dark`.
    #[track_caller]
    pub fn set_scheme(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    #[track_caller]
    fn devtools(&self, command: &str, params: Value) {
        self.wait_on(self.client.issue_cmd(Own::devtools(command, params))).unwrap();
    }

    /// What is to be seen, as a PNG.
    #[track_caller]
    pub fn screenshot(&self) -> Vec<u8> {
        self.wait_on(self.client.screenshot()).unwrap()
    }

    /// A complaint with these words is what the test is about.
    pub fn excuse(&self, words: &'static str) {
        self.excused.borrow_mut().push(words);
    }

    /// Waits for a value.
    #[track_caller]
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait::until(SHOWN, look).unwrap_or_else(|| panic!("waited for {what}\n{}", self.report()))
    }

    /// Where the browser is and what can be read there.
    fn report(&self) -> String {
        let text = "return (document.body?.innerText ?? '').slice(0, 3000)";
        let text = self.wait_on(self.client.execute(text, Vec::new())).ok();
        let address = self.wait_on(self.client.current_url()).map(String::from).unwrap_or_default();
        format!("at {address}:\n{}", text.as_ref().and_then(Value::as_str).unwrap_or_default())
    }

    /// What pages have complained of that is not excused: errors, and breaches of a page's own policy.
    fn complaints(&self) -> Vec<String> {
        let Ok(entries) = self.wait_on(self.client.issue_cmd(Own::console())) else { return Vec::new() };
        let excused = self.excused.borrow();
        let entries = entries.as_array().cloned().unwrap_or_default().into_iter();
        entries
            .filter_map(|entry| {
                let message = entry["message"].as_str()?.to_owned();
                let is_bad = entry["level"] == "SEVERE" || message.contains("Content Security Policy");
                (is_bad && !excused.iter().any(|words| message.contains(words))).then_some(message)
            })
            .collect()
    }

    fn wait_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let complaints = self.complaints();
        if std::thread::panicking() {
            eprintln!("--- the browser is {}", self.report());
            let picture = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.png", std::process::id()));
            let taken = self.wait_on(self.client.screenshot()).is_ok_and(|png| std::fs::write(&picture, png).is_ok());
            if taken {
                eprintln!("--- what it shows: {}", picture.display());
            }
        }
        let _ = self.wait_on(self.client.clone().close());
        if !complaints.is_empty() {
            let text = complaints.join("\n  ");
            match std::thread::panicking() {
                true => eprintln!("--- pages complained:\n  {text}"),
                false => panic!("pages complained:\n  {text}"),
            }
        }
    }
}
