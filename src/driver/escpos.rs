//! ESC/POS receipt printers and the drawer behind them.
//!
//! [`Printer`] joins the conversation on the printer's line with the drawer on its kick port: the worker feeds it bytes, orders
//! and the time, and does what comes out.
pub mod command;
pub mod conversation;
pub mod health;
pub mod identity;
pub mod jobs;
pub mod pace;
pub mod requests;
pub mod status;

use std::time::Instant;

pub use self::conversation::Input;
use self::conversation::{Conversation, Output as Said};
use crate::{
    config::{self, Pin, Sense, Timing},
    device::{DeviceEvent, DrawerEvent, KickOutcome, KickRefused},
    driver::drawer::{self, Drawer},
};

/// What the worker is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Hand this to the kernel in one write, then report [`Input::Left`], [`Input::Partly`] or [`Input::Refused`].
    Write(Vec<u8>),
    /// Tell the till.
    Event(DeviceEvent),
    /// Answer the kick that is being answered.
    Answer(Result<KickOutcome, KickRefused>),
    /// Answer the kick that just came.
    Refuse(KickRefused),
    /// Throw away what has not left the kernel, and what is left of the last [`Output::Write`]; if that cannot be done, close
    /// the port and open it again.
    Discard,
    /// Close the port and open it again: nothing leaves.
    Stuck,
}

/// A receipt printer with or without a drawer.
#[derive(Debug)]
pub struct Printer {
    line: Conversation,
    drawer: Option<Drawer>,
}

impl Printer {
    /// A printer whose port is not open yet. `first_id` should differ from run to run.
    #[must_use]
    pub fn new(
        now: Instant,
        printer: &config::Printer,
        drawer: Option<&config::Drawer>,
        timing: Timing,
        first_id: u16,
    ) -> Self {
        let pin = drawer.map_or(Pin::Two, |drawer| drawer.pin);
        let senses = drawer.is_some_and(|drawer| drawer.sense != Sense::NoSensor);
        Self {
            line: Conversation::new(now, &printer.profile, pin, senses, timing, first_id),
            drawer: drawer.map(|drawer| Drawer::new(drawer, &printer.profile, &timing)),
        }
    }
    /// Something happened on the line, or is wanted from the printer.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        let said = self.line.handle(now, input);
        self.pass_on(now, said, &mut out);
        self.tick_drawer(now, &mut out);
        out
    }
    /// Somebody wants the drawer open.
    pub fn kick(&mut self, now: Instant) -> Vec<Output> {
        let mut out = Vec::new();
        if self.drawer.is_none() {
            out.push(Output::Refuse(KickRefused::NoDrawer));
        }
        self.tell_drawer(now, drawer::Input::Kick, &mut out);
        out
    }
    /// What is known of the drawer from the start, for whoever listens.
    #[must_use]
    pub fn drawer_state(&self) -> Option<DeviceEvent> {
        self.drawer.as_ref().map(|drawer| DeviceEvent::Drawer(DrawerEvent::State(drawer.state())))
    }
    /// When [`Input::Tick`] is due, if at all.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let drawer = self.drawer.as_ref().and_then(Drawer::wake_at);
        [self.line.wake_at(), drawer].into_iter().flatten().min()
    }
    /// When the port may be closed without tearing anything, if nothing is under way that takes longer.
    #[must_use]
    pub fn settled_at(&self) -> Option<Instant> {
        self.line.settled_at()
    }

    fn pass_on(&mut self, now: Instant, said: Vec<Said>, out: &mut Vec<Output>) {
        for said in said {
            match said {
                Said::Write(bytes) => out.push(Output::Write(bytes)),
                Said::Event(event) => out.push(Output::Event(event)),
                Said::Discard => out.push(Output::Discard),
                Said::Stuck => out.push(Output::Stuck),
                Said::Level { high, baseline: false } => self.tell_drawer(now, drawer::Input::Level { high }, out),
                Said::Level { high, baseline: true } => self.tell_drawer(now, drawer::Input::Baseline { high }, out),
                Said::LevelLost(why) => self.tell_drawer(now, drawer::Input::Lost { why }, out),
                Said::PulseLeft { behind_slip } => self.tell_drawer(now, drawer::Input::PulseLeft { behind_slip }, out),
                Said::PulseFailed(why) => self.tell_drawer(now, drawer::Input::PulseFailed { why }, out),
            }
        }
    }

    fn tick_drawer(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.tell_drawer(now, drawer::Input::Tick, out);
    }

    fn tell_drawer(&mut self, now: Instant, input: drawer::Input, out: &mut Vec<Output>) {
        let Some(drawer) = &mut self.drawer else { return };
        let watched = drawer.answer_due();
        let said = drawer.handle(now, input);
        let watch = drawer.answer_due();
        for said in said {
            match said {
                drawer::Output::Event(event) => out.push(Output::Event(DeviceEvent::Drawer(event))),
                drawer::Output::Answer(answer) => out.push(Output::Answer(answer)),
                drawer::Output::Refuse(why) => out.push(Output::Refuse(why)),
                drawer::Output::Pulse => {
                    let said = self.line.handle(now, Input::Pulse);
                    self.pass_on(now, said, out);
                }
            }
        }
        if watch != watched {
            let said = self.line.handle(now, Input::Watch(watch));
            self.pass_on(now, said, out);
        }
    }
}
