//! The keypad task: reads keys from a serial port or an input device. Which of them are a hand's is `driver::keypad`.
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::link::LinkReport;
use crate::{
    clock,
    config::{self, Port, Timing},
    device::DeviceEvent,
    driver::keypad::{
        Keypad, Output, Strays, Stroke,
        keystrokes::{Keystrokes, Stamps},
        serial::Bytes,
    },
    transport::{Backoff, Connection, LinkError, Reader, evdev::InputDevice},
};

/// Ends the task. It ends by itself when all handles are gone, or nobody takes its events.
#[derive(Debug, Clone)]
pub struct KeypadHandle {
    closing: watch::Sender<bool>,
}

impl KeypadHandle {
    /// Releases the port (and gives the keys back to the desktop).
    pub async fn close(self) {
        self.closing.send_replace(true);
        self.closing.closed().await;
    }
}

/// Starts the task: an input device for [`Port::Evdev`], bytes for the others.
#[must_use]
pub fn spawn_keypad(keypad: config::Keypad, timing: Timing, events: mpsc::Sender<DeviceEvent>) -> KeypadHandle {
    let (closing, mut closed) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            // An error means that all handles are gone, which is the same.
            _closed = closed.wait_for(|closing| *closing) => {}
            () = run(keypad, timing, events) => {}
        }
        drop(closed);
    });
    KeypadHandle { closing }
}

async fn run(config: config::Keypad, timing: Timing, events: mpsc::Sender<DeviceEvent>) {
    let mut report = LinkReport::new(events.clone(), DeviceEvent::Keypad);
    let mut backoff = Backoff::new(timing.reopen_first, timing.reopen_max);
    while !events.is_closed() {
        let opened = Source::open(&config.port).await;
        let since = clock::now();
        let lost = match opened {
            Ok(source) => {
                report.up().await;
                // Whatever was held of the last link is void with it.
                listen(source, Keypad::new(&config.profile, strays(&config.port)), &events).await
            }
            Err(why) => Err(why),
        };
        let Err(why) = lost else { return };
        report.down(&why).await;
        // A link that held was a good one. One that breaks at once is tried less and less often.
        if clock::now() - since > timing.reopen_max {
            backoff.reset();
        }
        tokio::select! {
            biased;
            () = events.closed() => return,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

fn strays(port: &Port) -> Strays {
    match port {
        Port::Evdev(_) => Strays::AreIgnored,
        Port::Serial { .. } | Port::Tcp(_) | Port::ViaPrinter => Strays::AreNoise,
    }
}

/// Until the link breaks, or (`Ok`) until nobody takes the events.
async fn listen(mut source: Source, mut keypad: Keypad, events: &mpsc::Sender<DeviceEvent>) -> Result<(), LinkError> {
    let mut strokes = Vec::new();
    let mut wake_at = None;
    loop {
        let outputs: Vec<Output> = tokio::select! {
            biased;
            // First the keys that came in time, then the deadline.
            read = source.read(&mut strokes) => {
                read?;
                // Bytes without end that are no keys must not keep the rest of the daemon waiting.
                tokio::task::coop::consume_budget().await;
                strokes.drain(..).flat_map(|(at, stroke)| keypad.handle(at, stroke)).collect()
            }
            () = until(wake_at) => {
                wake_at = None;
                keypad.tick(clock::now())
            }
            () = events.closed() => return Ok(()),
        };
        for output in outputs {
            let event = match output {
                Output::Key(key) => DeviceEvent::Key(key),
                Output::Badge(text) => DeviceEvent::Badge(text),
                Output::KeysLost => DeviceEvent::KeysLost,
                Output::WakeAt(at) => {
                    wake_at = Some(at);
                    continue;
                }
            };
            if events.send(event).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Where strokes come from.
#[derive(Debug)]
enum Source {
    Line { reader: Reader, bytes: Bytes },
    Device { device: Box<InputDevice>, keystrokes: Keystrokes, stamps: Stamps },
}

impl Source {
    async fn open(port: &Port) -> Result<Self, LinkError> {
        match port {
            Port::Evdev(path) => {
                let device = Box::new(InputDevice::open(path).await?);
                Ok(Self::Device { device, keystrokes: Keystrokes::default(), stamps: Stamps::default() })
            }
            Port::Serial { .. } | Port::Tcp(_) | Port::ViaPrinter => {
                let (reader, _writer) = Connection::open(port).await?.split();
                Ok(Self::Line { reader, bytes: Bytes::default() })
            }
        }
    }

    /// Waits for one read's worth, and appends what it says. Dropping the future loses nothing.
    async fn read(&mut self, strokes: &mut Vec<(Instant, Stroke)>) -> Result<(), LinkError> {
        match self {
            Self::Line { reader, bytes } => {
                let mut buffer = [0; 64];
                let got = reader.read(&mut buffer).await?;
                let now = clock::now();
                strokes.extend(buffer[..got].iter().filter_map(|byte| bytes.read(*byte)).map(|stroke| (now, stroke)));
            }
            Self::Device { device, keystrokes, stamps } => {
                let event = device.read().await?;
                let at = stamps.at(clock::now(), event.stamp);
                strokes.extend(keystrokes.read(event.kind, event.code, event.value).map(|stroke| (at, stroke)));
            }
        }
        Ok(())
    }
}
