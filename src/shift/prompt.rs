//! Everything the pole display can say: a closed set of 2×20 texts.
//!
//! ## Why masked prompts are cases of their own
//! A display may face the customers. A masked prompt carries the number of keys and no amount, so there is nothing in it
//! that a later change could show by mistake. The staff number is a key to the till and is never shown, masked or not.
//! Texts are plain ASCII without the characters that national sets replace. Wording: fact sheet "displays and keypads", 5.
use crate::{device::Frame, money::Amount};

/// One thing the display says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prompt {
    /// The shop's own two rows, or two rows written for a refusal.
    Text([String; 2]),
    /// Asks who is there.
    Staff,
    /// This many characters of the staff number are typed.
    StaffTyping {
        /// Keys, not digits.
        typed: usize,
    },
    /// Nobody has this number.
    UnknownNumber,
    /// The same for the third time and more: keys are not heard for a while.
    UnknownNumberWait,
    /// Asks for the total.
    Total,
    /// The total so far.
    TotalTyping {
        /// What the keys make.
        amount: Amount,
    },
    /// The total so far, masked.
    TotalMasked {
        /// Digits typed.
        digits: usize,
    },
    /// Asks how many pieces of this there are.
    Pieces {
        /// The face value.
        face: Amount,
    },
    /// The pieces so far.
    PiecesTyping {
        /// The face value.
        face: Amount,
        /// How many.
        pieces: u32,
    },
    /// The pieces so far, masked.
    PiecesMasked {
        /// The face value.
        face: Amount,
        /// Digits typed.
        digits: usize,
    },
    /// The amount is odd for a float: one more Enter.
    Check,
    /// Asks whether this is right.
    Confirm {
        /// The total.
        amount: Amount,
    },
    /// Asks whether it is right, without saying what.
    ConfirmMasked,
    /// On its way to the disk.
    Saving,
    /// The disk did not take it. Enter tries again, or the POS where there is no keypad.
    NotSaved {
        /// Why.
        trouble: Trouble,
        /// There is an Enter to press.
        keypad: bool,
    },
    /// On disk, being sent.
    Saved,
    /// On disk, the network is away.
    WillSendLater,
    /// On disk, Shopify is being read.
    Checking,
    /// Unsettled for so long that a person should look.
    Overdue {
        /// It may be at Shopify; otherwise it certainly is not.
        unknown: bool,
    },
    /// Shopify has it.
    RegisterOpen,
    /// The session was opened by someone else meanwhile.
    OpenedElsewhere,
    /// Enter on nothing, for the total.
    NothingKeyed,
    /// Enter on nothing, for the staff number.
    NoNumberKeyed,
    /// One digit too many; it was not taken.
    TooMany,
    /// The point key in a total.
    NoPoint {
        /// Decimals that the keyed digits imply. With none, "all digits" would make a hundredfold of the amount.
        decimals: u32,
    },
    /// The point key in a number of pieces.
    WholePieces,
    /// A key that a staff number does not have.
    DigitsOnly,
    /// Enter and Clear only.
    YesOrNo,
    /// A badge while a count runs.
    StaffKnown,
    /// A badge at the question whether the count is right.
    StaffKnownAnswer,
    /// Clear on nothing, in an opening that only the POS can give up.
    NothingToClear,
    /// Keys were lost: the number is void.
    KeysLost,
    /// The keypad's link is broken.
    KeypadGone,
    /// The drawer was closed while counting.
    DrawerClosed,
    /// No key for too long: given up.
    GivenUp,
    /// The same where there is no keypad.
    GivenUpAtPos,
    /// Given up by a person.
    Cancelled,
    /// A badge while the shift is open.
    NothingToKey,
    /// How to start, where the drawer's position is known.
    OpenTheDrawer,
    /// How to start, where it is not, or where there is no keypad.
    StartAtPos,
    /// Asks for the count where there is no keypad.
    CountAtPos,
}

/// Why a count is not saved, as far as a cashier can tell a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No room left.
    DiskFull,
    /// The disk takes nothing.
    ReadOnly,
    /// Anything else: the log has it.
    Other,
}

impl Trouble {
    /// From the words of SQLite or of the system (`database or disk is full`, `No space left on device`, `attempt to write
    /// a readonly database`, `Read-only file system`).
    pub fn of(why: &str) -> Self {
        let why = why.to_lowercase();
        if ["full", "no space", "quota"].iter().any(|word| why.contains(word)) {
            Self::DiskFull
        } else if ["read-only", "readonly", "read only"].iter().any(|word| why.contains(word)) {
            Self::ReadOnly
        } else {
            Self::Other
        }
    }
}

