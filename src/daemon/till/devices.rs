//! What the devices tell a till: noted, shown, and handed to the machines.
use crate::{
    clock, config,
    device::{DeviceEvent, DrawerEvent, DrawerState, Link, OpenedBy, PrintOutcome},
    shift::{self, event::Event},
};
use tracing::warn;

use super::{Till, fresh_id};
use crate::daemon::{
    desk::Known,
    slips::Begun,
    words::{link_text, status_text},
};

impl Till {
    pub(super) fn device(&mut self, from: usize, event: DeviceEvent) {
        match event {
            DeviceEvent::Drawer(event) => self.drawer(event),
            DeviceEvent::Printer(status) => {
                let (before, after) = (status_text(self.printer.get()), status_text(&status));
                if self.house.till.display.as_ref().is_some_and(|d| d.port == config::Port::ViaPrinter)
                    && let Some(display) = &mut self.display
                {
                    display.set(clock::wall(), status.link.clone());
                }
                self.printer.set(clock::wall(), status);
                if before != after {
                    self.note(Event::PrinterStatus { status: after });
                }
            }
            DeviceEvent::Display(link) => {
                self.note(Event::DisplayStatus { status: link_text(&link) });
                if let Some(display) = &mut self.display {
                    display.set(clock::wall(), link);
                }
            }
            DeviceEvent::Keypad(link) => self.keypad(from, link),
            DeviceEvent::Key(key) => {
                self.doubt_the_session();
                self.shift_input(shift::Input::Key(key));
            }
            DeviceEvent::Badge(number) => {
                self.doubt_the_session();
                self.shift_input(shift::Input::Badge(number));
            }
            DeviceEvent::KeysLost => self.shift_input(shift::Input::KeysLost),
            DeviceEvent::Printed { job, outcome } => {
                if let Some(Begun { opening, kind }) = self.slips.over(job) {
                    let kind = kind.to_owned();
                    let event = match outcome {
                        PrintOutcome::Printed { by } => Event::SlipPrinted { kind, proof: by.to_owned() },
                        PrintOutcome::NotProven { why } => {
                            warn!(%opening, kind, why, "the slip is not proven");
                            self.slips.was_torn();
                            Event::SlipNotProven { kind, why }
                        }
                    };
                    self.keep(opening, event);
                }
            }
            DeviceEvent::PrintTurn { job } => self.begin_slip(job),
            DeviceEvent::PrintWaits { job, why } => warn!(till = self.house.till.name, job, why, "the slip waits"),
        }
    }

    pub(super) fn drawer(&mut self, event: DrawerEvent) {
        match event {
            DrawerEvent::Opened(by) => {
                self.drawer.set(clock::wall(), DrawerState::Open);
                let by = match by {
                    OpenedBy::Command => "command",
                    OpenedBy::Key => "key",
                };
                self.note(Event::DrawerOpened { by: by.to_owned() });
                let now = clock::now();
                if self.records.watched().is_some() {
                    self.session.edge(now);
                }
                self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
                self.check_session();
            }
            DrawerEvent::Closed { after } => {
                self.drawer.set(clock::wall(), DrawerState::Closed);
                let open_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                self.note(Event::DrawerClosed { open_ms });
                self.shift_input(shift::Input::DrawerClosed);
            }
            DrawerEvent::LeftOpen => {
                self.drawer.set(clock::wall(), DrawerState::LeftOpen);
                self.note(Event::DrawerLeftOpen {});
            }
            DrawerEvent::State(state) => {
                let open = matches!(state, DrawerState::Open | DrawerState::LeftOpen);
                self.drawer.set(clock::wall(), state);
                self.shift_input(shift::Input::DrawerIs { open });
            }
        }
    }

    pub(super) fn keypad(&mut self, from: usize, link: Link) {
        self.note(Event::KeypadStatus { status: link_text(&link) });
        let up = |links: &[Known<Link>]| links.iter().filter(|l| *l.get() == Link::Up).count();
        let before = up(&self.keypads);
        if let Some(slot) = self.keypads.get_mut(from) {
            slot.set(clock::wall(), link);
        }
        match (before, up(&self.keypads)) {
            (0, 0) | (1.., 0) => self.shift_input(shift::Input::KeypadGone),
            (0, 1..) => self.shift_input(shift::Input::KeypadBack),
            (before, after) if after < before => self.shift_input(shift::Input::KeysLost),
            (_, _) => {}
        }
    }
}
