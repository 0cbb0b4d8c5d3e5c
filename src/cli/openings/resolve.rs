//! `drawerbridge openings resolve`: a person's decision, said before it is taken, and kept in the journal with who and why.
use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, builder::NonEmptyStringValueParser};
use reqwest::Method;
use serde_json::{Value, json};

use super::{counted, find, path, spelled};
use crate::cli::{
    ConfigArg, USAGE,
    client::Client,
    complain, say, say_last,
    words::{text, visible, what_to_do},
};

const LONG: &str = "\
For an opening that needs attention: nothing happens with it until somebody decides. What will happen is said first, and on
a terminal it is asked for; the decision stands in the journal for ever, with who and why.

  --link SESSION          this session at Shopify is the count's; nothing is sent
  --record-count SESSION  the count goes into this open session, which somebody else opened, as a mid-session count
  --give-up               nothing more happens with the count

Exit codes: 0 decided; 1 refused: it is settled already, Shopify does not show that session, or you said no; 2 nobody can
be asked, because there is no terminal and no --yes; 75 try again later: no daemon answers, or Shopify could not be asked for the session.

Examples:
  drawerbridge openings resolve 8R0NM4RDQ6 --record-count 1002 --why \"Lee opened the register by hand\"
  drawerbridge openings resolve 8R0NM4RDQ6 --give-up --why \"counted again\" --by Kim --yes";

/// A number is looked up at Shopify before the decision is taken, and the daemon answers within half a minute.
const DECIDED_WITHIN: Duration = Duration::from_secs(35);
/// Session ids at Shopify.
const SESSION: &str = "gid://shopify/PointOfSaleDevicePaymentSession/";

/// Decide about one opening.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub(in crate::cli) struct ResolveArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The ten characters of the opening (`drawerbridge openings` lists them)
    id: String,
    #[command(flatten)]
    decision: Decision,
    /// Why, in your words
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    why: String,
    /// Who decides; your login name when not given
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print the daemon's answer: the opening as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Decision {
    /// This session at Shopify is the count's: its number, or its whole id
    #[arg(long, value_name = "SESSION", value_parser = session)]
    link: Option<String>,
    /// Record the count in this open session, which somebody else opened
    #[arg(long, value_name = "SESSION", value_parser = session)]
    record_count: Option<String>,
    /// Nothing more happens with the count
    #[arg(long)]
    give_up: bool,
}

/// A session's id from its number or from itself.
fn session(text: &str) -> Result<String, String> {
    let number = text.trim().strip_prefix(SESSION).unwrap_or(text.trim());
    if (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(format!("{SESSION}{number}"));
    }
    Err(format!("give its number, or {SESSION}NUMBER"))
}

pub(super) fn resolve(args: &ResolveArgs) -> Result<ExitCode, ExitCode> {
    let Some(by) = args.by.clone().or_else(login_name) else {
        complain("nothing tells who you are: give --by NAME");
        return Err(ExitCode::from(USAGE));
    };
    let client = Client::new(&args.config)?;
    let id = spelled(&args.id);
    let (till, found) = find(&client, &id)?;
    let will = what_will_happen(&id, till, &found, &args.decision);
    let will = format!("{will}\nThe journal keeps: {}, because \"{}\".", visible(&by), visible(&args.why));
    if !args.yes && !io::stdin().is_terminal() {
        complain(format!("{will}\nNothing was done: nobody can be asked here, so add --yes"));
        return Err(ExitCode::from(USAGE));
    }
    tell(&format!("{will}\n"));
    if !args.yes && !confirmed() {
        tell("nothing was done\n");
        return Err(ExitCode::FAILURE);
    }
    let (decision, session_id) = args.decision.chosen();
    let mut body = json!({ "decision": decision, "by": by, "why": args.why });
    if let Some(session_id) = session_id {
        body["session_id"] = Value::from(session_id);
    }
    let path = format!("{}/resolution", path(till, &id));
    let after = client.ask_within(DECIDED_WITHIN, Method::POST, &path, Some(&body))?;
    if args.json {
        return Ok(say_last(&after, ExitCode::SUCCESS));
    }
    say(format!("decided: {id} is {}", text(&after, "state").replace('_', " ")))?;
    what_to_do(&after).into_iter().try_for_each(say)?;
    Ok(ExitCode::SUCCESS)
}

