//! What the slip says of Shopify's register session, and what is to be done when there is none.
//!
//! ## Why a refusal has a sentence of ours beside Shopify's words
//! "Access denied for pointOfSaleDevicePaymentSessionOpen field" is true and helps nobody at a counter. Which class of
//! refusal it is tells who can mend it, and where.
use super::{NAME_LIMIT, SlipFacts, SlipSession, lines::Page, moment, number_of, with_code};
use crate::money::Amount;

pub(super) fn write(page: &mut Page, facts: &SlipFacts) {
    match &facts.session {
        SlipSession::Confirmed { id, opened_at, expected } => {
            page.strong("Shopify register session");
            page.field("Session", number_of(id), NAME_LIMIT);
            page.field("Opened", &moment(opened_at), NAME_LIMIT);
            if let Some(expected) = expected {
                page.amount("Expected", &with_code(*expected));
                if let Some(difference) = facts.total.checked_sub(*expected) {
                    page.amount(difference_label(difference), &signed_with_code(difference));
                }
            }
        }
        SlipSession::NotYet { second_follows: true } => {
            page.strong("NOT YET CONFIRMED BY SHOPIFY");
            page.text("The count is saved. It goes to Shopify by itself; the session number follows. The shift can begin.");
        }
        SlipSession::NotYet { second_follows: false } => {
            page.strong("NOT YET CONFIRMED BY SHOPIFY");
            page.text("The count is saved. It goes to Shopify by itself. The shift can begin.");
            page.text("Ask the manager for the session number.");
        }
        SlipSession::Refused { code, text } => {
            page.strong("REFUSED BY SHOPIFY");
            page.text("No register session was opened. This count is kept here and is not sent again.");
            page.text(remedy(code));
            page.text("When this is mended, count again: open the drawer, or start at the POS.");
            page.text(&format!("Shopify: {text} ({code})"));
        }
        SlipSession::Foreign { id, opened_at, amount } => {
            page.strong("NEEDS ATTENTION");
            page.text("A register session was open already, not opened by this count:");
            page.field("Session", number_of(id), NAME_LIMIT);
            page.field("Opened", &moment(opened_at), NAME_LIMIT);
            if let Some(amount) = amount {
                page.amount("With", &with_code(*amount));
            }
            page.text(
                "This count is saved here and is not sent. Show this slip to the manager, who can record it in Shopify.",
            );
        }
        SlipSession::Recorded { id, opened_at } => {
            page.strong("Shopify register session");
            page.text("The register was open already. This count is recorded in its session as a mid-session count:");
            page.field("Session", number_of(id), NAME_LIMIT);
            page.field("Opened", &moment(opened_at), NAME_LIMIT);
        }
        SlipSession::Over { title, text } => {
            page.strong(title);
            page.text(&format!("No register session was opened by this count: {text}."));
            page.text("The count is kept here and is not sent.");
        }
        SlipSession::GivenUp { text } => {
            page.strong("GIVEN UP");
            page.text(&format!("It was {text}."));
            page.text(
                "The count is kept here and nothing more is sent. Whether a session has it, its reference tells in Shopify.",
            );
        }
        SlipSession::NeedsAttention { text } => {
            page.strong("NEEDS ATTENTION");
            page.text(text);
            page.text("The count is saved. Show this slip to the manager.");
        }
    }
}

/// Who can mend it, and where. Codes: Admin API fact sheet, section 3.
fn remedy(code: &str) -> &'static str {
    match code {
        "POINT_OF_SALE_DEVICE_NOT_FOUND" => {
            "Shopify does not know this register: the manager corrects the till's point_of_sale_device_id."
        }
        "NO_CASH_DRAWER_ASSOCIATED" => "The manager gives this register a cash drawer in Shopify.",
        "STAFF_MEMBER_NOT_FOUND" => "Shopify does not know who counted: the manager corrects the id in the staff list.",
        "CURRENCY_MISMATCH" | "CURRENCY_CODE_INVALID" => "The manager corrects the currency in the settings.",
        "REASON_CODE_NOT_FOUND" => "The manager corrects or removes reason_code_id in the settings.",
        "NOT_SAVED" => "The manager looks at this register in Shopify.",
        "ACCESS_DENIED" | "HTTP_403" => {
            "The app may not do this: the manager gives it the access it needs in Shopify and installs it again."
        }
        "HTTP_401" => "The app's access token is no longer valid: the manager puts a new one into its file.",
        "HTTP_402" | "HTTP_423" | "SHOP_INACTIVE" => "The shop is frozen or locked: its owner settles that with Shopify.",
        "HTTP_404" | "RESOURCE_NOT_FOUND" => "The manager corrects the shop's domain and the ids in the settings.",
        "HTTP_430" => "Shopify takes these requests for an attack: the manager stops drawerbridge and asks Shopify.",
        "HTTP_501" => "The shop's plan has no cash tracking: its owner changes the plan, or opens registers in Shopify POS.",
        "HTTP_400" => "This is a fault of drawerbridge: the manager reports it and opens the register in Shopify POS.",
        _ => "The manager looks at this register in Shopify and at the log of drawerbridge.",
    }
}

fn signed_with_code(amount: Amount) -> String {
    let plus = if amount.minor() > 0 { "+" } else { "" };
    format!("{} {plus}{amount}", amount.currency().code())
}

/// Counted against expected, in the words of a counter.
fn difference_label(difference: Amount) -> &'static str {
    match difference.minor() {
        ..0 => "Short",
        0 => "Difference",
        1.. => "Over",
    }
}
