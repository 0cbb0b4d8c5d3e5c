//! What events, outcomes and statuses are called: for the operator's machine, the log and the event stream.
use crate::{
    device::{Link, PrinterStatus},
    opening::Outcome,
    shift::{
        Progress,
        event::{Decision, Event},
    },
};

/// What the operator's machine must know of an event of the opening.
pub(super) fn progress_of(event: &Event) -> Option<Progress> {
    match event {
        Event::OpeningSending { .. } => Some(Progress::Sending),
        Event::OpeningNotSent { .. } => Some(Progress::WillSendLater),
        Event::OpeningUnknown { .. } | Event::OpeningAbsent { .. } => Some(Progress::Checking),
        Event::OpeningConfirmed { .. } => Some(Progress::Confirmed),
        Event::OpeningRefused { prompt, .. } => Some(Progress::Refused(prompt.clone())),
        Event::OpeningNeedsAttention { prompt, .. } => Some(Progress::NeedsAttention(prompt.clone())),
        Event::OpeningRecorded { .. } => Some(Progress::Confirmed),
        Event::OpeningStale { prompt, .. } => Some(Progress::Refused(prompt.clone())),
        // A link to a session that is closed again opens nothing now.
        Event::OpeningResolved { decision: Decision::Link, session: Some(session), .. } if session.status == "OPEN" => {
            Some(Progress::Confirmed)
        }
        Event::OpeningResolved { decision: Decision::Link, .. } => Some(Progress::GivenUp),
        Event::OpeningResolved { decision: Decision::RecordCount, .. } => Some(Progress::Sending),
        Event::OpeningResolved { decision: Decision::GiveUp, .. } => Some(Progress::GivenUp),
        Event::DaemonStarted { .. }
        | Event::DrawerOpened { .. }
        | Event::DrawerClosed { .. }
        | Event::DrawerKicked { .. }
        | Event::DrawerLeftOpen {}
        | Event::PrinterStatus { .. }
        | Event::DisplayStatus { .. }
        | Event::KeypadStatus { .. }
        | Event::OpeningStarted { .. }
        | Event::OpeningCancelled { .. }
        | Event::OpeningCounted(_)
        | Event::SlipSending { .. }
        | Event::SlipPrinted { .. }
        | Event::SlipNotProven { .. }
        | Event::ShiftClosed { .. } => None,
    }
}

/// For the log.
pub(super) fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Executed(session) => format!("opened {}", session.id),
        Outcome::Refused { code, message } => format!("refused: {code}: {message}"),
        Outcome::NotExecuted { why, .. } => format!("not sent: {why}"),
        Outcome::Rejected { code, message } => format!("rejected: {code}: {message}"),
        Outcome::Unknown { why } => format!("unknown: {why}"),
    }
}

/// One line for people.
pub(super) fn link_text(link: &Link) -> String {
    match link {
        Link::Starting => "starting".to_owned(),
        Link::Up => "up".to_owned(),
        Link::Down { why } => format!("down: {why}"),
    }
}

/// One line for people: `up, online, paper ok`.
pub(super) fn status_text(status: &PrinterStatus) -> String {
    let mut parts = vec![link_text(&status.link)];
    match status.online {
        Some(true) => parts.push("online".to_owned()),
        Some(false) => parts.push("offline".to_owned()),
        None => {}
    }
    if let Some(paper) = status.paper {
        parts.push(super::desk::paper_text(paper).to_owned());
    }
    if status.cover_open == Some(true) {
        parts.push("cover open".to_owned());
    }
    parts.extend(status.error.clone());
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shift::event::sample;

    #[test]
    fn a_link_to_a_session_that_is_closed_again_opens_nothing() {
        let linked = |status| Event::OpeningResolved {
            by: "Kim".into(),
            why: "x".into(),
            decision: Decision::Link,
            session: Some(sample::session(1, status)),
        };
        assert_eq!(progress_of(&linked("OPEN")), Some(Progress::Confirmed));
        assert_eq!(progress_of(&linked("CLOSED")), Some(Progress::GivenUp));
    }
}