impl Decision {
    /// As the daemon spells it, and about which session.
    fn chosen(&self) -> (&'static str, Option<&str>) {
        match (&self.link, &self.record_count) {
            (Some(session), _) => ("link", Some(session)),
            (None, Some(session)) => ("record_count", Some(session)),
            (None, None) => ("give_up", None),
        }
    }
}

/// In a sentence or two, before it happens.
fn what_will_happen(id: &str, till: &str, opening: &Value, decision: &Decision) -> String {
    let count = match counted(opening) {
        none if none.is_empty() => format!("{id} at {till}, which is not counted,"),
        count => format!("{id} at {till}, {count},"),
    };
    let number = |id: &str| id.rsplit('/').next().map(visible).unwrap_or_default();
    match decision.chosen() {
        ("link", Some(session)) => format!(
            "{count} is taken as the float of session {} at Shopify. Nothing is sent; the opening counts as confirmed.",
            number(session)
        ),
        (_, Some(session)) => format!(
            "{count} goes to Shopify as a mid-session count into session {}, which somebody else opened. It stands in that \
             session's ledger and cannot be taken back.",
            number(session)
        ),
        (_, None) => {
            let in_the_way = Some(text(opening, "session_id")).filter(|session| !session.is_empty());
            let then = in_the_way.map_or_else(
                || "The drawer's next opening asks for a new count.".to_owned(),
                |session| format!("As long as session {} is open, so is the shift.", number(session)),
            );
            format!("{count} is given up: nothing more is sent, and the count stays in the journal. {then}")
        }
    }
}

/// Results go to stdout; this is none.
fn tell(text: &str) {
    let mut out = io::stderr().lock();
    // Without a stderr there is nobody to tell.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn confirmed() -> bool {
    tell("Do it? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Who sits here: behind `sudo`, who called it.
fn login_name() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
    ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(set).or_else(|| {
        let uid = rustix::process::getuid().as_raw().to_string();
        name_of(&uid, &std::fs::read_to_string("/etc/passwd").ok()?)
    })
}

/// The name of a user by its number, in a text like `/etc/passwd`.
fn name_of(uid: &str, passwd: &str) -> Option<String> {
    let users = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    users
        .into_iter()
        .find(|fields| fields.get(2) == Some(&uid))
        .and_then(|fields| fields.first().map(|&name| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_a_number_or_its_id() {
        let whole = format!("{SESSION}1002");
        assert_eq!(session("1002").unwrap(), whole);
        assert_eq!(session(&whole).unwrap(), whole);
        for bad in ["", "x", "10 02", "gid://shopify/CashDrawer/1", "-1", "123456789012345678901"] {
            assert!(session(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_will_happen_is_said_before_it_does() {
        let foreign = json!({ "total": "150.00", "currency": "USD", "staff": "Robin",
            "session_id": "gid://shopify/PointOfSaleDevicePaymentSession/1001" });
        let with = |link: Option<&str>, record_count: Option<&str>| {
            let decision = Decision {
                link: link.map(|n| session(n).unwrap()),
                record_count: record_count.map(|n| session(n).unwrap()),
                give_up: link.or(record_count).is_none(),
            };
            what_will_happen("8R0NM4RDQ6", "front-1", &foreign, &decision)
        };
        let count = "8R0NM4RDQ6 at front-1, 150.00 USD counted by Robin,";
        assert!(with(Some("7"), None).starts_with(&format!("{count} is taken as the float of session 7")));
        assert!(
            with(None, Some("7")).starts_with(&format!("{count} goes to Shopify as a mid-session count into session 7,"))
        );
        assert!(with(None, None).ends_with("As long as session 1001 is open, so is the shift."));
        let free = what_will_happen(
            "8R0NM4RDQ6",
            "front-1",
            &json!({}),
            &Decision { link: None, record_count: None, give_up: true },
        );
        assert!(free.starts_with("8R0NM4RDQ6 at front-1, which is not counted, is given up"), "{free}");
    }

    #[test]
    fn a_name_is_found_by_its_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nkim:x:1000:1000::/home/kim:/bin/sh\n";
        assert_eq!(name_of("1000", passwd).as_deref(), Some("kim"));
        assert_eq!(name_of("100", passwd), None);
    }
}
