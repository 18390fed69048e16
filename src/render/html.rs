//! Writes HTML in which text cannot become markup: markup is part of this
//! program and known when it is built, and everything else is sanitised and
//! escaped on its way out.

use std::io::{self, Write};

use crate::text::sanitize;

/// A writer of HTML.
pub(crate) struct Html<'w> {
    out: &'w mut dyn Write,
}

impl<'w> Html<'w> {
    pub(crate) fn new(out: &'w mut dyn Write) -> Self {
        Self { out }
    }

    /// Markup of this program's own.
    pub(crate) fn raw(&mut self, markup: &'static str) -> io::Result<()> {
        self.out.write_all(markup.as_bytes())
    }

    /// Text of one line, between tags or in a quoted attribute.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        escape(self.out, &sanitize::line(text))
    }

    /// A block of lines.
    pub(crate) fn block(&mut self, text: &str) -> io::Result<()> {
        // A line feed right behind `<pre>` would be dropped.
        self.raw("<pre>\n")?;
        escape(self.out, &sanitize::block(text))?;
        self.raw("</pre>")
    }

    /// A block of lines in a box that scrolls, and that the keyboard reaches.
    pub(crate) fn long_block(&mut self, text: &str) -> io::Result<()> {
        self.raw("<pre tabindex=\"0\">\n")?;
        escape(self.out, &sanitize::block(text))?;
        self.raw("</pre>")
    }

    /// ` name="value"`.
    pub(crate) fn attribute(&mut self, name: &'static str, value: &str) -> io::Result<()> {
        write!(self.out, " {name}=\"")?;
        self.text(value)?;
        self.raw("\"")
    }

    /// A start tag.
    pub(crate) fn open(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
    ) -> io::Result<()> {
        write!(self.out, "<{tag}")?;
        for (name, value) in attributes {
            self.attribute(name, value)?;
        }
        self.raw(">")
    }

    /// An element with text in it.
    pub(crate) fn element(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        text: &str,
    ) -> io::Result<()> {
        self.open(tag, attributes)?;
        self.text(text)?;
        write!(self.out, "</{tag}>")
    }

    /// A term and what it stands for, in a list of descriptions.
    pub(crate) fn fact(&mut self, term: &str, text: &str) -> io::Result<()> {
        self.element("dt", &[], term)?;
        self.element("dd", &[], text)
    }

    /// Like [`Html::fact`], for what is to be copied as a whole.
    pub(crate) fn id_fact(&mut self, term: &str, id: &str) -> io::Result<()> {
        self.element("dt", &[], term)?;
        self.raw("<dd>")?;
        self.element("code", &[], id)?;
        self.raw("</dd>")
    }
}

/// Escapes what has a meaning in HTML, between tags or in a quoted attribute.
fn escape(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            b'\'' => b"&#39;",
            _ => continue,
        };
        out.write_all(&text.as_bytes()[written..at])?;
        out.write_all(entity)?;
        written = at + 1;
    }
    out.write_all(&text.as_bytes()[written..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Html<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut Html::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_stays_text() {
        let shown = written(|html| {
            html.element(
                "p",
                &[("title", "\"><img src=x onerror='alert(1)'>")],
                "</p><script>alert(1)</script>&lt;\n\u{202e}",
            )
        });
        insta::assert_snapshot!(shown, @r#"<p title="&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;">&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;lt;\n\u{202e}</p>"#);
    }

    #[test]
    fn a_block_keeps_its_first_line() {
        assert_eq!(
            written(|html| html.block("\na\r\n<b>\0")),
            "<pre>\n\na\n&lt;b&gt;\\x00</pre>"
        );
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_place(text in any::<String>()) {
            let shown = written(|html| html.text(&text));
            prop_assert!(!shown.contains(['<', '>', '"', '\'', '\0', '\n']));
            let back = shown
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&amp;", "&");
            prop_assert_eq!(back, sanitize::line(&text).into_owned());
        }
    }
}
