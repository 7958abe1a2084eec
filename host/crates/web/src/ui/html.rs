//! Writing HTML: text is escaped, markup is written by us.

/// A piece of a page.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup of ours.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds another piece.
    pub(super) fn add(&mut self, piece: &Self) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    /// Adds text, or the value of a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}\
    ul{padding:0;list-style:none}span{color:#666}b{font:600 .75rem monospace;background:#eee;padding:.1rem .4rem;border-radius:.3rem}\
    pre{background:#fee;padding:1rem;white-space:pre-wrap}th{text-align:left;padding-right:1rem;vertical-align:top;font-weight:500}";

/// A whole page.
pub(super) fn page(title: &str, body: &Html) -> String {
    let mut head = Html::default();
    head.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>");
    head.text(title).raw("</title><style>").raw(STYLE).raw("</style></head><body>");
    head.0.push_str(&body.0);
    head.raw("</body></html>\n");
    head.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_author_wrote_stays_text() {
        let mut html = Html::default();
        html.raw("<a href=\"").text("\"><script>'&").raw("\">");
        assert_eq!(html.0, "<a href=\"&quot;&gt;&lt;script&gt;&#39;&amp;\">");
    }
}
