//! What one seed varies besides the fault: the amount, the shop's clock, scopes, rules, a crash, a second fault, and people
//! who open and close the register meanwhile. Seed 0 varies nothing.
use std::time::Duration;

use drawerbridge::opening::OnForeign;

use super::{
    cells::{At, Cell, Trouble},
    dice::Dice,
};

/// What other people do at the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meddling {
    /// They open it, if nobody has.
    Opens,
    /// They close whatever is open.
    Closes,
    /// Both: closed, and opened anew.
    ClosesAndOpens,
}

/// How a run is varied.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Nothing is varied: the end is known.
    pub plain: bool,
    /// What was counted, in cents.
    pub cents: u64,
    /// The shop's clock, against this machine's.
    pub skew_s: i64,
    /// Scopes that the app has not.
    pub lacks: &'static [&'static str],
    /// The shop's rule.
    pub on_foreign: OnForeign,
    /// A person wants the count recorded when asked.
    pub person_records: bool,
    /// At this step the daemon dies.
    pub crash_at: Option<u32>,
    /// Strikes the next request that it means something for, after the fault under test.
    pub second: Option<Trouble>,
    /// At this step somebody does something.
    pub meddling: Option<(u32, Meddling)>,
    /// The stranger's session was opened with our amount.
    pub same_money: bool,
    /// The device had a session before.
    pub has_past: bool,
    /// Tokens come from the token endpoint.
    pub credentials: bool,
    /// The token expires before the first attempt instead of being fetched before the preflight.
    pub token_expires: bool,
    /// A fault on a token that is refused strikes the second try, too.
    pub twice_refused: bool,
    /// `ALREADY_OPEN` by our own attempt: because reads lag for longer than they should. Else because a proxy sent it twice.
    pub by_lag: bool,
    /// The stranger comes before the preflight. Else between it and the first attempt.
    pub stranger_first: bool,
    /// The unknown attempt ran.
    pub ran: bool,
    /// How long a read lags.
    pub lag: Duration,
    /// Throws for the rest.
    pub dice: Dice,
}

const NO_DEVICES: &[&str] = &["read_point_of_sale_devices", "read_orders"];
const NO_STAFF: &[&str] = &["read_users"];
const NEITHER: &[&str] = &["read_point_of_sale_devices", "read_orders", "read_users"];

impl Plan {
    /// What follows from the seed.
    pub fn of(cell: &Cell, seed: u64) -> Self {
        let mut plan = Self {
            plain: seed == 0,
            cents: 15_000,
            skew_s: 0,
            lacks: &[],
            on_foreign: if cell.at.counts() { OnForeign::RecordCount } else { OnForeign::Ask },
            person_records: false,
            crash_at: None,
            second: None,
            meddling: None,
            same_money: false,
            has_past: false,
            credentials: cell.at == At::Token,
            token_expires: false,
            twice_refused: false,
            by_lag: false,
            stranger_first: cell.at != At::FenceForeign,
            ran: true,
            lag: Duration::from_secs(5),
            dice: Dice::new(seed ^ name_hash(&cell.to_string())),
        };
        if seed != 0 {
            plan.vary(cell);
        }
        plan
    }

    fn vary(&mut self, cell: &Cell) {
        let dice = &mut self.dice;
        self.cents = if dice.one_in(8) { 0 } else { dice.below(100_000) };
        self.skew_s = [0, 0, 0, 90, -90, 300, -300, 86_400, -86_400][dice.index(9)];
        self.lacks = [&[][..], &[], NO_DEVICES, NO_STAFF, NEITHER][dice.index(5)];
        if dice.one_in(2) {
            self.on_foreign = OnForeign::RecordCount;
        } else if cell.at.counts() {
            (self.on_foreign, self.person_records) = (OnForeign::Ask, true);
        } else {
            (self.on_foreign, self.person_records) = (OnForeign::Ask, dice.one_in(4));
        }
        self.crash_at = dice.one_in(2).then(|| u32::try_from(dice.below(20)).expect("below 20"));
        if dice.one_in(2) {
            let all = Trouble::all();
            self.second = Some(all[dice.index(all.len())].clone());
        }
        self.has_past = dice.one_in(3);
        self.credentials |= dice.one_in(3);
        self.token_expires = dice.one_in(2);
        self.twice_refused = dice.one_in(2);
        self.by_lag = dice.one_in(2);
        if cell.at != At::Opener || dice.one_in(2) {
            self.stranger_first = dice.one_in(2) && cell.at != At::FenceForeign;
        }
        self.ran = dice.one_in(2);
        self.lag = Duration::from_millis([5, 20, 5_000][dice.index(3)]);
        // A read that lags for longer than the quiet period, and a register that is closed meanwhile: that is what Shopify
        // does not do, and then nobody could tell.
        let beyond_the_promise = cell.at == At::FenceOurs && self.by_lag;
        if dice.one_in(3) && !beyond_the_promise {
            let what = [Meddling::Opens, Meddling::Closes, Meddling::ClosesAndOpens][dice.index(3)];
            self.meddling = Some((u32::try_from(dice.below(20)).expect("below 20"), what));
        }
        self.same_money = dice.one_in(8);
    }

    /// What the stranger counted.
    pub fn strangers_amount(&self) -> String {
        money(if self.same_money { self.cents } else { self.cents + 1_234 })
    }
}

/// `150.00`.
pub fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// FNV-1a: cells with the same seed throw differently.
pub fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
