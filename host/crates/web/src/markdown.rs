//! What people write, as HTML: Markdown, of which nothing can run.
//!
//! All markup is made here: HTML in a text is shown as it was written, so no element and no attribute comes from its author.
//! What is left are addresses. They are read as browsers read them, and only those of a few schemes lead anywhere; images are
//! fetched by whoever looks at the page, so they come through TLS or are links.

use std::sync::LazyLock;

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};
use url::Url;

/// Most bytes of HTML: tables and references make more of a text than it has. What would be longer is shown as it was written.
const MAX_HTML: usize = 2 << 20;
/// What there is beside plain Markdown, as people know it from elsewhere.
const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS);
/// What addresses without a scheme are read against; where the page is does not matter for whether they can be followed.
static BASE: LazyLock<Url> = LazyLock::new(|| Url::parse("https://hub.invalid/").expect("it is an address"));

/// A comment as HTML. Line ends are kept: in a comment people mean them.
pub(crate) fn comment(text: &str) -> String {
    let events = Tame::new(Parser::new_ext(text, OPTIONS), None).map(|event| match event {
        Event::SoftBreak => Event::HardBreak,
        event => event,
    });
    page_of(text, events)
}

/// A file of a repository as HTML, without its front matter. Its addresses are read from where it lies.
pub(crate) fn document(text: &str, from: Folder<'_>) -> String {
    let text = without_front_matter(text);
    page_of(text, Tame::new(Parser::new_ext(text, OPTIONS), Some(from)))
}

/// A folder of a repository, as addresses in one of its files mean it; both end with a slash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folder<'a> {
    /// Where its files are shown.
    pub(crate) pages: &'a str,
    /// Where their contents are.
    pub(crate) contents: &'a str,
}

fn without_front_matter(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return text };
    let mut lines = rest.split_inclusive('\n');
    let mut length = 0;
    loop {
        match lines.next() {
            None => return text,
            Some(line) => {
                length += line.len();
                if line.trim_end() == "---" {
                    return rest.get(length..).unwrap_or_default();
                }
            }
        }
    }
}

fn page_of<'a>(text: &'a str, events: impl Iterator<Item = Event<'a>>) -> String {
    let mut page = String::new();
    html::push_html(&mut page, events);
    if page.len() <= MAX_HTML {
        return page;
    }
    let mut plain = String::new();
    html::push_html(
        &mut plain,
        [Event::Start(Tag::Paragraph), Event::Text(text.into()), Event::End(TagEnd::Paragraph)].into_iter(),
    );
    plain
}

/// What an address can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// To be followed, and to show an image from.
    Anything,
    /// To be followed.
    Link,
    /// Nothing.
    Nothing,
}

fn use_of(address: &str) -> Use {
    match Url::options().base_url(Some(&BASE)).parse(address).as_ref().map(Url::scheme) {
        Ok("https") => Use::Anything,
        Ok("http" | "mailto") => Use::Link,
        _ => Use::Nothing,
    }
}

/// What became of a link or an image, until its end comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Link,
    Image,
    Nothing,
}

/// The events of a text without what its author must not bring in.
struct Tame<'a, I> {
    events: I,
    /// Links and images that are open, outermost first.
    open: Vec<Became>,
    /// What relative addresses are read from.
    from: Option<Folder<'a>>,
}

impl<'a, I: Iterator<Item = Event<'a>>> Tame<'a, I> {
    fn new(events: I, from: Option<Folder<'a>>) -> Self {
        Self { events, open: Vec::new(), from }
    }

    /// An address with what is in front of it where it is relative.
    fn placed(&self, address: CowStr<'a>, front: impl Fn(Folder<'a>) -> &'a str) -> CowStr<'a> {
        let is_relative = !address.starts_with(['/', '\\', '#', '?'])
            && matches!(Url::parse(&address), Err(url::ParseError::RelativeUrlWithoutBase));
        match self.from.filter(|_| is_relative) {
            Some(from) => format!("{}{}", front(from), address.trim_start_matches("./")).into(),
            None => address,
        }
    }

    /// A link or an image begins; the event for it, if anything is left of it.
    fn begin(&mut self, became: Became, dest_url: CowStr<'a>, title: CowStr<'a>) -> Option<Event<'a>> {
        self.open.push(became);
        let (link_type, id) = (LinkType::Inline, CowStr::Borrowed(""));
        match became {
            Became::Link => Some(Event::Start(Tag::Link { link_type, dest_url, title, id })),
            Became::Image => Some(Event::Start(Tag::Image { link_type, dest_url, title, id })),
            Became::Nothing => None,
        }
    }

    fn end(&mut self) -> Option<Event<'a>> {
        match self.open.pop() {
            Some(Became::Link) => Some(Event::End(TagEnd::Link)),
            Some(Became::Image) => Some(Event::End(TagEnd::Image)),
            Some(Became::Nothing) | None => None,
        }
    }
}

