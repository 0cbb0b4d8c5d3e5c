//! Places words and amounts on lines of a fixed number of cells.
use super::{Row, printable::printable};
use crate::device::profile::CodePage;

/// Paper from this width on has room for a wider column of labels.
const ROOMY: usize = 40;
/// What stands for a text that is empty.
const NOTHING: &str = "-";
/// What ends a text that was cut at its limit.
const CUT_SHORT: &str = "...";

/// Rows under construction. Every text that comes in is made printable here, in this one place.
pub(super) struct Page {
    columns: usize,
    code_page: CodePage,
    rows: Vec<Row>,
}

impl Page {
    pub(super) fn new(columns: usize, code_page: CodePage) -> Self {
        Self { columns, code_page, rows: Vec::new() }
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    pub(super) fn blank(&mut self) {
        self.rows.push(Row::Line(String::new()));
    }

    /// A line across the paper.
    pub(super) fn rule(&mut self, stroke: char) {
        self.rows.push(Row::Line(String::from(stroke).repeat(self.columns)));
    }

    /// Large and centred.
    pub(super) fn headline(&mut self, text: &str) {
        self.rows.extend(wrap(text, self.columns / 2).into_iter().map(Row::Headline));
    }

    /// Emphasised, from the left.
    pub(super) fn strong(&mut self, text: &str) {
        self.rows.extend(wrap(text, self.columns).into_iter().map(Row::Strong));
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str) {
        let shown = self.shown(text, super::TEXT_LIMIT);
        self.rows.extend(wrap(&shown, self.columns).into_iter().map(Row::Line));
    }

    /// Centred lines.
    pub(super) fn centre(&mut self, text: &str, limit: usize) {
        let shown = self.shown(text, limit);
        self.rows.extend(wrap(&shown, self.columns).iter().map(|line| Row::Line(centred(line, self.columns))));
    }

    /// A label, and beside it a text that wraps within its own column: it cannot pose as another line of the slip.
    pub(super) fn field(&mut self, label: &str, text: &str, limit: usize) {
        // 8 leaves 24 of 32 columns: a date with time and a zone of four letters.
        let indent = if self.columns >= ROOMY { 10 } else { 8 };
        let shown = self.shown(text, limit);
        for (n, line) in wrap(&shown, self.columns - indent).iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            self.rows.push(Row::Line(format!("{label:<indent$}{line}")));
        }
    }

    /// What it is at the left, the amount at the right edge; on two lines when they do not fit on one.
    pub(super) fn amount(&mut self, label: &str, amount: &str) {
        self.rows.extend(self.amount_lines(label, amount).into_iter().map(Row::Line));
    }

    /// The same, emphasised.
    pub(super) fn strong_amount(&mut self, label: &str, amount: &str) {
        self.rows.extend(self.amount_lines(label, amount).into_iter().map(Row::Strong));
    }

    /// A QR code; `data` is ASCII.
    pub(super) fn qr(&mut self, data: &str) {
        self.rows.push(Row::Qr(data.to_owned()));
    }

    fn amount_lines(&self, label: &str, amount: &str) -> Vec<String> {
        let columns = self.columns;
        let room = columns.saturating_sub(amount.len());
        if label.len() < room {
            return vec![format!("{label:<room$}{amount}")];
        }
        let mut lines = wrap(label, columns);
        lines.extend(wrap(amount, columns).iter().map(|line| format!("{line:>columns$}")));
        lines
    }

    /// In characters of the code page, `-` for nothing, cut with `...` at `limit` characters.
    fn shown(&self, text: &str, limit: usize) -> String {
        // Cut before it is made printable too: a text without end costs nothing. Most spellings are at most as long.
        let some: String = text.trim_start().chars().take(limit * 2).collect();
        let mut shown = printable(&some, self.code_page);
        if shown.is_empty() {
            return NOTHING.to_owned();
        }
        if shown.chars().count() > limit {
            shown = shown.chars().take(limit - CUT_SHORT.len()).collect::<String>() + CUT_SHORT;
        }
        shown
    }
}

/// Breaks a text at its blanks into lines of at most `width` characters. A word that is longer than a line is broken.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut length = word.chars().count();
        if used > 0 && used + 1 + length <= width {
            line.push(' ');
            line.push_str(word);
            used += 1 + length;
            continue;
        }
        if used > 0 {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word.chars();
        while length > width {
            lines.push(rest.by_ref().take(width).collect());
            length -= width;
        }
        line = rest.collect();
        used = length;
    }
    if used > 0 || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// With as many blanks before it as after it (which are left out).
pub(super) fn centred(line: &str, columns: usize) -> String {
    let before = columns.saturating_sub(line.chars().count()) / 2;
    format!("{}{line}", " ".repeat(before))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_wrap_whole_and_only_a_word_longer_than_the_line_is_broken() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a pneumonoultra b", 6), ["a", "pneumo", "noultr", "a b"]);
        assert_eq!(wrap("abcdef", 6), ["abcdef"]);
        assert_eq!(wrap("abcdefabcdef x", 6), ["abcdef", "abcdef", "x"]);
        assert_eq!(wrap("  ", 6), [""]);
    }

    #[test]
    fn a_label_and_its_amount_share_a_line_only_with_a_blank_between_them() {
        let page = Page::new(24, CodePage::Pc437);
        assert_eq!(page.amount_lines("TOTAL FLOAT", "USD 10000.00"), ["TOTAL FLOAT USD 10000.00"]);
        assert_eq!(page.amount_lines("TOTAL FLOAT", "USD 100000.00"), ["TOTAL FLOAT", "           USD 100000.00"]);
    }

    proptest! {
        #[test]
        fn wrapping_loses_nothing_and_keeps_the_width(text in "[a-zé ]{0,200}", width in 1_usize..70) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|l| l.chars().count() <= width));
            let letters = |t: &str| t.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&lines.join("")), letters(&text));
        }
    }
}
