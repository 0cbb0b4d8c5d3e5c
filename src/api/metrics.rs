//! `GET /metrics`: a few figures as Prometheus text.
use std::fmt::Write as _;

use super::Doors;
use crate::journal::chain::hex;

/// The whole page.
pub async fn page(doors: &Doors) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("a String takes everything");
    line(format_args!("# HELP drawerbridge_journal_writable 1 when the last write to the journal succeeded.\n"));
    line(format_args!("# TYPE drawerbridge_journal_writable gauge\n"));
    line(format_args!("drawerbridge_journal_writable {}\n", u8::from(!doors.recorder.is_failing())));
    if let Ok((seq, head)) = doors.recorder.ask(|j| Ok((j.last_seq()?, j.head()))).await {
        line(format_args!("# HELP drawerbridge_journal_seq Number of the newest journal row.\n"));
        line(format_args!("# TYPE drawerbridge_journal_seq gauge\ndrawerbridge_journal_seq {seq}\n"));
        line(format_args!("# HELP drawerbridge_journal_head_info Hash of the newest journal row: keep it elsewhere.\n"));
        line(format_args!("# TYPE drawerbridge_journal_head_info gauge\n"));
        line(format_args!("drawerbridge_journal_head_info{{head=\"{}\"}} 1\n", hex(&head)));
    }
    line(format_args!("# HELP drawerbridge_drawer_known 1 when the drawer's state is known.\n"));
    line(format_args!("# TYPE drawerbridge_drawer_known gauge\n"));
    for (name, till) in &doors.tills {
        let known = till.view.borrow().drawer.state != "unknown";
        line(format_args!("drawerbridge_drawer_known{{till=\"{name}\"}} {}\n", u8::from(known)));
    }
    // The journal knows which are; what a till shows is its newest opening only.
    if let Ok(unresolved) = doors.recorder.ask(|j| j.unresolved_by_till()).await {
        line(format_args!("# HELP drawerbridge_opening_unresolved Counts that are not yet settled with Shopify.\n"));
        line(format_args!("# TYPE drawerbridge_opening_unresolved gauge\n"));
        for name in doors.tills.keys() {
            let count = unresolved.iter().filter(|till| *till == name).count();
            line(format_args!("drawerbridge_opening_unresolved{{till=\"{name}\"}} {count}\n"));
        }
    }
    out
}
