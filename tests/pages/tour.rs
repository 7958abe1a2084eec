//! A host with something on every page, and the addresses of all kinds of pages.

use serde_json::json;
use spaceport_tests::{Files, TestHost};

/// Long words, code, tables and pictures: what makes pages wide.
const README: &str = "---
title: A Space with a rather long title that tells what it is for and goes on for a while
emoji: 🛰️
colorFrom: blue
colorTo: purple
sdk: static
short_description: It is here to be looked at, on every page that there is
---
# A tour

Some text with `code`, a [link](https://example.org/), and averyveryverylongwordthatgoesonandonandonandonandonandonandon.

| A table | with | several | columns | that | are | wide | enough | to | need | room |
|---|---|---|---|---|---|---|---|---|---|---|
| one | two | three | four | five | six | seven | eight | nine | ten | eleven |

```python
print(\"a line of code that is longer than a telephone is wide, by a good deal, so that it has to be scrolled\")
```

> What somebody said.
";
const PAGE: &str =
    "<!doctype html><html lang=en><head><title>Tour</title><link rel=icon href=data:,></head><h1>The app</h1></html>";

/// Whether somebody has to be signed in to see a page as it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    Anybody,
    Administrator,
}

/// The addresses, each with who looks at it.
pub const PAGES: [(&str, As); 43] = [
    ("/", As::Anybody),
    ("/?search=nothing+is+like+that", As::Anybody),
    ("/login", As::Anybody),
    ("/spaces/ada/tour", As::Anybody),
    ("/spaces/ada/tour/tree/main", As::Anybody),
    ("/spaces/ada/tour/discussions/1", As::Anybody),
    ("/", As::Administrator),
    ("/ada", As::Administrator),
    ("/new-space", As::Administrator),
    ("/logout", As::Administrator),
    ("/oauth/device", As::Administrator),
    ("/spaces/ada/tour", As::Administrator),
    ("/spaces/ada/empty", As::Administrator),
    ("/spaces/ada/broken", As::Administrator),
    ("/spaces/ada/tour/tree/main", As::Administrator),
    ("/spaces/ada/tour/tree/main/src", As::Administrator),
    ("/spaces/ada/tour/blob/main/README.md", As::Administrator),
    ("/spaces/ada/tour/blob/main/src/lib.rs", As::Administrator),
    ("/spaces/ada/tour/blob/main/data.bin", As::Administrator),
    ("/spaces/ada/tour/edit/main/src/lib.rs", As::Administrator),
    ("/spaces/ada/tour/commits/main", As::Administrator),
    ("/spaces/ada/tour/commit/main", As::Administrator),
    ("/spaces/ada/tour/discussions?status=all", As::Administrator),
    ("/spaces/ada/tour/discussions/1", As::Administrator),
    ("/spaces/ada/tour/discussions/2", As::Administrator),
    ("/spaces/ada/tour/logs?log=build", As::Administrator),
    ("/spaces/ada/tour/metrics", As::Administrator),
    ("/spaces/ada/tour/releases", As::Administrator),
    ("/spaces/ada/tour/settings", As::Administrator),
    ("/settings/profile", As::Administrator),
    ("/settings/tokens", As::Administrator),
    ("/settings/keys", As::Administrator),
    ("/settings/organizations", As::Administrator),
    ("/settings/organizations/lab", As::Administrator),
    ("/settings/usage", As::Administrator),
    ("/settings/sessions", As::Administrator),
    ("/settings/applications", As::Administrator),
    ("/admin/users", As::Administrator),
    ("/admin/users/bob", As::Administrator),
    ("/admin/hardware", As::Administrator),
    ("/admin/grants", As::Administrator),
    ("/admin/audit", As::Administrator),
    ("/admin/usage", As::Administrator),
];

/// The same for pages of administration that are forms only.
pub const MORE: [&str; 2] = ["/admin/plugins", "/admin/quotas"];

/// A host on which each of them has something to show.
pub fn host() -> TestHost {
    let host = TestHost::start();
    host.run(&["user", "create", "bob"]);
    host.run(&["org", "create", "lab", "--owner", "ada"]);
    let files = Files::site(&[
        ("index.html", PAGE),
        ("src/lib.rs", "//! Words.\nfn main() {\n    let x = \"text\"; // why\n}\n"),
    ]);
    let tour = host.push("tour", files.with("README.md", README).with("data.bin", [0, 159, 146, 150]));
    tour.reaches("RUNNING");
    spaceport_tests::TestSpace::create(&host, "empty", "static");
    let broken = host.push("broken", Files::guest("hello", "").with("app.wasm", "no component"));
    broken.reaches("BUILD_ERROR");
    broken.post("/grants", json!({ "flavor": "cpu-upgrade", "reason": "It is slow when many look at it at once" }));
    tour.post(
        "/discussions",
        json!({ "title": "What is this for?", "description": "I *wonder*.\n\n```\nlong code\n```" }),
    );
    tour.post("/discussions/1/comment", json!({ "comment": "To look at." }));
    tour.propose("Say it better", &Files::default().with("index.html", PAGE.replace("The app", "A better app")));
    tour.post(
        "/variables",
        json!({ "key": "COLOUR", "value": "green ".repeat(20), "description": "What it looks like" }),
    );
    tour.post("/secrets", json!({ "key": "WORD", "value": "hidden" }));
    host
}