impl<'a, I: Iterator<Item = Event<'a>>> Iterator for Tame<'a, I> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            let tamed = match self.events.next()? {
                Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
                Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
                Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
                Event::Start(Tag::Link { link_type, dest_url, title, .. }) => {
                    let is_mail = link_type == LinkType::Email;
                    let dest_url = if is_mail { format!("mailto:{dest_url}").into() } else { dest_url };
                    let dest_url = self.placed(dest_url, |from| from.pages);
                    let became = if use_of(&dest_url) == Use::Nothing { Became::Nothing } else { Became::Link };
                    self.begin(became, dest_url, title)
                }
                Event::Start(Tag::Image { dest_url, title, .. }) => {
                    let dest_url = self.placed(dest_url, |from| from.contents);
                    let is_inside = self.open.iter().any(|outer| *outer != Became::Nothing);
                    let became = match use_of(&dest_url) {
                        Use::Anything => Became::Image,
                        Use::Link if !is_inside => Became::Link,
                        Use::Link | Use::Nothing => Became::Nothing,
                    };
                    self.begin(became, dest_url, title)
                }
                Event::End(TagEnd::Link | TagEnd::Image) => self.end(),
                event => Some(event),
            };
            if tamed.is_some() {
                return tamed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_shown_as_they_mean_it() {
        for (text, shown) in [
            ("a\nb\r\n\r\n\nc", "<p>a<br />\nb</p>\n<p>c</p>\n"),
            (" \n\n ", ""),
            ("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <del>c</del> <code>d</code></p>\n"),
            ("# a\n- b\n- c", "<h1>a</h1>\n<ul>\n<li>b</li>\n<li>c</li>\n</ul>\n"),
            ("```rust\na < b\n```", "<pre><code class=\"language-rust\">a &lt; b\n</code></pre>\n"),
            ("[a](https://b.test/ \"t\")", "<p><a href=\"https://b.test/\" title=\"t\">a</a></p>\n"),
            ("<https://b.test/>", "<p><a href=\"https://b.test/\">https://b.test/</a></p>\n"),
            ("<ada@b.test>", "<p><a href=\"mailto:ada@b.test\">ada@b.test</a></p>\n"),
            ("[a](/spaces/ada/page)", "<p><a href=\"/spaces/ada/page\">a</a></p>\n"),
            ("![a](https://b.test/i.png)", "<p><img src=\"https://b.test/i.png\" alt=\"a\" /></p>\n"),
        ] {
            assert_eq!(comment(text), shown, "{text:?}");
        }
        assert!(comment("|a|\n|-|\n|b|").contains("<td>b</td>"));
    }

    #[test]
    fn addresses_in_a_file_are_read_from_its_folder() {
        let from = Folder { pages: "/s/blob/main/docs/", contents: "/s/resolve/main/docs/" };
        for (text, shown) in [
            ("---\nsdk: static\n---\n# a\n", "<h1>a</h1>\n"),
            ("---\na\n", "<hr />\n<p>a</p>\n"),
            ("[a](b.md)", "<p><a href=\"/s/blob/main/docs/b.md\">a</a></p>\n"),
            ("![a](./b.png)", "<p><img src=\"/s/resolve/main/docs/b.png\" alt=\"a\" /></p>\n"),
            (
                "[a](/b) [c](#d) [e](https://f.test/)",
                "<p><a href=\"/b\">a</a> <a href=\"#d\">c</a> <a href=\"https://f.test/\">e</a></p>\n",
            ),
            ("[a](javascript:alert\\(1\\))", "<p>a</p>\n"),
        ] {
            assert_eq!(document(text, from), shown, "{text:?}");
        }
    }

    #[test]
    fn html_is_shown_and_never_run() {
        for text in [
            "<script>alert(1)</script>",
            "a <script>alert(1)</script> b",
            "<img src=x onerror=alert(1)>",
            "a <b onmouseover=\"alert(1)\">b</b>",
            "<div>\n<svg/onload=alert(1)>\n</div>",
            "<!-- --><script>alert(1)</script>",
            "<a href=\"javascript:alert(1)\">a</a>",
            "</p></div><style>*{display:none}</style>",
            "<iframe srcdoc='<script>alert(1)</script>'>",
            "- a\n\n  <script>alert(1)</script>",
            "| <script> |\n|-|\n| <img src=x onerror=1> |",
        ] {
            let shown = comment(text);
            assert!(made_here(&shown), "{text:?} became {shown}");
        }
    }

    #[test]
    fn addresses_that_run_something_lead_nowhere() {
        for address in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "&#106;avascript:alert(1)",
            "java&#10;script:alert(1)",
            "java&Tab;script:alert(1)",
            "&#1;javascript:alert(1)",
            "vbscript:x",
            "data:text/html,<script>alert(1)</script>",
            "data:image/svg+xml,x",
            "file:///etc/passwd",
            "blob:https://b.test/x",
        ] {
            for text in [format!("[a]({address})"), format!("![a]({address})"), format!("[a][b]\n\n[b]: {address}")] {
                let shown = comment(&text);
                assert!(!shown.contains("href") && !shown.contains("src"), "{text:?} became {shown}");
                assert!(made_here(&shown), "{text:?} became {shown}");
            }
        }
        let shown = comment("<javascript:alert(1)>");
        assert_eq!(shown, "<p>javascript:alert(1)</p>\n");
    }

    #[test]
    fn an_attribute_ends_where_it_is_made_to_end() {
        for text in [
            "[a](https://b.test/\"onclick=alert(1))",
            "[a](https://b.test/ '\" onclick=\"alert(1)')",
            "![\" onerror=\"alert(1)](https://b.test/)",
            "![a](https://b.test/ '\" onerror=\"alert(1)')",
            "```\"onclick=alert(1)\na\n```",
        ] {
            let shown = comment(text);
            assert!(made_here(&shown), "{text:?} became {shown}");
        }
    }

    #[test]
    fn an_image_without_tls_is_a_link_to_it() {
        assert_eq!(comment("![a](http://b.test/i.png)"), "<p><a href=\"http://b.test/i.png\">a</a></p>\n");
        let inside = "[![a](http://b.test/i.png)](https://c.test/)";
        assert_eq!(comment(inside), "<p><a href=\"https://c.test/\">a</a></p>\n");
        let badge = "[![a](https://b.test/i.png)](javascript:x)";
        assert_eq!(comment(badge), "<p><img src=\"https://b.test/i.png\" alt=\"a\" /></p>\n");
    }

    #[test]
    fn a_text_that_would_become_too_much_is_shown_as_it_was_written() {
        let reference = format!("[a]: https://b.test/{}\n\n{}", "x".repeat(30_000), "[a] ".repeat(8_000));
        let table = format!("{}\n{}\n{}", "|a".repeat(8_000), "|-".repeat(8_000), "|\n".repeat(16_000));
        for text in [reference, table, "[".repeat(60_000), "> ".repeat(30_000), "*a ".repeat(20_000)] {
            let shown = comment(&text);
            assert!(shown.len() <= MAX_HTML && made_here(&shown), "{} bytes", shown.len());
        }
    }

    /// Whether every tag is one that is made here, with attributes that are made here.
    fn made_here(page: &str) -> bool {
        const TAGS: [&str; 26] = [
            "a",
            "blockquote",
            "br",
            "code",
            "del",
            "em",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "img",
            "input",
            "li",
            "ol",
            "p",
            "pre",
            "strong",
            "table",
            "tbody",
            "td",
            "th",
            "thead",
            "tr",
        ];
        const ATTRIBUTES: [&str; 8] = ["alt", "checked", "class", "disabled", "href", "src", "title", "type"];
        page.split('<').skip(1).all(|rest| {
            let Some((tag, _)) = rest.split_once('>') else { return false };
            let tag = tag.trim_start_matches('/').trim_end_matches('/').trim_end();
            let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
            if name != "ul" && !TAGS.contains(&name) {
                return false;
            }
            while let Some((attribute, value)) = rest.trim_start().split_once("=\"") {
                let Some((_, after)) = value.split_once('"') else { return false };
                if !ATTRIBUTES.contains(&attribute) {
                    return false;
                }
                rest = after;
            }
            rest.trim().is_empty()
        })
    }
}
