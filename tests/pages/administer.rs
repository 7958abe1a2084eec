//! Hardware and plugins under `/admin`.

use spaceport_tests::{Files, TestHost, guest};

use crate::browser::Browser;

#[test]
fn a_row_of_hardware_is_made_and_removed() {
    let host = TestHost::start();
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/admin/hardware"));
    browser.fill("[name=name]", "cpu-tiny");
    browser.fill("[name=prettyName]", "CPU Tiny");
    browser.fill("[name=vcpu]", "0.25");
    browser.fill("[name=memory]", "plenty");
    browser.fill("[name=disk]", "1GB");
    browser.excuse("the server responded with a status of 400");
    browser.click_words("Create");
    browser.shows(".error:not([hidden])", "memory: write a size");
    browser.fill("[name=memory]", "64MiB");
    browser.click_words("Create");
    browser.shows("tbody tr:last-child", "CPU Tiny");
    browser.shows("tbody tr:last-child", "0.25 vCPU");
    browser.holds("!document.querySelector('[aria-label=\"Remove cpu-basic\"]')");
    browser.click("[aria-label='Remove cpu-tiny']");
    browser.agree();
    browser.holds("!document.querySelector('main').textContent.includes('cpu-tiny')");
}

#[test]
fn a_plugin_is_installed_from_a_file_and_removed() {
    let host = TestHost::start();
    let Some(browser) = Browser::signed_in(&host) else { return };
    let (good, bad) = (host.scratch().join("upper.wasm"), host.scratch().join("notes.wasm"));
    std::fs::write(&good, guest("plugin_upper")).unwrap();
    std::fs::write(&bad, "no component").unwrap();
    browser.open(&host.at("/admin/plugins"));
    browser.type_into("[name=component]", &bad.display().to_string());
    browser.excuse("the server responded with a status of 400");
    browser.click_words("Install");
    browser.shows(".error:not([hidden])", "This is no plugin of this host");
    browser.open(&host.at("/admin/plugins"));
    browser.type_into("[name=component]", &good.display().to_string());
    browser.click_words("Install");
    browser.shows("tbody", "markdown-demo");
    let space = host.push("demo", Files::default().with("README.md", "---\nsdk: markdown-demo\n---\n# Hello\n"));
    space.reaches("RUNNING");

    let remove = "[aria-label='Remove markdown-demo']";
    browser.excuse("the server responded with a status of 409");
    browser.click(remove);
    browser.agree();
    browser.shows("#notice", "1 Spaces are of the kind markdown-demo");
    space.delete();
    browser.click(remove);
    browser.agree();
    browser.shows("main", "There is no plugin but those that are part of the host");
}
