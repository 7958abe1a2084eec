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

    /// The markup.
    pub(super) fn as_str(&self) -> &str {
        &self.0
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
