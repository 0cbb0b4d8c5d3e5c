//! The scripted cashier: Robin opens the drawer with the key, counts 150.00, and waits until the register is open.
use std::{sync::Arc, time::Duration};

use drawerbridge_hil::bench::{Bench, config::IDLE};
use tokio::sync::{mpsc, watch};

use super::{ending::Progress, plot::Plot};

/// Who does something, and what.
pub(super) type Told = (&'static str, String);

/// Between two keys: a quick hand, and slow enough to be no badge scanner (the keypad's `burst_gap` is 30 ms).
pub(super) const KEY_GAP: Duration = Duration::from_millis(90);
/// Between reading the display and acting.
pub(super) const THINKS: Duration = Duration::from_millis(500);
/// A prompt that does not come within this is a fault of the demo.
const PATIENCE: Duration = Duration::from_secs(10);

/// A drawer of 150.00 USD: pieces per denomination, as the display asks for them.
const PIECES: [(&str, u32); 3] = [("20.00", 5), ("5.00", 6), ("0.25", 80)];

/// Works the simulated till.
pub(super) struct Cashier {
    pub bench: Arc<Bench>,
    /// For the story.
    pub tell: mpsc::Sender<Told>,
    /// How far the opening has come.
    pub progress: watch::Receiver<Progress>,
}

impl Cashier {
    async fn says(&self, what: &str) {
        self.tells("Robin", what).await;
    }

    pub(super) async fn tells(&self, who: &'static str, what: &str) {
        // Nobody listens any more only when the demo is over.
        drop(self.tell.send((who, what.to_owned())).await);
    }

    /// Plays the whole opening.
    pub(super) async fn play(mut self, denominations: bool, plot: Plot) -> Result<(), String> {
        let bench = Arc::clone(&self.bench);
        let till = &bench.tills[0];
        self.idle().await?;
        tokio::time::sleep(THINKS).await;
        self.says("opens the drawer with its key").await;
        till.printer.key();
        self.shows(|rows| rows[0] == "STAFF NUMBER").await?;
        tokio::time::sleep(THINKS).await;
        self.types("the staff number", "1042").await;
        if denominations {
            self.count_pieces().await?;
        } else {
            self.shows(|rows| rows[0] == "COUNT THE FLOAT").await?;
            tokio::time::sleep(THINKS).await;
            self.types("the total, without a point", "15000").await;
        }
        self.shows(|rows| rows[1].starts_with("ENTER=YES")).await?;
        tokio::time::sleep(THINKS).await;
        self.says("reads the amount again, and presses Enter: yes").await;
        till.keypad.type_keys("Enter", KEY_GAP).await;
        self.shows(|rows| !rows[1].starts_with("ENTER=YES") && !rows[0].starts_with("SAVING")).await?;
        tokio::time::sleep(THINKS).await;
        self.says("pushes the drawer shut").await;
        till.printer.push_drawer_shut();
        if plot == Plot::ApiDown {
            self.shows(|rows| rows[1] == "WILL SEND LATER").await?;
            tokio::time::sleep(THINKS * 2).await;
            bench.api.set_down(false);
            self.tells("network", "is back").await;
        }
        let patience = plot.patience();
        let settled = self.progress.wait_for(|progress| *progress >= Progress::Settled);
        match tokio::time::timeout(patience, settled).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return Err("the opening is still not settled: this should not take so long".to_owned()),
        }
        self.see_the_end().await
    }

    /// The result stands for a while; a text that calls for the manager stands until somebody presses a key.
    async fn see_the_end(&self) -> Result<(), String> {
        let result = self.shows(|rows| rows[0] == "REGISTER IS OPEN" || rows[1] == "CALL THE MANAGER").await?;
        if result[1] == "CALL THE MANAGER" {
            tokio::time::sleep(THINKS * 3).await;
            self.says("calls the manager, and takes the text away with Clear").await;
            self.bench.tills[0].keypad.type_keys("Clear", KEY_GAP).await;
        }
        self.idle().await
    }

    /// Types digits, looks at the display, presses Enter.
    async fn types(&self, what: &str, digits: &str) {
        self.says(&format!("keys {what}: {digits}, Enter")).await;
        let keypad = &self.bench.tills[0].keypad;
        keypad.type_keys(digits, KEY_GAP).await;
        tokio::time::sleep(THINKS).await;
        keypad.type_keys("Enter", KEY_GAP).await;
    }

    async fn count_pieces(&self) -> Result<(), String> {
        self.says("counts each kind of note and coin: its pieces, Enter; Enter alone for none").await;
        let mut asked = String::new();
        loop {
            let last = asked.clone();
            let next =
                move |rows: &[String; 2]| rows[1].starts_with("ENTER=YES") || (rows[0].ends_with(" x") && rows[0] != last);
            let rows = self.shows(next).await?;
            if !rows[0].ends_with(" x") {
                return Ok(());
            }
            asked = rows[0].clone();
            let pieces = PIECES.iter().find(|(face, _)| asked.starts_with(&format!("{face} "))).map_or(0, |(_, n)| *n);
            tokio::time::sleep(THINKS / 2).await;
            let keypad = &self.bench.tills[0].keypad;
            if pieces > 0 {
                keypad.type_keys(&pieces.to_string(), KEY_GAP).await;
                tokio::time::sleep(THINKS).await;
            }
            keypad.type_keys("Enter", KEY_GAP).await;
        }
    }

    /// Waits for the idle text. At the start, the daemon hears keys from then on; at the end, nothing is left to be seen.
    pub(super) async fn idle(&self) -> Result<(), String> {
        self.shows(|rows| *rows == IDLE).await.map(drop)
    }

    /// Waits until the display shows it; rows come without the padding.
    async fn shows(&self, wanted: impl Fn(&[String; 2]) -> bool) -> Result<[String; 2], String> {
        let display = self.bench.tills[0].display.as_ref().ok_or("the till has no display")?;
        let mut frames = display.frames();
        let trimmed = |rows: [String; 2]| rows.map(|row| row.trim_end().to_owned());
        let deadline = crate::clock::now() + PATIENCE;
        let mut rows = trimmed(display.frame());
        while !wanted(&rows) {
            match tokio::time::timeout_at(deadline.into(), frames.recv()).await {
                Ok(Ok(next)) => rows = trimmed(next),
                Ok(Err(_)) => rows = trimmed(display.frame()),
                Err(_) => return Err(format!("the display does not go on; it shows {:?} / {:?}", rows[0], rows[1])),
            }
        }
        Ok(rows)
    }
}
