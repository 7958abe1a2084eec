//! Files: changed and uploaded in the browser, with their history.

use spaceport_tests::{Files, TestHost};

use crate::browser::Browser;

#[test]
fn a_file_is_edited_with_a_message_and_its_history_tells() {
    let host = TestHost::start();
    let space =
        host.push("site", Files::site(&[("index.html", "<head></head><h1>before</h1>\n"), ("a/b c.txt", "deep")]));
    space.reaches("RUNNING");
    let Some(browser) = Browser::signed_in(&host) else { return };
    browser.open(&host.at("/spaces/ada/site"));
    browser.click_words("Files");
    browser.click_words("index.html");
    browser.click_words("Edit");
    browser.fill("[name=content]", "<head></head><h1>after & <b>all</b></h1>\n");
    browser.fill("[name=summary]", "Say <after>");
    browser.click("[data-form=edit] .primary");
    browser.arrives(&host.at("/spaces/ada/site/blob/main/index.html"));
    browser.shows(".code code", "<h1>after & <b>all</b></h1>");
    browser.click_words("History");
    browser.shows(".commits li:first-child", "Say <after>");
    browser.click_words("Say <after>");
    browser.shows("h1", "Say <after>");
    browser.shows(".patch .removed:not(.file)", "before");
    browser.shows(".patch .added:not(.file)", "after & <b>all</b>");
    browser.until("the change in the app", || space.get("/").text().contains("after &").then_some(()));

    browser.open(&host.at("/spaces/ada/site/tree/main/a"));
    browser.click_words("b c.txt");
    browser.shows(".code code", "deep");
    browser.click("#delete-file");
    browser.agree();
    browser.arrives(&host.at("/spaces/ada/site/tree/main"));
    browser.holds("![...document.querySelectorAll('.files a')].some((link) => link.href.endsWith('/tree/main/a'))");
    browser.until("the app without it", || (space.get("/a/b%20c.txt").status == 404).then_some(()));
}

#[test]
fn files_are_uploaded_and_made() {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", "<head></head>hello")]));
    space.reaches("RUNNING");
    let Some(browser) = Browser::signed_in(&host) else { return };
    let names = ["notes.txt", "data.bin"];
    std::fs::write(host.scratch().join(names[0]), "grüße\n").unwrap();
    std::fs::write(host.scratch().join(names[1]), (0..=255).collect::<Vec<u8>>()).unwrap();
    browser.open(&host.at("/spaces/ada/site/tree/main"));
    browser.click_words("Upload files");
    let paths: Vec<String> = names.iter().map(|name| host.scratch().join(name).display().to_string()).collect();
    browser.type_into("[name=files]", &paths.join("\n"));
    browser.fill("#upload [name=summary]", "Two at once");
    browser.click("#upload .primary");
    browser.shows(".files", "data.bin");
    browser.shows(".files", "Two at once");
    for name in names {
        let sent = std::fs::read(host.scratch().join(name)).unwrap();
        browser.until("what was uploaded", || (space.get(&format!("/{name}")).body == sent).then_some(()));
    }

    browser.click_words("New file");
    browser.fill("[name=path]", "sub/new.html");
    browser.fill("[name=content]", "made here");
    browser.click("[data-form=edit] .primary");
    browser.arrives(&host.at("/spaces/ada/site/blob/main/sub/new.html"));
    browser.shows(".code code", "made here");
}
