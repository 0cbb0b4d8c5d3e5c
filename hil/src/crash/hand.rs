//! The cashier, or the POS: makes one count, whatever state the daemon was left in.
use std::time::Duration;

use serde_json::json;
use tokio::{sync::watch, time::sleep};

use super::{
    books::By,
    till::{Confirming, CrashTill, LOOK},
};
use crate::bench::{config::STAFF, now, patiently};

/// Between two keys. A badge has gaps below 30 ms (`KEY_GAP` of the stage says why that matters).
const KEY_GAP: Duration = Duration::from_millis(42);
/// The display answers a key in milliseconds; a loaded machine may take a while.
const ANSWERED: Duration = Duration::from_millis(1_500);
/// Longer than any count takes, with a shop that cannot be read at first.
const COUNTED: Duration = Duration::from_secs(60);
/// A shift that is called open is asked for again after this.
const ASK_AGAIN: Duration = Duration::from_millis(150);

/// How the count comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The drawer is opened with its key; number and amount are typed.
    Keys,
    /// The drawer is opened with its key; the number is scanned.
    Badge,
    /// Over the local API.
    Pos,
}

/// What is counted.
#[derive(Debug, Clone)]
pub(super) struct Count {
    pub(super) entry: Entry,
    /// Cents; another one for each opening of a till.
    pub(super) cents: u64,
    /// Index into the rig's staff.
    pub(super) staff: usize,
}

impl Count {
    pub(super) fn amount(&self) -> String {
        format!("{}.{:02}", self.cents / 100, self.cents % 100)
    }
}

impl CrashTill {
    /// Goes on until the count is in the journal. `confirming` hears when it is confirmed, and again at each repetition.
    pub(super) async fn count(&mut self, count: &Count, confirming: &watch::Sender<u32>) -> Result<(), String> {
        let amount = count.amount();
        let limit = now() + patiently(COUNTED);
        // The drawer's edge must be new: a drawer left open from before starts nothing.
        let mut opened = false;
        loop {
            self.look()?;
            if self.books.has(&amount) {
                return Ok(());
            }
            let status = self.status().await?;
            let phase = status["phase"].as_str().unwrap_or_default().to_owned();
            if now() > limit {
                return Err(format!("{amount} cannot be counted: {phase}, {:?}, {status}", self.shows()));
            }
            match (phase.as_str(), count.entry) {
                ("idle" | "open" | "saved", Entry::Pos) => self.start_at_pos(count).await?,
                ("count" | "confirm", Entry::Pos) => self.put(&status, &amount, confirming).await?,
                ("idle" | "open" | "saved", Entry::Keys | Entry::Badge) => self.open_drawer(&mut opened).await,
                ("staff", _) => self.identify(count).await,
                ("count", Entry::Keys | Entry::Badge) => self.key_total(count).await,
                ("confirm", Entry::Keys | Entry::Badge) => self.confirm(&amount, confirming).await,
                _ => sleep(LOOK).await,
            }
        }
    }

    async fn open_drawer(&self, opened: &mut bool) {
        let printer = &self.rig().printer;
        if printer.drawer_is_open() {
            printer.push_drawer_shut();
            sleep(if *opened { ASK_AGAIN } else { LOOK * 5 }).await;
        }
        *opened = true;
        printer.key();
        self.until_phase_is_not(&["idle", "open", "saved"]).await;
    }

    async fn until_phase_is_not(&self, phases: &[&str]) {
        let limit = now() + ANSWERED;
        while now() < limit {
            match self.status().await {
                Ok(status) if phases.contains(&status["phase"].as_str().unwrap_or_default()) => sleep(LOOK).await,
                // It moved on, or is gone: the next look tells.
                Ok(_) | Err(_) => return,
            }
        }
    }

    async fn identify(&self, count: &Count) {
        let (_, number, _) = STAFF[count.staff];
        let keypad = &self.rig().keypad;
        if count.entry == Entry::Badge || number.contains(|c: char| !c.is_ascii_digit()) {
            keypad.badge(number).await;
        } else {
            keypad.type_keys(&format!("{number} Enter"), KEY_GAP).await;
        }
        self.until_phase_is_not(&["staff"]).await;
    }

    async fn key_total(&self, count: &Count) {
        self.rig().keypad.type_keys(&format!("{} Enter", count.cents), KEY_GAP).await;
        self.until_phase_is_not(&["count"]).await;
        // The question follows the phase by a drawing.
        let limit = now() + ANSWERED;
        while now() < limit && !self.shows()[0].starts_with("FLOAT ") {
            sleep(LOOK).await;
        }
    }

    /// Answers what stands there: yes only to the amount that was meant.
    async fn confirm(&mut self, amount: &str, confirming: &watch::Sender<u32>) {
        let [upper, lower] = self.shows();
        let asked = upper == format!("FLOAT {amount} USD") && lower.starts_with("ENTER=YES");
        let again = lower == "ENTER=TRY AGAIN";
        let keypad = self.rig().keypad.clone();
        if asked || again {
            self.confirming = Some(Confirming { amount: amount.to_owned(), from: self.rig().drawings() });
            confirming.send_modify(|times| *times += 1);
            keypad.type_keys("Enter", KEY_GAP).await;
            let left = if again { &["saving"][..] } else { &["confirm", "saving"] };
            self.until_phase_is_not(left).await;
            // A disk that refuses once more is asked again a little later.
            sleep(if again { ASK_AGAIN } else { LOOK }).await;
        } else if upper.starts_with("FLOAT ") || upper == "CHECK THE AMOUNT" {
            // Another amount: keys of an earlier try were heard late, and came before these.
            keypad.type_keys("Clear", KEY_GAP).await;
            self.until_phase_is_not(&["confirm"]).await;
        } else {
            sleep(LOOK).await;
        }
    }

    async fn start_at_pos(&self, count: &Count) -> Result<(), String> {
        let (_, _, id) = STAFF[count.staff];
        let body = json!({ "staff_member_id": format!("gid://shopify/StaffMember/{id}"), "note": "from the POS" });
        match self.ask("POST", &format!("/v1/tills/{}/openings", self.rig().name), Some(&body)).await? {
            (201, _) => Ok(()),
            // The shift still counts as open: Shopify is being asked.
            (409, _) => {
                sleep(ASK_AGAIN).await;
                Ok(())
            }
            (status, body) => Err(format!("an opening is answered by {status}: {body}")),
        }
    }

    async fn put(
        &mut self,
        status: &serde_json::Value,
        amount: &str,
        confirming: &watch::Sender<u32>,
    ) -> Result<(), String> {
        let Some(id) = status["opening"]["id"].as_str() else { return Ok(()) };
        let path = format!("/v1/tills/{}/openings/{id}/count", self.rig().name);
        confirming.send_modify(|times| *times += 1);
        match self.ask("PUT", &path, Some(&json!({ "total": amount }))).await? {
            (200, _) => self.books.acknowledge(By::Api, amount, Some(id)),
            // Over meanwhile, or the disk refused: the next look tells.
            (404 | 409 | 503 | 507, _) => sleep(ASK_AGAIN).await,
            (status, body) => return Err(format!("the count is answered by {status}: {body}")),
        }
        Ok(())
    }
}