impl Prompt {
    /// The two rows as the display shows them.
    #[must_use]
    pub fn frame(&self) -> Frame {
        let [upper, lower] = self.rows();
        Frame::new(&upper, &lower)
    }

    /// The two rows, each at most 20 characters (a configured text may be longer; the frame cuts it).
    fn rows(&self) -> [String; 2] {
        match self {
            Self::Text(rows) => rows.clone(),
            Self::Staff => two("STAFF NUMBER", "KEY IT OR SCAN BADGE"),
            Self::StaffTyping { typed } => ["STAFF NUMBER".into(), stars(*typed)],
            Self::UnknownNumber => two("UNKNOWN NUMBER", "TRY AGAIN"),
            Self::UnknownNumberWait => two("UNKNOWN NUMBER", "PLEASE WAIT"),
            Self::Total => two("COUNT THE FLOAT", "KEY TOTAL + ENTER"),
            Self::TotalTyping { amount } => ["FLOAT TOTAL".into(), right(&money(*amount))],
            Self::TotalMasked { digits } => ["FLOAT TOTAL".into(), stars(*digits)],
            Self::Pieces { face } => [times(*face), "KEY PIECES + ENTER".into()],
            Self::PiecesTyping { face, pieces } => [times(*face), right(&pieces.to_string())],
            Self::PiecesMasked { face, digits } => [times(*face), stars(*digits)],
            Self::Check => two("CHECK THE AMOUNT", "ENTER AGAIN OR CLEAR"),
            Self::Confirm { amount } => [labelled("FLOAT", &money(*amount)), "ENTER=YES  CLEAR=NO".into()],
            Self::ConfirmMasked => two("CONFIRM FLOAT", "ENTER=YES  CLEAR=NO"),
            Self::Saving => two("SAVING THE COUNT", "PLEASE WAIT"),
            Self::NotSaved { trouble, keypad } => {
                let upper = match trouble {
                    Trouble::DiskFull => "NOT SAVED: DISK FULL",
                    Trouble::ReadOnly => "NOT SAVED: READ ONLY",
                    Trouble::Other => "COUNT NOT SAVED",
                };
                two(upper, if *keypad { "ENTER=TRY AGAIN" } else { "TRY AGAIN AT THE POS" })
            }
            Self::Saved => two("COUNT SAVED", "OPENING REGISTER"),
            Self::WillSendLater => two("COUNT SAVED", "WILL SEND LATER"),
            Self::Checking => two("COUNT SAVED", "CHECKING REGISTER"),
            Self::Overdue { unknown: false } => two("COUNT NOT SENT YET", "CALL THE MANAGER"),
            Self::Overdue { unknown: true } => two("COUNT NOT CONFIRMED", "CALL THE MANAGER"),
            Self::RegisterOpen => two("REGISTER IS OPEN", "COUNT RECORDED"),
            Self::OpenedElsewhere => two("REGISTER IS OPEN", "COUNT NOT NEEDED"),
            Self::NothingKeyed => two("NOTHING KEYED YET", "KEY TOTAL + ENTER"),
            Self::NoNumberKeyed => two("NOTHING KEYED YET", "KEY IT OR SCAN BADGE"),
            Self::TooMany => two("TOO MANY DIGITS", "ENTER OR CLEAR"),
            Self::NoPoint { decimals: 0 } => two("NO POINT NEEDED", "KEY WHOLE AMOUNT"),
            Self::NoPoint { decimals: 1.. } => two("NO POINT NEEDED", "KEY ALL DIGITS"),
            Self::WholePieces => two("NO POINT NEEDED", "KEY WHOLE PIECES"),
            Self::DigitsOnly => two("STAFF NUMBER", "DIGITS ONLY"),
            Self::YesOrNo => two("PLEASE ANSWER", "ENTER=YES  CLEAR=NO"),
            Self::StaffKnown => two("STAFF IS KNOWN", "GO ON COUNTING"),
            Self::StaffKnownAnswer => two("STAFF IS KNOWN", "ENTER=YES  CLEAR=NO"),
            Self::NothingToClear => two("NOTHING TO CLEAR", "TO STOP, USE THE POS"),
            Self::KeysLost => two("KEYS WERE LOST", "KEY THE NUMBER AGAIN"),
            Self::KeypadGone => two("KEYPAD IS GONE", "PLUG IT IN AGAIN"),
            Self::DrawerClosed => two("DRAWER IS CLOSED", "GO ON COUNTING"),
            Self::GivenUp => two("NO KEY FOR TOO LONG", "REGISTER CLOSED"),
            Self::GivenUpAtPos => two("NO COUNT CAME", "REGISTER CLOSED"),
            Self::Cancelled => two("OPENING CANCELLED", "REGISTER CLOSED"),
            Self::NothingToKey => two("REGISTER IS OPEN", "NO NUMBER NEEDED"),
            Self::OpenTheDrawer => two("REGISTER CLOSED", "OPEN DRAWER TO START"),
            Self::StartAtPos => two("REGISTER CLOSED", "START AT THE POS"),
            Self::CountAtPos => two("COUNT THE FLOAT", "KEY IT AT THE POS"),
        }
    }
}

