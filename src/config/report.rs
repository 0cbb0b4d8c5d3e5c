//! What is wrong with a settings file, where, and what to do about it.
//!
//! ## Why our own error type
//! A person mends the file with an editor that jumps to `file:line:column`. One run names all mistakes, in the file's order.
use std::{cell::RefCell, error::Error, fmt, ops::Range, path::Path};

use serde::Serialize;

/// One mistake in a settings file or in a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named by the caller.
    pub file: String,
    /// 1-based; a file that cannot be read at all has its mistake at 1:1.
    pub line: usize,
    /// 1-based, in characters; a tab is one.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, what, remedy } = self;
        let mut letters = remedy.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase()).unwrap_or_default();
        write!(f, "{file}:{line}:{column}: {what}. {first}{}", letters.as_str())
    }
}

impl Error for Problem {}

/// All mistakes found, in the file's order; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// One mistake of the file as a whole: it is missing, or cannot be read.
    pub(crate) fn of_file(file: &str, what: String, remedy: String) -> Self {
        Self(vec![Problem { file: file.to_owned(), line: 1, column: 1, what, remedy }])
    }
    /// The mistakes, in the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for Problems {}

/// As many mistakes as a person mends before the next try.
const SHOWN_MAX: usize = 50;
/// A file of noise has no end of mistakes: past this many, no more are looked for.
const NOTED_MAX: usize = 1000;

/// Collects mistakes while a file is read on, so that one run names them all.
pub(crate) struct Notes<'a> {
    file: &'a str,
    text: &'a str,
    base: &'a Path,
    found: RefCell<Vec<Note>>,
    remarks: RefCell<Vec<Note>>,
}

/// A mistake by its offset; line and column are found when it is shown.
enum Note {
    Here {
        offset: usize,
        what: String,
        remedy: String,
    },
    /// In another file, which this one names at the offset.
    Elsewhere {
        offset: usize,
        problem: Problem,
    },
}

impl Note {
    fn offset(&self) -> usize {
        match self {
            Self::Here { offset, .. } | Self::Elsewhere { offset, .. } => *offset,
        }
    }
    fn placed(self, file: &str, text: &str) -> Problem {
        match self {
            Self::Elsewhere { problem, .. } => problem,
            Self::Here { offset, what, remedy } => {
                let (line, column) = position(text, offset);
                Problem { file: file.to_owned(), line, column, what, remedy }
            }
        }
    }
}

impl<'a> Notes<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str, base: &'a Path) -> Self {
        Self { file, text, base, found: RefCell::default(), remarks: RefCell::default() }
    }
    /// The folder that relative paths in the file start from.
    pub(crate) fn base(&self) -> &Path {
        self.base
    }
    fn push(&self, note: Note) {
        let mut found = self.found.borrow_mut();
        if found.len() < NOTED_MAX {
            found.push(note);
        }
    }
    /// Notes one mistake at a byte range of the text.
    pub(crate) fn add(&self, at: &Range<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        self.push(Note::Here { offset: at.start, what: what.into(), remedy: remedy.into() });
    }
    /// Notes something worth knowing that is no mistake.
    pub(crate) fn remark(&self, at: &Range<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        self.remarks.borrow_mut().push(Note::Here { offset: at.start, what: what.into(), remedy: remedy.into() });
    }
    /// Notes the mistakes of another file that this one names at `at`.
    pub(crate) fn adopt(&self, at: &Range<usize>, problems: &Problems) {
        for problem in problems {
            self.push(Note::Elsewhere { offset: at.start, problem: problem.clone() });
        }
    }
    /// How many were noted so far.
    pub(crate) fn count(&self) -> usize {
        self.found.borrow().len()
    }
    /// Whether no more are looked for.
    pub(crate) fn full(&self) -> bool {
        self.count() >= NOTED_MAX
    }
    /// The line of a byte range, for "first used in line 12".
    pub(crate) fn line(&self, at: &Range<usize>) -> usize {
        position(self.text, at.start).0
    }
    /// `Ok` when nothing was noted and there is a value; the mistakes otherwise.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        self.finish_with_remarks(value).map(|(value, _)| value)
    }
    /// The same, with what was remarked on.
    pub(crate) fn finish_with_remarks<T>(self, value: Option<T>) -> Result<(T, Vec<Problem>), Problems> {
        let Self { file, text, found, remarks, .. } = self;
        let mut found = found.into_inner();
        match value {
            Some(value) if found.is_empty() => {
                Ok((value, remarks.into_inner().into_iter().map(|note| note.placed(file, text)).collect()))
            }
            None if found.is_empty() => Err(Problems::of_file(
                file,
                "the file is incomplete".to_owned(),
                "compare it with `drawerbridge config example`".to_owned(),
            )),
            Some(_) | None => {
                found.sort_by_key(Note::offset);
                let more = found.len().saturating_sub(SHOWN_MAX);
                let endless = found.len() >= NOTED_MAX;
                let mut notes = found.into_iter().map(|note| note.placed(file, text));
                let mut shown: Vec<Problem> = notes.by_ref().take(SHOWN_MAX).collect();
                // The list must not look whole when it is not, to a program neither.
                shown.extend(notes.next().map(|next| Problem {
                    what: format!("… and {}{more} more", if endless { "at least " } else { "" }),
                    remedy: "mend those above, then check again".to_owned(),
                    ..next
                }));
                Err(Problems(shown))
            }
        }
    }
}

/// Line and column (1-based, in characters) of a byte offset; the end for an offset beyond it.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    // A byte that does not continue a UTF-8 sequence begins a character.
    let column = before[line_start..].iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
    (line, column)
}

/// Text of a settings file, or the place of its first bad byte.
pub(crate) fn utf8<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Problems> {
    std::str::from_utf8(bytes).map_err(|bad| {
        let (good, rest) = bytes.split_at(bad.valid_up_to());
        let (line, column) = position(std::str::from_utf8(good).unwrap_or_default(), good.len());
        let byte = rest.first().copied().unwrap_or_default();
        let what = format!("the byte {byte:02X} is not UTF-8 text");
        let remedy = "save the file as UTF-8, or write this character without an accent".to_owned();
        Problems(vec![Problem { file: file.to_owned(), line, column, what, remedy }])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters_and_not_bytes() {
        assert_eq!(position("a = \"é\" x", "a = \"é\" ".len()), (1, 9));
        assert_eq!(position("one\ntwo", 4), (2, 1));
        assert_eq!(position("one", 99), (1, 4));
        assert_eq!(position("", 0), (1, 1));
    }

    #[test]
    fn the_first_bad_byte_is_named_with_its_place() {
        let errors = utf8("f.toml", b"[shop]\nname = \"Caf\xE9\"\n").unwrap_err();
        let remedy = "Save the file as UTF-8, or write this character without an accent";
        assert_eq!(errors.to_string(), format!("f.toml:2:12: the byte E9 is not UTF-8 text. {remedy}"));
    }
}
