//! Apps that share memory between threads, in the frame of their page.

use spaceport_tests::{Files, TestHost, TestSpace};

use crate::browser::Browser;

const README: &str = "---\nsdk: static\ncustom_headers:\n  cross-origin-embedder-policy: require-corp\n  \
                      cross-origin-opener-policy: same-origin\n  cross-origin-resource-policy: cross-origin\n---\n";
/// Has a thread add to a number in memory that both have.
const PAGE: &str = r#"<!doctype html><head><link rel="icon" href="data:,"></head><body><p id="said"></p><script>
const said = document.getElementById('said');
if (!crossOriginIsolated) said.textContent = 'not isolated';
else {
  const numbers = new Int32Array(new SharedArrayBuffer(4));
  numbers[0] = 40;
  const worker = new Worker('worker.js');
  worker.onmessage = () => { said.textContent = `together ${Atomics.load(numbers, 0)}`; };
  worker.postMessage(numbers);
}
</script></body>"#;
const WORKER: &str = "onmessage = ({ data }) => { Atomics.add(data, 0, 2); postMessage('done'); };";

#[test]
fn an_app_shares_memory_with_its_threads_on_its_page() {
    let host = TestHost::start();
    let files = || Files::site(&[("index.html", PAGE), ("worker.js", WORKER)]);
    let threads = TestSpace::create(&host, "threads", "static");
    threads.serves(&threads.push(files().with("README.md", README)));
    host.push("plain", files()).reaches("RUNNING");
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&format!("http://{}/", threads.authority));
    browser.shows("#said", "together 42");
    browser.open(&host.at("/spaces/ada/threads"));
    browser.app_shows("#said", "together 42");
    browser.open(&host.at("/spaces/ada/plain"));
    browser.app_shows("#said", "not isolated");
}