/// Columns of the display.
const COLUMNS: usize = 20;
/// Stars that fit beside `ENTER=OK` with a space between.
const STARS: usize = 11;

fn two(upper: &str, lower: &str) -> [String; 2] {
    [upper.into(), lower.into()]
}

fn money(amount: Amount) -> String {
    format!("{amount} {}", amount.currency().code())
}

fn times(face: Amount) -> String {
    format!("{} x", money(face))
}

fn right(text: &str) -> String {
    format!("{text:>COLUMNS$}")
}

/// `FLOAT     150.00 USD`; without the label where both do not fit.
fn labelled(label: &str, text: &str) -> String {
    match COLUMNS.checked_sub(label.len() + 1) {
        Some(room) if text.len() <= room => format!("{label} {text:>room$}"),
        Some(_) | None => right(text),
    }
}

/// One star per key. A staff number may have more keys than there is room for.
fn stars(keys: usize) -> String {
    format!("{:<12}ENTER=OK", "*".repeat(keys.min(STARS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    fn amount(minor: i64, code: &str) -> Amount {
        Amount::from_minor(minor, Currency::from_code(code).unwrap())
    }

    /// Every prompt with its texts.
    fn table() -> Vec<(Prompt, [&'static str; 2])> {
        use Prompt as P;
        let usd = amount(15_000, "USD");
        let yen = amount(1_000, "JPY");
        vec![
            (P::Text(["SHOP".into(), "OPEN TILL SIX".into()]), ["SHOP", "OPEN TILL SIX"]),
            (P::Staff, ["STAFF NUMBER", "KEY IT OR SCAN BADGE"]),
            (P::StaffTyping { typed: 4 }, ["STAFF NUMBER", "****        ENTER=OK"]),
            (P::UnknownNumber, ["UNKNOWN NUMBER", "TRY AGAIN"]),
            (P::UnknownNumberWait, ["UNKNOWN NUMBER", "PLEASE WAIT"]),
            (P::Total, ["COUNT THE FLOAT", "KEY TOTAL + ENTER"]),
            (P::TotalTyping { amount: usd }, ["FLOAT TOTAL", "          150.00 USD"]),
            (P::TotalMasked { digits: 5 }, ["FLOAT TOTAL", "*****       ENTER=OK"]),
            (P::Pieces { face: usd }, ["150.00 USD x", "KEY PIECES + ENTER"]),
            (P::PiecesTyping { face: yen, pieces: 12 }, ["1000 JPY x", "                  12"]),
            (P::PiecesMasked { face: yen, digits: 2 }, ["1000 JPY x", "**          ENTER=OK"]),
            (P::Check, ["CHECK THE AMOUNT", "ENTER AGAIN OR CLEAR"]),
            (P::Confirm { amount: usd }, ["FLOAT     150.00 USD", "ENTER=YES  CLEAR=NO"]),
            (P::ConfirmMasked, ["CONFIRM FLOAT", "ENTER=YES  CLEAR=NO"]),
            (P::Saving, ["SAVING THE COUNT", "PLEASE WAIT"]),
            (P::NotSaved { trouble: Trouble::DiskFull, keypad: true }, ["NOT SAVED: DISK FULL", "ENTER=TRY AGAIN"]),
            (P::NotSaved { trouble: Trouble::ReadOnly, keypad: true }, ["NOT SAVED: READ ONLY", "ENTER=TRY AGAIN"]),
            (P::NotSaved { trouble: Trouble::Other, keypad: false }, ["COUNT NOT SAVED", "TRY AGAIN AT THE POS"]),
            (P::Saved, ["COUNT SAVED", "OPENING REGISTER"]),
            (P::WillSendLater, ["COUNT SAVED", "WILL SEND LATER"]),
            (P::Checking, ["COUNT SAVED", "CHECKING REGISTER"]),
            (P::Overdue { unknown: false }, ["COUNT NOT SENT YET", "CALL THE MANAGER"]),
            (P::Overdue { unknown: true }, ["COUNT NOT CONFIRMED", "CALL THE MANAGER"]),
            (P::RegisterOpen, ["REGISTER IS OPEN", "COUNT RECORDED"]),
            (P::OpenedElsewhere, ["REGISTER IS OPEN", "COUNT NOT NEEDED"]),
            (P::NothingKeyed, ["NOTHING KEYED YET", "KEY TOTAL + ENTER"]),
            (P::NoNumberKeyed, ["NOTHING KEYED YET", "KEY IT OR SCAN BADGE"]),
            (P::TooMany, ["TOO MANY DIGITS", "ENTER OR CLEAR"]),
            (P::NoPoint { decimals: 2 }, ["NO POINT NEEDED", "KEY ALL DIGITS"]),
            (P::NoPoint { decimals: 0 }, ["NO POINT NEEDED", "KEY WHOLE AMOUNT"]),
            (P::WholePieces, ["NO POINT NEEDED", "KEY WHOLE PIECES"]),
            (P::DigitsOnly, ["STAFF NUMBER", "DIGITS ONLY"]),
            (P::YesOrNo, ["PLEASE ANSWER", "ENTER=YES  CLEAR=NO"]),
            (P::StaffKnown, ["STAFF IS KNOWN", "GO ON COUNTING"]),
            (P::StaffKnownAnswer, ["STAFF IS KNOWN", "ENTER=YES  CLEAR=NO"]),
            (P::NothingToClear, ["NOTHING TO CLEAR", "TO STOP, USE THE POS"]),
            (P::KeysLost, ["KEYS WERE LOST", "KEY THE NUMBER AGAIN"]),
            (P::KeypadGone, ["KEYPAD IS GONE", "PLUG IT IN AGAIN"]),
            (P::DrawerClosed, ["DRAWER IS CLOSED", "GO ON COUNTING"]),
            (P::GivenUp, ["NO KEY FOR TOO LONG", "REGISTER CLOSED"]),
            (P::GivenUpAtPos, ["NO COUNT CAME", "REGISTER CLOSED"]),
            (P::Cancelled, ["OPENING CANCELLED", "REGISTER CLOSED"]),
            (P::NothingToKey, ["REGISTER IS OPEN", "NO NUMBER NEEDED"]),
            (P::OpenTheDrawer, ["REGISTER CLOSED", "OPEN DRAWER TO START"]),
            (P::StartAtPos, ["REGISTER CLOSED", "START AT THE POS"]),
            (P::CountAtPos, ["COUNT THE FLOAT", "KEY IT AT THE POS"]),
        ]
    }

    #[test]
    fn every_prompt_says_what_the_table_says_in_twenty_plain_characters() {
        // ASCII cells that a national character set of a display may replace. Fact sheet, section 1.13.
        const NATIONAL: &str = "#$@[\\]^`{|}~";
        for (prompt, rows) in table() {
            assert_eq!(prompt.rows(), rows, "{prompt:?}");
            for row in rows {
                assert!(row.len() <= COLUMNS, "{row:?} is longer than the display");
                assert!(row.chars().all(|c| (' '..='~').contains(&c) && !NATIONAL.contains(c)), "{row:?}");
            }
            let frame = prompt.frame();
            assert_eq!(frame.rows(), [format!("{:<20}", rows[0]), format!("{:<20}", rows[1])]);
        }
    }

    #[test]
    fn the_largest_amounts_fit_in_a_row() {
        for code in ["JPY", "USD", "KWD", "UYW"] {
            let most = amount(Amount::MOST_MINOR, code);
            for prompt in [Prompt::Confirm { amount: most }, Prompt::TotalTyping { amount: most }] {
                for row in prompt.rows() {
                    assert!(row.len() <= COLUMNS, "{row:?}");
                }
                let rows = prompt.rows().concat();
                assert!(rows.contains(&most.to_string()) && rows.contains(code), "{rows:?}");
            }
        }
        let note = Prompt::PiecesTyping { face: amount(100_000_000, "UYW"), pieces: u32::MAX };
        assert!(note.rows().iter().all(|row| row.len() <= COLUMNS));
    }

    #[test]
    fn a_long_staff_number_leaves_room_for_the_hint() {
        assert_eq!(Prompt::StaffTyping { typed: 32 }.rows()[1], "*********** ENTER=OK");
    }

    #[test]
    fn a_configured_text_is_cut_and_cleaned_by_the_frame() {
        let long = Prompt::Text(["WELCOME TO THE LONGEST SHOP NAME".into(), "A\u{1b}B".into()]);
        assert_eq!(long.frame().rows(), ["WELCOME TO THE LONGE", "A B                 "]);
    }
}
